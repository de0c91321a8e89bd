"""Venus (the Compound v2 family) in the sandbox: the real contracts, fetched only when something asks for them."""
