"""Every custom error that a reason is read from is one whose selector is known: a misspelt one would end a plan."""

from __future__ import annotations

import pytest

from keeper.venues.codec.abi import error_selector
from keeper.venues.registry import ALLOWANCE_ERRORS, CHANGED_ERRORS, PRICE_ERRORS


@pytest.mark.parametrize("name", [*PRICE_ERRORS, *CHANGED_ERRORS, *ALLOWANCE_ERRORS])
def test_an_error_has_a_selector(name: str) -> None:
    """By the interface files that ship."""
    assert len(error_selector(name)) == 4
