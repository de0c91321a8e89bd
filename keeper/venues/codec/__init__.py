"""Bytes and words: ABI, quantities, text."""
