"""How rules about loans, perpetual positions and books are written, and what makes no sense in each alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from keeper.core.actions import Action
from keeper.core.book.actions import HEDGE
from keeper.core.book.kind import BOOK
from keeper.core.book.metrics import DELTA
from keeper.core.family import Family
from keeper.core.lending.kind import LENDING
from keeper.core.metrics import Metric
from keeper.core.perp.candidates import CLOSE
from keeper.core.perp.kind import PERP
from keeper.core.units import WAD
from keeper.settings.rule_keys import either, targets_of, triggers_of
from keeper.settings.rule_schema import RestoreTable, RuleTable, measure_of
from keeper.settings.rule_terms import actions_of, room_of, target_in, unfit, when_bound
from keeper.settings.rules import OWN_KEYS, RuleForm
from keeper.venues.registry import VENUES, family_of

LEAST_RATIO = Decimal("0.02")
"""A hedge nearer to liquidation than that is lost with the next move of the price."""


def family_about(table: RuleTable, venues: Mapping[str, str]) -> Family:
    """Return what a rule is about. ``venues`` by position."""
    if table.book is not None:
        return Family.BOOK
    return Family.PERP if family_of(venues.get(table.about, "")) is Family.PERP else Family.LENDING


def _of_a_loan(table: RuleTable, _: str) -> Iterator[str]:
    """Yield what actions cannot do: what adds leverage lowers a health factor, and does nothing else."""
    acts, (metric, side) = actions_of(table, LENDING.actions), triggers_of(LENDING.metrics)[measure_of(table.when)]
    if table.restore == "exit" and acts and not any(a.trades and a.closes for a in acts):
        yield 'restore: "exit" takes collateral out, which needs the action deleverage; add it, or write "close"'
        return
    others = [a.key for a in acts if not a.adds_leverage]
    adding = [a.key for a in acts if a.adds_leverage]
    is_safe_side = metric.risk is not None and side is not metric.risk
    goal = targets_of(LENDING.metrics)[target_in(table.restore)[0]] if isinstance(table.restore, RestoreTable) else None
    if table.restore is None and acts:
        return
    moving = [a for a in acts if a.reaches]
    if moving or (goal is not None and goal.band):
        yield from _rearranging(table, acts, metric, goal)
        return
    for key in ("every", "into", "band"):
        if getattr(table, key) is not None:
            yield f"{key}: {OWN_KEYS[key]}"
    if adding and (others or not is_safe_side or goal is not metric):
        key = metric.key if is_safe_side else "health_factor"
        yield (f"actions: {', '.join(adding)} stands alone, with when = {{ {key}_above = … }} and restore.{key}")
    elif is_safe_side and others:
        yield f"actions: {', '.join(others)} cannot lower a {metric.words}; use leverage_up or alert"


def _rearranging(
    table: RuleTable, acts: Sequence[Action], metric: Metric[Any], goal: Metric[Any] | None
) -> Iterator[str]:
    """Yield what does not go together in a rule that moves what is there into other assets."""
    reached = sorted({a.reaches for a in acts})
    if len(reached) != 1 or goal is None or goal.key != reached[0]:
        key = goal.key if goal is not None and goal.band else "collateral_share"
        action = next(a.key for a in LENDING.actions.values() if a.reaches == key)
        yield f'actions: {action} stands alone, with restore = {{ {key} = "0.5" }}'
        return
    if metric.at_target is not None and metric is not goal:
        yield f"when: {metric.words} is not moved by {acts[0].key}; use {goal.key}_above, every, or a price"
    own = table.restore.asset if isinstance(table.restore, RestoreTable) else None
    watched = table.when.asset if metric.band else None
    if own and watched and own.lower() != watched.lower():
        yield f"restore.asset: {own} is not {watched}, which the trigger names; leave it out"
    band = table.band if table.band is not None else decimal_of_share(goal.band)
    if not 0 < band < 1:
        yield f'band: {band} must lie between 0 and 1; write 2 % as "0.02"'
    elif metric is goal and isinstance(table.restore, RestoreTable):
        room = abs(when_bound(table) - target_in(table.restore)[1])
        if band >= room:
            yield f"band: {band} reaches to the trigger, {room} away; write less, or move the target"


def decimal_of_share(value: int) -> Decimal:
    """Return a share as the owner writes it."""
    return Decimal(value) / WAD


def _of_a_perpetual(table: RuleTable, venue: str) -> Iterator[str]:
    acts = actions_of(table, PERP.actions)
    is_closing, idle = table.restore == "close", [a.key for a in acts if not a.closes]
    if is_closing and idle and not list(unfit(table, PERP.metrics)):
        yield f"actions: {', '.join(idle)} closes nothing and stops no loss; use {either(_closing())}"
    metric, _ = triggers_of(PERP.metrics)[measure_of(table.when)]
    if not table.rest:
        return
    if not metric.can_rest:
        yield "rest: a resting order waits for a price: it goes with stop_loss or take_profit"
    elif not is_closing or CLOSE not in acts:
        yield 'rest: a resting order closes the position: it goes with restore = "close" and the action close'
    elif venue in VENUES and not VENUES[venue].keeps_orders:
        others = " or ".join(v.key for v in VENUES.values() if v.keeps_orders)
        yield f"rest: {venue} keeps no orders; leave it out, or use {others}"


def _closing() -> list[str]:
    return [key for key, action in PERP.actions.items() if action.closes]


def _of_a_book(table: RuleTable, _: str) -> Iterator[str]:
    metric = triggers_of(BOOK.metrics)[measure_of(table.when)][0]
    if metric is not DELTA:
        if table.restore is not None:
            yield f"restore: {metric.words} of a book is only alerted; leave it out, or write a rule on the delta"
        return
    room = room_of(table, BOOK.metrics)
    if table.min_trade is not None and room > 0 and not 0 < table.min_trade <= room:
        yield f"min_trade: {table.min_trade} must be positive, and at most the {room} from target to band"
    if (acts := actions_of(table, BOOK.actions)) and HEDGE not in acts:
        yield 'actions: add_margin and unwind go with "hedge"'
    if table.min_margin_ratio is not None and not LEAST_RATIO <= table.min_margin_ratio < 1:
        yield f'min_margin_ratio: must lie between {LEAST_RATIO} and 1; write 15 % as "0.15"'


FORMS: Mapping[Family, RuleForm[Any]] = {
    Family.LENDING: RuleForm(
        LENDING, "a lending position", '{ health_factor = "1.60" }', ("every", "into", "band"), _of_a_loan
    ),
    Family.PERP: RuleForm(
        PERP, "a perpetual position", '{ margin_ratio = "0.20" } or "close"', ("rest",), _of_a_perpetual
    ),
    Family.BOOK: RuleForm(
        BOOK, "a book", '{ delta = "0" }', ("min_trade", "min_margin_ratio", "funding_horizon"), _of_a_book
    ),
}
