"""Plays the crash and shows it: a live view on a terminal, lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from sandbox.actor import Actor
from sandbox.demo_crash import Crash
from sandbox.demo_diary import Diary, Entry
from sandbox.demo_keeper import Keeper
from sandbox.demo_scene import Frame
from sandbox.demo_view import Scenes, View, entry_line
from sandbox.demo_watch import Watch
from sandbox.replay import Progress, Replay
from sandbox.world import World

LOOK_S, LINE_EVERY_S = 0.25, 2.0
SETTLE_S, SETTLE_LIMIT_S = 2.0, 15.0
"""After the crash: what the keeper still has to do about the last price."""

Paint = Callable[[Scenes], None]


class Playable(Protocol):
    """A path in the making."""

    on_progress: Callable[[Progress], None] | None

    def run(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs during the crash."""

    world: World
    owners: Mapping[str, str]
    liquidators: Sequence[Actor]
    keeper: Keeper
    watch: Watch[Frame]
    diary: Diary


def show(stage: Stage, title: str, path: Playable, view: View, console: Console, plain: bool) -> None:
    """Return when the path is over and the keeper has had time to deal with its end."""
    now = Scenes(title=title, began=stage.world.now)
    with Player(path) as player, _lines(console, view) if plain else _live(console, view) as paint:
        while not player.is_over or not _is_settled(now, player):
            stage.keeper.check()
            stage.watch.check()
            now.frames, now.entries, now.share = tuple(stage.watch.frames), stage.diary.entries(), player.share
            now.liquidations = {name: _liquidations(stage.liquidators, o) for name, o in stage.owners.items()}
            paint(now)
            time.sleep(LOOK_S)


def _is_settled(now: Scenes, player: "Player") -> bool:
    waited = time.monotonic() - player.over_at
    at_work = bool(now.entries) and now.entries[-1].went_well is None
    return waited > SETTLE_LIMIT_S or (waited > SETTLE_S and not at_work)


def _liquidations(liquidators: Sequence[Actor], owner: str) -> int:
    actions = [action for one in liquidators for action in tuple(one.actions)]
    return sum(action.text.startswith(f"liquidated {owner}") for action in actions)


class Player:
    """A path played in a thread of its own."""

    def __init__(self, path: Playable) -> None:
        self._path, path.on_progress = path, self._note
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
        self._path.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._path.run()
        except Exception as error:  # noqa: BLE001  raised again where the main thread asks
            self._failure = error
        self.over_at = time.monotonic()

    def _note(self, progress: Progress) -> None:
        self.share = progress.elapsed_s / progress.total_s


def replayed(world: World, crash: Crash) -> Replay:
    """The crash as a replay by the clock; other assets follow in their manner."""
    own = World(world.url, world.addresses, block_time=world.block_time)
    return Replay(own, crash.points, crash.speed, betas={"WBTC": 0.8, "LINK": 1.1})


@contextmanager
def _live(console: Console, view: View) -> Iterator[Paint]:
    with Live(console=console, auto_refresh=False) as live:
        yield lambda now: live.update(view.render(now), refresh=True)


@contextmanager
def _lines(console: Console, view: View) -> Iterator[Paint]:
    told, next_line = set[Entry](), 0.0

    def paint(now: Scenes) -> None:
        nonlocal next_line
        for entry in now.entries:
            if entry.went_well is not None and entry not in told:
                told.add(entry)
                console.print(entry_line(now, entry), soft_wrap=True, markup=False)
        if now.frames and time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_EVERY_S
            console.print(view.line(now), soft_wrap=True, markup=False)

    yield paint
