"""Orders placed, changed and taken back at a venue: through the same gate, rehearsal, lane and journal as any plan."""

from __future__ import annotations

from keeper.core.decide import Hold
from keeper.core.held_back import TRIES
from keeper.core.lending.proposals import Cost
from keeper.core.metrics import Trigger
from keeper.core.notices import sentence
from keeper.core.perp.metrics import MARGIN_RATIO, closed
from keeper.core.perp.moves import CancelOrder, PerpMove, PlaceOrder
from keeper.core.perp.plan import PerpPlan, PerpPromise, PerpStep
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpAssessment, PerpIntent, PerpRule
from keeper.core.rules import Limits, Rule
from keeper.core.scales import Beyond
from keeper.core.snapshot import Snapshot
from keeper.core.units import Bps, Usd, Wad
from keeper.engine.engine import Engine
from keeper.engine.notices import clipped
from keeper.engine.perp.departure import PerpDeparture
from keeper.engine.perp.notices import position_text
from keeper.engine.perp.prepare import first_perp_plan
from keeper.engine.submit import submit

ORDERS = "orders"
"""The name under which what belongs to no rule is journaled: a late order taken back, a stop without its rule."""


async def carry_out(
    engine: Engine, snapshot: Snapshot, position: PerpPosition, rule: PerpRule | None, move: PerpMove
) -> None:
    """Send one upkeep move, or rehearse it in dry run; not while the signer is busy, nor after it failed too often.

    It is written down as upkeep: that a stop was placed holds no rule back, and that it could not be placed disables
    none.
    """
    signer = engine.reader.positions[position.name].spender
    if signer in engine.state.in_flight or not engine.state.may_sign:
        return
    if rule is not None and await engine.paused((rule,)):
        return  # what rests stays, and what is late is taken back all the same
    rule = rule or _housekeeping(position.name)
    plan = plan_of(position, rule, move)
    if engine.terms.mode == "dry_run" and engine.state.upkept.get(f"{position.name}:{rule.name}") == plan.label:
        return
    if (await engine.past_of(rule, snapshot.block, "upkeep")).failed >= TRIES:
        return
    prepared = await first_perp_plan(engine, snapshot, (plan,))
    if isinstance(prepared, Hold):
        title = f"{position.name}: could not {plan.label}"
        body = sentence(f"{prepared.reason.short} ({clipped(prepared.detail)})", position_text(position))
        engine.observer.raise_alarm(f"upkeep:{position.name}:{rule.name}", title, body)
        return
    await submit(engine, PerpDeparture(engine, snapshot, prepared))
    engine.state.upkept[f"{position.name}:{rule.name}"] = plan.label


def plan_of(position: PerpPosition, rule: PerpRule, move: PerpMove) -> PerpPlan:
    """Return the plan of one upkeep move: it moves no dollars of ours and promises nothing but itself."""
    what = {PlaceOrder: "place", CancelOrder: "take back"}.get(type(move), "change")
    kind = f" {move.kind.value.replace('_', ' ')}" if isinstance(move, PlaceOrder) else " an"
    assessed = PerpAssessment(position, (), ())
    return PerpPlan(
        intent=PerpIntent(assessed, rule, closed(), (), (), None),
        label=f"{what}{kind} order of {position.name}",
        steps=(PerpStep(move, Usd(0)),),
        cost=Cost(Usd(0), Usd(0), Usd(0)),
        before=position,
        projected=position,
        postcondition=PerpPromise("the venue holds the orders the rules want", Wad(0)),
        is_partial=False,
        is_upkeep=True,
    )


def _housekeeping(name: str) -> PerpRule:
    trigger = Trigger(MARGIN_RATIO, Beyond.BELOW, 0)
    return Rule(ORDERS, name, trigger, None, (), 600, Limits(Bps(0)))
