"""Plays the crash and shows it: a live view on a terminal, lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.live import Live

from sandbox.actors import Liquidator
from sandbox.demo_crash import Crash
from sandbox.demo_diary import Diary, Entry
from sandbox.demo_keeper import Keeper
from sandbox.demo_view import Scenes, entry_line, line, render
from sandbox.demo_watch import Watch
from sandbox.replay import Progress, Replay
from sandbox.world import World

LOOK_S, LINE_EVERY_S = 0.25, 2.0
SETTLE_S, SETTLE_LIMIT_S = 2.0, 15.0
"""After the crash: what the keeper still has to do about the last price."""

Paint = Callable[[Scenes], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs during the crash."""

    world: World
    owners: Mapping[str, str]
    liquidator: Liquidator
    keeper: Keeper
    watch: Watch
    diary: Diary


def show(stage: Stage, crash: Crash, console: Console, plain: bool) -> None:
    """Return when the crash is over and the keeper has had time to deal with its end."""
    now = Scenes(title=crash.name, began=stage.world.now)
    with Player(stage.world, crash) as player, _lines(console) if plain else _live(console) as paint:
        while not player.is_over or not _is_settled(now, player):
            stage.keeper.check()
            stage.watch.check()
            now.frames, now.entries, now.share = tuple(stage.watch.frames), stage.diary.entries(), player.share
            now.liquidations = {name: _liquidations(stage.liquidator, o) for name, o in stage.owners.items()}
            paint(now)
            time.sleep(LOOK_S)


def _is_settled(now: Scenes, player: "Player") -> bool:
    waited = time.monotonic() - player.over_at
    at_work = bool(now.entries) and now.entries[-1].went_well is None
    return waited > SETTLE_LIMIT_S or (waited > SETTLE_S and not at_work)


def _liquidations(liquidator: Liquidator, owner: str) -> int:
    return sum(action.text.startswith(f"liquidated {owner}") for action in tuple(liquidator.actions))


class Player:
    """The replay in a thread of its own."""

    def __init__(self, world: World, crash: Crash) -> None:
        own = World(world.url, world.addresses, block_time=world.block_time)
        self._replay = Replay(own, crash.points, crash.speed, betas={"WBTC": 0.8, "LINK": 1.1}, on_progress=self._note)
        self._thread = threading.Thread(target=self._run, name="crash", daemon=True)
        self._failure: Exception | None = None
        self.share, self.over_at = 0.0, float("inf")

    @property
    def is_over(self) -> bool:
        """Raises what went wrong in the thread."""
        if self._failure is not None:
            raise self._failure
        return self.over_at < float("inf")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._replay.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._replay.run()
        except Exception as error:  # noqa: BLE001  raised again where the main thread asks
            self._failure = error
        self.over_at = time.monotonic()

    def _note(self, progress: Progress) -> None:
        self.share = progress.elapsed_s / progress.total_s


@contextmanager
def _live(console: Console) -> Iterator[Paint]:
    with Live(console=console, auto_refresh=False) as live:
        yield lambda now: live.update(render(now), refresh=True)


@contextmanager
def _lines(console: Console) -> Iterator[Paint]:
    told, next_line = set[Entry](), 0.0

    def paint(now: Scenes) -> None:
        nonlocal next_line
        for entry in now.entries:
            if entry.went_well is not None and entry not in told:
                told.add(entry)
                console.print(entry_line(now, entry), soft_wrap=True, markup=False)
        if now.frames and time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_EVERY_S
            console.print(line(now), soft_wrap=True, markup=False)

    yield paint
