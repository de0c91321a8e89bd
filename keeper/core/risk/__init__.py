"""Risk: volatility, probability of liquidation, loss. Floats are probabilities and volatilities, never an amount."""
