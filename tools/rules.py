"""Write docs/rules.md from METRICS, the actions and VENUES: `python -m tools.rules`. A test keeps the two the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from keeper.core.actions import Action
from keeper.core.book.kind import BOOK
from keeper.core.family import Family
from keeper.core.lending.kind import LENDING
from keeper.core.metrics import Metric, P
from keeper.core.perp.kind import PERP
from keeper.core.rules import Kind
from keeper.core.scales import Beyond, Range, Unit, plain
from keeper.core.units import DAY_S, HOUR_S
from keeper.settings.rule_keys import either, targets_of, triggers_of, widening_forms
from keeper.venues.registry import VENUES
from tools import rule_examples

PAGE = Path(__file__).parents[1] / "docs" / "rules.md"
HEAD = """\
# What a rule may watch, and where it may get to

Written by `python -m tools.rules` from the metrics of each kind of position (`core/lending/metrics.py`,
`core/perp/metrics.py`, `core/book/metrics.py`), its actions and `VENUES`. The settings read the same metrics: a key
that is not here is refused, and so is a figure that makes no sense. How rules are written is in `keeper example`.
A rule for each trigger follows each table (`tools/rule_examples.py`); a test loads every one of them. Their figures
show the form. Which figures fit your position, `keeper init` proposes from its own prices.
"""
FIRES = {
    Beyond.BELOW: "below",
    Beyond.ABOVE: "above",
    Beyond.OUTSIDE: "farther from zero",
    Beyond.DOWN_TO: "at or below",
    Beyond.UP_TO: "at or above",
}
FIGURES = {
    Unit.RATIO: "a number",
    Unit.SHARE: 'a share: 20 % is "0.20"',
    Unit.RATE: 'a share a year: 4 % is "0.04"',
    Unit.DOLLARS: "dollars",
    Unit.SIZE: "whole units",
    Unit.SECONDS: 'a time, like "7d"',
}
BOUNDS = {Range.ANY: "", Range.POSITIVE: ", above 0", Range.SHARE: ", between 0 and 1", Range.ABOVE_ONE: ", above 1"}
BOUNDS[Range.PART] = ", from 0 to 1"


CLOSE = '`"close"` (repay every debt; collateral stays) or `"exit"` (that, and withdraw everything)'


def page() -> str:
    """Return the whole page."""
    lending = _kind(
        "Lending positions",
        LENDING,
        '`"close"` (repay every debt; collateral stays) or `"exit"` (that, and withdraw everything)',
        Family.LENDING,
    )
    perp = _kind("Perpetual positions", PERP, '`"close"` (no size is left)', Family.PERP)
    examples = [_examples(of) for of in (rule_examples.LENDING, rule_examples.PERP, rule_examples.BOOKS)]
    parts = [*lending, *examples[0], *perp, *examples[1], *_kind("Books", BOOK), *examples[2]]
    return "\n".join([HEAD, *parts]).rstrip() + "\n"


def _examples(of: Mapping[str, str]) -> Iterator[str]:
    yield "### A rule for each trigger\n" if len(of) > 1 else "### A rule\n"
    for key, rule in of.items():
        yield f"`{key}`:\n\n```toml\n{rule}\n```\n"


def _kind(title: str, kind: Kind[P, Any, Any], close: str | None = None, family: Family | None = None) -> Iterator[str]:
    metrics, venues = kind.metrics, [f"`{venue.key}`" for venue in VENUES.values() if venue.family is family]
    yield f"## {title}\n"
    if venues:
        yield f"Venues: {', '.join(venues)}.\n"
    yield "| `when` | fires | figure | beside it | actions, besides `alert` | what it is |\n|---|---|---|---|---|---|"
    for key, (metric, side) in triggers_of(metrics).items():
        only = "any" if metric.actions is None else ", ".join(f"`{a}`" for a in metric.actions) or "–"
        figure = f"{FIGURES[metric.unit]}{BOUNDS[metric.valid]}"
        yield f"| `{key}` | {_fires(metric, side)} | {figure} | {_beside(metric) or '–'} | {only} | {metric.summary} |"
    goals = [f"`{key}` ({FIGURES[m.unit]}{_within(m)})" for key, m in targets_of(metrics).items()]
    yield f"\n`restore` is {either([*goals, close] if close else goals)}.\n"
    still = [f"`{key}`" for key, (metric, _) in triggers_of(metrics).items() if metric.at_target is None]
    yield from _actions(kind.actions.values())
    if still:
        yield f"Nothing that a rule does moves {either(still)}: such a rule rests once its target is met.\n"


def _within(metric: Metric[P]) -> str:
    return f", inside the `{metric.bound_key}`" if metric.bound_key else BOUNDS[metric.valid_target]


def _actions(of: Iterable[Action]) -> Iterator[str]:
    yield "| `actions` | what it does | trades | a guardian may |\n|---|---|---|---|"
    for a in of:
        yield f"| `{a.key}` | {a.summary} | {_yes(a.trades)} | {_yes(a.by_anybody)} |"
    yield "| `alert` | Reports only; such a rule needs no target. | no | yes |\n"


def _fires(metric: Metric[P], side: Beyond) -> str:
    return f"{FIRES[side]}, for a short {FIRES[side.mirrored]}" if metric.is_turned else FIRES[side]


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _beside(metric: Metric[P]) -> str:
    named = f"`{metric.named}`" if metric.named else ""
    if metric.bound_key:
        widens = f", which may widen: `{widening_forms(metric)[0]}`" if metric.volatility else ""
        return f"in a table: {named}, and the figure as `{metric.bound_key}`{widens}"
    window = f'`window` (usually "{_period(metric.window_s)}")' if metric.window_s else ""
    fall = f'`fall` (usually "{plain(metric.fall)}")' if metric.fall else ""
    table = "as a table: `{{ {} = …, {} = … }}`".format(*metric.parts) if metric.parts else ""
    if metric.volatility:
        table = f"as a table that widens: {either(f'`{form}`' for form in widening_forms(metric))}"
    return ", ".join(x for x in (named, window, fall, table) if x)


def _period(seconds: int) -> str:
    return f"{seconds // DAY_S}d" if not seconds % DAY_S else f"{seconds // HOUR_S}h"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
