"""A report recomputed by a script of somebody else's: numpy alone, nothing of the keeper."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from core_builders import BLOCK, at, holding, loop, position
from perp_builders import short
from risk_inputs import DAY, HOUR, inputs, of_ether, waves

from keeper.core.risk.inputs import document_of
from keeper.core.risk.market import Source
from keeper.core.risk.report import report
from keeper.core.risk.series import Series, series

SCRIPT = Path(__file__).parents[3] / "docs" / "recompute" / "recompute.py"


def run(tmp_path: Path, made: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run the script on a report as somebody who has no keeper."""
    file = tmp_path / "report.json"
    file.write_text(json.dumps(made))
    return subprocess.run(
        [sys.executable, "-P", str(SCRIPT), str(file), "20000"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


def jumping(size: float, seed: int) -> Series:
    """Hourly prices of a month with a law of their own, and a jump every few days."""
    dice, level, rows = random.Random(seed), math.log(2_000 * 10**8), list[tuple[int, int]]()
    for i in range(30 * 24 + 1):
        rows.append((BLOCK.timestamp - (30 * 24 - i) * HOUR, round(math.exp(level))))
        level += dice.gauss(0, size) + (dice.choice((-1, -1, 1)) * dice.uniform(8, 14) * size if i % 60 == 40 else 0)
    return series(rows)


def mixed() -> dict[str, Any]:
    """A loop, a loan of several assets, and a short; prices that jump."""
    loans = [
        loop(dollars="15200"),
        position(holding("WETH", "4"), holding("WBTC", "0.1"), holding("DAI", 0, "9600"), name="mixed"),
    ]
    ether = jumping(0.006, 3)
    sources = {
        "eth": Source(ether, HOUR, "a test"),
        "btc": Source(waves("60000", 0.006), HOUR, "a test"),
        "usd": Source(waves("1", 0.0003), DAY, "a test"),
    }
    drivers = {at("WETH"): "eth", at("WBTC"): "btc", at("USDC"): "usd", at("DAI"): "usd"}
    perps = [of_ether(short("9", margin="4000"))]
    return document_of(BLOCK, loans, sources, drivers, (DAY, 7 * DAY), 2_000, 1, perps=perps)


@pytest.mark.parametrize("document", [inputs, mixed])
def test_every_figure_is_the_same(tmp_path: Path, document: Callable[[], dict[str, Any]]) -> None:
    """Exact where arithmetic is, within what its paths are sure of where it simulates."""
    of = document()
    done = run(tmp_path, {"inputs": of, "report": report(of)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every figure is the same" in done.stdout
    assert "value_at_risk_usd" in done.stdout


def test_jumps_are_among_what_is_recomputed(tmp_path: Path) -> None:
    """Prices that jump: the figure with jumps is there, and simulated."""
    of = mixed()
    assert "with jumps" in run(tmp_path, {"inputs": of, "report": report(of)}).stdout


def test_a_figure_that_was_made_prettier_is_found(tmp_path: Path) -> None:
    """In the report, and in what it rests on."""
    of = inputs()
    prettier = report(of)
    prettier["positions"][1]["probability"][1]["used"] = 0.001
    done = run(tmp_path, {"inputs": of, "report": prettier})
    assert done.returncode == 1
    assert "OTHER  short: liquidation within 168 h" in done.stdout
    changed = json.loads(json.dumps(of))
    changed["positions"][0]["holdings"][0]["supplied"] += "0"
    done = run(tmp_path, {"inputs": changed, "report": report(of)})
    assert "OTHER  digest" in done.stdout
    assert "OTHER  loop: health" in done.stdout


def test_a_report_of_version_two_is_recomputed_by_its_own_terms() -> None:
    """To the digit what a keeper of then said: three places of what volatility may become, and no paths."""
    then = [[0.207628908, 0.540279936], [0.0587920104, 0.185981971], [0.0991470257, 0.341878504]]
    of = mixed() | {"version": 2}
    assert [[x["used"] for x in p["probability"]] for p in report(of)["positions"]] == then
    assert [[x["used"] for x in p["probability"]] for p in report(mixed())["positions"]] != then


def test_it_needs_nothing_of_the_keeper() -> None:
    """It imports the standard library and numpy."""
    lines = [line for line in SCRIPT.read_text().splitlines() if line.startswith(("import ", "from "))]
    assert lines == [
        "import hashlib",
        "import json",
        "import math",
        "import sys",
        "from statistics import NormalDist",
        "import numpy as np",
    ]
