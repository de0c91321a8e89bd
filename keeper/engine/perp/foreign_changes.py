"""Size that went without a plan of ours: liquidated, deleveraged, closed by hand. By the venue's events, once."""

from __future__ import annotations

from keeper.chain.errors import NodeError
from keeper.core.notices import sentence
from keeper.core.occurrences import Occurrence, What, strangers
from keeper.core.perp.kind import pending_order
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.engine.engine import Engine
from keeper.engine.history import Shrunk
from keeper.engine.holds import where
from keeper.engine.perp import report
from keeper.engine.perp.notices import position_text, size_text
from keeper.journal import NewDecision

REASONS = {What.LIQUIDATED: Reason.LIQUIDATED, What.DELEVERAGED: Reason.DELEVERAGED}
UNKNOWN = "closed by hand, liquidated or deleveraged: the venue's events do not say which"


async def notice(engine: Engine, position: PerpPosition) -> None:
    """Report size that went since the last look, but by ours. Raises JournalError.

    What is under way may show at the next block. After a restart the venue's events and the journal say whose it was.
    """
    name = position.name
    lost = await engine.perps.shrunk(position)
    if engine.reader.positions[name].spender in engine.state.in_flight or pending_order(position):
        engine.perps.expected.add(name)
    if not lost:
        return
    try:
        found = await engine.logs.happened(name, lost[0].since + 1, position.block.number)
    except NodeError:
        found = ()
    own = await engine.journal.transactions.own_of({o.transaction for o in found})
    stops = await engine.perps.own_orders(name)
    foreign = strangers(found, own | stops)
    if foreign or not found:
        await _report(engine, position, lost, foreign)
        return
    if any(o.order in stops for o in found):
        title = f"{name}: {lost[0].symbol} {_what(position, lost[0])}: a stop order left with the venue was carried out"
        engine.observer.raise_alarm(None, title, sentence(_words(found), position_text(position)))


async def _report(
    engine: Engine, position: PerpPosition, lost: tuple[Shrunk, ...], foreign: tuple[Occurrence, ...]
) -> None:
    name = position.name
    forced = next((o.what for o in foreign if o.what.is_forced), None)
    reason = REASONS[forced] if forced else Reason.CHANGED_OUTSIDE
    by = f"and not by this keeper{f': {forced.value}' if forced else ''}"
    words = _words(foreign) or UNKNOWN
    for leg in lost:
        title = f"{name}: {leg.symbol} {_what(position, leg)}, {by}"
        engine.observer.noticed(name, reason, title, sentence(words, position_text(position), reason.remedy))
    await engine.journal.decisions.record(
        NewDecision(
            **where(position.block),
            position=name,
            rule=None,
            mode=engine.terms.mode,
            kind="danger" if forced else "alert",
            reason=reason.code,
            summary=f"{reason.short}: {words}",
            inputs={"since_block": lost[0].since, "position": report.position(position)},
        )
    )


def _what(position: PerpPosition, leg: Shrunk) -> str:
    if not leg.now:
        return "is gone"
    here = position.leg(leg.symbol)
    turned = " and turned round" if (leg.now > 0) != (leg.before > 0) else ""
    return f"shrank from {size_text(here, leg.before)} to {size_text(here, leg.now)}{turned}"


def _words(found: tuple[Occurrence, ...]) -> str:
    return "; ".join(o.words for o in found)
