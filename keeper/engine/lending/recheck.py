"""What would be done now in the place of a plan about a loan that waits to be mined, or that the price outran."""

from __future__ import annotations

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


def lending_look(engine: Engine, sent: Prepared) -> Recheck[Prepared]:
    """Return what decides about a plan anew; what it was counted with does not stand in its own way."""
    name = sent.plan.intent.position
    return Recheck(engine, name, sent, partial(look_again, engine, name, sent.plan.spend))


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
