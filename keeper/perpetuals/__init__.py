"""The way of a perpetual position, and of a book of positions, through one cycle."""
