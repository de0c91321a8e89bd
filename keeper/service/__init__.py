"""The process: its parts put together, heads, and the daemon that runs for months."""
