"""The story of one block for perpetual positions and books."""
