"""Uniswap v3 and its forks: pools, quotes, swaps of exact output, time-weighted averages."""
