"""What the keeper's process costs before it does anything: memory, and the time until its first block is judged."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.effort import Effort
from bench.rows import Row
from bench.scene import open_loop, write_settings
from sandbox.world import World

BARE = "import time; print('ready', flush=True); time.sleep(60)"
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
        Row("rss_mib", "MiB", [m for _, m in ours], f"resident with one position, {note}", [], [m for _, m in floor]),
    ]


def asked(command: list[str]) -> float:
    """Milliseconds until a command has ended."""
    begun = time.monotonic()
    subprocess.run(command, env=INSTALLED, check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic() - begun) * 1000


def started(command: list[str], sign: str, folder: Path) -> tuple[float, float]:
    """Milliseconds until a process says its sign, and its resident memory a moment later."""
    log = folder / "log"
    begun = time.monotonic()
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env=INSTALLED) as process:
        try:
            while sign not in log.read_text():
                assert process.poll() is None, log.read_text()
                time.sleep(0.002)
            took = (time.monotonic() - begun) * 1000
            time.sleep(0.3)
            return took, psutil.Process(process.pid).memory_info().rss / 2**20
        finally:
            process.kill()
