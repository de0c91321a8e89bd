"""One read of everything at one block: who is read, how, and what other nodes say of it."""
