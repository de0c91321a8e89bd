"""One block's story, told without a chain: judged, decided, planned, rehearsed, written down."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import BLOCK, GUARDIAN, OWNER, at, limits, loop, rule, units, wad
from paper import Others, Paper, PaperFees, PaperJournal, engine_on, healthy, holding_dollars, market, next_block

from keeper.chain.errors import NodeAwayError
from keeper.chain.tolls import Toll
from keeper.core.decide import Hold
from keeper.core.lending import actions
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import LendingPosition, Otherwise, Unreadable
from keeper.core.units import Amount, Wad, Wei
from keeper.engine.cycle import cycle

IN_DANGER = loop("10", "14000")
SAFE = loop("10", "5000")


def named(position: LendingPosition, name: str) -> LendingPosition:
    return replace(position, name=name)


async def test_a_healthy_position_costs_one_read_and_nothing_else() -> None:
    """Nothing is quoted, nothing rehearsed."""
    paper = Paper({"loop": SAFE}, holding_dollars())
    (result,) = await cycle(engine_on(paper, rule()), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.HEALTHY
    assert paper.asked == ["snapshot"]
    assert paper.rehearsed == []


async def test_a_fired_rule_becomes_a_rehearsed_plan_that_is_written_down() -> None:
    """In dry run the rehearsal is the end of the way, and the journal says so."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    engine = engine_on(paper, rule())
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, LendingIntent)
    assert result.prepared is not None
    assert len(paper.rehearsed) == 1
    (row,) = engine.journal.rows
    assert (row.position, row.rule, row.kind, row.mode) == ("loop", "protect", "act", "dry_run")
    assert engine.journal.outcomes == {1: ("rehearsed", engine.journal.outcomes[1][1])}


async def test_a_plan_that_reverts_gives_way_to_the_next() -> None:
    """The better one is kept beside it, with why it did not work."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    paper.reverts = lambda calls: "the pool is paused" if len(paper.rehearsed) == 1 else None
    (result,) = await cycle(engine_on(paper, rule()), BLOCK)
    assert result.prepared is not None
    ((plan, refused),) = result.prepared.refused
    assert refused.reason is Reason.REHEARSAL_FAILED
    assert "the pool is paused" in refused.detail
    assert plan.label != result.prepared.plan.label


async def test_a_promise_that_is_not_kept_is_a_refusal() -> None:
    """A plan that runs and does not bring the health it promised is not sent."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars(), after=lambda p: p)
    (result,) = await cycle(engine_on(paper, rule()), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.POSTCONDITION_FAILED


async def test_where_every_plan_fails_the_first_ones_reason_is_told() -> None:
    """With what each of them came to."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars(), reverts=lambda calls: "no")
    engine = engine_on(paper, rule())
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.REHEARSAL_FAILED
    assert result.decision.detail.count("no") >= 2
    (row,) = engine.journal.rows
    assert row.kind == "danger"
    assert engine.observer.alarms


async def test_what_cannot_be_read_is_never_healthy() -> None:
    """It is told, and it hides no other position."""
    doubt = Doubt(Reason.POSITION_UNREADABLE, "the node did not answer")
    paper = Paper({"loop": Unreadable("loop", OWNER, doubt), "b": named(SAFE, "b")}, holding_dollars())
    unseen, seen = await cycle(engine_on(paper, rule(), rule(position="b")), BLOCK)
    assert isinstance(unseen.assessed, Unjudged)
    assert isinstance(unseen.decision, Hold)
    assert unseen.decision.reason is Reason.POSITION_UNREADABLE
    assert seen.is_healthy


async def test_figures_that_are_not_the_protocols_bind_our_hands() -> None:
    """Ours and its own must be equal before anything is done."""
    wrong = replace(IN_DANGER, reported=replace(IN_DANGER.reported, health_factor=Wad(wad("1.19"))))
    paper = Paper({"loop": wrong}, holding_dollars())
    (result,) = await cycle(engine_on(paper, rule()), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.FIGURES_DISAGREE
    assert paper.rehearsed == []


async def test_a_node_that_is_away_for_one_position_is_not_for_another() -> None:
    """The one that needs nothing more than the snapshot is judged; the other is told to be in the dark."""
    paper = Paper({"loop": IN_DANGER, "b": named(SAFE, "b")}, holding_dollars())
    paper.reading_fails = NodeAwayError("one", "eth_call", "timed out")
    dark, seen = await cycle(engine_on(paper, rule(), rule(position="b")), BLOCK)
    assert isinstance(dark.decision, Hold)
    assert dark.decision.reason is Reason.NODE_AWAY
    assert seen.is_healthy


async def test_without_a_journal_nothing_is_planned() -> None:
    """What was done before is not known, and what would be done could not be written down first."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars(), journal_is_away=True)
    (result,) = await cycle(engine_on(paper, rule()), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.JOURNAL_AWAY
    assert paper.rehearsed == []


async def test_plans_of_one_block_are_rehearsed_one_upon_another() -> None:
    """Who has most to lose is first, whatever the order of the settings; the second meets what the first leaves."""
    small, large = loop("10", "14000"), loop("100", "140000")
    paper = Paper({"small": named(small, "small"), "large": named(large, "large")}, holding_dollars("500000"))
    results = await cycle(engine_on(paper, rule(position="small"), rule(position="large")), BLOCK)
    assert [r.name for r in results] == ["small", "large"]
    (first, before_first), (_, before_second) = paper.rehearsed
    assert before_first == ()
    (turn,) = before_second
    assert turn.calls == first


async def test_what_one_plan_takes_of_the_wallet_is_not_there_for_the_next() -> None:
    """Two positions, dollars for one: the second does something else, or less."""
    paper = Paper({"a": named(IN_DANGER, "a"), "b": named(IN_DANGER, "b")}, holding_dollars("4000"))
    acting = (actions.REPAY,)
    results = await cycle(
        engine_on(paper, rule(position="a", actions=acting), rule(position="b", actions=acting)), BLOCK
    )
    spent = sum(r.prepared.plan.spend for r in results if r.prepared)
    assert 0 < spent <= 4000 * 10**8


async def test_another_node_with_another_block_stops_the_money() -> None:
    """Not the watching: the next block is judged anew."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    (result,) = await cycle(engine_on(paper, rule(), others=Others(agrees=False)), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.NODES_DISAGREE


async def test_another_node_with_other_figures_stops_the_money() -> None:
    """The account's own figures are confirmed before anything is signed."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    (result,) = await cycle(engine_on(paper, rule(), others=Others(confirms=False)), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.NODES_DISAGREE


async def test_where_nodes_differ_the_worse_figure_binds_and_nothing_is_sold() -> None:
    """Topping up and repaying can be had for either."""
    paper = Paper({"loop": SAFE}, holding_dollars())
    paper.otherwise = {"loop": Otherwise(IN_DANGER, "two says 1.186")}
    engine = engine_on(paper, rule(), others=Others())
    (result,) = await cycle(engine, BLOCK)
    assert result.prepared is not None
    assert result.prepared.plan.label.startswith("repay")
    (held,) = await cycle(engine_on(paper, rule(actions=(actions.DELEVERAGE,)), others=Others()), BLOCK)
    assert isinstance(held.decision, Hold)


async def test_a_wallet_without_gas_money_is_told_before_anything_is_signed() -> None:
    """With what it holds and what the plan would take."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars(native=10**12))
    (result,) = await cycle(engine_on(paper, rule()), BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.NO_GAS_MONEY
    assert paper.rehearsed == []


async def test_a_base_fee_above_the_owners_cap_is_told() -> None:
    """No quote is asked for a plan that cannot be paid."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    engine = engine_on(paper, rule(limits=limits(max_fee=10**9)), max_fee=Wei(10**9))
    (result,) = await cycle(engine, next_block(base_fee=Wei(50 * 10**9)))
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.FEE_LIMIT
    assert paper.asked == ["snapshot"]


async def test_a_guardian_never_takes_collateral_out() -> None:
    """Its plans pay from its own wallet, to the owner's account."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    (result,) = await cycle(engine_on(paper, rule(), signers={"loop": GUARDIAN}), BLOCK)
    assert result.prepared is not None
    assert {type(step.move).__name__ for step in result.prepared.plan.steps} <= {"Approve", "Repay", "Supply"}


async def test_a_rule_that_only_alerts_plans_nothing_and_hides_nothing() -> None:
    """Its alert stands beside the plan of the other."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    alert = rule(name="watch", actions=(), target=None)
    (result,) = await cycle(engine_on(paper, alert, rule()), BLOCK)
    assert result.prepared is not None
    assert [hold.reason for hold in result.others] == [Reason.ALERT_ONLY]


async def test_the_same_hold_is_written_once() -> None:
    """A quiet month does not fill the journal."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars(), reverts=lambda calls: "no")
    engine = engine_on(paper, rule())
    await cycle(engine, BLOCK)
    await cycle(engine, next_block())
    assert len(engine.journal.rows) == 1


async def test_a_rule_that_rests_after_it_acted_says_so() -> None:
    """A cooldown counts from a target reached."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    engine = engine_on(paper, rule())
    engine.journal.past["acted_at"] = BLOCK.timestamp - 10
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.COOLDOWN


async def test_the_days_limit_bounds_the_plan() -> None:
    """What is left of it, and no more."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    engine = engine_on(paper, rule(limits=limits(per_day="3000"), actions=(actions.REPAY,)))
    engine.journal.past["spent"] = 2000 * 10**8
    (result,) = await cycle(engine, BLOCK)
    assert result.prepared is not None
    assert result.prepared.plan.spend <= 1000 * 10**8


DAY_S = 86_400


@pytest.mark.parametrize(
    ("block_ahead_s", "clock_ahead_s", "counts"),
    [
        (0, 0, True),
        (25 * 3600, 0, True),
        (30 * DAY_S, 0, True),
        (0, 25 * 3600, True),
        (0, -25 * 3600, True),
        (25 * 3600, 25 * 3600, False),
        (25 * 3600, -BLOCK.timestamp, False),
    ],
    ids=["true", "block a day ahead", "a month", "clock ahead", "clock behind", "a day went by", "no battery"],
)
async def test_no_clock_put_forward_makes_a_days_limit_new(
    block_ahead_s: int, clock_ahead_s: int, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node can tell any time of a block, and the machine's clock can jump: what was spent an hour ago counts."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars())
    engine = engine_on(paper, rule(limits=limits(per_day="3000"), actions=(actions.REPAY,)))
    engine.reader.network = replace(engine.reader.network, follows_clock=True)
    engine.clock.ahead = clock_ahead_s

    async def spent_usd(self: object, chain_id: int, *, since_timestamp: int, **_: object) -> int:
        return 2000 * 10**8 if BLOCK.timestamp - 3600 >= since_timestamp else 0

    monkeypatch.setattr(PaperJournal, "spent_usd", spent_usd)
    (result,) = await cycle(engine, replace(BLOCK, timestamp=BLOCK.timestamp + block_ahead_s))
    assert result.prepared is not None
    assert (result.prepared.plan.spend <= 1000 * 10**8) is counts


@pytest.mark.parametrize("close", [True, False])
async def test_who_is_not_healthy_is_read_in_full_next_time(close: bool) -> None:
    """However many positions there are."""
    paper = Paper({"loop": IN_DANGER if close else SAFE}, holding_dollars())
    engine = engine_on(paper, rule())
    await cycle(engine, BLOCK)
    assert engine.reader.close == (["loop"] if close else [])


def test_the_paper_world_is_not_kinder_than_the_chain() -> None:
    """A rehearsal on paper shows what the test says, and nothing by itself."""
    assert healthy(IN_DANGER, "1.7").reported.health_factor == wad("1.7")
    assert holding_dollars().tokens == {at("USDC"): units("USDC", "50000")}


async def test_what_a_rollup_charges_is_taken_off_what_gas_may_cost() -> None:
    """The same money pays for both: a toll lowers the bid, and one above all that is at stake ends the plan."""
    ceilings = list[int]()
    for toll in (Toll(), Toll(wei=10**16), Toll(gas=10**7)):
        engine = engine_on(Paper({"loop": IN_DANGER}, holding_dollars()), rule())
        engine.fees = PaperFees(last_toll=toll)
        (result,) = await cycle(engine, BLOCK)
        assert result.prepared is not None
        assert result.prepared.ceiling is not None
        ceilings.append(result.prepared.ceiling)
        expected = toll.of(result.prepared.script.sent)
        assert (expected.wei > 0) == (toll.wei > 0)
    assert ceilings[0] > max(ceilings[1:])
    engine = engine_on(Paper({"loop": IN_DANGER}, holding_dollars(native=10**24)), rule())
    engine.fees = PaperFees(last_toll=Toll(wei=10**21))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.FEE_LIMIT


@pytest.mark.parametrize(
    ("ahead", "is_doubted"), [(0, False), (600, False), (-100, False), (3600, True), (-3600, True)]
)
async def test_a_block_far_from_the_machines_clock_forbids_trades_and_is_told(ahead: float, is_doubted: bool) -> None:
    """One node can tell any time: by it a stale price looks fresh. Topping up stays possible; the owner hears of it."""
    engine = engine_on(Paper({"loop": IN_DANGER}, holding_dollars()), rule())
    engine.reader.network = replace(engine.reader.network, follows_clock=True)
    engine.clock.ahead = ahead
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.assessed, LendingAssessment)
    reasons = [doubt.reason for doubt in result.assessed.doubts]
    assert (Reason.TIME_DOUBTFUL in reasons) == is_doubted
    assert ("time" in engine.observer.voice.known.keys_of("")) == is_doubted
    engine.reader.network = replace(engine.reader.network, follows_clock=False)
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.assessed, LendingAssessment)
    assert Reason.TIME_DOUBTFUL not in [doubt.reason for doubt in result.assessed.doubts], "its time is made up"


async def test_a_token_that_refuses_what_a_batch_insists_on_keeps_no_rescue_from_its_owner() -> None:
    """A fork's aTokens may not go from an owner to himself: then the batch goes without, as it went before."""
    paper = Paper({"loop": IN_DANGER}, holding_dollars("0"))
    begins = market().insist(at("WETH"), Amount(1), OWNER).data[:4]
    paper.reverts = lambda calls: "no transfers" if begins in calls[-1].data else None
    engine = engine_on(paper, rule(actions=[actions.DELEVERAGE]), batches={OWNER: at("batch")})
    (result,) = await cycle(engine, BLOCK)
    assert result.prepared is not None
    assert result.prepared.script.carrier.is_atomic
    assert result.prepared.script.before == ()
    assert begins in paper.rehearsed[0][0][-1].data, "it was tried with it first"
