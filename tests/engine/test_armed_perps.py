"""Plans made ready for perpetual positions, and sent on the oracle's own event: the story of loans, without a chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from core_builders import BLOCK, NOW, OWNER, wad
from paper import PERP, Others, Paper, engine_on, next_block
from perp_builders import DOUBT, in_kind, perp_rule, told
from test_cycle_perps import dollars, paper, sold

from keeper.chain.pushes import Log
from keeper.core.decide import Hold
from keeper.core.family import Family
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import closed
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.reasons import Reason
from keeper.core.trail import Trail
from keeper.core.units import Address, Bps
from keeper.engine.armed.arm import Arming
from keeper.engine.armed.kinds import ARMS
from keeper.engine.armed.oracle_events import HOW, Early
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.result import Result
from keeper.venues.feeds.oracle_events import ANSWER_UPDATED
from keeper.venues.perp_v2.marks import MedianMark

BAND = Bps(300)
REDUCE = perp_rule(actions=(perp_actions.REDUCE,))
MARGIN = perp_rule(actions=(perp_actions.ADD_MARGIN,))


@dataclass(frozen=True)
class Follows:
    """A venue whose mark is the index."""

    def mark(self, index_price: int) -> int:
        return index_price


def at(price: str, **given: Any) -> PerpPosition:
    """The short of the other tests, in a market whose mark follows the oracle."""
    position = sold(price=price)
    legs = tuple(replace(leg, mark_rule=Follows(), **given) for leg in position.legs)
    return told(replace(position, legs=legs))


NEAR, FALLEN, FAR = at("2080"), at("2090"), at("1900")
"""Margin ratio 0.1218 just above the trigger of 0.12, 0.1164 below it, 0.228 far from it."""


async def armed(on: Paper, *rules: PerpRule, **given: Any) -> Engine:
    """An engine that judged a block and made ready for the next."""
    engine = engine_on(on, perp_rules=rules or (REDUCE,), **given)
    arming = Arming(engine, BAND)
    arming.begin(await cycle(engine, BLOCK))
    await arming.settled()
    return engine


async def comes(engine: Engine, on: Paper, position: PerpPosition = FALLEN) -> Result:
    """The price comes to the trigger in the next block."""
    on.positions["short"] = position
    on.block = next_block()
    on.asked.clear()
    on.rehearsed.clear()
    (result,) = await cycle(engine, on.block)
    return result


def how(result: Result) -> str:
    assert isinstance(result.prepared, PerpPrepared), result.decision
    return result.prepared.how


async def test_near_a_trigger_plans_are_made_ready_with_the_aggregator_overridden() -> None:
    """Rehearsed for index prices that have not come; far from the trigger none are."""
    near, far = await armed(paper(NEAR)), await armed(paper(FAR))
    assert near.state.armed["short"]
    assert "short" not in far.state.armed


@pytest.mark.parametrize("one", [REDUCE, MARGIN])
async def test_when_the_price_comes_nobody_is_asked_anything(one: PerpRule) -> None:
    """One read, then the plan that was made ready: no quote, no rehearsal, whether it trades or pays in."""
    on = paper(NEAR)
    result = await comes(await armed(on, one), on)
    assert how(result).startswith("armed at block 100 for ETH at 20")
    assert on.asked == ["snapshot"]
    assert on.rehearsed == []


async def test_a_plan_that_goes_out_is_about_the_fresh_position() -> None:
    """Its promise is judged, and later verified, on what was read at the block itself."""
    on = paper(NEAR)
    result = await comes(await armed(on), on)
    assert isinstance(result.prepared, PerpPrepared)
    plan = result.prepared.plan
    assert plan.before.block == on.block
    assert plan.before.legs == FALLEN.legs
    assert plan.postcondition.is_met(plan.projected)


def _grown(of: PerpPosition) -> PerpPosition:
    legs = tuple(replace(leg, size=leg.size - wad("0.1")) for leg in of.legs)
    return told(replace(of, legs=legs))


def _owes(of: PerpPosition) -> PerpPosition:
    return told(replace(of, legs=tuple(replace(leg, funding_owed=wad("20")) for leg in of.legs)))


def _stricter(of: PerpPosition) -> PerpPosition:
    return told(replace(of, maintenance=of.maintenance + 10**27))  # type: ignore[arg-type]


def _paid_in(of: PerpPosition) -> PerpPosition:
    return told(replace(of, margin=of.margin + 1))


def _mark_away(of: PerpPosition) -> PerpPosition:
    return told(replace(of, legs=tuple(replace(leg, mark_price=wad("2140"), mark_rule=None) for leg in of.legs)))


@pytest.mark.parametrize("move", [_grown, _owes, _stricter, _paid_in, _mark_away, lambda of: at("2155")])
async def test_what_is_not_as_it_was_armed_is_rehearsed_as_usual(move: Callable[[PerpPosition], PerpPosition]) -> None:
    """Another size, margin, terms or debt, a mark or an index beyond every rung: rescued all the same."""
    on = paper(NEAR)
    result = await comes(await armed(on), on, move(FALLEN))
    assert how(result) == "rehearsed at this block"
    assert on.rehearsed


async def test_a_market_that_asks_more_than_the_plan_gives_is_asked_anew() -> None:
    """What the market would give is read beside the position; a worse price than the plan's own bound is no trade."""
    on = paper(NEAR)
    engine = await armed(on)
    on.market_gives = {"price": wad("2200")}
    result = await comes(engine, on)
    assert not isinstance(result.prepared, PerpPrepared) or how(result) == "rehearsed at this block"
    assert on.rehearsed or isinstance(result.decision, Hold)


async def test_a_price_in_doubt_forbids_what_was_made_ready() -> None:
    """The index is stale when it comes: nothing is traded."""
    on = paper(NEAR)
    engine = await armed(on)
    stale = tuple(replace(leg, oracle=replace(leg.oracle, updated_at=NOW - 10_000)) for leg in FALLEN.legs)
    result = await comes(engine, on, replace(FALLEN, legs=stale))
    assert isinstance(result.decision, Hold)
    assert DOUBT.reason in (hold.reason for hold in result.holds)


async def test_a_limit_used_up_meanwhile_holds_a_plan_made_ready() -> None:
    """What is left of the day's limit is asked for when it goes out."""
    on = paper(NEAR)
    limits = replace(REDUCE.limits, max_spend_per_day=20_000 * 10**8)
    engine = await armed(on, replace(REDUCE, limits=limits))
    engine.journal.past["spent"] = 20_000 * 10**8  # type: ignore[attr-defined]
    engine.recollection.forget()
    result = await comes(engine, on)
    assert result.prepared is None


async def test_a_plan_made_ready_on_another_history_or_too_long_ago_is_not_used() -> None:
    """The block it was made on is one of the last few before this one, or the usual way is taken."""
    on = paper(NEAR)
    engine = await armed(on)
    on.positions["short"], on.block = FALLEN, next_block(parent_hash="0x" + "99" * 32)
    (result,) = await cycle(engine, on.block)
    assert how(result) == "rehearsed at this block"


async def test_other_nodes_that_say_otherwise_stop_a_plan_made_ready() -> None:
    """They were asked for the account's worth beside the read."""
    on, others = paper(NEAR), Others()
    engine = await armed(on, others=others)
    others.confirms = others.agrees = False
    result = await comes(engine, on)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.NODES_DISAGREE


async def test_a_venue_that_goes_on_by_what_it_cached_is_not_rehearsed_ahead() -> None:
    """It did not take the oracle's answer of the rung: nothing was shown, so nothing is ready."""
    engine = await armed(paper(NEAR, ignores_oracle=True))
    assert not engine.state.armed["short"]


async def test_a_venue_whose_keepers_bring_signed_prices_arms_nothing() -> None:
    """No price can be put into its oracle: nothing is rehearsed ahead, and the block is decided as usual."""
    keepers = replace(in_kind(), name="short", owner=OWNER)
    on = Paper({"short": keepers}, dollars())
    engine = engine_on(on, perp_rules=(REDUCE,))
    arming = Arming(engine, Bps(9000))
    arming.begin(await cycle(engine, BLOCK))
    await arming.settled()
    assert engine.state.armed == {}
    assert on.rehearsed == []


def test_a_book_is_no_kind_that_plans_are_made_ready_for() -> None:
    """What is in it counts in units of the underlying: no price moves its delta (``test_no_price_moves_a_delta``)."""
    assert Family.BOOK not in ARMS


@pytest.mark.parametrize(
    ("metric", "bound"), [(perp_metrics.STOP_LOSS, "2085"), (perp_metrics.TRAILING_STOP, "0.0425")]
)
async def test_stops_are_made_ready_too(metric: Any, bound: str) -> None:
    """At the index price that reaches them; a trailing one from the best price that is remembered."""
    stop = perp_rule(metric, bound, closed(), (perp_actions.CLOSE,))
    on = paper(NEAR)
    engine = engine_on(on, perp_rules=(stop,))
    engine.perps.trails["short"] = Trail({"margin": 2000 * 10**8}, {"margin": f"{NEAR.legs[0].market} short"})
    arming = Arming(engine, BAND)
    arming.begin(await cycle(engine, BLOCK))
    await arming.settled()
    result = await comes(engine, on)
    assert "armed at block 100" in how(result)


# --- on the oracle's event -------------------------------------------------------------------------------------------


class Pushes:
    """A node that pushes what a test says."""

    is_live = True

    def subscribe_logs(self, *_: object, **__: object) -> Pushes:
        return self

    def cancel(self) -> None:
        pass


def event(price: str, block: Any) -> Log:
    topics = (ANSWER_UPDATED, f"0x{int(price) * 10**8:064x}", f"0x{9:064x}")
    return Log(PERP[3], topics, block.timestamp.to_bytes(32, "big"), block.number, block.hash, "0x", 0, removed=False)


async def following(on: Paper, engine: Engine) -> Early:
    """The path is on after a block that came as foretold."""
    engine.feed = Pushes()  # type: ignore[assignment]
    early, arming = Early(engine, lambda _: None), Arming(engine, BAND)
    reader: Any = engine.reader
    names = [leg.market for p in on.positions.values() if isinstance(p, PerpPosition) for leg in p.legs]
    lent = [h.asset for p in on.positions.values() if not isinstance(p, PerpPosition) for h in p.held]  # type: ignore[union-attr]

    async def emitters(*_: object) -> dict[Address, list[Address]]:
        return {PERP[3]: [*names, *lent[:1]], PERP[4]: lent[1:]}

    reader.read = emitters
    reader.known = replace(reader.known, perp_accounts={n: reader.perp_account(n) for n in on.positions if names})
    for _ in range(3):
        early.head(on.block)
        arming.begin(await cycle(engine, on.block))
        await arming.settled()
        early.reconcile()
        await early.follow()
        on.block = next_block(on.block)
    assert early.is_on
    return early


async def shot(early: Early, on: Paper, price: str) -> None:
    """The event of a block, and its head; nobody reads it yet."""
    on.asked.clear()
    on.rehearsed.clear()
    early.on_log(event(price, on.block))
    early.head(on.block)
    for task in list(early._tasks):
        await task


async def test_the_oracles_event_sends_what_was_made_ready_and_nothing_is_read() -> None:
    """The mark follows from the event by the venue's own rule; the read that comes later bears it out."""
    on = paper(NEAR)
    engine = engine_on(on, perp_rules=(REDUCE,))
    early = await following(on, engine)
    await shot(early, on, "2090")
    assert on.asked == []
    assert on.rehearsed == []
    (row,) = [r for r in engine.journal.rows if r.kind == "act"]  # type: ignore[attr-defined]
    assert row.rehearsal["how"].endswith(HOW)
    on.positions["short"] = FALLEN
    await cycle(engine, on.block)
    early.reconcile()
    assert early.is_on


async def test_an_event_that_the_read_does_not_bear_out_ends_the_path() -> None:
    """The mark came to something else than was foretold: silence until many blocks were right."""
    on = paper(NEAR)
    engine = engine_on(on, perp_rules=(REDUCE,))
    early = await following(on, engine)
    await shot(early, on, "2090")
    on.positions["short"] = at("2090", mark_price=wad("2080"))
    await cycle(engine, on.block)
    early.reconcile()
    assert not early.is_on


async def test_a_foretold_price_is_no_best_price_of_a_trailing_stop() -> None:
    """An event that was a lie would tighten the stop for good."""
    stop = perp_rule(perp_metrics.TRAILING_STOP, "0.08", closed(), (perp_actions.CLOSE,))
    on = paper(NEAR)
    engine = engine_on(on, perp_rules=(replace(stop, name="trail"), REDUCE))
    early = await following(on, engine)
    before = engine.perps.trails["short"]
    await shot(early, on, "1500")
    assert engine.perps.trails["short"] == before


async def test_a_mark_that_no_rule_gives_is_not_foretold() -> None:
    """Nothing is sent for what nobody can work out."""
    unknown = told(replace(NEAR, legs=tuple(replace(leg, mark_rule=None) for leg in NEAR.legs)))
    on = paper(unknown)
    engine = engine_on(on, perp_rules=(REDUCE,))
    with pytest.raises(AssertionError):
        await following(on, engine)
    assert engine.state.armed == {}


def test_the_mark_is_the_middle_one_and_follows_the_index_where_that_is_it() -> None:
    """``PerpMath.findMedianOfThree``: it stays where the market has it once the index is beyond."""
    rule_ = MedianMark(market=2050, average=2010, premium=5)
    assert [rule_.mark(index) for index in (1900, 2004, 2005, 2030, 2045, 2200)] == [2010, 2010, 2010, 2035, 2050, 2050]
