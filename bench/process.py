"""What the keeper's process costs before it does anything: memory, and the time until its first block is judged."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.effort import Effort
from bench.rows import Row
from bench.scene import open_loop, write_settings
from sandbox.world import World

BARE = "import time; print('ready', flush=True); time.sleep(60)"
MOST_MIB, MOST_GROWN_MIB = 85.0, 1.0
INSTALLED = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""An owner's modules are compiled once, when they are installed."""


async def measure(effort: Effort) -> list[Row]:
    with World.start() as world, tempfile.TemporaryDirectory() as folder:
        owner = world.account(0).address
        open_loop(world, owner)
        path = write_settings(Path(folder), world, [owner], rpc_url=world.url)
        keeper = [sys.executable, "-m", "keeper", "run", "-c", str(path)]
        bare = [sys.executable, "-c", BARE]
        started(keeper, '"event": "block"', Path(folder))  # compiles, and makes the journal
        ours = [started(keeper, '"event": "block"', Path(folder)) for _ in range(effort.runs(6))]
        floor = [started(bare, "ready", Path(folder)) for _ in range(effort.runs(6))]
        path = write_settings(fresh(folder, "ws"), world, [owner], rpc_url=world.url.replace("http", "ws"))
        grown = [growth([*keeper[:-1], str(path)], Path(folder), world, effort.runs(500))]
        versions = [asked([sys.executable, "-m", "keeper", "--version"]) for _ in range(effort.runs(6))]
        nothing = [asked([sys.executable, "-c", ""]) for _ in range(effort.runs(6))]
    note = "against a bare interpreter"
    return [
        Row("version_ms", "ms", versions, f"`keeper --version`, {note}", [], nothing),
        Row(
            "startup_ms",
            "ms",
            [s for s, _ in ours],
            f"process start to first block judged, {note}",
            [],
            [s for s, _ in floor],
        ),
        Row(
            "rss_mib",
            "MiB",
            [m for _, m in ours],
            f"resident with one position, {note}",
            [],
            [m for _, m in floor],
            most=MOST_MIB,
        ),
        Row(
            "rss_grown_mib",
            "MiB",
            grown,
            "what it grows by over as many blocks again, once its caches are full: 500 and 500",
            most=MOST_GROWN_MIB,
        ),
    ]


def asked(command: list[str]) -> float:
    """Milliseconds until a command has ended."""
    begun = time.monotonic()
    subprocess.run(command, env=INSTALLED, check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic() - begun) * 1000


def started(command: list[str], sign: str, folder: Path) -> tuple[float, float]:
    """Milliseconds until a process says its sign, and its resident memory a moment later."""
    with begun(command, sign, folder) as (process, took):
        time.sleep(0.3)
        return took, resident(process)


def growth(command: list[str], folder: Path, world: World, blocks: int) -> float:
    """By how much a keeper's memory grows over so many blocks, after as many that filled its caches."""
    with begun(command, '"event": "block"', folder) as (process, _):
        mine(world, blocks)
        first = resident(process)
        mine(world, blocks)
        return resident(process) - first


def mine(world: World, blocks: int) -> None:
    for _ in range(blocks):
        world.mine()
        time.sleep(0.02)  # judged before the next: over WebSocket that takes some milliseconds
    time.sleep(0.3)


@contextmanager
def begun(command: list[str], sign: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A process that has said its sign, and the milliseconds until then."""
    log = folder / "log"
    since = time.monotonic()
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env=INSTALLED) as process:
        try:
            while sign not in log.read_text():
                assert process.poll() is None, log.read_text()
                time.sleep(0.002)
            yield process, (time.monotonic() - since) * 1000
        finally:
            process.kill()


def resident(process: subprocess.Popen[bytes]) -> float:
    return psutil.Process(process.pid).memory_info().rss / 2**20


def fresh(folder: str, name: str) -> Path:
    path = Path(folder) / name
    path.mkdir()
    return path
