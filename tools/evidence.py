"""Write docs/evidence.md: `make evidence PRICES=folder`, files of bars. How often what was forecast came to pass.

And what came of every setting, by the back-test (``evidence_played``), with each file held out in turn; how forecasters
score; how long a loan at 1.05 has (``evidence_scores``). `--state FOLDER` keeps what was played, and goes on with it.

At each bar, from what was known then and nothing later, the keeper's own figures say how probable it is that a loan of
a given health is liquidated within a day; the bars of that day say whether it was. Windows overlap: counts are no
independent draws.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from keeper.cli.charts import lines
from keeper.core.prices import Doubt
from keeper.core.risk.files import price_file
from keeper.core.risk.market import Movement, Source, movement
from keeper.core.risk.series import Bar, of_bars
from keeper.core.risk.stance import Stance
from keeper.core.risk.stance import probability as chance
from tools import evidence_calm, evidence_played, evidence_scores

PAGE = Path(__file__).parents[1] / "docs" / "evidence.md"
HEALTHS = (1.03, 1.05, 1.08, 1.12, 1.17, 1.25, 1.35, 1.5, 2.0)
DAY_S = 86_400
EDGES = (0.0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.0)
HEAD = """\
# Evidence: what was forecast, and what came to pass

Written by `python -m tools.evidence` from price files that are not part of the project: {files}. At each hour, from
nothing that came later, the keeper says how probable it is that a loan of ether against dollars is liquidated within a
day (healths {healths}); the lows of that day say whether it was. `tests/core/risk/test_evidence.py` shifts the future
and sees no forecast change. Windows overlap, and every file is of a month with a crash: the counts say more of bad
months than of a usual one, and small forecasts come to pass more often here than they would in all months.
[The reliability curve](evidence/reliability.svg).
"""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One hour and one health: what was said, and what came."""

    file: str
    health: float
    probability: float
    came: bool


def forecasts(name: str, given: Sequence[Bar], scale: float = 1.0) -> Iterator[Forecast]:
    """Yield every hour's forecast whose day is known whole; hours of which too little was known have none."""
    for known, price, low in hours_known(name, tuple(given)):
        for health in HEALTHS:
            said = probability(known, health, scale)
            if not isinstance(said, Doubt):
                yield Forecast(name, health, said, low * health <= price)


@cache
def hours_known(name: str, given: tuple[Bar, ...]) -> tuple[tuple[Movement, int, int], ...]:
    """Return by hour what was known then, the price, and the low of the day that came; once for all scales."""
    return tuple(_hours_known(name, given))


def _hours_known(name: str, given: Sequence[Bar]) -> Iterator[tuple[Movement, int, int]]:
    history = of_bars(given)
    for i, bar in enumerate(given):
        now, price = bar.at + bar.seconds, bar.close
        day = [b for b in given[i + 1 : i + 2 + DAY_S // bar.seconds] if b.at < now + DAY_S]
        if len(day) * bar.seconds < DAY_S:
            continue  # the end of the file, or a gap in it
        known = movement(Source(history.until(now), 2 * bar.seconds, name), now)
        if not isinstance(known.volatility, Doubt):
            yield known, price, min(b.low for b in day)


def probability(known: Movement, health: float, scale: float = 1.0) -> float | Doubt:
    """Return what a rule on the probability within a day would measure, its volatility ``scale`` times as large."""
    assert isinstance(known.volatility, float)  # noqa: S101 - looked at by who asks
    size = known.volatility * scale
    of = Stance(math.log(health), -(size**2) / 2, size, 0.0, known.every_s, known.jumps, restless=known.restless)
    return chance(of, DAY_S)


def page(found: Sequence[Forecast]) -> str:
    """Return the page."""
    files = sorted({f.file for f in found})
    told = [HEAD.format(files=", ".join(f"`{f}`" for f in files), healths=", ".join(str(h) for h in HEALTHS))]
    told += ["## All files", *_table(found), ""]
    for file in files:
        told += [f"## {file}", *_table([f for f in found if f.file == file]), ""]
    told += ["## By health", *_by_health(found), ""]
    return "\n".join(told)


def _table(found: Sequence[Forecast]) -> Iterator[str]:
    yield "\n| forecast | count | mean forecast | came to pass |\n|---|---|---|---|"
    for low, high in pairwise(EDGES):
        inside = [f for f in found if low <= f.probability < high or (high == 1.0 and f.probability == 1.0)]
        if inside:
            said = sum(f.probability for f in inside) / len(inside)
            came = sum(f.came for f in inside) / len(inside)
            yield f"| {low:.1%} to {high:.1%} | {len(inside)} | {said:.2%} | {came:.2%} |"
    if found:
        brier = sum((f.probability - f.came) ** 2 for f in found) / len(found)
        rate = sum(f.came for f in found) / len(found)
        alone = f"a forecast of the mean alone, {rate:.2%}, would have {rate * (1 - rate):.4f}"
        yield f"\nBrier score {brier:.4f}; {alone}."


def _by_health(found: Sequence[Forecast]) -> Iterator[str]:
    yield "\n| health | count | mean forecast | came to pass |\n|---|---|---|---|"
    for health in HEALTHS:
        inside = [f for f in found if f.health == health]
        if inside:
            said = sum(f.probability for f in inside) / len(inside)
            yield f"| {health} | {len(inside)} | {said:.2%} | {sum(f.came for f in inside) / len(inside):.2%} |"


def reliability(found: Sequence[Forecast]) -> str:
    """Return the curve: what was forecast across, what came to pass up; even would be the diagonal."""
    points = list[tuple[float, float]]()
    for low, high in pairwise(EDGES):
        inside = [f for f in found if low <= f.probability < high]
        if inside:
            said, came = (sum(x) / len(inside) for x in zip(*((f.probability, f.came) for f in inside), strict=True))
            points.append((said, came))
    even = [(0.0, 0.0), (1.0, 1.0)]
    return lines([("came to pass", points), ("even", even)], "forecast", "Reliability", most=1.0)


def main(words: Sequence[str]) -> None:
    state = Path(words[words.index("--state") + 1]) if "--state" in words else None
    files = [Path(w) for w in words if w != "--state" and Path(w) != state]
    files = sorted(f for w in files for f in (w.glob("*.csv") if w.is_dir() else [w]))
    bars = {f.name: price_file(f.read_text(encoding="utf-8")).bars for f in files}
    known = dict[float, list[Forecast]]()

    def again(scale: float) -> list[Forecast]:
        if scale not in known:
            known[scale] = [f for name, of in bars.items() for f in forecasts(name, of, scale)]
        return known[scale]

    found, rows = again(1.0), evidence_played.played(files, state)
    folder = PAGE.parent / "evidence"
    evidence_played.pictures(rows, folder)
    evidence_played.svg(folder / "reliability.svg", reliability(found))
    parts = [page(found), *evidence_scores.tuned_elsewhere(found, list(bars), again), *evidence_played.section(rows)]
    parts += [*evidence_calm.section(evidence_calm.played(files, bars, state))]
    parts += [*evidence_scores.forecasters(bars), *evidence_scores.time_left(bars)]
    PAGE.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
