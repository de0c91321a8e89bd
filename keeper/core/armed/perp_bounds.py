"""What a plan for a perpetual position that was made ready comes to on the fresh account, or why it may not go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.core.armed.bounds import Bounds, OutOfBoundsError
from keeper.core.armed.perp_prices import is_same_account, quote_at
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import price_usd
from keeper.core.perp.moves import AddMargin, AllowMargin, PerpMove, Trade, TradeQuote
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.perp.pricing import cost_share, with_margin, worst_price
from keeper.core.perp.rules import PerpIntent
from keeper.core.snapshot import Wallet
from keeper.core.units import BPS, Address, Bps, ratio_text, usd_text

MOST_FUNDING = 1000
"""Pending payments may have moved by a thousandth of the size since: more is not the funding of a few blocks."""


def project(
    plan: PerpPlan,
    bounds: Bounds[PerpPosition],
    marks: Mapping[Address, tuple[int, int]],
    now: PerpIntent,
    wallet: Wallet,
    quotes: Mapping[Address, Sequence[TradeQuote]],
) -> PerpPosition:
    """Return the position after a plan's moves on the fresh state. Raises OutOfBoundsError.

    Same rule, limits and target; same account but for funding; every index and mark within its bounds; every trade at
    a price that its market gives now; the promise kept at the end.
    """
    position = now.perp
    if now.rule != plan.intent.rule or now.target != plan.intent.target:
        raise OutOfBoundsError(f"rule {now.rule.name} is not the one it was armed for")
    if now.left_today is not None and plan.spend > now.left_today:
        raise OutOfBoundsError(f"it moves {usd_text(plan.spend)}, {usd_text(now.left_today)} are left of the limit")
    moves = [step.move for step in plan.steps]
    _check_trades(moves, now)
    _check_same(bounds.position, position)
    for leg in position.held:
        _check_price(leg, bounds.prices[leg.market], marks[leg.market])
    after, tokens = position, wallet.tokens.get(position.collateral, 0)
    for move in moves:
        after, tokens = _moved(after, tokens, move, quotes, now.rule.limits.max_slippage)
    if not plan.postcondition.is_met(after):
        raise OutOfBoundsError(f"it would come to margin ratio {ratio_text(perps.margin_ratio(after))}")
    return after


def mark_bounds(armed: PerpPosition, rung: PerpPosition, step: Bps) -> dict[Address, tuple[int, int]]:
    """Return from where to where each mark may be: between the armed block's and the rung's, and a step around."""
    found = {}
    for now, then in zip(armed.legs, rung.legs, strict=True):
        low, high = sorted((now.mark_price, then.mark_price))
        found[now.market] = (low * (BPS - step) // BPS, -(-high * (BPS + step) // BPS))
    return found


def _check_trades(moves: Sequence[PerpMove], now: PerpIntent) -> None:
    """A price in doubt forbids trades, here as everywhere."""
    if not any(isinstance(move, Trade) for move in moves):
        return
    doubt = next(iter(now.assessment.doubts), None)
    if doubt or not any(action.trades for action in now.actions):
        raise OutOfBoundsError(doubt.detail if doubt else "it may not trade now")


def _check_same(armed: PerpPosition, now: PerpPosition) -> None:
    """The account is as it was armed, but for funding; and so are the venue's terms."""
    if not is_same_account(armed, now):
        raise OutOfBoundsError("the account is not what it was")
    if _terms(armed) != _terms(now):
        raise OutOfBoundsError("the venue's terms are not what they were")
    for was, leg in zip(armed.held, now.held, strict=True):
        paid = abs(perps.owed(leg) - perps.owed(was))
        if paid * MOST_FUNDING > perps.notional(leg):
            raise OutOfBoundsError(f"what {leg.symbol} owes moved by more than funding")


def _terms(of: PerpPosition) -> tuple[object, ...]:
    who = (of.owner, of.venue, of.collateral, of.collateral_price, of.basis, of.initial, of.maintenance)
    return (*who, of.least_requirement, of.equity_step, tuple(leg.oracle.source for leg in of.legs))


def _check_price(leg: PerpLeg, index: tuple[int, int], mark: tuple[int, int]) -> None:
    if not index[0] <= price_usd(leg) <= index[1]:
        raise OutOfBoundsError(f"{leg.symbol} at {usd_text(price_usd(leg))} is beyond the rung")
    if not mark[0] <= leg.mark_price <= mark[1]:
        raise OutOfBoundsError(f"the mark of {leg.symbol} is beyond the rung")


def _moved(
    of: PerpPosition, tokens: int, move: PerpMove, quotes: Mapping[Address, Sequence[TradeQuote]], slippage: Bps
) -> tuple[PerpPosition, int]:
    """Return the position after one move, and what the wallet has left of the collateral."""
    match move:
        case AllowMargin():
            return of, tokens
        case AddMargin(_, _, _, amount):
            if amount > tokens:
                raise OutOfBoundsError(f"the wallet lacks {amount - tokens} of {of.collateral_symbol}")
            return with_margin(of, amount), tokens - amount
        case Trade():
            return _traded(of, move, quotes.get(move.market, ()), slippage), tokens
        case _:
            raise OutOfBoundsError(f"{type(move).__name__} is not made ready beforehand")


def _traded(of: PerpPosition, trade: Trade, quotes: Sequence[TradeQuote], slippage: Bps) -> PerpPosition:
    """Return the position after a reduction at what its market asks now; a larger trade bounds what it costs.

    The trade bears no looser bound than one that is made for this very block.
    """
    leg, size = of.leg(trade.market), abs(trade.size_change)
    if trade.is_increase or size > abs(leg.size) or (trade.is_close and size != abs(leg.size)):
        raise OutOfBoundsError(f"{size} is not what can be closed of {leg.symbol}")
    same_way = [q for q in quotes if (q.size_change > 0) == (trade.size_change > 0) and abs(q.size_change) >= size]
    quote = min(same_way, key=lambda q: abs(q.size_change), default=None)
    if quote is None:
        raise OutOfBoundsError(f"the market of {leg.symbol} quotes nothing")
    usual = worst_price(leg, trade.size_change, slippage, quote.price)
    low, high = (quote.price, usual) if trade.size_change > 0 else (usual, quote.price)
    if not low <= trade.worst_price <= high:
        raise OutOfBoundsError(f"{leg.symbol} trades at {quote.price}, the plan bears {trade.worst_price}")
    return perps.reduced(of, leg.market, size, cost_share(quote_at(quote, leg)))
