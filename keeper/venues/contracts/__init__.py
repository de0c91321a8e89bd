"""Contracts that belong to no venue: tokens, Multicall3, the batch account."""
