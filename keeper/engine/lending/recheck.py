"""What would be done now in the place of a plan about a loan that waits to be mined, or that the price outran."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from keeper.core.decide import Hold
from keeper.core.lending.kind import LENDING
from keeper.core.perp.position import PerpPosition
from keeper.core.units import Usd
from keeper.engine.decide import decided_anew
from keeper.engine.engine import Engine
from keeper.engine.lending.assess import judge
from keeper.engine.lending.plan import rehearsed_now
from keeper.engine.lending.preflight import Prepared
from keeper.engine.recheck import Anew, Recheck, best_now, newest
from keeper.execution.recheck import Unsure

LookAgain = Callable[[Usd], Awaitable[Anew[Prepared] | Hold | Unsure]]
"""Returns what would be done now, given what the plan under way was counted with: that is not in its own way.

Raises NodeError, ReadFailedError, JournalError.
"""


def lending_look(engine: Engine, sent: Prepared, again: LookAgain | None = None) -> Recheck[Prepared]:
    """Return what decides about a plan anew: the rules of its loan, or ``again`` where another asked for it."""
    name = sent.plan.intent.position
    return Recheck(engine, name, sent, partial(again or partial(look_again, engine, name), sent.plan.spend))


async def look_again(engine: Engine, name: str, own_spend: Usd) -> Anew[Prepared] | Hold:
    """Return what would be done about a position at the newest block, were nothing under way. Raises NodeError."""
    snapshot = await newest(engine)
    engine.state.saw_prices(snapshot)
    (position,) = [p for p in snapshot.positions if p.name == name and not isinstance(p, PerpPosition)]
    assessed, signer = judge(engine, snapshot, position), engine.reader.positions[name].spender
    decided = await decided_anew(engine, LENDING, assessed, snapshot.block, own_spend, signer)
    return await best_now(
        engine, snapshot, name, decided, lambda intent: rehearsed_now(engine, snapshot, intent, signer)
    )
