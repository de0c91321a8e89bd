"""From a rule as written to a rule that can fire, whatever it is about; and what contradicts itself in one.

What differs by kind is a ``RuleForm``: its ``Kind``, and what the owner reads of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil
from typing import Any, Generic

from keeper.core.actions import ALERT
from keeper.core.lending.actions import ACTIONS as LENDING_ACTIONS
from keeper.core.metrics import P
from keeper.core.rules import NO_RATIO, WEEK_S, Kind, Limits, Rule
from keeper.core.units import USD, WAD, Bps, Usd, Wad, Wei, scaled
from keeper.settings.rule_keys import triggers_of
from keeper.settings.rule_schema import LimitsTable, PanicTable, RuleTable, measure_of
from keeper.settings.rule_terms import (
    actions_of,
    bound_faults,
    misplaced_target,
    side_faults,
    target_of,
    trigger_of,
    unfit,
)

_GWEI = 10**9
USUAL_COST = Bps(100)
"""What rearranging may cost of what it moves where the owner says nothing."""
REARRANGING = tuple(key for key, action in LENDING_ACTIONS.items() if action.reaches)
LEAST_RATIO = Decimal("0.15")
"""The margin ratio below which a book's own trades never take a hedge, where the owner says nothing."""


@dataclass(frozen=True, slots=True)
class RuleForm(Generic[P]):
    """How rules about one kind of thing are written."""

    kind: Kind[P, Any, Any]
    words: str
    """What they are about: ``a lending position``."""
    example: str
    """A target, for whoever wrote none."""
    own_keys: tuple[str, ...]
    """What only rules of this kind may say."""
    senseless: Callable[[RuleTable, str], Iterator[str]]
    """What contradicts itself in this kind alone, given the venue."""


def build_rule(table: RuleTable, kind: Kind[P, Any, Any]) -> Rule[P]:
    """Return the rule of a table in which ``rule_faults`` finds nothing."""
    trigger = trigger_of(table.when, kind.metrics)
    return Rule(
        name=table.name,
        position=table.about,
        trigger=trigger,
        target=target_of(table, trigger, kind),
        actions=actions_of(table, kind.actions),
        cooldown_s=table.pause_s,
        limits=limits_of(table),
        rests=table.rest,
        every_s=max(ceil(table.every or 0), trigger.bound if trigger.metric.paces else 0),
        into=table.into or (),
        horizon_s=ceil(table.funding_horizon) if table.funding_horizon else WEEK_S,
    )


def rule_faults(table: RuleTable, of: RuleForm[P], venue: str) -> Iterator[str]:
    """Yield what contradicts itself in a rule: the field, the fault and the remedy."""
    kind, restore = of.kind, table.restore
    if wrong := [*_misplaced(table, of), *misplaced_target(restore, kind, of.words)]:
        yield from wrong
        return
    faults = [
        *bound_faults(table.when, restore, kind.metrics),
        *unfit(table, kind.metrics),
        *_without_target(table, of),
        *of.senseless(table, venue),
        *limit_faults(table.limits),
    ]
    yield from faults
    if not faults:
        trigger = trigger_of(table.when, kind.metrics)
        # where it may fire at the most: there, too, it must rest once its target is met
        yield from side_faults(replace(trigger, bound=trigger.farthest), target_of(table, trigger, kind))


OWN_KEYS = {
    "min_trade": "goes with a book's rule only",
    "min_margin_ratio": "goes with a book's rule only",
    "funding_horizon": "goes with a book's rule only",
    "every": "goes with swap_collateral and swap_debt",
    "into": "goes with swap_collateral and swap_debt",
    "band": "goes with restore.collateral_share and restore.debt_share",
    "rest": "goes with stop_loss or take_profit of a perpetual position",
}
"""Keys that only some kind has, and with what they go."""


def _misplaced(table: RuleTable, of: RuleForm[P]) -> Iterator[str]:
    """Yield the measures, actions and keys that are not for this kind of thing."""
    measures, actions, name = triggers_of(of.kind.metrics), {*of.kind.actions, ALERT}, measure_of(table.when)
    if name not in measures:
        yield f"when.{name}: is not for {of.words}; here: {', '.join(sorted(measures))}"
    wrong = [a for a in table.actions if a not in actions]
    if wrong:
        yield f"actions: {', '.join(wrong)} is not for {of.words}; here: {', '.join(sorted(actions))}"
    for key, where in OWN_KEYS.items():
        if key not in of.own_keys and getattr(table, key) not in (None, False):
            yield f"{key}: {where}"


def _without_target(table: RuleTable, of: RuleForm[P]) -> Iterator[str]:
    if table.restore is None and table.acts:
        yield f"restore: is missing; say where to get to, like {of.example}, or only alert"


def limit_faults(table: LimitsTable) -> Iterator[str]:
    """Yield limits that are none."""
    for name in ("max_spend_per_tx_usd", "max_spend_per_day_usd", "max_fee_gwei"):
        value = getattr(table, name)
        if value is not None and value <= 0:
            yield f"limits.{name}: {value} must be positive; leave the key out for no limit"


def limits_of(of: RuleTable | PanicTable) -> Limits:
    """Return the limits in the core's units."""

    def dollars(value: Decimal | None) -> Usd | None:
        return None if value is None else Usd(scaled(value, USD))

    table = of.limits
    slippage = table.max_slippage_bps
    usual, worst = (slippage, None) if isinstance(slippage, int) else (slippage.usual, slippage.worst)
    return Limits(
        max_slippage=Bps(usual),
        worst_slippage=None if worst is None else Bps(worst),
        max_spend_per_tx=dollars(table.max_spend_per_tx_usd),
        max_spend_per_day=dollars(table.max_spend_per_day_usd),
        max_fee=None if table.max_fee_gwei is None else Wei(scaled(table.max_fee_gwei, _GWEI)),
        max_cost=_most_cost(of),
        least_margin_ratio=_least_ratio(of),
    )


def _most_cost(of: RuleTable | PanicTable) -> Bps | None:
    """Return what a rule that rearranges may cost; of others it is no bound."""
    given = of.limits.max_cost_bps
    return Bps(given) if given is not None else USUAL_COST if set(of.actions) & set(REARRANGING) else None


def least_ratio_of(table: RuleTable) -> Decimal:
    """Return the margin ratio below which a book's own trades never take a hedge."""
    return table.min_margin_ratio or LEAST_RATIO


def _least_ratio(of: RuleTable | PanicTable) -> Wad:
    if isinstance(of, PanicTable) or of.book is None:
        return NO_RATIO
    return Wad(scaled(least_ratio_of(of), WAD))
