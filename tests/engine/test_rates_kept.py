"""What a rule on a rate has seen of its window lasts from block to block, and over a restart."""

from __future__ import annotations

from dataclasses import replace

from core_builders import BLOCK, above, at, below, loop, rule, usd, wad
from paper import Paper, engine_on, holding_dollars, next_block

from keeper.core.block import BlockRef
from keeper.core.decide import Hold
from keeper.core.lending.market_metrics import BORROW_RATE, PEG
from keeper.core.lending.rules import LendingAssessment
from keeper.core.metrics import Subject
from keeper.core.prices import SecondPrice
from keeper.core.reasons import Reason
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.engine.lending.assess import judge_remembering

WINDOW_S = 7200
DEAR = rule(
    trigger=replace(above(BORROW_RATE, wad("0.03")), of=Subject(None, WINDOW_S)),
    target=None,
    actions=(),
)


async def after(engine: Engine, paper: Paper, block: BlockRef, minutes: int) -> tuple[BlockRef, Hold]:
    """Judge a block so many minutes later."""
    block = next_block(block, timestamp=block.timestamp + 60 * minutes)
    paper.positions["loop"] = replace(paper.positions["loop"], block=block)  # type: ignore[type-var]
    (result,) = await cycle(engine, block)
    assert isinstance(result.decision, Hold)
    return block, result.decision


async def test_a_loan_that_is_dear_for_half_a_window_is_heard_of_and_a_restart_forgets_nothing() -> None:
    """4 % a year against a bound of 3 %: nothing is said before an hour of the two was seen."""
    paper = Paper({"loop": loop("10", "5000")}, holding_dollars())
    engine, block = engine_on(paper, DEAR), BLOCK
    (first,) = await cycle(engine, block)
    assert isinstance(first.decision, Hold)
    assert first.decision.reason is Reason.UNMEASURED
    block, hold = await after(engine, paper, block, 40)
    assert hold.reason is Reason.UNMEASURED
    anew = engine_on(paper, DEAR)
    anew.journal.kept |= engine.journal.kept  # type: ignore[attr-defined]
    block, hold = await after(anew, paper, block, 40)
    assert hold.reason is Reason.ALERT_ONLY
    assert hold.detail == "borrow_rate 0.0400"


async def test_a_look_at_things_sees_what_the_daemon_saw_and_writes_nothing() -> None:
    """`keeper status` and `explain`, beside a daemon that has been there for an hour and more."""
    paper = Paper({"loop": loop("10", "5000")}, holding_dollars())
    engine, block = engine_on(paper, DEAR), BLOCK
    await cycle(engine, block)
    for _ in range(2):
        block, _hold = await after(engine, paper, block, 40)
    look = engine_on(paper, DEAR)
    look.journal.kept |= engine.journal.kept  # type: ignore[attr-defined]
    look.perps.is_look, before = True, dict(engine.journal.kept)  # type: ignore[attr-defined]
    block = next_block(block, timestamp=block.timestamp + 600)
    position = replace(paper.positions["loop"], block=block)  # type: ignore[type-var]
    found = await judge_remembering(look, await look.reader.snapshot(block), position)  # type: ignore[arg-type]
    assert isinstance(found, LendingAssessment)
    assert found.verdicts[0].measured == wad("0.04")
    assert look.journal.kept == before  # type: ignore[attr-defined]


async def test_a_peg_is_judged_by_what_was_read_beside_the_position() -> None:
    """The pool's price of the collateral, two percent and a half below its oracle."""
    paper = Paper({"loop": loop("10", "5000")}, holding_dollars())
    paper.seconds = {at("WETH"): SecondPrice(at("WETH"), "pool", (usd("1950"),))}
    engine = engine_on(paper, rule(trigger=below(PEG, wad("0.98")), target=None, actions=()))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, Hold)
    assert (result.decision.reason, result.decision.detail) == (Reason.ALERT_ONLY, "peg 0.9750")
