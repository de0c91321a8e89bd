"""Aave v3.0, the generation that many forks still run: real contracts, fetched only when something asks for them."""
