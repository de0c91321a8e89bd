"""Safe and Balancer v3 in the sandbox: real contracts, fetched and compiled only when something asks for them."""
