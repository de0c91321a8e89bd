"""The settings keys of triggers and targets: all of them come from the metrics of each kind of position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from keeper.core.book.metrics import METRICS as BOOK
from keeper.core.lending.metrics import METRICS as LENDING
from keeper.core.metrics import Metric, P
from keeper.core.perp.metrics import METRICS as PERP
from keeper.core.scales import Beyond, End

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


PERIODS = tuple(key for key, (metric, _) in triggers_of(LENDING).items() if metric.paces)
"""What ``when`` may name as a time."""
TABLES = tables_of(BOOK)
"""What ``when`` may name as a table."""


def goes_with(named: str) -> tuple[str, ...]:
    """Return the triggers that a key beside them (``asset``, ``market``, ``window``) goes with."""

    def keys(metrics: Metrics[P]) -> list[str]:
        found = triggers_of(metrics).items()
        return [key for key, (metric, _) in found if named in beside(metric)]

    return tuple(dict.fromkeys((*keys(LENDING), *keys(PERP), *keys(BOOK))))


def beside(metric: Metric[P]) -> tuple[str, ...]:
    """Return the keys that may stand beside a trigger."""
    named = (metric.named,) if metric.named and not metric.bound_key else ()
    window, fall = (("window",) if metric.window_s else ()), (("fall",) if metric.fall else ())
    widening = ("per_volatility", *(ENDS[end] for end in metric.widens)) if metric.volatility else ()
    return (*named, *window, *fall, *widening)


ENDS = {End.MAX: "most", End.MIN: "least"}
"""The keys that the end of a bound that widens stands for."""


def widening_forms(metric: Metric[P]) -> list[str]:
    """Return the tables that a bound which widens is written as."""
    return [f"{{ base = …, per_volatility = …, {end.value} = … }}" for end in metric.widens]


def _widening(key: str, table: Mapping[str, Any], metric: Metric[Any]) -> dict[str, Any]:
    """Return a bound that widens taken apart: the base is the bound itself. Raises ValueError."""
    end = next((end for end in metric.widens if end.value in table), metric.widens[0])
    if set(table) != {"base", "per_volatility", end.value}:
        words = ["base", "per_volatility", either(end.value for end in metric.widens)]
        raise ValueError(f"{key}: is a number, or a table of {', '.join(words)}")
    return {"base": table["base"], "per_volatility": table["per_volatility"], ENDS[end]: table[end.value]}


def _written_out(metrics: Metrics[P]) -> dict[str, Metric[Any]]:
    return {key: metric for key, (metric, _) in triggers_of(metrics).items()}


LOOKED_AT: Mapping[str, Metric[Any]] = _written_out(BOOK) | _written_out(PERP) | _written_out(LENDING)
"""Every trigger; of one that several kinds have any says how it is written."""


def beside_it(metric: Metric[Any]) -> str:
    """Return the key that stands for what a table says beside its bound."""
    return "window" if metric.window_s else "fall" if metric.fall else metric.named or ""


def taken_apart(when: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trigger with its table, where it has one, as a number and the key beside it. Raises ValueError."""
    found = dict(when)
    for key, metric in LOOKED_AT.items():
        table = when.get(key)
        if not isinstance(table, dict):
            continue
        if metric.bound_key is not None:
            band = table.get(metric.bound_key)
            if isinstance(band, dict) and metric.volatility is not None:
                apart = _widening(f"{key}.{metric.bound_key}", band, metric)
                found |= {key: dict(table) | {metric.bound_key: apart.pop("base")}} | apart
            continue
        if metric.volatility is not None:
            apart = _widening(key, table, metric)
            found |= {key: apart.pop("base")} | apart
        if metric.parts is None:
            continue
        (bound, more), (_, other) = metric.parts, (key, beside_it(metric))
        if set(table) - {bound, more} or bound not in table:
            raise ValueError(f"{key}: is a number, or a table of {bound} and {more}")
        if more in table and other in when:
            raise ValueError(f"{key}: names {more}, and `{other}` stands beside it; write one of them")
        found[key] = table[bound]
        if more in table:
            found[other] = table[more]
    return found
