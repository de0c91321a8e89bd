"""Integers for money: the name of each division tells its rounding, and bounds are found exactly."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.units import (
    INFINITE,
    WAD,
    decimal_of,
    largest,
    mul_div_down,
    mul_div_nearest,
    mul_div_up,
    ratio_text,
    scaled,
    smallest,
    usd_text,
)

UINT256 = st.integers(min_value=0, max_value=2**256 - 1)
DIVISOR = st.integers(min_value=1, max_value=2**256 - 1)
BOUND = st.integers(min_value=-(10**30), max_value=10**30)


@given(UINT256, UINT256, DIVISOR)
def test_down_is_the_floor_of_the_exact_quotient(a: int, b: int, c: int) -> None:
    """No precision is lost at any size that the chain knows."""
    assert mul_div_down(a, b, c) == floor(Fraction(a * b, c))


@given(UINT256, UINT256, DIVISOR)
def test_up_is_the_ceiling_of_the_exact_quotient(a: int, b: int, c: int) -> None:
    """A debt is never a unit too small."""
    assert mul_div_up(a, b, c) == ceil(Fraction(a * b, c))


@given(UINT256, UINT256, DIVISOR)
def test_up_and_down_differ_by_what_was_lost_and_no_more(a: int, b: int, c: int) -> None:
    """They agree where the division is even, else they are neighbours."""
    assert mul_div_up(a, b, c) - mul_div_down(a, b, c) == bool(a * b % c)


@given(UINT256, UINT256, DIVISOR)
def test_nearest_is_what_aave_computes(a: int, b: int, c: int) -> None:
    """WadRayMath adds half of the divisor, cut to an integer, before it divides: half goes up."""
    result = mul_div_nearest(a, b, c)
    assert mul_div_down(a, b, c) <= result <= mul_div_up(a, b, c)
    assert abs(Fraction(a * b, c) - result) <= Fraction(1, 2) + Fraction(c % 2, 2 * c)


def test_half_goes_up() -> None:
    """As in the contract."""
    assert [mul_div_nearest(a, 1, 2) for a in (1, 2, 3)] == [1, 1, 2]


@pytest.mark.parametrize("divide", [mul_div_down, mul_div_up, mul_div_nearest])
def test_division_by_nothing_raises(divide: object) -> None:
    """It never becomes a healthy number."""
    with pytest.raises(ZeroDivisionError):
        divide(1, 1, 0)  # type: ignore[operator]


@given(BOUND, BOUND, BOUND)
def test_smallest_finds_the_first_that_holds(low: int, high: int, threshold: int) -> None:
    """It holds there and not one below; None when it holds nowhere in the range."""
    expected = max(low, threshold) if low <= high and threshold <= high else None
    assert smallest(low, high, lambda x: x >= threshold) == expected


@given(BOUND, BOUND, BOUND)
def test_largest_finds_the_last_that_holds(low: int, high: int, threshold: int) -> None:
    """It holds there and not one above; None when it holds nowhere in the range."""
    expected = min(high, threshold) if low <= high and threshold >= low else None
    assert largest(low, high, lambda x: x <= threshold) == expected


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_a_search_asks_few_questions(threshold: int) -> None:
    """One for each bit of the range: a search over all of uint256 stays cheap."""
    asked = list[int]()

    def holds(x: int) -> bool:
        asked.append(x)
        return x >= threshold

    smallest(0, 2**256 - 1, holds)
    assert len(asked) <= 257


@given(
    st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, allow_infinity=False, places=18),
    st.integers(min_value=0, max_value=18),
)
def test_scaled_is_exact_or_rounded_down(value: Decimal, places: int) -> None:
    """A bound that an owner writes never grows on its way to an integer."""
    exact = Fraction(value) * 10**places
    assert scaled(value, 10**places) == floor(exact)


@given(st.integers(min_value=-(2**256), max_value=2**256), st.integers(min_value=0, max_value=36))
def test_decimal_text_reads_back_exactly(value: int, decimals: int) -> None:
    """Nothing is rounded, and there is never an exponent."""
    text = decimal_of(value, decimals)
    assert Fraction(text) * 10**decimals == value
    assert "e" not in text.lower()


@given(
    st.integers(min_value=-(2**128), max_value=2**128),
    st.integers(min_value=1, max_value=36),
    st.integers(min_value=1, max_value=40),
)
def test_decimal_text_is_cut_never_rounded_up(value: int, decimals: int, places: int) -> None:
    """A health factor of 0.99999 is not shown as 1.0."""
    text = decimal_of(value, decimals, places)
    assert abs(Fraction(text)) <= Fraction(abs(value), 10**decimals)
    assert len(text.partition(".")[2]) == places


def test_a_health_factor_just_below_one_is_not_shown_as_one() -> None:
    """People decide by what they read."""
    assert ratio_text(WAD - 1) == "0.9999"
    assert ratio_text(INFINITE) == "∞"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "$0.00"), (123_456_789_012, "$1,234.56"), (-5 * 10**8, "-$5.00"), (999_999, "$0.00")]
)
def test_dollars_for_people_have_separators_and_cents(value: int, text: str) -> None:
    """Cut, like every figure."""
    assert usd_text(value) == text
