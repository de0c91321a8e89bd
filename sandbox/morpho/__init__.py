"""Morpho Blue in the sandbox: the real contract, fetched and compiled only when something asks for it."""
