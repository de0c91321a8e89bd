"""[[panic]]: what ``keeper panic`` does to a position, declared while its owner is calm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from keeper.core.family import Family
from keeper.core.lending.kind import LENDING
from keeper.core.metrics import P, Subject, Target
from keeper.core.panics import ordered_rule
from keeper.core.perp.kind import PERP
from keeper.core.rules import Kind, Rule
from keeper.settings.rule_schema import PanicTable
from keeper.settings.rule_terms import actions_of, misplaced_target, target_in
from keeper.settings.rules import limit_faults, limits_of
from keeper.venues.registry import family_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def kind_of(table: PanicTable, venues: Mapping[str, str]) -> Family:
    """Return what the position is. ``venues`` by position."""
    return Family.PERP if family_of(venues.get(table.position, "")) is Family.PERP else Family.LENDING


def build_panic(table: PanicTable, kind: Kind[P, Any, Any]) -> Rule[P]:
    """Return the rule of a table in which ``panic_faults`` finds nothing."""
    actions = actions_of(table, kind.actions)
    return ordered_rule(table.position, _target(table, kind), actions, limits_of(table))


def panic_faults(listed: Sequence[PanicTable], venues: Mapping[str, str]) -> Iterator[str]:
    """Yield what contradicts itself: the place, the fault and the remedy."""
    for i, table in enumerate(listed):
        where = f"panic[{i}] (of {table.position!r})"
        if table.position not in venues:
            yield f"{where}: position: there is no such position; known: {', '.join(venues) or 'none'}"
        elif any(other.position == table.position for other in listed[:i]):
            yield f"{where}: position: is declared twice; one way out is enough"
        elif kind_of(table, venues) is Family.PERP:
            yield from (f"{where}: {fault}" for fault in _faults(table, PERP, "a perpetual position"))
        else:
            yield from (f"{where}: {fault}" for fault in _faults(table, LENDING, "a lending position"))


def _faults(table: PanicTable, kind: Kind[P, Any, Any], words: str) -> Iterator[str]:
    yield from misplaced_target(table.restore, kind, words)
    fit = [key for key, action in kind.actions.items() if not (action.adds_leverage or action.reaches)]
    wrong = [a for a in table.actions if a not in fit]
    if wrong:
        yield f"actions: {', '.join(wrong)} brings {words} out of nothing; here: {', '.join(fit)}"
    elif not isinstance(table.restore, str) and not list(misplaced_target(table.restore, kind, words)):
        key, value = target_in(table.restore)
        metric = kind.metrics[key]
        if metric.band:
            yield f"restore.{key}: is no way out of danger; name another target"
        elif not metric.valid_target.allows(value) or not metric.unit.of(value):
            yield f"restore.{key}: {value} {metric.valid_target.value}"
    yield from limit_faults(table.limits)


def _target(table: PanicTable, kind: Kind[P, Any, Any]) -> Target[P]:
    if isinstance(table.restore, str):
        found = kind.exited if table.restore == "exit" else kind.closed and kind.closed(None)
        assert found is not None  # noqa: S101 - checked by panic_faults
        return found
    key, value = target_in(table.restore)
    metric = kind.metrics[key]
    return Target(metric, metric.unit.of(value), Subject(window_s=metric.window_s))
