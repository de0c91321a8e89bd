"""Whose an order at a venue is: ours are written down when they are made, and found again where a kill fell between."""

from __future__ import annotations

from keeper.chain.errors import NodeError
from keeper.core.perp.position import PerpPosition
from keeper.engine.engine import Engine

NEWEST = 32
"""Transactions of ours that are looked through for the order that nobody wrote down."""
MOST_LOOKS = 3
"""Times they are, before an order counts as the owner's: a node may lag with receipts."""


async def adopt(engine: Engine, position: PerpPosition) -> None:
    """Write down the position's orders that our own mined transactions left and nobody did. Raises JournalError.

    A keeper that was killed between the two knows its orders again; what stays unknown is the owner's.
    """
    perps, name = engine.perps, position.name
    if engine.terms.mode != "live" or engine.reader.positions[name].spender in engine.state.in_flight:
        return
    known = await perps.own_orders(name) | {order.key for order in await perps.left(name)}
    unknown = {o.key: o for o in position.orders if o.key not in known and perps.looks.get(o.key, 0) < MOST_LOOKS}
    if not unknown:
        return
    for row in await engine.journal.transactions.recent(NEWEST):
        if row.state not in ("mined", "confirmed") or not row.purpose.startswith("order"):
            continue
        try:
            made = [key for attempt in row.attempts for key in await engine.logs.created(name, attempt.hash)]
        except NodeError:
            return
        for key in unknown.keys() & set(made):
            order, block = unknown.pop(key), row.block_number or position.block.number
            await perps.created(name, (key,), row.decision_id, block, rests=order.kind.rests)
    for key in unknown:
        perps.looks[key] = perps.looks.get(key, 0) + 1
