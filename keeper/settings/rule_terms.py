"""From what is written of a rule to its trigger and its target, and what contradicts itself in them.

Keys, units, bounds and remedies all come from the metrics of its kind: nothing here knows one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import ceil
from typing import Any, TypeVar

from keeper.core.actions import ALERT, Action
from keeper.core.metrics import Metric, P, Subject, Target, Trigger, Widening
from keeper.core.rules import Kind
from keeper.core.scales import Beyond, End, Range, Unit
from keeper.core.units import decimal_of, largest, smallest
from keeper.settings.rule_keys import TARGETS, Metrics, either, targets_of, triggers_of
from keeper.settings.rule_schema import PanicTable, RestoreTable, RuleTable, WhenTable, measure_of

A = TypeVar("A", bound=Action)
STEP = 10**4
"""Parts of one that a better figure is proposed in."""
MOST = 10**7
TENTH = 10
"""A trade is a tenth of the band at least, where the owner says nothing."""
UPPER = ("market", "underlying")
"""What is named by a symbol of a perpetual market, which has no letter case."""
INSIDE = {Beyond.ABOVE: "below the trigger", Beyond.BELOW: "above the trigger"}


def trigger_of(when: WhenTable, metrics: Metrics[P]) -> Trigger[P]:
    """Return a rule's trigger. KeyError for one of another kind."""
    key = measure_of(when)
    metric, side = triggers_of(metrics)[key]
    bound, beside = when.written(key)
    named = beside or (getattr(when, metric.named, None) if metric.named else None)
    if named and metric.named in UPPER:
        named = named.upper()
    window = (ceil(when.window) if when.window else metric.window_s) if metric.window_s else 0
    fall = 0 if not metric.fall else metric.fall if when.fall is None else Unit.SHARE.of(when.fall)
    return Trigger(metric, side, metric.unit.of(bound), Subject(named, window, fall), _widening(when, metric))


def _widening(when: WhenTable, metric: Metric[P]) -> Widening | None:
    end = when.least if when.most is None else when.most
    if when.per_volatility is None or end is None:
        return None
    return Widening(metric.unit.of(when.per_volatility), metric.unit.of(end))


def target_of(table: RuleTable, trigger: Trigger[P], kind: Kind[P, Any, Any]) -> Target[P] | None:
    """Return a rule's target. KeyError for one of another kind.

    What looks over a time looks over the trigger's, where that has one: both then speak of the same.
    """
    if table.restore is None:
        return None
    if table.restore == "exit":
        return kind.exited
    if isinstance(table.restore, str):
        return kind.closed(trigger.of.symbol) if kind.closed else None
    key, value = target_in(table.restore)
    metric = kind.metrics[key]
    if metric.band:
        within = metric.unit.of(table.band) if table.band else metric.band
        return Target(metric, metric.unit.of(value), Subject(asset_of(table, trigger)), max(1, within))
    if metric.risk is not Beyond.OUTSIDE:
        is_over_time = metric.window_s or trigger.metric.looks_ahead
        window_s = (trigger.of.window_s or metric.window_s) if is_over_time else 0
        return Target(metric, metric.unit.of(value), Subject(window_s=window_s))
    unit = metric.unit
    usual = unit.of(min(when_bound(table) / TENTH, room_of(table, kind.metrics)))
    within = unit.of(table.min_trade) if table.min_trade else usual
    return Target(metric, unit.of(value), trigger.of, max(1, within))


def asset_of(table: RuleTable, trigger: Trigger[P]) -> str | None:
    """Return the asset a target is about: its own, or its trigger's where that is a share as well."""
    own = table.restore.asset if isinstance(table.restore, RestoreTable) else None
    return own or (trigger.of.symbol if trigger.metric.band else None)


def when_bound(table: RuleTable) -> Decimal:
    """Return the bound of a rule's trigger, as it is written."""
    return table.when.written(measure_of(table.when))[0]


def room_of(table: RuleTable, metrics: Metrics[P]) -> Decimal:
    """Return how far a target lies inside a band; nothing where the rule has no such target."""
    restore = table.restore
    if not isinstance(restore, RestoreTable) or metrics[target_in(restore)[0]].risk is not Beyond.OUTSIDE:
        return Decimal(0)
    return when_bound(table) - abs(target_in(restore)[1])


def actions_of(table: RuleTable | PanicTable, actions: Mapping[str, A]) -> tuple[A, ...]:
    """Return what a rule may do, in the owner's order; nothing where it only alerts."""
    return tuple(actions[key] for key in dict.fromkeys(table.actions) if key != ALERT)


def target_in(restore: RestoreTable) -> tuple[str, Decimal]:
    """Return the one target that a table names."""
    return next((k, value) for k in TARGETS if (value := getattr(restore, k)) is not None)


def bound_faults(when: WhenTable, restore: RestoreTable | str | None, metrics: Metrics[P]) -> Iterator[str]:
    """Yield figures that make no sense."""
    key = measure_of(when)
    metric, _ = triggers_of(metrics)[key]
    value, _ = when.written(key)
    field = f"when.{key}.{metric.bound_key}" if metric.bound_key else f"when.{key}"
    if not metric.valid.allows(value) or (metric.bound_key and not metric.unit.of(value)):
        yield f"{field}: {value} {metric.valid.value}"
    yield from _widening_faults(field, when, value, metric)
    if when.fall is not None and metric.fall and not Range.SHARE.allows(when.fall):
        yield f"when.fall: {when.fall} {Range.SHARE.value}"
    if isinstance(restore, RestoreTable):
        goal, value = target_in(restore)
        metric = targets_of(metrics)[goal]
        # a figure that rounds to nothing is nothing
        if not metric.valid_target.allows(value) or (metric.risk is not Beyond.OUTSIDE and not metric.unit.of(value)):
            yield f"restore.{goal}: {value} {metric.valid_target.value}"


def _widening_faults(field: str, when: WhenTable, base: Decimal, metric: Metric[Any]) -> Iterator[str]:
    """Yield what is wrong with a bound that widens: it has an end beyond its base, and that makes sense as a bound."""
    end, word = (when.least, End.MIN.value) if when.most is None else (when.most, End.MAX.value)
    if when.per_volatility is None or end is None:
        return
    if when.per_volatility <= 0:
        yield f"{field}.per_volatility: {when.per_volatility} must be positive"
    if when.most is not None and end <= base:
        yield f"{field}.{word}: {end} must lie above base, {base}"
    elif when.least is not None and end >= base:
        yield f"{field}.{word}: {end} must lie below base, {base}"
    elif not metric.valid.allows(end):
        yield f"{field}.{word}: {end} {metric.valid.value}"


def misplaced_target(restore: RestoreTable | str | None, kind: Kind[P, Any, Any], words: str) -> Iterator[str]:
    """Yield that a target is not for this kind of thing."""
    known = targets_of(kind.metrics)
    words_known = {"close": kind.closed is not None, "exit": kind.exited is not None}
    is_known = words_known[restore] if isinstance(restore, str) else restore and target_in(restore)[0] in known
    if restore is None or is_known:
        return
    if kind.closed is None:
        yield f'restore: {words} is restored to a {either(known)}, like {{ {next(iter(known))} = "0" }}'
    else:
        also = '"close" or "exit"' if kind.exited else '"close"'
        yield f"restore: {words} is restored to {', '.join(known)} or {also}"


def unfit(table: RuleTable, metrics: Metrics[P]) -> Iterator[str]:
    """Yield actions that do nothing about what a rule watches."""
    metric, _ = triggers_of(metrics)[measure_of(table.when)]
    if metric.actions is None:
        return
    wrong = [a for a in table.actions if a not in (*metric.actions, ALERT)]
    if wrong:
        yield f"actions: {', '.join(wrong)} {metric.why_only}; use {' or '.join(metric.actions or (ALERT,))}"


def side_faults(trigger: Trigger[P], target: Target[P] | None) -> Iterator[str]:
    """Yield a target that would leave the rule still firing, where the two alone say."""
    if target is None or _rests(trigger, target):
        return
    if target.is_close:
        yield "restore: closing leaves the rule still firing; move the trigger"
        return
    key, value = target.metric.key, written(target.value, target.metric.unit)
    if target.metric is trigger.metric:
        bound = written(trigger.bound, trigger.metric.unit)
        where = INSIDE.get(trigger.side, f"inside the band of {bound}")
        yield f"restore.{key}: {value} must lie {where}, or the rule never rests"
        return
    remedy = better(trigger, target) or "move it away from the trigger"
    yield f"restore.{key}: {value} leaves the {trigger.metric.words} {trigger.side.value} the trigger; {remedy}"


def _rests(trigger: Trigger[P], target: Target[P]) -> bool:
    there = trigger.at(None, target)
    return there is None or trigger.rests_at(there)


def better(trigger: Trigger[P], target: Target[P]) -> str | None:
    """Return the figure nearest to what was written with which the rule would rest."""
    unit, step = target.metric.unit, target.metric.unit.one // STEP

    def rests(n: int) -> bool:
        return _rests(trigger, Target(target.metric, n * step, target.of))

    if target.metric.risk is Beyond.BELOW:
        found = smallest(1, MOST, rests)
        return None if found is None else f"write {written(found * step, unit)} or more"
    found = largest(1, MOST, rests)
    return None if found is None else f"write {written(found * step, unit)} or less"


def written(value: int, unit: Unit) -> str:
    """Return a figure as the owner would write it."""
    return decimal_of(value, unit.decimals).rstrip("0").rstrip(".")
