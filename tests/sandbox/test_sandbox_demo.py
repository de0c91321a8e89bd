"""The demo as a person runs it: its story must come true, and its report must say so."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from sandbox.bars import Point
from sandbox.demo_crash import ENOUGH, START_PRICE, crash_from, own_crash, steepest
from sandbox.errors import SandboxError
from sandbox.paths import HERE


def demo(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox.demo", *arguments]
    return subprocess.run(
        command,
        cwd=HERE.parent,
        env={**os.environ, "TMPDIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.world
def test_the_kept_position_lives_and_the_other_is_liquidated(tmp_path: Path) -> None:
    done = demo("--seconds", "10", "--report", str(tmp_path / "report.json"), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "report.json").read_text())
    kept, unkept = found["kept"], found["unkept"]
    assert (kept["liquidated"], unkept["liquidated"]) == (False, True)
    assert kept["min_health_factor"] > 1.0 > unkept["min_health_factor"]
    assert kept["final_equity_usd"] > unkept["final_equity_usd"]
    assert found["wall_s"] > 0
    assert any(t["status"] == 1 for t in kept["transactions"])
    assert all(t["hash"].startswith("0x") and t["block"] > 0 for t in kept["transactions"])
    assert not [p for p in tmp_path.iterdir() if p.name.startswith("keeper-demo-")], "the keeper's home is left behind"


@pytest.mark.world
@pytest.mark.parametrize("market", ["morpho", "compound", "venus"])
def test_the_same_crash_in_a_market_of_another_protocol_comes_true(tmp_path: Path, market: str) -> None:
    done = demo(market, "--seconds", "10", "--report", str(tmp_path / "report.json"), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "report.json").read_text())
    kept, unkept = found["kept"], found["unkept"]
    assert (kept["liquidated"], unkept["liquidated"]) == (False, True)
    assert kept["min_health_factor"] > 1.0 > unkept["min_health_factor"]
    assert kept["final_equity_usd"] > unkept["final_equity_usd"]
    assert unkept["lost_to_liquidators_usd"] > 100


@pytest.mark.parametrize("how", [["--scenario", "flood"], ["flood"]])
@pytest.mark.slow
def test_an_unknown_scenario_is_refused_by_name(tmp_path: Path, how: list[str]) -> None:
    done = demo(*how, folder=tmp_path)
    assert done.returncode == 2
    assert "unknown scenario 'flood': there is crash" in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.slow
def test_a_missing_history_is_one_line(tmp_path: Path) -> None:
    done = demo("--file", str(tmp_path / "none.csv"), folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("demo: cannot read ")
    assert len(done.stderr.splitlines()) == 1


def test_the_own_crash_jumps_and_falls_far_enough_to_liquidate() -> None:
    points = own_crash(28).points
    assert points[0].price == START_PRICE
    assert min(p.price for p in points) < START_PRICE * (1 - ENOUGH)
    jumps = [b.price / a.price - 1 for a, b in pairwise(points) if b.timestamp - a.timestamp == 1]
    assert min(jumps) < -0.07
    assert max(jumps) > 0.02


def test_the_steepest_stretch_is_the_shortest_one_that_falls_enough() -> None:
    hours = [100, 100, 90, 80, 70, 60, 50, 90, 100, 98, 97, 55, 54, 60]
    path = [Point(i * 3600, START_PRICE * price) for i, price in enumerate(hours)]
    found = steepest(path)
    assert (found[0].timestamp, found[-1].timestamp) == (8 * 3600, 12 * 3600)


def test_a_history_too_short_to_play_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "short.csv"
    file.write_text("timestamp,price\n1,100\n")
    with pytest.raises(SandboxError, match="too short"):
        crash_from(file, 10, None, 0.2, whole=False)
