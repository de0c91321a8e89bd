"""Ways to help a lending position."""
