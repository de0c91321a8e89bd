"""Prices from elsewhere: Chainlink feeds, and prices that are fixed."""
