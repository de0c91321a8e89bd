"""Figures of the lists: what is small is not nothing, what is nothing is not shown."""

from __future__ import annotations

import pytest

from keeper.cli.words import cut
from keeper.core.words import small as _small


@pytest.mark.parametrize(
    ("paid", "shown"),
    [
        ("0.000000462345000000", "0.000000462"),
        ("1.234567890000000000", "1.234567"),
        ("0.001460000000000000", "0.00146"),
    ],
)
def test_a_fee_is_shown_however_small(paid: str, shown: str) -> None:
    """On a rollup it is a millionth of a coin, and still what was paid."""
    assert _small(paid) == shown


def test_a_line_is_cut_at_the_edge() -> None:
    """With a sign that it goes on."""
    assert (cut("abc", 3), cut("abcd", 3)) == ("abc", "ab…")
