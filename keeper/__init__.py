"""Keeps one owner's leveraged on-chain positions alive."""
