"""The Compound v2 family (Venus and its kin): a token for each supply, a comptroller that judges accounts."""
