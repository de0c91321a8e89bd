"""Balancer v3's vault: it lends within one transaction, for no fee, to whoever it can call back."""
