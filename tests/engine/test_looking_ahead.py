"""A rule on a probability is told like any other: planned for, rehearsed, and held where the market is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from core_builders import BLOCK, OWNER, at, loop, rule, units
from paper import Paper, engine_on, holding_dollars, market
from perp_builders import perp_rule
from test_cycle_perps import CALM, SQUEEZED, dollars

from keeper.core.block import BlockRef
from keeper.core.decide import Hold
from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.risk_metrics import LIQUIDATION_PROBABILITY
from keeper.core.lending.rules import LendingIntent
from keeper.core.metrics import Subject, Target, Trigger, Widening
from keeper.core.perp.metrics import LIQUIDATION_PROBABILITY as PERP_PROBABILITY
from keeper.core.perp.metrics import MARGIN_RATIO
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpIntent
from keeper.core.reasons import Reason
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.market import Market, Movement
from keeper.core.risk.series import Series
from keeper.core.scales import Beyond
from keeper.core.snapshot import Wallet
from keeper.core.units import WAD, Address, Wei
from keeper.engine.cycle import cycle
from keeper.engine.result import Result
from keeper.journal.errors import JournalError
from keeper.service.view import view_of
from keeper.snapshot.movements import MOST_OLD_S, Movements
from keeper.venues.ports import Listed

DAY = 86_400
OVER = Subject(window_s=DAY)
AHEAD = replace(
    rule(),
    trigger=Trigger(LIQUIDATION_PROBABILITY, Beyond.ABOVE, WAD // 100, OVER),
    target=Target(LIQUIDATION_PROBABILITY, WAD // 500, OVER),
    actions=(ACTIONS["top_up"], ACTIONS["repay"]),
)


@dataclass
class Told:
    """Movements as a test says them."""

    market: Market | None
    waits: bool = False
    asked: list[int] = field(default_factory=list)

    async def now(self, block: BlockRef, listings: Mapping[Address, Listed]) -> Market | None:
        self.asked.append(block.number)
        return self.market


def moving(ether: float) -> Market:
    drivers = {at(s): s for s in ("WETH", "USDC", "DAI")}
    movements = {
        "WETH": Movement(ether, None, 3600),
        "USDC": Movement(0.01, None, DAY),
        "DAI": Movement(0.01, None, DAY),
    }
    pairs = {frozenset((a, b)): 0.0 for a in movements for b in movements if a != b}
    return Market(BLOCK.timestamp, drivers, movements, Correlations(pairs))


async def decided(of: Market | None, dollars: str = "14000") -> tuple[Paper, object]:
    paper = Paper({"loop": loop("10", dollars)}, holding_dollars())
    engine = engine_on(paper, AHEAD)
    engine.movements = Told(of)
    (result,) = await cycle(engine, BLOCK)
    return paper, result.decision


async def test_a_storm_makes_it_act_and_a_calm_does_not() -> None:
    """The same loan at the same price: 40 % a year, and 200 %."""
    _, calm = await decided(moving(0.4), "14000")
    assert isinstance(calm, Hold)
    assert calm.reason is Reason.HEALTHY
    paper, storm = await decided(moving(2.0), "14000")
    assert isinstance(storm, LendingIntent)
    assert len(paper.rehearsed) >= 1


async def test_the_planner_solves_for_the_amount() -> None:
    """What is repaid brings the probability to the target, and a little less would not."""
    wallet = Wallet(OWNER, Wei(10**18), {at("USDC"): units("USDC", 14_000)})
    paper = Paper({"loop": loop("10", "15000")}, wallet)
    engine = engine_on(paper, AHEAD)
    engine.movements = Told(moving(1.0))
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, LendingIntent)
    assert result.prepared is not None
    plan = result.prepared.plan
    assert not plan.is_partial
    seen = plan.intent.assessment.position
    after = replace(seen, reported=plan.projected)
    found = LIQUIDATION_PROBABILITY.now(after, OVER)
    assert found is not None
    assert WAD // 500 * 9 // 10 < found <= WAD // 500


async def test_an_unknown_market_holds_and_says_so() -> None:
    """Never healthy, never acted on."""
    for of in (None, Market(BLOCK.timestamp)):
        paper, decision = await decided(of, "15900")
        assert isinstance(decision, Hold)
        assert decision.reason is Reason.HISTORY_SHORT
        assert paper.rehearsed == []


# --- what measures ----------------------------------------------------------------------------------------------------


@dataclass
class Histories:
    """Price histories that come when the test lets them."""

    gate: asyncio.Event
    fails: bool = False
    calls: int = 0

    async def of(self, block: BlockRef, feed: Address, since: int) -> Series:
        self.calls += 1
        await self.gate.wait()
        if self.fails:
            raise JournalError("be read", "the disk is gone", "")
        return Series(())


def measuring(histories: Histories, *, waits: bool = False) -> tuple[Movements, list[str]]:
    said = list[str]()
    found = Movements(
        histories,  # type: ignore[arg-type]
        lambda key, title, body: said.append(f"warn {title}"),
        lambda key, body: said.append("calm"),
        waits=waits,
    )
    return found, said


def listed() -> dict[Address, Listed]:
    return {x.asset: replace(x, feed=at("F" + x.symbol)) for x in market().listings[:2]}


async def test_a_block_does_not_wait_for_the_history() -> None:
    """The first block has none; a later one has; a look at one block waits for it."""
    gate = asyncio.Event()
    movements, _ = measuring(Histories(gate))
    assert await movements.now(BLOCK, listed()) is None
    gate.set()
    await asyncio.sleep(0.01)
    assert await movements.now(BLOCK, listed()) is not None
    patient, _ = measuring(Histories(gate), waits=True)
    assert await patient.now(BLOCK, listed()) is not None


async def test_what_was_measured_long_ago_is_unknown_again() -> None:
    """While the node does not let it be read anew: the owner hears of it, and rules on it hold."""
    gate = asyncio.Event()
    gate.set()
    histories = Histories(gate)
    movements, said = measuring(histories, waits=True)
    assert await movements.now(BLOCK, listed()) is not None
    histories.fails = True
    for later, is_known in ((600, True), (MOST_OLD_S + 1, False)):
        found = await movements.now(replace(BLOCK, timestamp=BLOCK.timestamp + later), listed())
        await asyncio.sleep(0.01)
        assert (found is not None) is is_known
    assert said[0] == "calm"
    assert "warn The price history could not be read" in said
    await movements.close()


async def test_it_is_not_measured_at_every_block() -> None:
    """Within two minutes what is known serves."""
    gate = asyncio.Event()
    gate.set()
    histories = Histories(gate)
    movements, _ = measuring(histories, waits=True)
    for later in range(0, 100, 12):
        await movements.now(replace(BLOCK, timestamp=BLOCK.timestamp + later), listed())
        await asyncio.sleep(0)
    assert histories.calls == 2


async def test_a_bound_that_widens_makes_the_same_loan_safe_earlier_in_a_storm() -> None:
    """At rest in a calm market, rescued in a wild one, to the same target."""
    wider = rule(below="1.10")
    wider = replace(wider, trigger=replace(wider.trigger, widening=Widening(WAD // 5, WAD * 7 // 5)))
    for ether, acts in ((0.2, False), (1.0, True)):
        paper = Paper({"loop": loop("10", "14000")}, holding_dollars())
        engine = engine_on(paper, wider)
        engine.movements = Told(moving(ether))
        (result,) = await cycle(engine, BLOCK)
        assert isinstance(result.decision, LendingIntent) is acts


# --- perpetual positions ---------------------------------------------------------------------------------------------

PERP_AHEAD = replace(
    perp_rule(),
    trigger=Trigger(PERP_PROBABILITY, Beyond.ABOVE, WAD // 100, OVER),
    target=Target(PERP_PROBABILITY, WAD // 500, OVER),
)


def ether_moves(volatility: float) -> Market:
    """What is known of the one market that the paper's short stands in."""
    (leg,) = CALM.legs
    return Market(BLOCK.timestamp, {leg.oracle.asset: "ETH"}, {"ETH": Movement(volatility, None, 3600)})


async def short_decided(of: Market | None, position: PerpPosition = CALM) -> tuple[Paper, Result]:
    paper = Paper({"short": position}, dollars())
    engine = engine_on(paper, perp_rules=(PERP_AHEAD,))
    engine.movements = Told(of)
    (result,) = await cycle(engine, BLOCK)
    return paper, result


async def test_a_short_is_kept_by_its_probability_of_liquidation() -> None:
    """A calm leaves it; a storm makes a plan that brings the probability to the target, and it is rehearsed."""
    _, calm = await short_decided(ether_moves(0.3))
    assert isinstance(calm.decision, Hold)
    assert calm.decision.reason is Reason.HEALTHY
    paper, storm = await short_decided(ether_moves(3.0))
    assert isinstance(storm.decision, PerpIntent)
    assert len(paper.rehearsed) >= 1
    assert storm.prepared is not None
    plan = storm.prepared.plan
    assert not plan.is_partial
    found = PERP_PROBABILITY.now(plan.projected, OVER)
    assert found is not None
    assert WAD // 500 // 2 < found <= WAD // 500


async def test_a_short_whose_market_is_not_known_is_held_and_says_so() -> None:
    """However near liquidation: nobody knows how probable it is, and it is not calm."""
    for of in (None, Market(BLOCK.timestamp)):
        paper, result = await short_decided(of, SQUEEZED)
        assert isinstance(result.decision, Hold)
        assert result.decision.reason is Reason.HISTORY_SHORT
        assert paper.rehearsed == []


async def test_a_margin_ratio_widens_with_volatility() -> None:
    """The same short: at its base the rule rests, in a storm it acts."""
    widening = Trigger(MARGIN_RATIO, Beyond.BELOW, WAD // 10, widening=Widening(WAD // 5, WAD // 2))
    for volatility, acts in ((0.2, False), (2.0, True)):
        paper = Paper({"short": CALM}, dollars())
        target = Target(MARGIN_RATIO, WAD * 6 // 10)
        engine = engine_on(paper, perp_rules=(replace(perp_rule(), trigger=widening, target=target),))
        engine.movements = Told(ether_moves(volatility))
        (result,) = await cycle(engine, BLOCK)
        assert isinstance(result.decision, PerpIntent) is acts


async def test_the_page_is_given_the_probability_of_a_perpetual() -> None:
    """In the view that it reads, as of a loan; why not, where it is not known."""
    for of, share in ((ether_moves(1.0), True), (Market(BLOCK.timestamp), False)):
        paper = Paper({"short": CALM}, dollars())
        engine = engine_on(paper, perp_rules=(PERP_AHEAD,))
        engine.movements = Told(of)
        results = await cycle(engine, BLOCK)
        engine.reader = SimpleNamespace(  # type: ignore[assignment]
            network=engine.reader.network, known=engine.reader.known, blocks=SimpleNamespace(node=None)
        )
        assert engine.state.seen is not None
        (subject,) = view_of(engine, engine.state.seen, results)["subjects"]  # type: ignore[arg-type]
        assert (subject["probability"]["share"] is not None) is share
        assert subject["probability"]["horizon_s"] == DAY
        assert bool(subject["probability"]["why"]) is not share


async def test_the_feed_of_a_traded_market_is_asked_for_its_past() -> None:
    """Beside what is lent and borrowed; a market that both know is asked where the lending market asks."""
    paper = Paper({"short": CALM}, dollars())
    engine = engine_on(paper, perp_rules=(PERP_AHEAD,))
    engine.movements = Told(None)
    await cycle(engine, BLOCK)
    assert engine.state.seen is not None
    (leg,) = CALM.legs
    assert engine.price_feeds(engine.state.seen)[leg.oracle.asset].feed == leg.oracle.source
