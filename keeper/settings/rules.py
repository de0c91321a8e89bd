"""From a rule as written to a rule that can fire: trigger and target must differ, and in the right direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from keeper.core import rules
from keeper.core.actions import ALERT
from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.metrics import CLOSED, METRICS
from keeper.core.lending.rules import Rule
from keeper.core.rules import Limits
from keeper.core.units import USD, Bps, Usd, Wei, scaled
from keeper.settings.rule_keys import triggers_of
from keeper.settings.rule_schema import (
    LimitsTable,
    RestoreTable,
    RuleTable,
    measure_of,
)
from keeper.settings.rule_terms import (
    actions_of,
    bound_faults,
    misplaced_target,
    side_faults,
    target_of,
    trigger_of,
    unfit,
)
from keeper.venues.registry import Family, family_of

_GWEI = 10**9
LENDING_ACTIONS = frozenset((*ACTIONS, ALERT))


def kind_of(table: RuleTable, venues: Mapping[str, str]) -> str:
    """Return what a rule is about: ``lending``, ``perp`` or ``book``. ``venues`` by position."""
    if table.book is not None:
        return "book"
    return "perp" if family_of(venues.get(table.about, "")) is Family.PERP else "lending"


def misplaced(
    table: RuleTable, kind: str, measures: frozenset[str], actions: frozenset[str], words: str
) -> Iterator[str]:
    """Yield the measures and actions that are not for this kind of thing."""
    name = measure_of(table.when)
    if name not in measures:
        yield f"when.{name}: is not for {words}; here: {', '.join(sorted(measures))}"
    wrong = [a for a in table.actions if a not in actions]
    if wrong:
        yield f"actions: {', '.join(wrong)} is not for {words}; here: {', '.join(sorted(actions))}"
    if kind != "book":
        for key in ("min_trade", "min_margin_ratio", "funding_horizon"):
            if getattr(table, key) is not None:
                yield f"{key}: goes with a book's rule only"
    if table.rest and kind != "perp":
        yield "rest: goes with stop_loss or take_profit of a perpetual position"


def rule_faults(table: RuleTable) -> Iterator[str]:
    """Yield what contradicts itself in a rule about lending: the field, the fault and the remedy."""
    wrong = [*misplaced(table, "lending", frozenset(triggers_of(METRICS)), LENDING_ACTIONS, "a lending position")]
    restore = table.restore
    wrong += misplaced_target(restore, METRICS, "a lending position")
    if wrong:
        yield from wrong
        return
    faults = [
        *bound_faults(table.when, table.restore, METRICS),
        *unfit(table, METRICS),
        *_without_sense(table),
        *limit_faults(table.limits),
    ]
    yield from faults
    if not faults:
        yield from side_faults(trigger_of(table.when, METRICS), target_of(table.restore, METRICS, CLOSED))


def build_rule(table: RuleTable) -> Rule:
    """Return the rule of a table in which ``rule_faults`` finds nothing."""
    return rules.Rule(
        name=table.name,
        position=table.about,
        trigger=trigger_of(table.when, METRICS),
        target=target_of(table.restore, METRICS, CLOSED),
        actions=actions_of(table, ACTIONS),
        cooldown_s=table.pause_s,
        limits=limits_of(table.limits),
    )


def _without_sense(table: RuleTable) -> Iterator[str]:
    """Yield what the actions cannot do: there is one that lowers a health factor, and it does nothing else."""
    acts = actions_of(table, ACTIONS)
    others = [a.key for a in acts if not a.adds_leverage]
    above = measure_of(table.when) == "health_factor_above"
    to_health = isinstance(table.restore, RestoreTable) and table.restore.figure("health_factor") is not None
    if table.restore is None and acts:
        yield 'restore: is missing; say where to get to, like { health_factor = "1.60" }, or only alert'
    elif any(a.adds_leverage for a in acts) and (others or not above or not to_health):
        yield "actions: leverage_up stands alone, with when = { health_factor_above = … } and restore.health_factor"
    elif above and others:
        yield f"actions: {', '.join(others)} cannot lower a health factor; use leverage_up or alert"


def limit_faults(table: LimitsTable) -> Iterator[str]:
    """Yield limits that are none."""
    for name in ("max_spend_per_tx_usd", "max_spend_per_day_usd", "max_fee_gwei"):
        value = getattr(table, name)
        if value is not None and value <= 0:
            yield f"limits.{name}: {value} must be positive; leave the key out for no limit"


def limits_of(table: LimitsTable) -> Limits:
    """Return the limits in the core's units."""

    def dollars(value: Decimal | None) -> Usd | None:
        return None if value is None else Usd(scaled(value, USD))

    slippage = table.max_slippage_bps
    usual, worst = (slippage, None) if isinstance(slippage, int) else (slippage.usual, slippage.worst)
    return Limits(
        max_slippage=Bps(usual),
        worst_slippage=None if worst is None else Bps(worst),
        max_spend_per_tx=dollars(table.max_spend_per_tx_usd),
        max_spend_per_day=dollars(table.max_spend_per_day_usd),
        max_fee=None if table.max_fee_gwei is None else Wei(scaled(table.max_fee_gwei, _GWEI)),
    )
