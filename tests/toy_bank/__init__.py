"""A lending venue as small as one can be: what must be written for a new one, and nothing else (docs/extending.md)."""
