"""What the rules say of a perpetual position or a book at one block, and what speaks against trading."""

from __future__ import annotations

from dataclasses import replace

from keeper.core.book import unhedged as legs
from keeper.core.book.carry import Carry, carry
from keeper.core.book.kind import BOOK
from keeper.core.book.metrics import DELTA
from keeper.core.book.position import Book, BookPosition, exposure
from keeper.core.book.rules import BookAssessment, BookRule, goal_of, underlying_of
from keeper.core.perp.kind import PERP
from keeper.core.perp.margin import margin_ratio
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.pricing import is_better_than_index
from keeper.core.perp.rules import PerpAssessment
from keeper.core.prices import Doubt, is_within, price_doubts
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, as_now, assess, judge
from keeper.core.snapshot import Snapshot, Unreadable
from keeper.core.units import Bps
from keeper.engine.engine import Engine
from keeper.engine.perp.notices import price_text
from keeper.engine.readings import binding, readings

HEDGE_FEE = Bps(10)
"""What a hedge trade is reckoned to cost one way, in fee and impact, for the break-even: 0.1 %."""


async def judge_perp(
    engine: Engine, snapshot: Snapshot, position: PerpPosition | Unreadable
) -> PerpAssessment | Unjudged:
    """Judge a position by the rules; where another node says otherwise, by the worse figure. Raises JournalError."""
    found = [await _judge_perp(engine, snapshot, *reading) for reading in readings(snapshot, position, PerpPosition)]
    return binding(found, lambda judged: margin_ratio(judged.position))


async def _judge_perp(
    engine: Engine, snapshot: Snapshot, position: PerpPosition | Unreadable, more: tuple[Doubt, ...]
) -> PerpAssessment | Unjudged:
    if isinstance(position, Unreadable):
        return assess(PERP, position, engine.perps.rules, ())
    doubts = (*more, *perp_doubts(engine, snapshot, position))
    trail, may_be_empty = (
        await engine.perps.trail(position, engine.perps.rules_of(position.name), is_sure=not doubts),
        await engine.perps.may_be_empty(position.name),
    )
    seen = looking_ahead(engine, position)
    return assess(PERP, seen, engine.perps.rules, doubts, trail=trail, may_be_empty=may_be_empty)


def looking_ahead(engine: Engine, position: PerpPosition) -> PerpPosition:
    """Return a position with what is known of how prices moved, where anybody wants to know."""
    market = engine.state.market
    return position if market is None else replace(position, market=market)


def perp_doubts(
    engine: Engine, snapshot: Snapshot, position: PerpPosition, hedged: str | None = None, *, buys: bool = False
) -> tuple[Doubt, ...]:
    """Return what speaks against trading: the sequencer, a stale index, mark and index too far apart.

    The trade is the closing of any leg; or, for a book, buying or selling the underlying ``hedged``, whose leg may
    still be empty. A gap does not forbid a trade at a market better than the index: there is the squeeze by funding,
    where who pays it must be able to get out. Such a trade is bounded by the better of market and index.
    """
    now, bound = snapshot.block.timestamp, engine.reader.network.max_deviation
    doubts = list(engine.chain_doubts(snapshot))
    for leg in position.legs:
        if not leg.size and leg.symbol.upper() != hedged:
            continue
        second = snapshot.seconds.get(leg.oracle.asset)
        doubts += price_doubts(leg.oracle, second, bound, now)
        doubts += engine.state.moved_too_far(leg.oracle, now)
        is_apart = not is_within(leg.mark_price, leg.index_price, Bps(2 * bound))
        is_better = is_better_than_index(leg, buys=buys if hedged else not leg.is_long)
        if is_apart and not (is_better and hedged in (None, leg.symbol.upper())):
            mark, index = (price_text(position, leg, price) for price in (leg.mark_price, leg.index_price))
            detail = f"{leg.symbol} mark {mark}, index {index}"
            doubts.append(Doubt(Reason.PRICE_DEVIATES, detail))
    return tuple(doubts)


async def judge_book(engine: Engine, snapshot: Snapshot, book: Book, rule: BookRule) -> BookAssessment:
    """Judge a book by a rule; the time it stands outside its band is counted and kept. Raises JournalError."""
    seen, underlying = exposure(book, snapshot, engine.native_symbol), underlying_of(rule)
    delta, goal = seen.delta(underlying), goal_of(rule)
    naked = await engine.perps.naked_of(rule)
    hedges = tuple(p for p in snapshot.perps if p.name in book.hedges)
    lent = tuple(p for p in snapshot.loans if p.name in book.positions)
    position = BookPosition(seen, hedges, snapshot.block, naked, engine.state.market, lent)
    if not seen.doubts and rule.trigger.metric is DELTA:
        is_outside = as_now(rule, position)[0].trigger.fires_at(delta)
        naked = legs.observed(naked, snapshot.block.timestamp, abs(delta - goal), is_outside=is_outside)
        await engine.perps.set_naked(rule, naked)
    buys = delta < goal
    doubts = tuple(d for perp in hedges for d in perp_doubts(engine, snapshot, perp, underlying, buys=buys))
    return judge(BOOK, replace(position, naked=naked), (rule,), doubts)


def carry_of(snapshot: Snapshot, of: BookAssessment) -> Carry:
    """Return what holding a book brings or costs in a day."""
    return carry(of.exposure, snapshot, HEDGE_FEE)
