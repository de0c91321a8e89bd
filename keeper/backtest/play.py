"""One account through one course: at each block that matters liquidators, then what was sent, then the engine's cycle.

A block matters where an oracle answered, where something sent is mined, and while a rule asks for what it does not get.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from keeper.backtest.calm import Extremes, after_calm, has_sides, may_skip
from keeper.backtest.course import PriceCourse
from keeper.backtest.engine_on_paper import OnPaper, PaperObserver, engine_on_paper
from keeper.backtest.life import Life, Plot
from keeper.backtest.movements import CourseMovements
from keeper.backtest.scene import PaperScene
from keeper.backtest.stage import PlayedDeed, Stage
from keeper.backtest.standing import PaperStanding
from keeper.core.decide import Hold
from keeper.core.lending import figures as lending
from keeper.core.lending.rules import LendingAssessment
from keeper.core.reasons import Reason
from keeper.core.rules import looks_ahead
from keeper.core.units import DAY_S, WAD
from keeper.engine.cycle import cycle
from keeper.engine.lending.assess import judge
from keeper.engine.result import Result

S = TypeVar("S")
PACE_BLOCKS = 6
"""Blocks before one that is played whose prices the engine has seen: a daemon sees every block."""
LONGEST_REST_S = 30 * DAY_S
ASKED_BLOCKS, ASKED_S = 5, 300
"""A rule that asks in vain is heard at each of so many blocks, then every five minutes and at each answer."""
MOST_TURNS = 20_000
"""Times that tasks may take turns within one block."""


async def play(
    plot: Plot, course: PriceCourse, begins_at: int, extremes: Extremes | None = None, movements: object = None
) -> Life[PaperStanding]:
    """Play a course from a time on. Without ``extremes`` every block that an oracle answered at is judged."""
    begins = course.index(begins_at)
    stage = _stage(plot, course, int(course.at[begins]), movements)
    if extremes is not None:
        stage.rests = lambda on, place: _after_calm(on, plot, extremes, place)
    return await lived(stage, begins)


async def lived(stage: Stage[S], begins: int) -> Life[S]:
    """Play what is on the stage from a place of its course on."""
    course, place, wake = stage.scene.course, begins, None
    while True:
        following = int(course.at[place]) if place < len(course.at) else None
        coming = [x for x in (following, wake, stage.scene.due) if x is not None]
        if not coming or min(coming) > course.ends:
            break
        at = min(coming)
        place += following == at
        results = await _block(stage, at)
        _measured(stage, at, is_known=not any(h.reason is Reason.HISTORY_SHORT for r in results for h in r.holds))
        if stage.paper is not None and (due := stage.paper.pool.next) is not None:
            wake = course.time(due)
        elif _is_restless(results):
            stage.asked += 1
            wake = at + (course.block_s if stage.asked <= ASKED_BLOCKS else max(ASKED_S, course.block_s))
            wake = course.time(course.number(wake))
        else:
            wake, stage.asked = None, 0
            place = stage.rests(stage, place)
    _measured(stage, course.ends, is_known=True)
    return Life(
        begins, tuple(stage.stands), tuple(stage.deeds), stage.scene.gas_usd, stage.kept, tuple(stage.costs),
        stage.played, stage.unmeasured_s,
    )  # fmt: skip


def _measured(stage: Stage[S], at: int, *, is_known: bool) -> None:
    """Count the time since the last block at which a rule could not be judged."""
    if stage.unmeasured_since is not None:
        stage.unmeasured_s += at - stage.unmeasured_since
    stage.unmeasured_since = None if is_known else at


def _stage(plot: Plot, course: PriceCourse, at: int, movements: object) -> Stage[PaperStanding]:
    scene = PaperScene(
        course=course,
        assets=plot.assets,
        now=at,
        standing=replace(plot.standing, at=at),
        depth=plot.depth,
        fees=plot.fees,
        native=plot.native,
        native_price=plot.native_price,
        closes=plot.closes,
        lends_usd=plot.lends_usd,
        receipts=plot.market.receipts,
        fixed={h.asset: h.price.answer for h in plot.standing.holdings if h.asset not in plot.assets},
    )
    scene.standing = scene.seen()
    stage = Stage[PaperStanding](scene, None, stands=[(at, scene.standing)])
    if plot.rules:
        measures = movements if isinstance(movements, CourseMovements) else None
        stage.paper = engine_on_paper(
            scene, plot.position, plot.market, plot.rules, plot.terms, measures, plot.native or plot.assets[0],
            plot.heartbeat_s, plot.native_symbol,
        )  # fmt: skip
    return stage


async def _block(stage: Stage[S], at: int) -> Sequence[Result]:
    """Play one block: the oracle has answered, liquidators are right behind it, then comes what was sent."""
    scene = stage.scene
    scene.now = at
    if (taken := scene.forced()) is not None:
        stage.deeds.append(taken)
        stage.stands.append((at, scene.standing))
    before, gas = scene.standing, scene.gas_usd
    changed = scene.carried_out()
    if stage.paper is None:
        return ()
    engine, block = stage.paper.engine, scene.block()
    stage.paper.pool.reached(block.number)
    await _quiet(stage.paper)
    if changed or scene.standing is not before:
        _kept(stage, before, gas)
    _see_what_was_left_out(stage, block.number)
    results: Sequence[Result] = await cycle(engine, block)
    await _quiet(stage.paper)
    if isinstance(engine.observer, PaperObserver) and engine.observer.defect is not None:
        raise engine.observer.defect
    stage.played += 1
    _note(stage)
    return results


def _see_what_was_left_out(stage: Stage[S], until: int) -> None:
    """Show the engine the prices before a block that is judged: a daemon sees every block."""
    scene, paper = stage.scene, stage.paper
    state, course = paper.engine.state, scene.course
    for number in range(max(1, until - PACE_BLOCKS), until):
        state.pace.saw(number, scene.answers(course.time(number)))
    if state.breaker is not None:
        before = course.index(scene.now)
        for place in range(max(stage.shown, 0), before):
            at = int(course.at[place])
            state.breaker.saw(at, scene.answers(at))
        stage.shown = before


def _kept(stage: Stage[S], before: S, gas: int) -> None:
    """Add what a plan that was mined cost: its gas, and what it is worth less by the oracle's prices."""
    scene = stage.scene
    stage.kept += scene.worth_of(before) - scene.worth_of(scene.standing) + scene.gas_usd - gas
    stage.costs.append((scene.now, scene.gas_usd))
    stage.stands.append((scene.now, scene.standing))


async def _quiet(paper: OnPaper[Any]) -> None:
    """Let all tasks go on until they have ended or wait for a block."""
    flights = paper.engine.state.in_flight
    for _ in range(MOST_TURNS):
        if not flights or paper.pool.waiting:
            await asyncio.sleep(0)  # a last turn, for whoever was called at the end of a task
            if not flights or paper.pool.waiting:
                return
        await asyncio.sleep(0)
    raise RuntimeError("a plan neither ends nor waits for a block")


def _note(stage: Stage[S]) -> None:
    """Write down the plans that have come to their end."""
    paper = stage.paper
    rows = [] if paper is None else paper.journal.rows
    while stage.noted < len(rows):
        row = rows[stage.noted]
        if row.made.kind == "act" and row.kind is None:
            return  # under way
        stage.noted += 1
        if row.made.kind != "act":
            continue
        reason = (row.outcome or {}).get("reason", "")
        what = row.made.summary if row.kind in ("restored", "partial") else f"{row.made.summary}: {reason}"
        before = stage.scene.figure_in(row.made.inputs["position"])
        stage.deeds.append(PlayedDeed(row.made.block_timestamp, what, row.kind or "", before, stage.scene.figure))


CAN_WAIT = (
    Reason.HEALTHY, Reason.ALERT_ONLY, Reason.AT_TARGET, Reason.TARGET_BEYOND_TRIGGER, Reason.UNMEASURED, Reason.CLOSED,
    Reason.HISTORY_SHORT,
)  # fmt: skip
"""Holds that the next block does not change, as long as prices are the same."""


def _is_restless(results: Sequence[Result]) -> bool:
    """Return whether a rule asks for something that may be had at the next block."""
    return any(not isinstance(r.decision, Hold) or any(h.reason not in CAN_WAIT for h in r.holds) for r in results)


def _after_calm(stage: Stage[PaperStanding], plot: Plot, extremes: Extremes, place: int) -> int:
    """Return the next place of the course at which anything could happen."""
    scene, course = stage.scene, stage.scene.course
    columns = {asset: i for i, asset in enumerate(plot.assets)}
    seen = scene.seen()
    if place >= len(course.at) or not may_skip(plot.rules) or not has_sides(seen, columns):
        return place
    until = scene.now + LONGEST_REST_S

    def following(begin: int, at: int) -> int:
        end = max(begin, int(course.at.searchsorted(at)))
        return after_calm(extremes, seen, columns, begin, end, lambda s: _is_quiet(stage, s))

    if stage.paper is None or not any(looks_ahead(rule) for rule in plot.rules):
        return following(place, until)
    engine = stage.paper.engine
    if not isinstance(movements := engine.movements, CourseMovements):
        return place
    at = scene.now
    while (measured := movements.next_after(at)) <= until:  # from measure to measure: each is what rules would see
        end = int(course.at.searchsorted(measured))
        place = following(place, measured)
        if place < end or place >= len(course.at) or stage.unmeasured_since is not None:
            return place  # from when on a rule is measured again is seen where a block is judged
        at = int(course.at[place])
        engine.state.market = movements.known_at(at)
    return place


def _is_quiet(stage: Stage[PaperStanding], s: PaperStanding) -> bool:
    """Return whether no liquidator and no rule would act on an account as it stands, by the engine's own judgement."""
    if lending.health_factor(s.account) < WAD:
        return False
    paper = stage.paper
    if paper is None or paper.engine.state.seen is None:
        return paper is None
    (name,) = paper.engine.reader.positions
    position = paper.reader.position(name, s, stage.scene.block())
    if position.is_empty:
        return True
    judged = judge(paper.engine, paper.engine.state.seen, position)
    acting = {v.rule.name for v in judged.verdicts if v.rule.actions} if isinstance(judged, LendingAssessment) else ()
    return isinstance(judged, LendingAssessment) and not any(
        v.doubt or (v.fired and v.rule.name in acting) for v in judged.verdicts
    )
