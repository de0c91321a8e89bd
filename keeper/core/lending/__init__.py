"""Lending arithmetic: health, what moves it, and the cheapest plan."""
