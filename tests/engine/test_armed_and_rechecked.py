"""Plans made ready for prices that have not come, and plans under way looked at again: without a chain."""

from __future__ import annotations

from dataclasses import replace

from core_builders import BLOCK, limits, loop, rule
from paper import Others, Paper, engine_on, holding_dollars, next_block

from keeper.chain.errors import NodeAwayError
from keeper.core.decide import Hold
from keeper.core.reasons import Reason
from keeper.core.units import Bps
from keeper.engine.armed.arm import Arming
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.engine.lending.preflight import Prepared
from keeper.engine.lending.recheck import lending_look
from keeper.engine.recheck import Anew
from keeper.engine.result import Result
from keeper.execution.recheck import Change, Drop, Keep, Unsure

SAFE = loop("10", "5000")
NEAR = loop("10", "13100")  # 1.267: two percent above its trigger
FALLEN = loop("10", "13100", price="1960")
BAND = Bps(300)


async def armed(paper: Paper, *rules: object, **given: object) -> Engine:
    """An engine that judged a block and made ready for the next."""
    engine = engine_on(paper, *(rules or (rule(),)), **given)  # type: ignore[arg-type]
    results = await cycle(engine, BLOCK)
    arming = Arming(engine, BAND)
    arming.begin(results)
    await arming.settled()
    return engine


async def falls(engine: Engine, paper: Paper) -> Result:
    """The price falls through the trigger in the next block."""
    paper.positions["loop"] = FALLEN
    paper.block = next_block()
    paper.asked.clear()
    paper.rehearsed.clear()
    (result,) = await cycle(engine, paper.block)
    return result


async def test_near_a_trigger_plans_are_made_ready() -> None:
    """Rehearsed for the prices that would fire it; far from it none are."""
    near, far = (
        await armed(Paper({"loop": NEAR}, holding_dollars())),
        await armed(Paper({"loop": SAFE}, holding_dollars())),
    )
    assert near.state.armed["loop"]
    assert "loop" not in far.state.armed


async def test_when_the_price_comes_nobody_is_asked_anything() -> None:
    """One read, then the plan that was made ready: no quote, no rehearsal."""
    paper = Paper({"loop": NEAR}, holding_dollars())
    result = await falls(await armed(paper), paper)
    assert isinstance(result.prepared, Prepared)
    assert "armed at block 100" in result.prepared.rehearsed.how
    assert paper.asked == ["snapshot"]
    assert paper.rehearsed == []


async def test_a_plan_made_ready_on_another_history_is_not_used() -> None:
    """The block it was made on is not one of those before this one: the usual way is taken."""
    paper = Paper({"loop": NEAR}, holding_dollars())
    engine = await armed(paper)
    paper.positions["loop"] = FALLEN
    (result,) = await cycle(engine, next_block(parent_hash="0x" + "77" * 32))
    assert isinstance(result.prepared, Prepared)
    assert result.prepared.rehearsed.how == "rehearsed at this block"


async def test_a_plan_made_ready_for_another_account_is_not_used() -> None:
    """The owner borrowed more meanwhile: what was rehearsed is not what is there."""
    paper = Paper({"loop": NEAR}, holding_dollars())
    engine = await armed(paper)
    paper.positions["loop"] = loop("10", "14000")
    (result,) = await cycle(engine, next_block())
    assert isinstance(result.prepared, Prepared)
    assert result.prepared.rehearsed.how == "rehearsed at this block"


async def test_a_rule_that_only_alerts_makes_nothing_ready() -> None:
    """There is no plan it could ask for."""
    engine = await armed(Paper({"loop": NEAR}, holding_dollars()), rule(actions=(), target=None))
    assert engine.state.armed == {}


async def test_other_nodes_that_say_otherwise_stop_a_plan_made_ready() -> None:
    """They were asked beside the read."""
    paper = Paper({"loop": NEAR}, holding_dollars())
    others = Others()
    engine = await armed(paper, others=others)
    others.confirms = others.agrees = False
    result = await falls(engine, paper)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.NODES_DISAGREE


# --- a plan under way ------------------------------------------------------------------------------------------------

DANGER = loop("10", "14000")


async def under_way(paper: Paper) -> tuple[Engine, Prepared]:
    engine = engine_on(paper, rule(limits=limits(per_day="20000")))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.prepared, Prepared)
    paper.rehearsed.clear()
    return engine, result.prepared


async def test_a_plan_still_asked_for_is_kept() -> None:
    """At the fee that is right now."""
    paper = Paper({"loop": DANGER}, holding_dollars())
    engine, sent = await under_way(paper)
    assert isinstance(await lending_look(engine, sent)(False), Keep)


async def test_a_plan_that_nothing_asks_for_any_more_is_dropped() -> None:
    """The price came back, or the owner acted."""
    paper = Paper({"loop": DANGER}, holding_dollars())
    engine, sent = await under_way(paper)
    paper.positions["loop"] = SAFE
    assert await lending_look(engine, sent)(False) == Drop(Reason.HEALTHY)


async def test_a_plan_that_is_not_enough_any_more_is_changed() -> None:
    """The price fell further: what is sent in its place is for the position as it is now."""
    paper = Paper({"loop": DANGER}, holding_dollars())
    engine, sent = await under_way(paper)
    paper.positions["loop"] = loop("10", "14000", price="1750")
    look = lending_look(engine, sent)
    assert isinstance(await look(False), Change)
    assert isinstance(look.seen, Anew)
    assert look.seen.prepared.plan.spend > sent.plan.spend


async def test_a_plan_that_has_begun_is_never_taken_back() -> None:
    """Half of it is mined: the rest must follow."""
    paper = Paper({"loop": DANGER}, holding_dollars())
    engine, sent = await under_way(paper)
    paper.positions["loop"] = SAFE
    assert isinstance(await lending_look(engine, sent)(True), Keep)


async def test_a_plan_that_nobody_can_confirm_waits_and_its_owner_hears_of_it() -> None:
    """Nothing more is bid on a state that no node shows."""
    paper = Paper({"loop": DANGER}, holding_dollars())
    engine, sent = await under_way(paper)
    paper.reading_fails = NodeAwayError("one", "eth_call", "timed out")
    found = await lending_look(engine, sent)(False)
    assert isinstance(found, Unsure)
    assert found.reason is Reason.NODE_AWAY
    assert engine.observer.alarms


async def test_a_look_again_counts_the_plans_own_money_once() -> None:
    """What the pending plan was counted with does not stand in its own way at the day's limit."""
    paper = Paper({"loop": DANGER}, holding_dollars())
    engine, sent = await under_way(paper)
    engine.journal.past["spent"] = sent.plan.spend  # type: ignore[attr-defined]
    engine.state.rules = (replace(engine.state.rules[0], limits=limits(per_day=str(sent.plan.spend // 10**8 + 1))),)
    assert isinstance(await lending_look(engine, sent)(False), Keep)
