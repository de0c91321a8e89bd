"""The settings keys of triggers and targets: all of them come from the metrics of each kind of position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keeper.core.book.metrics import METRICS as BOOK
from keeper.core.lending.metrics import METRICS as LENDING
from keeper.core.metrics import Metric, P
from keeper.core.perp.metrics import METRICS as PERP
from keeper.core.scales import Beyond

Metrics = Mapping[str, Metric[P]]


def triggers_of(metrics: Metrics[P]) -> dict[str, tuple[Metric[P], Beyond]]:
    """Return by settings key what a rule may watch."""
    return {metric.key_of(side): (metric, side) for metric in metrics.values() for side in metric.sides}


def targets_of(metrics: Metrics[P]) -> dict[str, Metric[P]]:
    """Return by settings key where a rule may get to; a debt or a size is only ever closed."""
    return {key: metric for key, metric in metrics.items() if metric.risk is not None and metric.sides}


def either(words: Iterable[str]) -> str:
    """Return words as a choice: ``a, b or c``."""
    *before, last = words
    return f"{', '.join(before)} or {last}" if before else last


TRIGGERS = tuple(dict.fromkeys((*triggers_of(LENDING), *triggers_of(PERP), *triggers_of(BOOK))))
"""What ``when`` may name: a number each, or a table."""
TARGETS = tuple(dict.fromkeys((*targets_of(LENDING), *targets_of(PERP), *targets_of(BOOK))))
"""What ``restore`` may name, each a number."""


def tables_of(metrics: Metrics[P]) -> dict[str, tuple[str, str]]:
    """Return by settings key the triggers written as a table: the keys in it of what is meant, and of its bound."""
    found = triggers_of(metrics).items()
    return {key: (m.named, m.bound_key) for key, (m, _) in found if m.named and m.bound_key}


TABLES = tables_of(BOOK)
"""What ``when`` may name as a table."""


def goes_with(named: str) -> tuple[str, ...]:
    """Return the triggers that a key beside them (``asset``, ``market``, ``window``) goes with."""

    def keys(metrics: Metrics[P]) -> list[str]:
        found = triggers_of(metrics).items()
        return [key for key, (metric, _) in found if metric.named == named or (named == "window" and metric.window_s)]

    return tuple(dict.fromkeys((*keys(LENDING), *keys(PERP))))
