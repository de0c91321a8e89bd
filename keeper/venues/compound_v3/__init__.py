"""Compound v3 (Comet): one base asset that is lent, collaterals that earn nothing, two limits for each."""
