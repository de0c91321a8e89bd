"""Forecasters scored out of sample, a calibration that is tuned on other files, and how long a loan at 1.05 has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from keeper.core.prices import Doubt
from keeper.core.risk.forecast import FORECASTERS
from keeper.core.risk.series import YEAR_S, Bar, of_bars

DAY_S, EVERY_H = 86_400, 12
SCALES = (0.8, 1.0, 1.2, 1.5)
BEGIN, END = 1.05, 1.00


def realised_ahead(given: Sequence[Bar], i: int) -> float | None:
    """The variance of a year that the day after bar ``i`` really had; None where the file ends before."""
    day = [b for b in given[i : i + 1 + DAY_S // given[i].seconds] if b.at < given[i].at + given[i].seconds + DAY_S]
    if len(day) * given[i].seconds < DAY_S:
        return None
    return sum(math.log(b.close / a.close) ** 2 for a, b in pairwise(day)) * YEAR_S / DAY_S


def forecasters(files: Mapping[str, Sequence[Bar]]) -> Iterator[str]:
    """Yield each forecaster's score on every file: QLIKE of the day that followed, from nothing later."""
    yield "## Forecasters, out of sample\n"
    yield (
        "Every twelve hours each forecaster says how much ether will move in the next day, from what was known then. The "
        "score is QLIKE (Patton 2011), log σ² + r²/σ², less that of the truth: smaller is better, and a forecast too low "
        "costs more than one too high. Only times at which all four answer are counted.\n"
    )
    yield "| file | times | " + " | ".join(FORECASTERS) + " |"
    yield "|---" * (2 + len(FORECASTERS)) + "|"
    for name, given in files.items():
        history, scores = of_bars(given), {key: list[float]() for key in FORECASTERS}
        for i in range(0, len(given), EVERY_H * 3600 // given[0].seconds):
            truth, now = realised_ahead(given, i), given[i].at + given[i].seconds
            if not truth:
                continue
            known = history.until(now)
            said = {key: of(known, now, DAY_S, 2 * given[0].seconds) for key, of in FORECASTERS.items()}
            if any(isinstance(s, Doubt) for s in said.values()):
                continue
            for key, s in said.items():
                ratio = truth / float(s) ** 2  # type: ignore[arg-type]
                scores[key].append(ratio - math.log(ratio) - 1)
        count = len(scores["usual"])
        means = {key: sum(of) / count for key, of in scores.items()} if count else {}
        best = min(means.values(), default=0.0)
        cells = (f"**{m:.3f}**" if m == best else f"{m:.3f}" for m in means.values())
        yield f"| {name} | {count} | {' | '.join(cells) if means else '– | ' * len(FORECASTERS)} |"
    yield "\nBold: the best of the file. None was chosen by these scores; QLIKE asks for the day's own variance, while `usual` errs towards caution on purpose.\n"


def tuned_elsewhere(
    found: Sequence[Any], files: Sequence[str], again: Callable[[float], Sequence[Any]]
) -> Iterator[str]:
    """Yield what calibration comes to where volatility is scaled by what fits the other files best."""
    yield "### Tuned on the other files\n"
    yield (
        "The figures above rest on constants (half-life of a day, how restless volatility is) that were chosen with these "
        "files at hand. So each file is also scored with its volatility multiplied by what gave the best Brier score on "
        "the *others*: where that is far better than the shipped figure, the shipped one was tuned badly; where it is "
        "worse, fitting to two crashes does not carry over to a third.\n"
    )
    yield "| held out | multiplier of the others | Brier with it | shipped | mean alone |"
    yield "|---|---|---|---|---|"
    for name in files:
        brier = {scale: sum((f.probability - f.came) ** 2 for f in again(scale) if f.file != name) for scale in SCALES}
        scale = min(brier, key=lambda s: brier[s])
        here = [f for f in again(scale) if f.file == name]
        shipped = [f for f in found if f.file == name]
        rate = sum(f.came for f in shipped) / max(1, len(shipped))
        scores = (sum((f.probability - f.came) ** 2 for f in of) / max(1, len(of)) for of in (here, shipped))
        yield f"| {name} | {scale} | {' | '.join(f'{s:.4f}' for s in scores)} | {rate * (1 - rate):.4f} |"
    yield ""


def time_left(files: Mapping[str, Sequence[Bar]]) -> Iterator[str]:
    """Yield how long it took from a health of 1.05 to 1: median, 10 % and 1 % of all hours from which it came to that."""
    yield "## From health 1.05 to 1.00\n"
    yield "From each hour of each file, as if a loan stood at 1.05 then: how long until a low liquidates it.\n"
    yield "| file | hours | came to it | median | 10 % within | 1 % within |"
    yield "|---|---|---|---|---|---|"
    for name, given in files.items():
        times = sorted(t for i in range(len(given)) if (t := _until(given, i)) is not None)
        marks = [_hours(times[int(len(times) * share)]) for share in (0.5, 0.1, 0.01)] if times else ["–"] * 3
        yield f"| {name} | {len(given)} | {len(times) / len(given):.0%} | {' | '.join(marks)} |"
    yield "\nWithin a bar nobody knows when: a time is that of the bar's end, at the most.\n"


def _until(given: Sequence[Bar], i: int) -> int | None:
    level = given[i].close * END / BEGIN
    begun = given[i].at + given[i].seconds
    return next((b.at + b.seconds - begun for b in given[i + 1 :] if b.low <= level), None)


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:.0f} h"
