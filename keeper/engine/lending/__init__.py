"""The story of one block for loans: what the rest of the engine need not know of them."""
