"""Arithmetic of perpetual positions: what one is worth, how near liquidation, what it takes to get away from it. Pure.

Integers in the venue's own precision. Worth is rounded down, requirements are the venue's own floor, what must be paid
or reduced is rounded up. Sources: Perp v2 ``AccountBalance.getMarginRequirementForLiquidation`` and
``ClearingHouse.getAccountValue``; GMX v2 ``PositionUtils.isPositionLiquidatable`` and ``getPositionPnlUsd``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from keeper.core.perp.position import FACTOR, MarginBasis, PerpFigures, PerpLeg, PerpPosition
from keeper.core.units import INFINITE, WAD, Wad, largest, mul_div_down, mul_div_up, smallest

FARTHEST_DOUBLINGS = 40
"""How far above the mark a short's liquidation price is looked for."""


def notional(leg: PerpLeg, price: int | None = None) -> int:
    """Return the size in dollars at a price, the mark price if none is given; rounded down, never negative."""
    return mul_div_down(abs(leg.size), leg.mark_price if price is None else price, leg.price_scale)


def entry_price(leg: PerpLeg) -> int:
    """Return the average price it was opened at, rounded down; zero without a size."""
    return mul_div_down(leg.entry_notional, leg.price_scale, abs(leg.size)) if leg.size else 0


def unrealized_pnl(leg: PerpLeg, price: int | None = None) -> int:
    """Return profit (positive) or loss at a price, the mark price if none is given."""
    gain = notional(leg, price) - leg.entry_notional
    return gain if leg.size >= 0 else -gain


def owed(leg: PerpLeg) -> int:
    """Return the pending payments that count against the margin: funding, borrowing, the cost of closing."""
    return leg.funding_owed + leg.borrowing_owed + leg.closing_cost


def margin_value(position: PerpPosition) -> int:
    """Return the collateral in dollars, before profit and pending payments."""
    if not position.indexed_margin:
        return position.margin
    leg = position.legs[0]
    return position.margin + mul_div_down(position.indexed_margin, leg.mark_price, leg.price_scale)


def equity(position: PerpPosition) -> int:
    """Return what the account is worth in dollars: collateral, plus profit, less what is owed. May be negative.

    Rounded down to what the venue distinguishes.
    """
    worth = _worth(position)
    return worth - worth % position.equity_step


def basis(position: PerpPosition) -> int:
    """Return the dollars that margin ratios are shares of."""
    if position.basis is MarginBasis.ENTRY:
        return sum(leg.entry_notional for leg in position.legs)
    return sum(notional(leg) for leg in position.legs)


def requirement(position: PerpPosition) -> int:
    """Return the equity below which the account is liquidated; zero without a size."""
    if not position.held:
        return 0
    return max(mul_div_down(basis(position), position.maintenance, FACTOR), position.least_requirement)


def figures(position: PerpPosition) -> PerpFigures:
    """Return our own view, to be compared with ``position.reported``."""
    return PerpFigures(equity(position), requirement(position))


def margin_ratio(position: PerpPosition) -> Wad:
    """Return equity over basis, rounded down; zero when nothing is left, infinite without a size."""
    whole = basis(position)
    return Wad(mul_div_down(max(0, equity(position)), WAD, whole)) if whole else INFINITE


def leverage(position: PerpPosition) -> Wad:
    """Return basis over equity, rounded up; infinite when nothing is left, zero without a size."""
    whole, own = basis(position), equity(position)
    if not whole:
        return Wad(0)
    return Wad(mul_div_up(whole, WAD, own)) if own > 0 else INFINITE


def is_liquidatable(position: PerpPosition) -> bool:
    """Return whether the venue may liquidate now."""
    return bool(position.held) and equity(position) < requirement(position)


def taken(position: PerpPosition, least: int) -> int:
    """Return what a liquidation takes of what is left (``least``), rounded up: the venue's penalty, or all of it.

    Perp v2: ``ClearingHouse._liquidate``, notional × ``liquidationPenaltyRatio``.
    """
    if position.penalty is None:
        return max(0, least)
    whole = sum(notional(leg) for leg in position.legs)
    return max(0, min(least, mul_div_up(whole, position.penalty, FACTOR)))


def at_price(position: PerpPosition, market: str, price: int) -> PerpPosition:
    """Return the position with one market's mark and index at a price; other markets, and what is owed, unchanged."""
    leg = position.leg(market)
    return position.with_leg(replace(leg, mark_price=price, index_price=price))


def liquidation_price(position: PerpPosition, market: str) -> int | None:
    """Return the first price, moving against the leg, at which the account is liquidated; other markets unchanged.

    None where no price of this market alone does it. A long's is below the mark (the highest price that liquidates), a
    short's above (the lowest). The mark itself when it is liquidated already.
    """
    leg = position.leg(market)
    if not leg.size:
        return None
    if is_liquidatable(position):
        return leg.mark_price

    if not leg.is_long:
        return _nearest(position, leg, is_liquidatable)
    # as the price falls the requirement falls too, smoothly, but equity in the venue's steps: of each step its highest
    # price is the first to liquidate, from where equity could be below at all
    price = _nearest(position, leg, lambda at: _worth(at) - position.equity_step + 1 < requirement(at))
    while price is not None:
        there = at_price(position, market, price)
        if is_liquidatable(there):
            break
        price = _nearest(position, leg, partial(_is_worth_less, equity(there)))
    return price


def liquidation_distance(position: PerpPosition) -> Wad:
    """Return the least share of its mark price that any one market may move against the account before liquidation.

    Rounded down; zero when it is liquidated already, infinite when no single market's move does it.
    """
    nearest = INFINITE
    for leg in position.held:
        price = liquidation_price(position, leg.market)
        if price is not None:
            nearest = min(nearest, Wad(mul_div_down(abs(leg.mark_price - price), WAD, leg.mark_price)))
    return nearest


def margin_to_reach(position: PerpPosition, ratio: Wad) -> int:
    """Return the dollars of margin to add so that ``margin_ratio`` is at least ``ratio``; zero if it is."""
    wanted = mul_div_up(basis(position), ratio, WAD)
    if not wanted:
        return 0
    return max(0, wanted + -wanted % position.equity_step - _worth(position))


@dataclass(frozen=True, slots=True)
class TradeCost:
    """What trading costs, as a share (``Factor``) of the dollars traded: fee and impact, from above."""

    share: int

    def of(self, dollars: int) -> int:
        """Return the cost of trading so many dollars, rounded up."""
        return mul_div_up(dollars, self.share, FACTOR)


def reduced(position: PerpPosition, market: str, size: int, cost: TradeCost) -> PerpPosition:
    """Return the position after ``size`` (unsigned) of a leg is closed at the mark price and its cost is paid.

    Profit or loss, pending payments and cost of the closed part move into the margin; of a loss that earlier trades
    left pending, the closed part's share as well, of a gain nothing. Rounded against the account.
    """
    leg = position.leg(market)
    whole = abs(leg.size)
    if not 0 <= size <= whole:
        raise ValueError(f"{size} is not a part of {whole}")
    if not size:
        return position
    rest = whole - size
    entry = mul_div_up(leg.entry_notional, rest, whole)
    sign = 1 if leg.is_long else -1
    changed = replace(
        leg,
        size=sign * rest,
        entry_notional=entry,
        funding_owed=0,
        borrowing_owed=0,
        closing_cost=mul_div_up(leg.closing_cost, rest, whole),
        pending_impact=leg.pending_impact * rest // whole,
    )
    settled = mul_div_up(max(0, -leg.pending_impact), size, whole)
    realized = unrealized_pnl(leg) - unrealized_pnl(changed)
    paid = leg.funding_owed + leg.borrowing_owed + settled + cost.of(notional(leg) - notional(changed))
    return replace(position.with_leg(changed), margin=position.margin + realized - paid)


def increased(position: PerpPosition, market: str, size_change: int, cost: TradeCost) -> PerpPosition:
    """Return the position after a leg grew by ``size_change`` (signed, in its own direction) at the mark price."""
    leg = position.leg(market)
    if leg.size and (leg.size > 0) != (size_change > 0):
        raise ValueError(f"{size_change} does not add to {leg.size}")
    grown = replace(leg, size=leg.size + size_change)
    traded = notional(grown) - notional(leg)
    changed = replace(grown, entry_notional=leg.entry_notional + traded)
    return replace(position.with_leg(changed), margin=position.margin - cost.of(traded))


def size_to_reach(position: PerpPosition, market: str, ratio: Wad, cost: TradeCost) -> int | None:
    """Return the least size of a leg to close so that ``margin_ratio`` is at least ``ratio``; None if none does."""

    def suffices(size: int) -> bool:
        return margin_ratio(reduced(position, market, size, cost)) >= ratio

    return smallest(0, abs(position.leg(market).size), suffices)


def delta(position: PerpPosition) -> dict[str, int]:
    """Return the exposure by underlying, in Wad whole units, signed; collateral that moves with the price included."""
    exposure: dict[str, int] = {}
    for leg in position.legs:
        exposure[leg.symbol] = exposure.get(leg.symbol, 0) + leg.size * WAD // leg.size_unit
    if position.indexed_margin:
        leg = position.legs[0]
        exposure[leg.symbol] += position.indexed_margin * WAD // leg.size_unit
    return exposure


def funding_per_day(position: PerpPosition) -> int:
    """Return the dollars the account pays (positive) or receives in a day at present rates, rounded against it."""
    return sum(_per_day(leg) for leg in position.legs)


def _per_day(leg: PerpLeg) -> int:
    paid = mul_div_up(notional(leg), abs(leg.funding_rate), WAD * 365)
    return paid if leg.funding_rate >= 0 else -mul_div_down(notional(leg), -leg.funding_rate, WAD * 365)


def _worth(position: PerpPosition) -> int:
    """Return equity before the venue's rounding."""
    return margin_value(position) + sum(unrealized_pnl(leg) - owed(leg) for leg in position.legs)


def _is_worth_less(than: int, position: PerpPosition) -> bool:
    return equity(position) < than


def _nearest(position: PerpPosition, leg: PerpLeg, holds: Callable[[PerpPosition], bool]) -> int | None:
    """Return the price nearest to the mark, on the losing side of a leg, where a monotone predicate holds."""

    def at(price: int) -> bool:
        return holds(at_price(position, leg.market, price))

    if leg.is_long:
        return largest(0, leg.mark_price, at)
    high = max(1, leg.mark_price)
    while not at(high):
        high *= 2
        if high > leg.mark_price << FARTHEST_DOUBLINGS:
            return None
    return smallest(leg.mark_price, high, at)
