"""A lending position that changed without a plan of ours: liquidated, closed, or changed by its owner. Reported once.

The market is asked for its events only where balances changed: a quiet block costs nothing.
"""

from __future__ import annotations

from keeper.core.lending.rules import LendingAssessment
from keeper.core.occurrences import Occurrence, What
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import LendingPosition
from keeper.core.units import USD, Address, mul_div_down, usd_text
from keeper.engine.engine import Engine
from keeper.engine.foreign_changes import ForeignChange, forced_by, happened, reason_of, report_change, said
from keeper.engine.lending import report
from keeper.engine.lending.balances import Balances, Lent, balances_of
from keeper.engine.lending.notices import standing_of

MOST_LOOKS = 3
"""Blocks at which the market's events are asked for before a change is reported without them."""
UNKNOWN = "no event of the market says how: a transfer, a reorg, or a node that does not give its logs"


async def notice(engine: Engine, position: LendingPosition, assessed: LendingAssessment | Unjudged) -> None:
    """Report what changed in a position since it was last looked at, but by ours. Raises JournalError."""
    name = position.name
    before = await engine.lent.of(name)
    if before is None or before.is_as(position):
        await engine.lent.keep(position)
        return
    if engine.reader.positions[name].spender in engine.state.in_flight or before.block >= position.block.number:
        return  # looked at once it has landed, and at a newer block than the last look
    seen = await happened(engine, name, before.block, position.block)
    if seen is None:
        engine.lent.looks[name] = engine.lent.looks.get(name, 0) + 1
        if engine.lent.looks[name] < MOST_LOOKS:
            return
        await _report(engine, position, assessed, before, ())
    elif seen.foreign and _matters(seen.foreign, position):
        await _report(engine, position, assessed, before, seen.foreign)
    elif not seen.found and _fallen(before.balances, balances_of(position)):
        await _report(engine, position, assessed, before, ())
    await engine.lent.keep(position)


async def closed_or_missing(engine: Engine, of: Unjudged) -> Unjudged:
    """Return why an account without balances is not judged: closed where it was open once, else perhaps a mistake."""
    before = await engine.lent.of(of.name)
    return of if before is None else Unjudged(of.name, Doubt(Reason.CLOSED, of.doubt.detail))


async def _report(
    engine: Engine,
    position: LendingPosition,
    assessed: LendingAssessment | Unjudged,
    before: Lent,
    found: tuple[Occurrence, ...],
) -> None:
    reason = reason_of(forced_by(found))
    change = ForeignChange(
        name=position.name,
        block=position.block,
        reason=reason,
        since=before.block,
        titles=(title_of(position.name, reason, is_closed=position.is_empty),),
        words=said(found, UNKNOWN),
        standing=(dollars(before, position), standing_of(assessed)),
        seen=report.assessment(assessed),
    )
    await report_change(engine, change)


def title_of(name: str, reason: Reason, *, is_closed: bool) -> str:
    """Return what happened in a few words."""
    if reason is Reason.LIQUIDATED:
        return f"{name} was liquidated{', and nothing is left of it' if is_closed else ''}"
    return f"{name} was {'closed' if is_closed else 'changed'}, and not by this keeper"


def dollars(before: Lent, position: LendingPosition) -> str:
    """Return collateral and debt before and after, at the prices of now."""
    supplied = usd_text(_worth(position, before.balances, 0)), usd_text(_worth(position, balances_of(position), 0))
    owed = usd_text(_worth(position, before.balances, 1)), usd_text(_worth(position, balances_of(position), 1))
    return f"supplied {supplied[0]} → {supplied[1]}, debt {owed[0]} → {owed[1]}, at the prices of now"


def _worth(position: LendingPosition, balances: Balances, side: int) -> int:
    total = 0
    for holding in position.holdings:
        balance = balances.get(holding.asset)
        if balance is not None and holding.price.answer > 0:
            total += holding.usd_down(balance.borrowed if side else balance.supplied)
    return total


def _matters(found: tuple[Occurrence, ...], position: LendingPosition) -> bool:
    """Whether a change is worth an alarm: forced, taken out or borrowed; of gifts only what is worth a dollar."""
    if any(o.what not in (What.SUPPLIED, What.REPAID) for o in found):
        return True
    prices: dict[Address, int] = {h.asset: h.price.answer for h in position.holdings}
    units = {h.asset: h.unit for h in position.holdings}
    moved = [(asset, amount) for o in found for asset, amount in o.moved]
    return sum(mul_div_down(amount, prices.get(a, 0), units.get(a, 1)) for a, amount in moved) >= USD


def _fallen(before: Balances, now: Balances) -> bool:
    """Return whether a supply fell by more than dust: without an event it went by a transfer."""
    return any(
        (now[asset].principal.supply if asset in now else 0) * 100 < was.principal.supply * 99
        for asset, was in before.items()
    )
