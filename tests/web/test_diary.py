"""What a daemon hands on after a block: at once to a page beside it, now and then to the journal, and never a fault."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from core_builders import loop, rule
from paper import Paper, engine_on, next_block
from test_cycle_perps import dollars

from keeper.engine.cycle import cycle
from keeper.journal import JournalError
from keeper.service import diary
from keeper.service.diary import Diary
from keeper.web.stands import SILENT_S


@dataclass(slots=True)
class Kept:
    """A journal's views, which can be slow or away."""

    written: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    is_away: bool = False
    waits: asyncio.Event | None = None

    async def write(self, scope: str, view: dict[str, Any], at: int, values: dict[str, int]) -> None:
        if self.waits:
            await self.waits.wait()
        if self.is_away:
            raise JournalError("write what is seen", "the disk is full", "Make room.")
        self.written.append((at, dict(values)))


class Stage:
    """An engine on paper with a diary, and a clock."""

    def __init__(self, *, shows: bool = False) -> None:
        self.paper = Paper({"calm": replace(loop(dollars="9000"), name="calm")}, dollars())
        self.engine: Any = engine_on(self.paper, rule(position="calm"))
        self.kept, self.now, self.shown = Kept(), 1000.0, list[dict[str, Any]]()
        self.diary = Diary(self._real(), self.shown.append if shows else None, lambda: self.now)

    def _real(self) -> Any:
        reader = self.engine.reader
        self.looked = SimpleNamespace(network=reader.network, known=reader.known, blocks=SimpleNamespace(node=None))
        parts = {name: getattr(self.engine, name) for name in ("terms", "state", "observer")}
        return SimpleNamespace(reader=self.looked, journal=SimpleNamespace(views=self.kept), **parts)

    async def block(self, seconds: float, dollars_owed: str = "9000") -> None:
        self.now += seconds
        self.paper.positions["calm"] = replace(loop(dollars=dollars_owed), name="calm")
        self.paper.block = next_block(self.paper.block)
        self.diary.saw(await cycle(self.engine, self.paper.block))
        for _ in range(5):
            await asyncio.sleep(0)


async def test_beside_the_daemon_every_block_is_shown_at_once() -> None:
    """And the journal has one now and then."""
    stage = Stage(shows=True)
    for _ in range(12):
        await stage.block(2)
    await stage.diary.close()
    assert len(stage.shown) == 12
    assert stage.shown[-1]["block"]["number"] == stage.paper.block.number
    assert 2 <= len(stage.kept.written) <= 3


async def test_a_journal_that_is_slow_holds_up_no_block_and_piles_nothing_up() -> None:
    """One view waits at most; the next is written when that one is."""
    stage = Stage()
    stage.kept.waits = asyncio.Event()
    for _ in range(20):
        await asyncio.wait_for(stage.block(15), 5)
    assert stage.kept.written == []
    stage.kept.waits.set()
    await stage.diary.close()
    assert len(stage.kept.written) == 1


async def test_a_journal_that_is_away_is_no_fault_of_the_block() -> None:
    """What matters is reported where it matters; the next view says all that this one would have."""
    stage = Stage()
    stage.kept.is_away = True
    await stage.block(15)
    stage.kept.is_away = False
    await stage.block(15)
    await stage.diary.close()
    assert len(stage.kept.written) == 1


async def test_what_cannot_be_shown_is_an_alarm_and_ends_nothing() -> None:
    """A defect in what is only looked at."""
    stage = Stage()
    del stage.looked.known
    await stage.block(15)
    assert stage.engine.observer.alarms == ["What is seen cannot be shown"]
    assert stage.kept.written == []


async def test_a_figure_that_moves_is_kept_more_often_than_one_that_rests() -> None:
    """A quiet hour is sixty samples; a crash is drawn in full."""
    stage = Stage()
    for _ in range(12):
        await stage.block(15)
    quiet = [values for _, values in stage.kept.written if values]
    for owed in range(9100, 12_100, 250):
        await stage.block(15, str(owed))
    await stage.diary.close()
    moving = [values for _, values in stage.kept.written if values][len(quiet) :]
    assert 3 <= len(quiet) <= 4
    assert len(moving) >= 11


async def test_no_view_is_so_large_that_its_keeper_seems_silent() -> None:
    """However many positions there are."""
    assert diary.MOST_S + 2 * diary.EVERY_S < SILENT_S


async def test_a_clock_put_back_stops_no_writing() -> None:
    """Hours back: the next view is due at once."""
    stage = Stage()
    await stage.block(15)
    stage.now -= 7 * 3600
    await stage.block(1)
    await stage.block(15)
    await stage.diary.close()
    assert len(stage.kept.written) >= 2


async def test_a_keeper_that_became_blind_says_so_at_once_beside_it_and_in_the_journal() -> None:
    """By the alarm's own measure, in its words; and no more of it once a block was judged."""
    stage = Stage(shows=True)
    await stage.block(15)
    await stage.block(2)
    stage.now += 1
    stage.diary.waits()
    assert len(stage.shown) == 2  # a pause between two blocks is no news
    stage.engine.observer.node_away("connection refused", 1)
    stage.diary.waits()
    assert stage.shown[-1]["blind"] is None  # one hiccup is no alarm either
    stage.engine.observer.node_away("connection refused", 3)
    stage.diary.waits()
    await stage.diary.close()
    shown = stage.shown[-1]
    assert shown["blind"] == {"title": "The node does not answer", "detail": "connection refused"}
    assert shown["blind"]["title"] == stage.engine.observer.alarms[-1] == shown["alarms"][-1]
    assert (shown["at"], shown["judged_at"]) == (1018, 1017)
    assert stage.kept.written[-1][0] == 1018
    stage.engine.observer.block(9, {}, 0.1)
    await stage.block(2)
    await stage.diary.close()
    assert stage.shown[-1]["blind"] is None
    assert stage.kept.written[-1][0] == 1020  # that it sees again is written at once as well


async def test_a_keeper_without_new_blocks_goes_on_saying_that_it_is_there() -> None:
    """So that a chain that stands still is not taken for a keeper that is dead, nor an old block for a new one."""
    stage = Stage(shows=True)
    await stage.block(15)
    for _ in range(40):
        stage.now += 1
        stage.diary.waits()
    await stage.diary.close()
    assert [view["judged_at"] for view in stage.shown] == [1015] * 5
    assert [view["at"] for view in stage.shown] == [1015, 1025, 1035, 1045, 1055]
