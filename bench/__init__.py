"""Measured on the local world, side by side in one run: what a block costs, how fast it is read, how fast it is met.

A module of this folder measures one theme and returns rows; ``__main__`` runs them all. What is asserted is a row's own
bound on a ratio or a count, never a time alone.
"""
