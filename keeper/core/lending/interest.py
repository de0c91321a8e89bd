"""What a lending position earns and costs in a year, what is lent out of its assets, and whether pegs hold. Pure.

Rates are shares of 1 a year in Wad, as things are now; an average over a window is the business of a ``Trail``.
"""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.lending import figures as lending
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.prices import Backing, SecondPrice
from keeper.core.units import WAD, Address, Wad, mul_div_down, mul_div_up

YEAR_S = 365 * 86_400


def borrow_rate(owed: tuple[Holding, ...]) -> Wad | None:
    """Return what these debts cost in a year, weighed by their values, rounded up; None where nothing is owed."""
    values = [_value_up(h, h.borrowed) for h in owed]
    total = sum(values)
    if not total:
        return None
    return Wad(-(-sum(value * h.rates.borrow for value, h in zip(values, owed, strict=True)) // total))


def net_rate(position: LendingPosition, growth: Mapping[Address, int] | None = None) -> int | None:
    """Return what the owner's own money earns in a year, rounded down; below zero where interest eats it.

    Interest on everything supplied, with the ``growth`` of staked assets (asset → Wad a year), less interest on debts,
    over supply less debt. None where debts leave nothing of one's own.
    """
    earned, equity, grown = 0, 0, growth or {}
    for h in position.held:
        supplied, owed = lending.value_down(h, h.supplied), _value_up(h, h.borrowed)
        more = grown.get(h.asset, 0)
        earned += supplied * (h.rates.supply + more) - owed * (h.rates.borrow + more)
        equity += supplied - owed
    return earned // equity if equity > 0 else None


def utilisation(lent: tuple[Holding, ...]) -> Wad | None:
    """Return the highest share that is lent out of these assets: at 1 none can be withdrawn. None where there are none.

    What is lent out leaves that much less to be withdrawn: the worst asset is the one that matters.
    """
    return max((h.rates.utilisation for h in lent), default=None)


def yearly_growth(before: int, now: int, seconds: int) -> int:
    """Return by which share a rate grew, for a year, rounded down. ``before`` and ``seconds`` must be above zero."""
    return (now - before) * WAD * YEAR_S // (before * seconds)


def peg(holding: Holding, second: SecondPrice | None, backing: Backing | None) -> Wad | None:
    """Return what the market pays for an asset as a share of what it stands for, rounded down.

    Where the settings say what it stands for: the lower of the market's price (a pool's average, a second feed) and
    the oracle's, over that. Else the market's price over the oracle's. None where nothing can be compared.
    """
    market = next((answer for answer in (second.answers if second else ()) if answer > 0), 0)
    oracle = holding.usd_down(holding.unit)
    if backing is not None and backing.worth > 0:
        known = [price for price in (market, oracle) if price > 0]
        return Wad(mul_div_down(min(known), WAD, backing.worth)) if known else None
    if second is None or backing is not None or not market or oracle <= 0:
        return None
    return Wad(mul_div_down(market, WAD, oracle))


def _value_up(holding: Holding, amount: int) -> int:
    return mul_div_up(amount, holding.price.answer, holding.unit)
