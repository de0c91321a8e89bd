"""Perp v2: markets, positions, calls, quotes."""
