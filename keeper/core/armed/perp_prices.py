"""What an oracle's prices do to a perpetual position: its mark follows by the venue's own rule, where it has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from keeper.core.armed.accrual import Answered
from keeper.core.armed.scenarios import Outlook, Prices, Scenario
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import leg_of
from keeper.core.perp.moves import TradeQuote
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.snapshot import BlockRef
from keeper.core.units import BPS, USD, WAD, Address, Bps, mul_div_down, mul_div_up, ratio_text

MARK_WITHIN = Bps(20)
"""A mark that follows from an event may be so far from the one that is read: averages of the market move with time."""
YEAR_S = 365 * 86_400


def prices(of: PerpPosition) -> dict[Address, int]:
    """Return the index price of every market, as the oracle gives it."""
    return {leg.market: leg.oracle.answer for leg in of.legs}


def at_prices(position: PerpPosition, prices: Prices) -> PerpPosition:
    """Return a position as the venue would report it at other index prices; a mark without a rule stays."""
    legs = tuple(_at_price(position, leg, prices[leg.market]) for leg in position.legs)
    return _reported(replace(position, legs=legs))


def scenarios(position: PerpPosition, rule: PerpRule) -> tuple[Scenario, ...]:
    """Return the moves that could make a rule fire: longs fall together, shorts rise together, each market alone.

    A rule on one market's price fires on either side of it. A leg whose mark does not follow from the oracle's price
    alone moves nothing: its venue has no price to be made ready for.
    """
    if not rule.trigger.metric.follows_prices:
        return ()
    if rule.trigger.metric.is_of_an_asset:
        leg = leg_of(position, rule.trigger.of)
        return (Scenario((leg.market,), True), Scenario((leg.market,), False)) if leg and leg.mark_rule else ()
    moving = [leg for leg in position.held if leg.mark_rule is not None]
    down, up = (tuple(leg.market for leg in moving if leg.is_long is side) for side in (True, False))
    alone = [Scenario((leg.market,), leg.is_long) for leg in moving] if len(moving) > 1 else []
    return tuple([Scenario(m, is_fall) for m, is_fall in ((down, True), (up, False)) if m] + alone)


def carried_on(position: PerpPosition, block: BlockRef, stated: Mapping[Address, Answered]) -> PerpPosition:
    """Return a position as it will be read at a later block, if nobody trades until then: funding goes on as it was."""
    seconds = block.timestamp - position.block.timestamp
    legs = tuple(_paid(_stated(position, leg, stated.get(leg.market)), seconds) for leg in position.legs)
    return _reported(replace(position, block=block, legs=legs))


def is_same_account(a: PerpPosition, b: PerpPosition) -> bool:
    """Return whether nobody touched an account in between: sizes, entries, settled margin and orders are the same."""
    return _touched(a) == _touched(b)


def differs(foretold: PerpPosition, read: PerpPosition) -> str | None:
    """Return in which market the mark, or else the margin ratio, is not as foretold; None where it nearly is."""
    for ours, theirs in zip(foretold.held, read.held, strict=True):
        if abs(ours.mark_price - theirs.mark_price) * BPS > theirs.mark_price * MARK_WITHIN:
            return f"{theirs.symbol}: mark {ours.mark_price} was foretold, the venue says {theirs.mark_price}"
    ours_, theirs_ = (perps.margin_ratio(of) for of in (foretold, read))
    if abs(ours_ - theirs_) * BPS > WAD * MARK_WITHIN:
        return f"margin ratio {ratio_text(ours_)} was foretold, the venue says {ratio_text(theirs_)}"
    return None


def quote_at(quote: TradeQuote, leg: PerpLeg) -> TradeQuote:
    """Return a quote of the market as it is, beside a mark price that is elsewhere: its impact is another."""
    at_mark = mul_div_down(abs(quote.size_change), leg.mark_price, leg.price_scale)
    impact = at_mark - quote.notional if quote.size_change < 0 else quote.notional - at_mark
    return replace(quote, impact=impact)


def followed(quote: TradeQuote, now: PerpLeg, then: PerpLeg) -> TradeQuote:
    """Return what the market would give had it followed the index from ``now`` to ``then``, rounded against us."""
    sells = quote.size_change < 0
    scaled = mul_div_down if sells else mul_div_up
    notional, price = (scaled(x, then.index_price, now.index_price) for x in (quote.notional, quote.price))
    fee = mul_div_up(quote.fee, max(then.index_price, now.index_price), now.index_price)
    return quote_at(replace(quote, notional=notional, price=price, fee=fee), then)


def _at_price(position: PerpPosition, leg: PerpLeg, answer: int) -> PerpLeg:
    if answer == leg.oracle.answer or leg.mark_rule is None:
        return leg
    index = mul_div_down(answer * leg.price_scale, position.usd_unit, USD * leg.size_unit)
    oracle = replace(leg.oracle, answer=answer)
    return replace(leg, index_price=index, mark_price=leg.mark_rule.mark(index), oracle=oracle)


def _stated(position: PerpPosition, leg: PerpLeg, stated: Answered | None) -> PerpLeg:
    if stated is None:
        return leg
    moved = _at_price(position, leg, stated.answer)
    return replace(moved, oracle=replace(moved.oracle, updated_at=stated.updated_at))


def _paid(leg: PerpLeg, seconds: int) -> PerpLeg:
    """Return a leg that owes the funding of some seconds more, rounded against it."""
    rate = leg.funding_rate if leg.size else 0
    owed = mul_div_up(perps.notional(leg) * abs(rate), seconds, WAD * YEAR_S)
    return replace(leg, funding_owed=leg.funding_owed + (owed if rate >= 0 else 0))


def _reported(position: PerpPosition) -> PerpPosition:
    return replace(position, reported=perps.figures(position))


def _touched(of: PerpPosition) -> tuple[object, ...]:
    held = tuple((leg.market, leg.size, leg.entry_notional) for leg in of.held)
    return held, of.margin, of.indexed_margin, tuple((order.key, order.updated_at) for order in of.orders)


PERPS: Outlook[PerpPosition] = Outlook(
    prices=prices,
    at_prices=at_prices,
    scenarios=scenarios,
    name=lambda p, market: p.leg(market).symbol,
    held=lambda p: frozenset(leg.market for leg in p.held),
    carried_on=carried_on,
    is_same=is_same_account,
    differs=differs,
)
