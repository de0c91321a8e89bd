"""Compound v3 in the sandbox: a stand-in of our own with the recorded interface, figures and refusals."""
