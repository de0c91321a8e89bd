"""Morpho Blue: isolated markets of one collateral and one loan, each with its own oracle, rate model and LLTV."""
