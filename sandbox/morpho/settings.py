"""The keeper's settings in the scenario: the crash demo's own, for a position in a market of Morpho Blue."""

from sandbox.demo_keeper import SETTINGS as ON_AAVE

SETTINGS = ON_AAVE.replace('venue = "aave_v3"\n', 'venue = "morpho_blue"\nmarket = "{market}"\n')
