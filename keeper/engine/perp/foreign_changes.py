"""Size that went without a plan of ours: liquidated, deleveraged, closed by hand. By the venue's events, once."""

from __future__ import annotations

from keeper.core.notices import sentence
from keeper.core.occurrences import Occurrence
from keeper.core.perp.kind import pending_order
from keeper.core.perp.position import PerpPosition
from keeper.engine.engine import Engine
from keeper.engine.foreign_changes import (
    ForeignChange,
    Happened,
    forced_by,
    happened,
    reason_of,
    report_change,
    said,
)
from keeper.engine.history import Shrunk
from keeper.engine.perp import report
from keeper.engine.perp.notices import position_text, size_text

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
    stops = await engine.perps.own_orders(name)
    seen = await happened(engine, name, lost[0].since, position.block, stops) or Happened((), ())
    if seen.foreign or not seen.found:
        await _report(engine, position, lost, seen.foreign)
    elif any(o.order in stops for o in seen.found):
        title = f"{name}: {lost[0].symbol} {_what(position, lost[0])}: a stop order left with the venue was carried out"
        engine.observer.raise_alarm(None, title, sentence(said(seen.found, UNKNOWN), position_text(position)))


async def _report(
    engine: Engine, position: PerpPosition, lost: tuple[Shrunk, ...], foreign: tuple[Occurrence, ...]
) -> None:
    forced = forced_by(foreign)
    by = f"and not by this keeper{f': {forced.value}' if forced else ''}"
    change = ForeignChange(
        name=position.name,
        block=position.block,
        reason=reason_of(forced),
        since=lost[0].since,
        titles=tuple(f"{position.name}: {leg.symbol} {_what(position, leg)}, {by}" for leg in lost),
        words=said(foreign, UNKNOWN),
        standing=(position_text(position),),
        seen=report.position(position),
    )
    await report_change(engine, change)


def _what(position: PerpPosition, leg: Shrunk) -> str:
    if not leg.now:
        return "is gone"
    here = position.leg(leg.symbol)
    turned = " and turned round" if (leg.now > 0) != (leg.before > 0) else ""
    return f"shrank from {size_text(here, leg.before)} to {size_text(here, leg.now)}{turned}"
