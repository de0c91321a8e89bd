"""Aave v3 and its forks: market, accounts, calls, events."""
