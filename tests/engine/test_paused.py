"""Paused rules: nothing of them is signed, their owner goes on hearing of them, and everything else goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import BLOCK, OWNER, loop, rule, units
from paper import Paper, engine_on, holding_dollars
from perp_builders import perp_rule, short

from keeper.core.decide import Hold
from keeper.core.lending.rules import LendingIntent
from keeper.core.pauses import ABOUT, ALL, RULE, Pause, key_of, plain
from keeper.core.reasons import Reason
from keeper.core.snapshot import Wallet
from keeper.core.units import Amount, Wei
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.engine.lending.preflight import Prepared
from keeper.engine.lending.recheck import lending_look
from keeper.engine.perp.make_up import rest_of
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.perp.recheck import perp_look
from keeper.engine.recheck import Anew
from keeper.engine.result import Result
from keeper.execution.recheck import Drop, Keep

IN_DANGER = loop("10", "14000")


def pausing(engine: Engine, *pauses: Pause) -> Engine:
    journal: Any = engine.journal
    journal.kept[key_of(BLOCK.chain_id, engine.reader.network.name)] = plain(pauses)
    return engine


def _noting(get: Any, asked: list[str]) -> Any:
    async def noted(journal: Any, key: str) -> Any:
        asked.append(key)
        return await get(journal, key)

    return noted


def reason(result: Result) -> Reason | None:
    return result.decision.reason if isinstance(result.decision, Hold) else None


@pytest.mark.parametrize("pause", [Pause(RULE, "protect", 0), Pause(ABOUT, "loop", 0), Pause(ALL, "", 0)], ids=str)
async def test_a_paused_rule_plans_nothing_and_alarms(pause: Pause) -> None:
    """Nothing is quoted, rehearsed or signed; that it fires is an alarm all the same, with how to end the pause."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    engine = pausing(engine_on(paper, rule()), pause)
    (result,) = await cycle(engine, BLOCK)
    assert reason(result) is Reason.PAUSED
    assert result.decision.leaves_in_danger  # type: ignore[union-attr] - a hold, see above
    assert paper.rehearsed == []
    assert len(engine.observer.alarms) == 1


async def test_another_rule_and_another_position_go_on() -> None:
    """A pause of one rule is not one of what it stands beside."""
    paper = Paper({"loop": IN_DANGER, "other": replace(IN_DANGER, name="other")}, holding_dollars())
    engine = pausing(
        engine_on(paper, rule(), replace(rule(), name="second"), replace(rule(), position="other")),
        Pause(ABOUT, "other", 0),
        Pause(RULE, "protect", 0),
    )
    loop_result, other = await cycle(engine, BLOCK)
    assert isinstance(loop_result.decision, LendingIntent)
    assert loop_result.decision.rule.name == "second"
    assert reason(other) is Reason.PAUSED


async def test_a_pause_that_is_over_holds_nobody_back() -> None:
    """By the machine's clock, at which its owner looked."""
    engine = engine_on(Paper({"loop": IN_DANGER}, holding_dollars()), rule())
    now = int(engine.clock.wall())
    pausing(engine, Pause(ALL, "", now - 10, now - 1))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, LendingIntent)


async def test_a_quiet_block_asks_nothing_about_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked up where a rule fires, and nowhere else."""
    for dollars, times in (("5000", 0), ("14000", 1)):
        engine, asked = engine_on(Paper({"loop": loop("10", dollars)}, holding_dollars()), rule()), list[str]()
        journal: Any = engine.journal
        monkeypatch.setattr(type(journal), "get", _noting(type(journal).get, asked))
        await cycle(engine, BLOCK)
        assert sum(key.startswith("paused:") for key in asked) == times
        monkeypatch.undo()


async def test_perpetuals_are_paused_alike() -> None:
    """One decide for every kind: one pause too."""
    paper = Paper({"short": short(margin="300")}, holding_dollars())
    engine = pausing(engine_on(paper, perp_rules=(perp_rule(),)), Pause(ABOUT, "short", 0))
    (result,) = await cycle(engine, BLOCK)
    assert reason(result) is Reason.PAUSED
    assert paper.rehearsed == []


# --- a plan under way ------------------------------------------------------------------------------------------------


async def test_a_plan_on_its_way_is_taken_back_once_its_rule_is_paused() -> None:
    """By the second look, through the journal that another process wrote to: nothing more is bid for it."""
    engine = engine_on(Paper({"loop": IN_DANGER}, holding_dollars()), rule())
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.prepared, Prepared)
    look = lending_look(pausing(engine, Pause(RULE, "protect", 0)), result.prepared)
    assert await look(False) == Drop(Reason.PAUSED)
    assert isinstance(await look(True), Keep), "what has begun is finished"


@pytest.mark.parametrize("finishes", [False, True])
async def test_a_perpetual_plan_on_its_way_is_taken_back_alike(*, finishes: bool) -> None:
    """And what makes up for what an earlier plan of the rule came short of, too."""
    squeezed = replace(short(margin="300"), owner=OWNER)
    wallet = Wallet(OWNER, Wei(10**18), {squeezed.collateral: Amount(units("USDC", "5000"))})
    engine = engine_on(Paper({"short": squeezed}, wallet), perp_rules=(perp_rule(),))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.prepared, PerpPrepared)
    plan = result.prepared.plan
    sent = replace(result.prepared, plan=replace(plan, intent=replace(plan.intent, finishes=finishes)))
    assert isinstance(await perp_look(engine, sent)(False), Keep)
    assert await perp_look(pausing(engine, Pause(ABOUT, "short", 0)), sent)(False) == Drop(Reason.PAUSED)


async def test_what_a_plan_came_short_of_is_not_made_up_for_while_its_rule_is_paused() -> None:
    """Its owner said so between the two: nothing is quoted or rehearsed for the rest; without the pause it is."""
    squeezed = replace(short(price="2250"), owner=OWNER)
    money = Wallet(OWNER, Wei(10**18), {squeezed.collateral: Amount(units("USDC", "5000"))})
    paper = Paper({"short": squeezed}, money)
    engine = engine_on(paper, perp_rules=(perp_rule(),))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.prepared, PerpPrepared)
    intent = result.prepared.plan.intent
    assert isinstance(await rest_of(engine, intent), Anew)
    for pause in (Pause(RULE, "margin", 0), Pause(ABOUT, "short", 0), Pause(ALL, "", 0)):
        pausing(engine, pause)
        paper.rehearsed.clear()
        assert await rest_of(engine, intent) is None
        assert paper.rehearsed == []
