"""The shocks of a perpetual's stress table: markets, its collateral, funding, gas, how deep its market is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpPosition
from keeper.core.risk.shock_terms import ALL, WEEK_S, Shock, everything
from keeper.core.units import BPS, DAY_S, USD, WAD, mul_div_up

FALLS, RISES, ALONE, DOLLAR = (-20, -40, -60), (20, 40), 40, 10
"""Percent by which prices move; a short is lost by a rise."""
FUNDING_TIMES, THINNER, DEARER = 10, 10, 100


@dataclass(frozen=True, slots=True)
class PerpShocked:
    """A shock, and the perpetual after it."""

    of: Shock
    before: PerpPosition
    then: PerpPosition

    @property
    def is_liquidated(self) -> bool:
        """Whether its venue may liquidate it then."""
        return perps.is_liquidatable(self.then)

    @property
    def change(self) -> int:
        """What the owner loses, dollars; below zero where he gains."""
        return (perps.equity(self.before) - perps.equity(self.then)) * USD // self.before.usd_unit

    @property
    def taken(self) -> int:
        """What liquidation takes of what is left, dollars, at the most."""
        left = perps.taken(self.then, perps.equity(self.then))
        return -(-left * USD // self.before.usd_unit) if self.is_liquidated else 0


def shocks(p: PerpPosition, own: Sequence[Shock] = ()) -> Iterator[PerpShocked]:
    """Yield every shock that touches a perpetual, the owner's own after those that come with the keeper."""
    for of in (*built_in(p), *own):
        yield shocked_by(p, of)


def built_in(p: PerpPosition) -> Iterator[Shock]:
    """Yield the shocks that come with the keeper, one by one and together."""
    is_short = any(not leg.is_long for leg in p.held)
    worse = 20 if p.held and all(not leg.is_long for leg in p.held) else -20
    yield from (everything(move) for move in (*FALLS, *(RISES if is_short else ())))
    thin, dear = "pools a tenth as deep", f"gas ×{DEARER}"
    yield everything(worse, f", {thin}", thinner=THINNER)
    yield everything(worse, f", {dear}", gas=DEARER)
    for leg in p.held if len(p.held) > 1 else ():
        against = -ALONE if leg.is_long else ALONE
        sign = "+" if against > 0 else "−"
        yield Shock(f"{leg.symbol} alone {sign}{ALONE} %", {leg.symbol: against * BPS // 100})
    broken = not p.indexed_margin and p.margin > 0
    if broken:
        name = f"{p.collateral_symbol} at {1 - DOLLAR / 100:.2f} of its price"
        yield Shock(name, {p.collateral_symbol: -DOLLAR * BPS // 100})
    if p.held:
        yield Shock(f"funding ×{FUNDING_TIMES} for a week", funding=FUNDING_TIMES)
        moves = {ALL: worse * BPS // 100} | ({p.collateral_symbol: -DOLLAR * BPS // 100} if broken else {})
        name = f"all of it at once from {'+' if worse > 0 else '−'}20 %"
        yield Shock(name, moves, funding=FUNDING_TIMES, thinner=THINNER, gas=DEARER)


def shocked_by(p: PerpPosition, of: Shock) -> PerpShocked:
    """Return what a shock makes of a perpetual: funding first, then its collateral, then its markets."""
    then = funded(p, of.funding, of.seconds) if of.funding > 1 else p
    if not p.indexed_margin and p.margin > 0:
        left = BPS + of.move_of(p.collateral_symbol, is_dollar=True)
        then = replace(then, margin=then.margin * left // BPS)
    for leg in p.held:
        price = of.moved(leg.mark_price, leg.symbol, is_dollar=False)
        if price != leg.mark_price:
            then = perps.at_price(then, leg.market, price)
    return PerpShocked(of, p, replace(then, reported=perps.figures(then)))


def moved(p: PerpPosition, by: Mapping[str, int]) -> PerpPosition:
    """Return the position with marks and indices moved by percent; never to nothing."""
    then = p
    for leg in p.held:
        if leg.market in by:
            then = perps.at_price(then, leg.market, max(1, leg.mark_price * (100 + by[leg.market]) // 100))
    return then


def funded(p: PerpPosition, times: int, seconds: int = WEEK_S) -> PerpPosition:
    """Return the position after a time of so many times its funding of now; what it receives is not multiplied."""
    year = WAD * 365 * DAY_S
    paid = [mul_div_up(perps.notional(x) * max(0, x.funding_rate) * times, seconds, year) for x in p.legs]
    legs = tuple(replace(leg, funding_owed=leg.funding_owed + more) for leg, more in zip(p.legs, paid, strict=True))
    return replace(p, legs=legs)
