"""Puts that the owner holds elsewhere: what they are worth, how they move, what they would pay. Pure.

No venue counts a put, and the keeper can't exercise one. What it pays helps only where its owner turns it into money
and pays that in. So a position's own probability stays as it is, and a second one stands beside it: the probability
where what the put pays at that price is paid in before liquidation begins. An expired put counts nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keeper.core.book.position import STABLE, Book
from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Doubt
from keeper.core.risk import option
from keeper.core.risk.facing import CASH
from keeper.core.risk.market import Market
from keeper.core.risk.measured import Measured
from keeper.core.risk.put_terms import HeldPut
from keeper.core.risk.said import Document, money, said
from keeper.core.risk.shock_terms import Shock
from keeper.core.risk.shocks import Shocked, shocks
from keeper.core.risk.stance import Stance, probability
from keeper.core.risk.volatility import unknown
from keeper.core.units import INFINITE, WAD, Address, Wad, mul_div_down

_FOLLOWED = Book("all", (), (), ())


@dataclass(frozen=True, slots=True)
class Valued:
    """A put at the prices of now."""

    put: HeldPut
    asset: Address
    price: int
    """Of one unit of what it is on, dollars."""
    volatility: float
    left_s: int
    worth: int
    delta: int
    """Dollars of exposure, zero or below."""

    def change(self, move: int) -> int:
        """Return what it gains, dollars, when its price moves by so many percent at once; volatility as it is."""
        then = self.price * (100 + move) // 100
        found = option.put(self.put.strike / then, self.volatility, self.left_s) if then else None
        if not isinstance(found, option.Put):
            return self.put.pays(then) - self.worth
        return math.floor(found.price * then * self.put.size / WAD) - self.worth


def valued(p: HeldPut, among: Iterable[LendingPosition], market: Market, now: int) -> Valued | Doubt:
    """Return a put at the prices of now, by an asset of these loans that is what it is on."""
    if p.expiry <= now:
        return unknown(f"the put {p.name} has expired: it counts nowhere; take it out of the settings")
    names = {p.underlying.upper(), f"W{p.underlying.upper()}"}
    asset = next((h for loan in among for h in loan.held if h.symbol.upper() in names), None)
    if asset is None:
        return unknown(f"no price of {p.underlying} is in this report: the put {p.name} counts nowhere")
    moved = market.movement(asset.asset)
    volatility = moved if isinstance(moved, Doubt) else moved.volatility
    if isinstance(volatility, Doubt):
        return volatility
    price, left = asset.usd_down(asset.unit), p.expiry - now
    found = option.put(p.strike / price, volatility, left)
    if isinstance(found, Doubt):
        return found
    on = mul_div_down(p.size, price, WAD)
    worth, delta = math.floor(found.price * on), math.ceil(found.delta * on)
    return Valued(p, asset.asset, price, volatility, left, worth, delta)


def said_of(p: HeldPut, found: Valued | Doubt) -> Document:
    """Return what a report says of one."""
    terms: Document = {
        "name": p.name,
        "of": p.of,
        "underlying": p.underlying,
        "strike_usd": str(p.strike),
        "size": str(p.size),
        "expiry": p.expiry,
    }
    if isinstance(found, Doubt):
        return terms | {"unknown": found.detail}
    return terms | {"worth_usd": str(found.worth), "delta_usd": str(found.delta)}


def probability_with(p: LendingPosition, of: Measured, puts: Sequence[Valued], horizon_s: int) -> float | Doubt:
    """Return how probable liquidation is where what puts pay at each price is paid in before it begins."""
    if not isinstance(of.stance, Stance) or of.facing is None:
        return of.stance if isinstance(of.stance, Doubt) else 0.0
    early = next((v for v in puts if v.left_s < horizon_s), None)
    if early is not None:
        return unknown(f"the put {early.put.name} expires within that time")
    if not _is_of_one(p, of, puts):
        return unknown("other prices than the put's move this loan")
    up, down = (p.money.usd_down(math.floor(sum(x.values()))) for x in (of.facing.secured, of.facing.owed))
    edge = _edge(up, down, puts)
    return 0.0 if edge is None else probability(of.stance, horizon_s, -math.log(edge))


def _is_of_one(p: LendingPosition, of: Measured, puts: Sequence[Valued]) -> bool:
    """Return whether all that secures a loan is what the puts are on, and all that it owes are dollars."""
    assert of.facing is not None  # noqa: S101 - asked only then
    follow = {a: _FOLLOWED.underlying(h.symbol) for h in p.held for a in [h.asset]}
    on = {v.put.underlying.upper() for v in puts}
    secured = {follow.get(a) for a in of.facing.secured if a != CASH}
    owed = {follow.get(a) for a in of.facing.owed if a != CASH}
    return len(on) == 1 and secured == on and owed <= {STABLE}


def _edge(up: int, down: int, puts: Sequence[Valued]) -> float | None:
    """Return the highest share of the price now at which puts and collateral no longer cover the debt; None for never.

    What they cover is a straight line between strikes: so the first stretch that ends uncovered holds the edge.
    """

    def left(share: float) -> float:
        return up * share + sum(v.put.pays(math.ceil(v.price * share)) for v in puts) - down

    high = 1.0
    if left(high) <= 0:
        return high
    for low in (*sorted({min(1.0, v.put.strike / v.price) for v in puts}, reverse=True), 0.0):
        if left(low) <= 0:
            begin, end = left(high), left(low)
            return max(1e-9, low + (high - low) * -end / (begin - end))
        high = low
    return None


def after_shock(p: LendingPosition, x: Shocked, puts: Sequence[Valued]) -> Document:
    """Return what puts pay after a shock, and the health if all of it is paid in: a means that no rule of ours has."""
    paid, figures = 0, x.after.figures
    for v in puts:
        now = next((h.price.answer for h in p.held if h.asset == v.asset), 0)
        then = x.prices.get(v.asset, now)
        paid += v.put.pays(-(-v.price * then // now)) if now else v.put.pays(v.price)
    debt = p.money.usd_up(figures.debt_value)
    health = figures.health_factor
    if health < INFINITE:
        health = INFINITE if paid >= debt else Wad(mul_div_down(health, debt, debt - paid))
    return {
        "puts_pay_usd": money(paid),
        "health_with_puts": None if health >= INFINITE else str(health),
        "puts_would_save": x.after.is_liquidated and health >= WAD,
    }


def on_position(
    p: LendingPosition,
    of: Measured,
    puts: Sequence[Valued],
    horizons_s: Sequence[int],
    made: Document,
    own: Sequence[Shock] = (),
) -> Document:
    """Return what is said of a loan with the puts that are held for it; what its venue counts stays as it is."""
    chances = [said(probability_with(p, of, puts, h)) for h in horizons_s]
    return made | {
        "probability": [one | {"with_puts": c} for one, c in zip(made["probability"], chances, strict=True)],
        "stress": [one | after_shock(p, x, puts) for one, x in zip(made["stress"], shocks(p, own), strict=True)],
        "delta_with_puts_usd": str(sum(of.own.get(v.asset, 0) for v in puts[:1]) + sum(v.delta for v in puts)),
    }
