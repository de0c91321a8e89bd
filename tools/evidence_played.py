"""Survival and cost on files of prices, by the back-test itself; and the same with each file held out in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keeper.backtest.frontier import Mark, frontier, marks
from keeper.backtest.grid import WIDEST, Grid
from keeper.backtest.sweep import Sweep, cores, swept
from keeper.cli.backtest_document import document_of
from keeper.cli.backtest_given import Given
from keeper.cli.charts import scatter
from keeper.observe.voice import silence

GRID = Grid(
    healths=tuple(f"{tenths / 10:.1f}" for tenths in range(11, 21)),
    triggers=tuple(f"{hundredths / 100:.2f}" for hundredths in range(105, 155, 5)),
    targets=("1.3", "1.6", "1.8"),
    probabilities=("0.001", "0.01", "0.05"),
    widening=(("1.1", "0.1"), ("1.2", "0.1")),
)
NOBODY, ADAPTIVE = "no keeper", ("adaptive", "widening")
Rows = Mapping[str, Sequence[dict[str, Any]]]
"""By file: what came of every setting on every account."""


def given(file: Path) -> Given:
    """The back-test's own defaults."""
    return Given(prices=[f"WETH={file}"])


def played(files: Sequence[Path], state: Path | None) -> Rows:
    """Play every setting on every account of every file; with a folder it goes on where it was."""
    silence()
    found = dict[str, Sequence[dict[str, Any]]]()
    for file in files:
        document = document_of(given(file))
        rule = next(way for way in document["ways"] if way["name"] == "fixed thresholds")["rules"][0]
        sweep = Sweep(document | {"ways": []}, GRID, rule)
        found[file.name] = swept(sweep, None if state is None else state / f"{file.stem}.jsonl", cores())
    return found


def section(rows: Rows) -> Iterator[str]:
    """Yield the part of the page: every setting, what none beats, and what holding files out shows."""
    every = {name: {m.setting: m for m in marks(of)} for name, of in rows.items()}
    whole = marks([row for of in rows.values() for row in of])
    yield "## Survival and cost\n"
    yield (
        f"The back-test plays 100 ether against dollars from healths {', '.join(GRID.healths)} through each file, by "
        "every setting: fixed thresholds act at the first health and restore the second; adaptive ones act at a "
        "probability of liquidation within a day and restore the second; widening ones act at a health that grows with "
        f"volatility (so much for each 100 % a year, up to {WIDEST}). Both orders inside each bar are played, the worse "
        "counts. Dollars are means over the accounts. Inside a bar the price moves in a straight line and the "
        "oracle answers every half percent: a true gap would leave no setting any time. Pictures: "
        + ", ".join(f"[{Path(name).stem}](evidence/{Path(name).stem}.svg)" for name in rows)
        + ".\n"
    )
    if all(r["survived"] for of in rows.values() for r in of if r["setting"] != NOBODY):
        yield "Every setting survives everywhere, so each picture is one row of points: what differs is the cost.\n"
    yield (
        "| setting | " + " | ".join(f"{Path(n).stem}: survived, keeping" for n in every) + " | lost in all | actions |"
    )
    yield "|---" * (3 + len(every)) + "|"
    best = {m.setting for m in frontier(whole)}
    for mark in whole:
        each = " | ".join(
            f"{of[mark.setting].survived:.0%}, ${of[mark.setting].kept_usd:,.0f}" for of in every.values()
        )
        name = f"**{mark.setting}**" if mark.setting in best else mark.setting
        yield f"| {name} | {each} | ${mark.lost_usd:,.0f} | {mark.actions:.1f} |"
    yield "\nBold: no other survives as often for less, over all files.\n"
    yield from _verdict(rows, whole)
    yield from _held_out(rows)


def _verdict(rows: Rows, whole: Sequence[Mark]) -> Iterator[str]:
    """Say whether adaptive survives wherever fixed does, and costs less at equal survival."""
    fixed, adaptive = _of(whole, "fixed"), _of(whole, ADAPTIVE)
    worse = [a for a in adaptive for f in fixed if _survivors(rows, f.setting) - _survivors(rows, a.setting)]
    cheapest, ours = min(fixed, key=lambda m: m.kept_usd), min(adaptive, key=lambda m: m.kept_usd)
    dearer = [m for m in fixed if m.survived <= ours.survived and m.kept_usd > ours.kept_usd]
    yield (
        "Adaptive settings survive wherever a fixed one does."
        if not worse
        else f"**Adaptive settings do not survive wherever a fixed one does**: {', '.join({a.setting for a in worse})}."
    )
    if ours.kept_usd < cheapest.kept_usd:
        yield f"`{ours.setting}` costs less than every fixed one: ${ours.kept_usd:,.0f} against ${cheapest.kept_usd:,.0f}.\n"
        return
    yield (
        f"**They do not cost less than the best fixed one**: `{ours.setting}` costs ${ours.kept_usd:,.0f} where "
        f"`{cheapest.setting}` costs ${cheapest.kept_usd:,.0f} at the same survival; {len(dearer)} of {len(fixed)} fixed "
        "settings cost more. Of what they cost:\n"
    )
    yield "| setting | actions | gas | what sales brought less than the oracle's price |"
    yield "|---|---|---|---|"
    for mark in (cheapest, ours, *(m for m in adaptive if m is not ours)):
        gas = _mean(rows, mark.setting, "gas_usd")
        yield f"| `{mark.setting}` | {mark.actions:.1f} | ${gas:,.0f} | ${mark.kept_usd - gas:,.0f} |"
    yield (
        "\nWhat these files show of why: in each of them ether lost half and more, so that every account had to be sold "
        "down in the end, and all that a rule can save is in how it sells. A sale costs its gas whatever its size, loses "
        "what the pool is ahead of the oracle in that minute, and moves the pool by its square: what begins early and goes "
        "far costs least here, and a threshold that is always high does that in a crash, whatever it rests on. Rules on "
        "the probability often sell in the middle of a fall, once volatility has been measured anew. Where their goal is "
        "near they sell often, and pay gas; where it is far they sell much at once. What a high threshold costs while "
        "nothing happens is below, in weeks without a crash. One thing is modelled too kindly for all settings alike: the "
        "rounds of one rescue each meet a pool that is whole again.\n"
    )
    yield from _by_goal(fixed, adaptive)


def _by_goal(fixed: Sequence[Mark], adaptive: Sequence[Mark]) -> Iterator[str]:
    """Yield both kinds goal by goal: how far a rescue goes says more of its cost than what fires it."""
    yield "Goal by goal, for how far a rescue goes says more of its cost than what fires it:\n"
    yield "| goal | cheapest fixed | keeping | dearest fixed | keeping | cheapest adaptive | keeping |"
    yield "|---|---|---|---|---|---|---|"
    for goal in GRID.targets:
        found = [m for m in fixed if m.setting.endswith(f":{goal}")]
        ours = [m for m in adaptive if m.setting.endswith(f":{goal}")]
        least, most = (pick(found, key=lambda m: m.kept_usd) for pick in (min, max))
        cells = [f"`{m.setting}` | ${m.kept_usd:,.0f}" for m in (least, most)]
        cells += [f"`{m.setting}` | ${m.kept_usd:,.0f}" for m in sorted(ours, key=lambda m: m.kept_usd)[:1]] or [
            "– | –"
        ]
        yield f"| {goal} | {' | '.join(cells)} |"
    yield ""


def _mean(rows: Rows, setting: str, key: str) -> float:
    found = [float(r[key]) for of in rows.values() for r in of if r["setting"] == setting]
    return sum(found) / max(1, len(found))


def _survivors(rows: Rows, setting: str) -> set[tuple[str, str]]:
    return {(file, r["health"]) for file, of in rows.items() for r in of if r["setting"] == setting and r["survived"]}


def _of(whole: Sequence[Mark], kind: str | tuple[str, ...]) -> list[Mark]:
    return [m for m in whole if m.setting.startswith(kind)]


def _held_out(rows: Rows) -> Iterator[str]:
    """Choose on all other files, score on the one that was held out."""
    yield "### Chosen without the file it is scored on\n"
    yield "For each file the setting that survives most often on the *others*, and of those the cheapest, is scored on it.\n"
    yield "| held out | best fixed of the others | survived | keeping | best adaptive of the others | survived | keeping |"
    yield "|---|---|---|---|---|---|---|"
    for name in rows:
        others = marks([row for other, of in rows.items() if other != name for row in of])
        here = {m.setting: m for m in marks(rows[name])}
        cells = list[str]()
        for kind in ("fixed", ADAPTIVE):
            chosen = here[min(_of(others, kind), key=lambda m: (-m.survived, m.kept_usd)).setting]
            cells += [f"`{chosen.setting}`", f"{chosen.survived:.0%}", f"${chosen.kept_usd:,.0f}"]
        yield f"| {Path(name).stem} | {' | '.join(cells)} |"
    yield ""


def pictures(rows: Rows, folder: Path) -> None:
    """Write the frontier of each file: cost against survival."""
    folder.mkdir(exist_ok=True)
    for name, of in rows.items():
        found = [m for m in marks(of) if m.setting != NOBODY]
        best = frontier(found)
        points = [(m.setting, m.kept_usd, m.survived * 100, m in best) for m in found]
        svg(folder / f"{Path(name).stem}.svg", scatter(points, "dollars for keeping", "% survived", name))


def svg(file: Path, figure: str) -> None:
    """Write the picture of a figure as a file of its own, its caption within it."""
    text = figure[figure.index("<svg") : figure.index("</svg>")]
    caption = text.split('aria-label="', 1)[1].split('"', 1)[0]
    text = text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    file.write_text(f'{text}<text x="90" y="12" font-size="11">{caption}</text></svg>\n', encoding="utf-8")
