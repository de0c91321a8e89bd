"""The shocks of a stress table: falls of everything, of one asset, a dollar that breaks, a staked discount."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.core.lending import figures as lending
from keeper.core.lending.position import LendingPosition
from keeper.core.risk.stress import Stressed, fallen, is_dollar, stressed
from keeper.core.units import DAY_S, WAD, Address, Amount, Wad, mul_div_down, mul_div_up

FALLS = (20, 40, 60)
ALONE = 40
DOLLAR = 10
STAKED = 7
"""Percent by which each falls."""
WEEK_S, YEAR_S = 7 * DAY_S, 365 * DAY_S
STAKED_SYMBOLS = ("steth", "eeth", "reth", "cbeth", "oseth", "rseth", "ezeth", "ethx", "weeth", "lbtc")


@dataclass(frozen=True, slots=True)
class Shocked:
    """A shock by its name, and what it makes of a position."""

    name: str
    prices: dict[Address, int]
    after: Stressed
    thinner: int = 1
    """How many times less deep pools are."""
    gas: int = 1
    """How many times dearer gas is."""


def shocks(p: LendingPosition) -> Iterator[Shocked]:
    """Yield every shock that touches the position."""
    for fall in FALLS:
        yield _at(p, f"everything but dollars −{fall} %", fallen(p, _share(fall)))
    worse = f"everything but dollars −{FALLS[0]} %, pools a tenth as deep, gas ×100"
    yield replace(_at(p, worse, fallen(p, _share(FALLS[0]))), thinner=10, gas=100)
    moving = [h for h in p.held if not is_dollar(h)]
    for h in moving if len(moving) > 1 else ():
        yield _at(p, f"{h.symbol} alone −{ALONE} %", {h.asset: _lower(h.price.answer, ALONE)})
    for h in (h for h in p.held if is_dollar(h) and h.supplied):
        yield _at(p, f"{h.symbol} at {1 - DOLLAR / 100:.2f} of its price", {h.asset: _lower(h.price.answer, DOLLAR)})
    for h in (h for h in moving if h.symbol.lower().endswith(STAKED_SYMBOLS) and h.supplied):
        yield _at(p, f"{h.symbol} at a discount of {STAKED} %", {h.asset: _lower(h.price.answer, STAKED)})
    if any(h.borrowed for h in p.held):
        yield Shocked("borrow rates at 100 % for a week", {}, stressed_by_interest(p, Wad(WAD), WEEK_S))


def stressed_by_interest(p: LendingPosition, rate: Wad, seconds: int) -> Stressed:
    """Return a position once its debts cost a rate for a time, and its supplies earned nothing."""
    grown, cost = [], 0
    for h in p.holdings:
        interest = mul_div_up(h.borrowed * rate, seconds, WAD * YEAR_S)
        grown.append(replace(h, borrowed=Amount(h.borrowed + interest)))
        cost += mul_div_up(interest, h.price.answer, h.unit)
    later = replace(p, holdings=tuple(grown))
    account = lending.account_of(later)
    after = stressed(replace(later, reported=lending.figures(account)), {})
    return Stressed(after.figures, p.money.usd_up(cost), after.seized)


def _at(p: LendingPosition, name: str, prices: dict[Address, int]) -> Shocked:
    return Shocked(name, prices, stressed(p, prices))


def _share(percent: int) -> Wad:
    return Wad(WAD * percent // 100)


def _lower(price: int, percent: int) -> int:
    return max(1, mul_div_down(price, 100 - percent, 100))
