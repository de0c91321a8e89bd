"""Puts what these tests share where they find it: no __init__.py in these folders."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "world"), str(TESTS / "chaos")]
