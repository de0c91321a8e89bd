"""Uniswap v4: one manager of all pools, traded with through the universal router, within a bundle."""
