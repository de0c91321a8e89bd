"""Uniswap v4 in the sandbox: the real pool manager and the real router, fetched only when something asks for them."""
