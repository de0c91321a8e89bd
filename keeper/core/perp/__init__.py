"""Perpetual arithmetic: margin, rules, moves and plans."""
