"""The fire drill of a running keeper: once a day, beside the blocks, kept, alarmed, and recovered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from core_builders import BLOCK, NOW, OWNER, loop, rule
from paper import Paper, engine_on, holding_dollars, next_block

from keeper.chain.errors import NodeAwayError
from keeper.core.drills import DrillEnding, from_plain
from keeper.core.lending.actions import ACTIONS
from keeper.core.snapshot import Wallet
from keeper.core.units import Wei
from keeper.engine.cycle import cycle
from keeper.observe.observer import Observer
from keeper.service.fire_drill import AGAIN_S, RETRIES, RETRY_S, FireDrill

FAR = loop("10", "10000")
PAYS = (ACTIONS["top_up"], ACTIONS["repay"])
DAY_S = 86_400


@dataclass
class Hands:
    """A clock that is set by hand."""

    now: float = float(NOW)

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class Told:
    """What the owner heard."""

    titles: list[str]

    def notify(self, title: str, body: str) -> bool:
        self.titles.append(title.removeprefix("keeper · "))
        return True


class Play:
    """An engine, its drill, and blocks one after the other."""

    def __init__(self, paper: Paper, every_s: int = DAY_S, start_s: float = 0.0) -> None:
        self.paper, self.told, self.clock = paper, Told([]), Hands()
        self.engine: Any = engine_on(paper, rule(actions=PAYS))
        self.engine.clock = self.clock
        self.engine.observer = Observer("dry_run", self.told, 3600, self.clock.wall)
        self.drill = FireDrill(self.engine, every_s, start_s)
        self.block = BLOCK

    async def judge(self, seconds: float = 12) -> None:
        """One block, and what is done beside it until the next."""
        self.clock.now += seconds
        self.block = next_block(self.block)
        self.drill.pause()
        await cycle(self.engine, self.block)
        self.drill.begin()
        for _ in range(50):
            await asyncio.sleep(0)

    @property
    def kept(self) -> Any:
        written = [v for k, v in self.engine.journal.kept.items() if k.startswith("drill:")]
        return from_plain(written[0]) if written else None

    @property
    def titles(self) -> list[str]:
        self.engine.observer.close()
        return self.told.titles


EMPTY = Wallet(OWNER, Wei(10**18))


async def test_a_drill_is_held_once_a_day_and_kept() -> None:
    """At the start, then not before a day has passed; what it found is in the journal, as plain data."""
    play = Play(Paper({"loop": FAR}, holding_dollars()))
    await play.judge()
    first = play.kept
    assert [one.ending for one in first.rules] == [DrillEnding.WORKS]
    await play.judge(3600)
    assert play.kept == first
    await play.judge(DAY_S)
    assert play.kept.at > first.at
    assert play.titles == []


async def test_a_restart_holds_none_anew() -> None:
    """The journal knows when the last one was."""
    play = Play(Paper({"loop": FAR}, holding_dollars()))
    await play.judge()
    first = play.kept
    play.drill = FireDrill(play.engine, DAY_S, 0.0)
    await play.judge(60)
    await play.judge(60)
    assert play.kept == first


async def test_a_rescue_that_would_fail_is_alarmed_once_and_its_recovery_is_heard() -> None:
    """Rehearsed twice before it is said; hourly from then on; not said again within the day."""
    play = Play(Paper({"loop": FAR}, EMPTY))
    await play.judge()
    assert play.kept is None  # once more, on a later block
    await play.judge()
    assert [one.ending for one in play.kept.rules] == [DrillEnding.FAILS]
    for _ in range(4):
        await play.judge(1900)
    play.paper.wallet = holding_dollars()
    await play.judge(3700)
    await play.judge()
    assert [one.ending for one in play.kept.rules] == [DrillEnding.WORKS]
    begun, over = play.titles
    assert begun == "loop: the rescue of rule protect would fail"
    assert over == "All clear: loop: the rescue of rule protect works again"


async def test_a_fault_that_passes_is_no_alarm() -> None:
    """It works again on the block after."""
    play = Play(Paper({"loop": FAR}, EMPTY))
    await play.judge()
    play.paper.wallet = holding_dollars()
    await play.judge()
    assert [one.ending for one in play.kept.rules] == [DrillEnding.WORKS]
    assert play.titles == []


async def test_a_block_is_never_held_up_by_a_drill() -> None:
    """What is under way waits while a block is judged: nothing of it is asked of the node meanwhile."""
    play = Play(Paper({"loop": FAR}, holding_dollars()))
    await play.judge()
    play.drill.pause()
    play.clock.now += DAY_S
    play.drill.begin()
    play.drill.pause()  # the next head is there already
    before = len(play.paper.rehearsed)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(play.paper.rehearsed) == before
    await play.judge()
    assert len(play.paper.rehearsed) == before + 1


async def test_a_node_that_hiccups_at_the_time_of_the_drill_is_no_alarm_and_it_is_held_some_minutes_later() -> None:
    """The node is away for one try: the drill is in the journal before the hour is over, and nobody was woken."""
    paper = Paper({"loop": FAR}, holding_dollars())
    play = Play(paper)
    paper.reading_fails = NodeAwayError("node", "eth_call", "it is away")
    await play.judge()
    assert play.kept is None
    paper.reading_fails = None
    await play.judge(RETRY_S - 1)
    assert play.kept is None
    await play.judge(2)
    assert [one.ending for one in play.kept.rules] == [DrillEnding.WORKS]
    assert play.titles == []


async def test_a_node_that_stays_away_is_said_once_with_what_can_be_done_and_tried_again_within_the_hour() -> None:
    """A drill that could not be held is no rescue that works; held at last, it begins to count anew."""
    paper = Paper({"loop": FAR}, holding_dollars())
    play = Play(paper)
    paper.reading_fails = NodeAwayError("node", "eth_call", "it is away")
    await play.judge()
    for _ in range(RETRIES):
        assert play.titles == []
        await play.judge(RETRY_S + 1)
    await play.judge(AGAIN_S + 1)
    assert play.titles == ["The fire drill could not be held"]
    paper.reading_fails = None
    await play.judge(AGAIN_S + 1)
    assert [one.ending for one in play.kept.rules] == [DrillEnding.WORKS]
    paper.reading_fails = NodeAwayError("node", "eth_call", "it is away")
    await play.judge(DAY_S + 1)
    assert play.titles == ["The fire drill could not be held"], "one hiccup a day later"


async def test_it_may_be_turned_off_and_waits_for_the_start_to_be_over() -> None:
    """`fire_drill = "0s"`; and half a minute after the first block."""
    off = Play(Paper({"loop": FAR}, holding_dollars()), every_s=0)
    await off.judge()
    assert off.kept is None
    young = Play(Paper({"loop": FAR}, holding_dollars()), start_s=30.0)
    await young.judge()
    assert young.kept is None
    await young.judge(31)
    assert young.kept is not None
