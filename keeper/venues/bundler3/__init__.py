"""Morpho's Bundler3: a plain account makes one transaction of a loan and all that is done with it."""
