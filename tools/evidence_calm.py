"""What settings cost in weeks without a crash: sales that nobody needed. Weeks are found in the files themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keeper.backtest.frontier import marks
from keeper.backtest.grid import Grid
from keeper.backtest.sweep import Sweep, cores, swept
from keeper.cli.backtest_document import document_of
from keeper.cli.backtest_given import Given
from keeper.core.risk.series import Bar
from keeper.core.units import DAY_S

WEEK_S, BEFORE_S = 7 * DAY_S, 4 * DAY_S
MOST_FALL = 0.10
"""A week in which no low is further below its first price is one without a crash."""
GRID = Grid(
    healths=tuple(f"{tenths / 10:.1f}" for tenths in range(11, 21)),
    triggers=("1.05", "1.25", "1.40"),
    targets=("1.6", "1.8"),
    probabilities=("0.01", "0.05"),
    widening=(("1.1", "0.1"),),
)
Weeks = Mapping[tuple[str, int], Sequence[dict[str, Any]]]
"""By file and begin: what came of every setting on every account."""


def calm_weeks(given: Sequence[Bar]) -> Iterator[int]:
    """Yield when weeks begin that fall by no more than a tenth, none over another, each with days before it."""
    at = given[0].at + BEFORE_S
    while at + WEEK_S <= given[-1].at + given[-1].seconds:
        week = [bar for bar in given if at <= bar.at < at + WEEK_S]
        if week and min(bar.low for bar in week) >= week[0].open * (1 - MOST_FALL):
            yield at
            at += WEEK_S
        else:
            at += DAY_S


def played(files: Sequence[Path], bars: Mapping[str, Sequence[Bar]], state: Path | None) -> Weeks:
    """Play every setting on every account through every such week; with a folder it goes on where it was."""
    found = dict[tuple[str, int], Sequence[dict[str, Any]]]()
    for file in files:
        for at in calm_weeks(bars[file.name]):
            since, until = str(at - BEFORE_S), str(at + WEEK_S)
            given = Given(prices=[f"WETH={file}"], since=since, until=until, warm_up=f"{BEFORE_S}s")
            document = document_of(given)
            rule = next(way for way in document["ways"] if way["name"] == "fixed thresholds")["rules"][0]
            kept = None if state is None else state / f"{file.stem}-{at}.jsonl"
            found[file.name, at] = swept(Sweep(document | {"ways": []}, GRID, rule), kept, cores())
    return found


def section(weeks: Weeks) -> Iterator[str]:
    """Yield the part of the page."""
    yield "### Weeks without a crash\n"
    if not weeks:
        yield "No file has a week that falls by less than a tenth, with four days before it: nothing is said here.\n"
        return
    yield (
        f"{len(weeks)} weeks of the same files in which no low is more than {MOST_FALL:.0%} below the first price, each "
        "with four days before it to measure by. What is sold in them, nobody needed where the account survives without "
        "a keeper; what is paid is what a setting costs while nothing happens.\n"
    )
    yield "| setting | survived | keeping, dollars a week | actions a week |"
    yield "|---|---|---|---|"
    for mark in marks([row for of in weeks.values() for row in of]):
        yield f"| {mark.setting} | {mark.survived:.0%} | ${mark.kept_usd:,.2f} | {mark.actions:.2f} |"
    yield ""
