"""``make chaos SEEDS=200``: many runs, two at a time, told in a table; ``SEED=123`` plays one again."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

PLAY = Path(__file__).with_name("play.py")
LIMIT_S = 600
HEAD = f"{'seed':>6}  {'scenario':<16} {'faults':>6} {'starts':>6} {'txs':>4} {'outcome':<28} {'s':>6}  invariants"


def main() -> int:
    """Play, print, and say which seeds to look at; 1 when any invariant was violated."""
    asked = _arguments()
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    home, begun, played = Path(tempfile.mkdtemp(prefix="chaos-")), time.monotonic(), list[dict[str, Any]]()
    say(HEAD)
    for told in _played(list(seeds), asked.scenario, home, asked.workers):
        played.append(told)
        say(_line(told))
        if not told["violations"] and asked.seed is None:
            shutil.rmtree(told["folder"], ignore_errors=True)
    failing = sorted((t for t in played if t["violations"]), key=lambda t: t["seed"])
    _summary(played, failing, time.monotonic() - begun)
    return 1 if failing else 0


def say(line: str) -> None:
    """At once: one likes to see where it stands."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--scenario")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def _played(seeds: list[int], scenario: str | None, home: Path, workers: int) -> Iterator[dict[str, Any]]:
    with ThreadPoolExecutor(workers) as pool:
        runs = [pool.submit(_play, seed, scenario, home / str(seed)) for seed in seeds]
        yield from (run.result() for run in as_completed(runs))


def _play(seed: int, scenario: str | None, folder: Path) -> dict[str, Any]:
    """In a process of its own: a run that hangs or breaks is a violation, and ends nobody else's."""
    command = [sys.executable, str(PLAY), str(seed), scenario or "", str(folder)]
    failed = {"seed": seed, "scenario": scenario or "", "folder": str(folder), "faults": 0, "restarts": 0}
    failed |= {"transactions": 0, "outcome": "", "seconds": 0.0}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return failed | {"violations": [f"not over after {LIMIT_S} s"], "seconds": float(LIMIT_S)}
    try:
        told: dict[str, Any] = json.loads((folder / "told.json").read_text())
    except (OSError, ValueError):
        return failed | {"violations": [f"the run broke: {done.stderr.strip()[-300:]}"]}
    return told


def _line(told: dict[str, Any]) -> str:
    verdict = "ok" if not told["violations"] else told["violations"][0][:150]
    return (
        f"{told['seed']:>6}  {told['scenario']:<16} {told['faults']:>6} {told['restarts']:>6} "
        f"{told['transactions']:>4} "
        f"{told['outcome']:<28} {told['seconds']:>6}  {verdict}"
    )


def _summary(played: list[dict[str, Any]], failing: list[dict[str, Any]], seconds: float) -> None:
    say(f"\n{len(played)} runs in {seconds:.0f} s: {len(played) - len(failing)} ok, {len(failing)} with violations")
    outcomes = Counter(t["scenario"] for t in played)
    wrong = Counter(t["scenario"] for t in failing)
    say("  " + ", ".join(f"{name} {count - wrong[name]}/{count}" for name, count in sorted(outcomes.items())))
    for told in failing:
        say(f"\nseed {told['seed']} ({told['scenario']}), left in {told['folder']}:")
        for violation in told["violations"]:
            say(f"  - {violation}")
        say(f"  again: make chaos SEED={told['seed']}")


if __name__ == "__main__":
    sys.exit(main())
