"""Orders that a plan left with the venue: what became of them, by the venue's logs; late ones are taken back."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.chain.errors import NodeError
from keeper.core.book.unhedged import LATE_S
from keeper.core.book.unhedged import failed as order_failed
from keeper.core.notices import sentence
from keeper.core.perp.position import PerpPosition, VenueOrder
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot
from keeper.core.units import duration
from keeper.engine.engine import Engine
from keeper.engine.history import Left
from keeper.engine.perp.notices import dollars, position_text
from keeper.engine.perp.ownership import adopt
from keeper.journal.decisions import OutcomeKind
from keeper.venues.ports import ByKeepers


async def look_after_orders(engine: Engine, snapshot: Snapshot, position: PerpPosition) -> VenueOrder | None:
    """See what became of orders left behind; return one of ours to be taken back now, if there is one.

    The outcome is taken from the logs by order key; an order that is gone without a word is reported as such. Logs that
    cannot be had are reported, and hold nothing up: what was read of the position is what its orders did. Raises
    JournalError.
    """
    await adopt(engine, position)
    if engine.reader.positions[position.name].spender not in engine.state.in_flight:  # else it is followed there
        try:
            await _settle_left(engine, snapshot, position)
        except NodeError as error:
            title = f"What became of an order of {position.name} is not known"
            engine.observer.raise_alarm(f"logs:{position.name}", title, str(error))
    own, now = {order.key for order in await engine.perps.left(position.name)}, snapshot.block.timestamp
    for order in position.orders:
        age = now - order.updated_at
        if order.kind.rests:
            continue
        if order.is_frozen and order.key in own:
            return order
        if age > LATE_S:
            whose = "" if order.key in own else "it is not the keeper's own, which waits for it"
            kind = order.kind.value.replace("_", " ")
            what = sentence(
                f"the {kind} order for {dollars(position, order.size_usd)} has waited {duration(age)}",
                whose,
                Reason.ORDER_LATE.remedy,
                position_text(position),
            )
            title, subject = f"An order is late: {position.name}", f"orders:{position.name}"
            engine.observer.raise_alarm(f"order:{order.key}", title, what, subject=subject)
        if order.key in own and can_take_back(engine, position.name, age):
            return order
    return None


def can_take_back(engine: Engine, name: str, age: int) -> bool:
    """Return whether the venue lets an order of so many seconds be taken back by its owner."""
    settles = engine.reader.perp_account(name).settles
    return isinstance(settles, ByKeepers) and age > settles.cancel_after_s


async def _settle_left(engine: Engine, snapshot: Snapshot, position: PerpPosition) -> None:
    known = await engine.perps.left(position.name)
    if not known:
        return
    found = await engine.logs.outcomes(position.name, tuple(o.key for o in known), min(o.block for o in known))
    still = list[Left]()
    listed = {order.key for order in position.orders}
    for order in known:
        outcome = found.get(order.key)
        if outcome is not None:
            engine.perps.expected.add(position.name)
            first = await _forestalled(engine, position, order, known) if outcome.kind == "cancelled" else None
            kind, detail = (
                ("executed", f"{first}; it was {outcome.kind}: {outcome.detail}")
                if first
                else (outcome.kind, outcome.detail)
            )
            await _report(engine, position, order, kind, detail)
        elif order.key in listed or order.block >= snapshot.block.number:  # what is newer than the look is not gone
            still.append(order)
        else:
            await _report(engine, position, order, "gone", "the venue neither lists it nor says what became of it")
    if tuple(still) != known:
        await engine.perps.set_left(position.name, still)


async def _forestalled(engine: Engine, position: PerpPosition, order: Left, known: Iterable[Left]) -> str | None:
    """Return that another order of the account left nothing to do for one that found nothing; None where none did."""
    if position.held:
        return None
    others = set(await engine.logs.carried_out(position.name, order.block)) - {left.key for left in known}
    return f"order {', '.join(sorted(key[:10] for key in others))} was carried out first" if others else None


async def _report(engine: Engine, position: PerpPosition, order: Left, kind: str, detail: str) -> None:
    late = {"reason": "executed_late" if kind == "executed" else "order_failed", "detail": f"{kind}: {detail}"}
    outcome: OutcomeKind = "restored" if kind == "executed" else "failed"
    await engine.journal.decisions.record_outcome(order.decision_id, outcome, {"kind": outcome, **late})
    if kind == "executed":
        engine.observer.order_done(position.name, order.key, detail)
        return
    title, subject = f"An order of {position.name} was {kind}", f"orders:{position.name}"
    body = sentence(detail, position_text(position), Reason.ORDER_FAILED.remedy)
    engine.observer.raise_alarm(f"order:{order.key}:{kind}", title, body, subject=subject)
    for rule in engine.perps.book_rules:
        if position.name in engine.perps.book(rule.position).hedges:
            await engine.perps.set_naked(rule, order_failed(await engine.perps.naked_of(rule)))
