"""GMX v2: markets, positions, orders, and what became of them."""
