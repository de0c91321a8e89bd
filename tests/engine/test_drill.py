"""The fire drill on paper: each rule rehearsed where it would fire, and why a rescue would fail."""

from __future__ import annotations

from dataclasses import replace

from core_builders import BLOCK, OWNER, at, loop, rule, units
from paper import Paper, engine_on, healthy, holding_dollars

from keeper.cli.doctor_drill import finding_of
from keeper.cli.doctor_findings import Level
from keeper.core.drills import Drill, Drilled, DrillEnding, from_plain, plain
from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.rules import Rule
from keeper.core.snapshot import LendingPosition, Wallet
from keeper.core.units import Amount, Wei
from keeper.engine.lending.drill import rehearsals

FAR = loop("10", "10000")
"""Health 1.66: the rule at 1.25 rests."""
EMPTY = Wallet(OWNER, Wei(10**18))
PAYS, SELLS = (ACTIONS["top_up"], ACTIONS["repay"]), (ACTIONS["deleverage"],)


async def drilled(paper: Paper, *rules: Rule, **terms: object) -> list[Drilled]:
    engine = engine_on(paper, *rules, **terms)  # type: ignore[arg-type]
    snapshot = await engine.reader.snapshot(BLOCK)
    (p,) = snapshot.positions
    assert isinstance(p, LendingPosition)
    found = [await rehearsal() for rehearsal in rehearsals(engine, snapshot, p)]
    assert engine.journal.rows == []  # type: ignore[attr-defined]
    return found


async def test_a_rescue_that_works_says_where_it_would_fire_and_what_it_would_do() -> None:
    """At the price, far from now, at which the rule fires; gas included."""
    paper = Paper({"loop": FAR}, holding_dollars())
    (one,) = await drilled(paper, rule())
    assert one.ending is DrillEnding.WORKS
    assert "WETH at 1506." in one.where
    assert "−24." in one.where
    assert one.plan
    assert one.gas > 0
    assert len(paper.rehearsed) == 1


async def test_an_empty_wallet_is_a_rescue_that_would_fail_long_before_it_is_needed() -> None:
    """Because of what, and what helps."""
    (one,) = await drilled(Paper({"loop": FAR}, EMPTY), rule(actions=PAYS))
    assert one.ending is DrillEnding.FAILS
    assert "the signer's wallet holds none" in one.why
    assert "fund" in one.remedy
    assert one.said.startswith("your rescue would fail at WETH at 1506.")


async def test_too_little_in_the_wallet_falls_short() -> None:
    """It helps, and does not reach the target."""
    (one,) = await drilled(Paper({"loop": FAR}, holding_dollars("100")), rule(actions=(ACTIONS["repay"],)))
    assert one.ending is DrillEnding.SHORT
    assert one.remedy
    assert not one.is_well


async def test_a_call_that_reverts_is_named() -> None:
    """As the chain says it."""
    paper = Paper({"loop": FAR}, EMPTY, reverts=lambda calls: "RESERVE_FROZEN")
    (one,) = await drilled(paper, rule(actions=SELLS))
    assert one.ending is DrillEnding.FAILS
    assert "RESERVE_FROZEN" in one.why


async def test_a_promise_that_would_not_be_kept_is_named() -> None:
    """The rehearsal's figures count, not the plan's."""
    paper = Paper({"loop": FAR}, EMPTY, after=lambda p: healthy(p, "1.01"))
    (one,) = await drilled(paper, rule(actions=SELLS))
    assert one.ending is DrillEnding.FAILS
    assert "would not do what it promises" in one.why


async def test_pools_too_thin_are_named() -> None:
    """More slippage than the rule allows, at the size that would be sold."""
    (one,) = await drilled(Paper({"loop": FAR}, EMPTY, cost_bps=900), rule(actions=SELLS))
    assert one.ending is DrillEnding.FAILS
    assert "max_slippage_bps" in one.remedy or "slippage" in one.why


async def test_no_gas_money_is_named() -> None:
    """The best plan is worth nothing to who cannot pay for it."""
    poor = replace(holding_dollars(), native=Wei(10**9))
    (one,) = await drilled(Paper({"loop": FAR}, poor), rule())
    assert one.ending is DrillEnding.FAILS
    assert "cannot pay for gas" in one.why


async def test_a_cap_on_fees_below_the_fee_of_now_is_named() -> None:
    """A rule that may pay less than a block costs never acts."""
    paper = Paper({"loop": FAR}, holding_dollars(), block=BLOCK)
    (one,) = await drilled(paper, rule(), max_fee=Wei(10**8))
    assert one.ending is DrillEnding.FAILS
    assert "gas costs more" in one.why


async def test_only_rules_that_rescue_are_drilled() -> None:
    """An alert does nothing; what fires now is rehearsed as it stands."""
    now = loop()
    alert = rule(name="warn", actions=(), to=None)
    found = await drilled(Paper({"loop": now}, holding_dollars()), alert, rule())
    assert [one.rule for one in found] == ["protect"]
    assert found[0].where == "today's prices"


async def test_a_wallet_of_the_wrong_asset_is_as_good_as_empty() -> None:
    """It holds what the position does not use."""
    odd = Wallet(OWNER, Wei(10**18), {at("EURC"): Amount(units("EURC", "5000"))})
    (one,) = await drilled(Paper({"loop": FAR}, odd), rule(actions=PAYS))
    assert one.ending is DrillEnding.FAILS


def test_a_drill_is_the_same_after_it_was_written_down() -> None:
    """Amounts as text; what is none is none."""
    one = Drilled("loop", "protect", DrillEnding.SHORT, "WETH at 1", "little", "more", "repay 1 USDC", 10**17)
    drill = Drill(5, 100, (one, replace(one, ending=DrillEnding.WORKS)))
    assert from_plain(plain(drill)) == drill
    assert from_plain({"at": "x"}) is None
    assert from_plain(None) is None
    assert drill.failing == (one,)
    assert drill.summary == "1 of 2 rescues would work; loop/protect short"


async def test_a_drill_knows_what_its_plan_takes_out_of_which_wallet() -> None:
    """So that rescues which count on the same money can be added up; a sale takes none."""
    (pays,) = await drilled(Paper({"loop": FAR}, holding_dollars("100")), rule(actions=(ACTIONS["repay"],)))
    (sells,) = await drilled(Paper({"loop": FAR}, EMPTY), rule(actions=SELLS))
    assert [(one.payer, one.amount) for one in pays.takes] == [(OWNER, 100 * 10**6)]
    assert sells.takes == ()


async def test_without_a_signer_a_rescue_would_work_if_there_were_one() -> None:
    """Nobody is to read that it would work: nothing could be sent."""
    paper = Paper({"loop": FAR}, holding_dollars())
    engine = engine_on(paper, rule())
    engine.reader.positions["loop"] = replace(engine.reader.positions["loop"], signer=None)  # type: ignore[index]
    snapshot = await engine.reader.snapshot(BLOCK)
    (p,) = snapshot.loans
    (one,) = [await rehearsal() for rehearsal in rehearsals(engine, snapshot, p)]
    assert one.ending is DrillEnding.WORKS
    assert one.said.startswith("would work if there were a signer, at WETH at 1506.")
    assert finding_of(one).level is Level.WARNING
    assert "[[signers]]" in finding_of(one).remedy
