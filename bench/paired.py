"""`python -m bench.paired CHECKOUT`: this tree against another, in turn, on one machine and one local world.

A busy machine makes both slower alike: what is compared is the ratio, and the least of many runs. CPU is what the
kernel charged the process for, to the nanosecond, so waiting for a core costs nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench import crowd
from bench.proxy import Proxy
from bench.scene import write_settings
from sandbox.world import World

JUDGED = '"event": "block"'
HERE = Path(__file__).resolve().parents[1]
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""Of an installation: its modules are compiled once."""
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Figure:
    """One thing that is measured of a tree, run by run."""

    name: str
    unit: str
    ours: list[float]
    theirs: list[float]

    def row(self) -> tuple[str, ...]:
        mine, other = statistics.median(self.ours), statistics.median(self.theirs)
        cells = [mine, min(self.ours), other, min(self.theirs), mine / other if other else 1.0]
        return (self.name, self.unit, *(f"{cell:.4g}" for cell in cells), str(len(self.ours)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.paired", description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--runs", type=int, default=8)
    options = parser.parse_args()
    trees = (HERE, options.checkout.resolve())
    with World.start() as world, Proxy(world.url) as proxy, tempfile.TemporaryDirectory() as temp:
        owners = crowd.owners(50)
        crowd.settle(world, owners)
        figures = [
            *_starts(trees, _settings(Path(temp), world, owners[:1], world.url), options.runs),
            *_blocks(trees, _settings(Path(temp), world, owners, proxy.ws_url), world, options.runs),
        ]
    table = Table("what", "unit", "here", "least", "there", "least", "here / there", "runs", box=None)
    for figure in figures:
        table.add_row(*figure.row())
    Console(width=120).print(table)


def _settings(folder: Path, world: World, owners: list[str], rpc_url: str) -> Path:
    place = folder / f"of {len(owners)}"
    place.mkdir()
    return write_settings(place, world, owners, rpc_url=rpc_url)


def _starts(trees: tuple[Path, Path], settings: Path, runs: int) -> Iterator[Figure]:
    version = [[_version(tree) for tree in trees] for _ in range(runs + 1)][1:]
    yield Figure("keeper --version, wall", "ms", *_sides(version))
    found = [[_started(tree, settings) for tree in trees] for _ in range(runs + 1)][1:]
    names = (("start to first judged block, wall", "ms"), ("the same, CPU", "ms"), ("resident memory", "MiB"))
    for i, (name, unit) in enumerate(names):
        yield Figure(name, unit, *_sides([[side[i] for side in both] for both in found]))


def _sides(pairs: list[list[float]]) -> tuple[list[float], list[float]]:
    return [here for here, _ in pairs], [there for _, there in pairs]


def _version(tree: Path) -> float:
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "keeper", "--version"], cwd=tree, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL
    )
    return (time.monotonic() - begun) * 1000


def _started(tree: Path, settings: Path) -> tuple[float, float, float]:
    begun = time.monotonic()
    with _keeper(tree, settings) as keeper:
        keeper.judged(1)
        took, used = (time.monotonic() - begun) * 1000, keeper.cpu_ms()
        time.sleep(0.5)
        return took, used, psutil.Process(keeper.process.pid).memory_info().rss / 2**20


def _blocks(trees: tuple[Path, Path], settings: Path, world: World, runs: int) -> Iterator[Figure]:
    """Both watch the same blocks at the same time."""
    with contextlib.ExitStack() as both:
        keepers = [both.enter_context(_keeper(tree, settings)) for tree in trees]
        for keeper in keepers:
            keeper.judged(1)
        used = list[list[float]]()
        for run in range(5 * runs + 10):
            before = [keeper.cpu_ms() for keeper in keepers]
            world.mine()
            for keeper in keepers:
                keeper.judged(run + 2)
            time.sleep(0.15)
            used.append([keeper.cpu_ms() - was for keeper, was in zip(keepers, before, strict=True)])
        idle = [keeper.cpu_ms() for keeper in keepers]
        time.sleep(5)
        resting = [(keeper.cpu_ms() - was) / 50 for keeper, was in zip(keepers, idle, strict=True)]
        memory = [psutil.Process(keeper.process.pid).memory_info().rss / 2**20 for keeper in keepers]
    yield Figure("own CPU of a quiet block, 50 positions", "ms", *_sides(used[10:]))
    yield Figure("resident memory, 50 positions", "MiB", *_sides([memory]))
    yield Figure("CPU while nothing comes", "%", *_sides([resting]))


@dataclass(frozen=True)
class _Keeper:
    process: subprocess.Popen[bytes]
    log: Path

    def judged(self, count: int) -> None:
        """Wait until so many blocks were judged."""
        give_up = time.monotonic() + PATIENCE_S
        while self.log.read_text().count(JUDGED) < count:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up, self.log.read_text()
            time.sleep(0.003)

    def cpu_ms(self) -> float:
        """CPU of all its threads so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


@contextlib.contextmanager
def _keeper(tree: Path, settings: Path) -> Iterator[_Keeper]:
    with tempfile.TemporaryDirectory() as temp:
        log = Path(temp) / "log"
        folder = settings.parent
        (own := folder / tree.relative_to("/") / "keeper.toml").parent.mkdir(
            parents=True, exist_ok=True
        )  # a journal each
        own.write_text(
            settings.read_text()
            .replace('"network.toml"', f'"{folder}/network.toml"')
            .replace('"keystore.json"', f'"{folder}/keystore.json"')
            .replace('"password"', f'"{folder}/password"')
        )
        command = [sys.executable, "-m", "keeper", "run", "--verbose", "-c", str(own)]
        with (
            log.open("w") as out,
            subprocess.Popen(command, stdout=out, stderr=out, cwd=tree, env=ENVIRONMENT) as process,
        ):
            try:
                yield _Keeper(process, log)
            finally:
                process.kill()


if __name__ == "__main__":
    main()
