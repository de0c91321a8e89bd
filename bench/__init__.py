"""Measured on the local world: requests, gas, and what a quiet block costs. Counts and ratios, not seconds."""
