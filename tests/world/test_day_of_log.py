"""A day in the log as its owner reads it: nothing for a quiet block, each event once, its end, in few lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from proxy import RpcProxy, html
from scenes import DOLLAR, RULE, Keeper, Scene

pytestmark = [pytest.mark.world, pytest.mark.slow]
WARNING = """
[[rules]]
name = "early-warning"
position = "eth-loop"
when = { liquidation_distance_below = "0.25" }
actions = ["alert"]
"""
MOST_LINES, LONGEST = 40, 700


def at_a_terminal(keeper_command: list[str], path: Path) -> Keeper:
    """A keeper whose log a person sees: whole lines in colour, on a terminal of its own."""
    reading, writing = os.openpty()
    process = subprocess.Popen(keeper_command, stdout=writing, stderr=writing, stdin=subprocess.DEVNULL)
    os.close(writing)
    path.touch()

    def copied() -> None:
        with path.open("wb", buffering=0) as out:
            try:
                while block := os.read(reading, 4096):
                    out.write(block)
            except OSError:  # the terminal is gone with its program
                pass

    threading.Thread(target=copied, daemon=True).start()
    return Keeper(process, path)


def blocks(scene: Scene, proxy: RpcProxy, count: int) -> None:
    """One after the other, each once the one before is read: anvil answers a read with the block mined meanwhile."""
    for _ in range(count):
        before, until = proxy.methods["eth_call"], time.monotonic() + (0.2 if proxy.fault else 2.0)
        scene.world.mine()
        while proxy.methods["eth_call"] == before and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.15)


def a_day(scene: Scene, proxy: RpcProxy, keeper: Keeper, block: str, warned: str, away: str, ended: str) -> int:
    """Quiet, warned, rescued, blind for a while, well again; returns how many lines the quiet part had."""
    keeper.wait_for(block)
    before = keeper.log.count("\n")
    blocks(scene, proxy, 40)
    quiet = keeper.log.count("\n") - before
    scene.crash("1750")
    keeper.wait_for(warned)
    proxy.fault = html
    keeper.wait_for(away)
    blocks(scene, proxy, 10)
    proxy.fault = None
    blocks(scene, proxy, 20)
    scene.crash("1500")
    keeper.wait_for(ended)
    blocks(scene, proxy, 30)
    assert keeper.stop() == 0
    return quiet


@pytest.fixture
def owned(scene: Scene, proxy: RpcProxy) -> Scene:
    scene.url = proxy.url
    scene.rules = RULE + WARNING
    scene.open(debt={"USDC": 11_000 * DOLLAR})
    return scene.write()


def test_a_day_in_json_is_short_and_every_line_of_it_is_read_by_a_machine(owned: Scene, proxy: RpcProxy) -> None:
    """Each event with its level and time; a quiet block is none."""
    with owned.running("--live", verbose=False) as keeper:
        quiet = a_day(owned, proxy, keeper, '"event": "block"', "early-warning", '"node_away"', '"concluded"')
        log = keeper.log
    first, *lines = log.splitlines()
    assert first == "LIVE: transactions will be signed and sent."
    events = [json.loads(line) for line in lines]
    assert quiet == 0, log
    assert len(events) <= MOST_LINES, log
    assert all({"event", "level", "timestamp", "mode"} <= event.keys() for event in events)
    assert max(map(len, lines)) <= LONGEST + 300
    names = [event["event"] for event in events]
    for once in ("started", "node_back", "stopped"):
        assert names.count(once) == 1, log
    assert "debug" not in {event["level"] for event in events}


def test_a_day_for_people_is_sentences_and_nothing_is_said_twice(owned: Scene, proxy: RpcProxy) -> None:
    """Time, mode, whose it is, what happened; no JSON, no traceback, no escape of another's in it."""
    command = [sys.executable, "-m", "keeper", "run", "--live", "-c", str(owned.config)]
    keeper = at_a_terminal(command, owned.folder / "terminal")
    try:
        quiet = a_day(owned, proxy, keeper, "health eth-loop", "early-warning", "does not answer", "plan ended")
    finally:
        keeper.process.kill()
        keeper.process.wait()
    lines = list(plain(keeper.log))
    assert quiet == 0, keeper.log
    assert len(lines) <= MOST_LINES, keeper.log
    assert max(map(len, lines)) <= LONGEST
    assert all(re.match(r"\d\d:\d\d:\d\d (live| )", line) for line in lines[1:]), keeper.log
    alarms = [line.partition("ALARM ")[2].partition(".")[0] for line in lines if "ALARM" in line]
    assert len(alarms) == len(set(alarms)), alarms
    assert any("distance to liquidation" in one for one in alarms)
    assert any("The node does not answer" in one for one in alarms)
    assert any("helped" in one for one in alarms)
    assert not any("{" in line or "Traceback" in line for line in lines)


def plain(log: str) -> Iterator[str]:
    """The lines without their colours."""
    for line in log.splitlines():
        yield re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
