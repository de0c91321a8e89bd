"""One run: a scenario of a seed, the invariants after it, and what is to be told of it."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "world"), str(TESTS / "chaos"), str(TESTS.parent)]

from invariants import violations  # noqa: E402
from scenarios import ALL, Scenario  # noqa: E402
from stage import staged  # noqa: E402


@dataclass
class Played:
    """A run, told."""

    seed: int
    scenario: str
    faults: int = 0
    restarts: int = 0
    deaths: list[str] = field(default_factory=list)
    """The points where it killed itself."""
    transactions: int = 0
    outcome: str = ""
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    folder: str = ""


def scenario_of(seed: int) -> str:
    """Every scenario has its turn."""
    return list(ALL)[seed % len(ALL)]


def play(seed: int, folder: Path, name: str | None = None, scenario: Scenario | None = None) -> Played:
    """Play one run in an empty folder; what is left there (journal, log, faults) tells the rest."""
    name = name or scenario_of(seed)
    told, begun = Played(seed, name, folder=str(folder)), time.monotonic()
    with staged(seed, folder) as stage:
        try:
            (scenario or ALL[name])(stage)
        except AssertionError as error:
            told.violations.append(f"while playing: {error}")
        assert stage.process
        # nothing moves while chain and journal are compared
        with stage.no_blocks():
            for process in (stage.process, stage.twin):
                if process and (code := process.stop()) not in (0, -9):
                    told.violations.append(f"did not leave in order: {code}")
            told.violations += violations(stage)
        health, last = stage.scene.health(), stage.rows("select outcome from decisions where outcome is not null")
        reason = json.loads(last[-1]["outcome"]).get("reason", "") if last else ""
        told.outcome = f"{reason} {health:.2f}"
        told.faults, told.restarts = len(stage.weather.log), stage.restarts
        told.deaths = [place for _, place in stage.ends if place]
        told.transactions = len(stage.rows("select 1 from transactions"))
        (folder / "faults.json").write_text(json.dumps(stage.weather.log, indent=0))
    told.seconds = round(time.monotonic() - begun, 1)
    (folder / "told.json").write_text(json.dumps(asdict(told), indent=1))
    return told


if __name__ == "__main__":
    where = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(tempfile.mkdtemp(prefix="chaos-"))
    where.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(json.dumps(asdict(play(int(sys.argv[1]), where, sys.argv[2] or None)), indent=1) + "\n")
