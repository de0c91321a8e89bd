"""A lending venue the program has never heard of, on its way through a block: the story knows no protocol."""

from __future__ import annotations

from core_builders import BLOCK, NOW, OWNER, at, rule
from paper import Paper, engine_on, holding_dollars
from toy_bank.account import ToyAccount
from toy_bank.market import ToyMarket
from toy_bank.subject import market_of, reading_of

from keeper.core.decide import Hold, Intent
from keeper.core.lending.position import LendingPosition
from keeper.core.reasons import Reason
from keeper.core.units import Address
from keeper.engine.cycle import cycle

BANK = Address("0x" + "4" * 40)


def bank() -> ToyMarket:
    return market_of(BANK, at("WETH"), at("USDC"), (at("WETHF"), at("USDCF")))


def borrowed() -> LendingPosition:
    """Ten ether at 2,000 dollars, 13,000 dollars owed: a health factor of 1.23."""
    probe, answers = reading_of(bank(), OWNER, NOW)
    found: LendingPosition = probe(BLOCK).decode(answers)
    return found


async def test_it_is_judged_planned_and_rehearsed_by_its_own_calls() -> None:
    """Its model's figures fire the rule, its encoder makes the calls, its decoder lets them through the gate."""
    paper = Paper({"mine": borrowed()}, holding_dollars())
    engine = engine_on(paper, rule(position="mine"))
    engine.reader.account = lambda name: ToyAccount(bank(), OWNER)  # type: ignore[method-assign]
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, Intent), result
    (calls, _), *_ = paper.rehearsed
    assert BANK in {call.to for call in calls}
    assert engine.journal.outcomes[1][0] == "rehearsed"


async def test_what_the_bank_does_not_have_is_never_asked_of_it() -> None:
    """Where no rule's action can be had there, the hold says so; nothing is encoded."""
    paper = Paper({"mine": borrowed()}, holding_dollars("0"), reverts=lambda calls: "never rehearsed")
    engine = engine_on(paper, rule(position="mine", actions=()))
    engine.reader.account = lambda name: ToyAccount(bank(), OWNER)  # type: ignore[method-assign]
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.ALERT_ONLY
    assert not paper.rehearsed
