"""GMX v2 rates: what borrowing and funding cost a second, and what has grown since the market was last touched. Pure.

Sources, gmx-synthetics: ``MarketUtils.getBorrowingFactorPerSecond``, ``getNextFundingFactorPerSecond``,
``getNextFundingAmountPerSize``. The Reader gives the same rates; these are for what it does not give.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import WAD, mul_div_down, mul_div_up
from keeper.venues.gmx_v2.formulas import PER_SIZE, apply_factor
from keeper.venues.gmx_v2.power import FLOAT, exponent_factor

YEAR = 365 * 86_400


def borrowing_per_second(reserved: int, pool_usd: int, reserve_factor: int, kink: tuple[int, int, int]) -> int:
    """Return the borrowing factor a second of a side. ``kink`` is optimal usage, base and above-optimal factor."""
    optimal, base, above = kink
    usable = apply_factor(pool_usd, reserve_factor)
    if not reserved or not usable:
        return 0
    usage = mul_div_down(reserved, FLOAT, usable)
    rate = apply_factor(usage, base)
    if usage > optimal and optimal < FLOAT:
        rate += mul_div_down(max(0, above - base), usage - optimal, FLOAT - optimal)
    return rate


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """How a market's funding moves. Factors a second; thresholds are shares of the open interest."""

    increase: int
    decrease: int
    stable_above: int
    decrease_below: int
    least: int
    most: int
    exponent: int
    factor: int


@dataclass(frozen=True, slots=True)
class FundingRate:
    """Funding of the whole interval since the last update. ``saved`` is signed: positive is paid by longs."""

    longs_pay: bool
    per_second: int
    saved: int


def funding_rate(longs: int, shorts: int, saved: int, seconds: int, terms: FundingTerms) -> FundingRate:
    """Return the rate that applies now. No funding while one side is empty."""
    if not longs or not shorts:
        return FundingRate(longs_pay=False, per_second=0, saved=0)
    skew = mul_div_down(exponent_factor(abs(longs - shorts), terms.exponent), FLOAT, longs + shorts)
    if not terms.increase:
        return FundingRate(longs > shorts, min(apply_factor(skew, terms.factor), terms.most), 0)
    after = _moved(longs, shorts, saved, seconds, skew, terms)
    after = _bounded(after, 0, terms.most)
    charged = _bounded(after, terms.least, terms.most)
    return FundingRate(charged > 0, abs(charged), after)


def _moved(longs: int, shorts: int, saved: int, seconds: int, skew: int, terms: FundingTerms) -> int:
    is_same_side = (saved > 0 and longs > shorts) or (saved < 0 and longs < shorts)
    if not is_same_side or skew > terms.stable_above:
        step = apply_factor(skew, terms.increase) * seconds
        return saved - step if longs < shorts else saved + step
    if skew < terms.decrease_below and saved:
        sign = 1 if saved > 0 else -1
        return sign * max(1, abs(saved) - terms.decrease * seconds)
    return saved


def _bounded(value: int, least: int, most: int) -> int:
    magnitude = min(max(abs(value), least), most)
    return -magnitude if value < 0 else magnitude


def funding_per_size(dollars: int, interest: int, price: int, *, is_paid: bool) -> int:
    """Return funding of one collateral token by dollar of size, scaled by ``PER_SIZE``: paid up, received down."""
    if not dollars or not interest:
        return 0
    if is_paid:
        return mul_div_up(mul_div_up(dollars, PER_SIZE, interest), 1, price)
    return mul_div_down(dollars, PER_SIZE, interest) // price


def funding_dollars(larger_side: int, per_second: int, seconds: int) -> int:
    """Return what the paying side pays in all over an interval."""
    return apply_factor(larger_side, per_second * seconds)


def side_rate(longs: int, shorts: int, per_second: int, *, longs_pay: bool, is_long: bool) -> int:
    """Return what a side pays (positive) or receives a year by dollar of its size, in Wad; rounded against it."""
    own = longs if is_long else shorts
    if not own:
        return 0
    yearly = per_second * YEAR * max(longs, shorts) * WAD
    scale = FLOAT * own
    return -(-yearly // scale) if longs_pay == is_long else -(yearly // scale)


def borrowing_rate(per_second: int) -> int:
    """Return borrowing a year by dollar of size, in Wad, rounded up."""
    return -(-per_second * YEAR * WAD // FLOAT)
