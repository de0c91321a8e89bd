"""From a rule as written to a rule that can fire: trigger and target must differ, and in the right direction."""

from __future__ import annotations

from decimal import Decimal

from keeper.core.rules import (
    Action,
    CloseTarget,
    HealthFactorTarget,
    Limits,
    LtvTarget,
    Measure,
    Rule,
    Target,
    Trigger,
)
from keeper.core.units import USD, WAD, Bps, Usd, Wad, Wei, scaled
from keeper.settings.schema import MEASURES, LimitsTable, RestoreTable, RuleTable, WhenTable

_GWEI = 10**9


class RuleFaultError(ValueError):
    """A rule that contradicts itself."""


def build_rule(table: RuleTable) -> Rule:
    """Return the rule of a table. Raises RuleFaultError naming the field and the remedy."""
    trigger, target = _trigger(table.when), _target(table.restore)
    acting = [a for a in table.actions if a is not Action.ALERT]
    if acting and target is None:
        raise RuleFaultError('restore: is missing; say where to get to, like { health_factor = "1.60" }, or only alert')
    _check_bounds(table.when, table.restore)
    _check_direction(trigger, target, table)
    return Rule(
        name=table.name,
        position=table.position,
        trigger=trigger,
        target=target,
        actions=tuple(dict.fromkeys(table.actions)),
        cooldown_s=int(table.cooldown),
        limits=_limits(table.limits),
    )


def _trigger(when: WhenTable) -> Trigger:
    name = next(m for m in MEASURES if getattr(when, m) is not None)
    measure, _, side = name.rpartition("_")
    scale = USD if measure == "price" else WAD
    return Trigger(Measure(measure), side == "below", scaled(getattr(when, name), scale), when.asset)


def _target(restore: RestoreTable | str | None) -> Target | None:
    if restore is None:
        return None
    if isinstance(restore, str):
        return CloseTarget()
    if restore.health_factor is not None:
        return HealthFactorTarget(Wad(scaled(restore.health_factor, WAD)))
    assert restore.ltv is not None  # noqa: S101 - RestoreTable has exactly one
    return LtvTarget(Wad(scaled(restore.ltv, WAD)))


def _check_bounds(when: WhenTable, restore: RestoreTable | str | None) -> None:
    for name in ("ltv_above", "liquidation_distance_below"):
        value: Decimal | None = getattr(when, name)
        if value is not None and not 0 < value < 1:
            raise RuleFaultError(f'when.{name}: {value} must lie between 0 and 1; write 20 % as "0.20"')
    for name in ("health_factor_below", "health_factor_above", "price_below", "price_above"):
        value = getattr(when, name)
        if value is not None and value <= 0:
            raise RuleFaultError(f"when.{name}: {value} must be positive")
    if isinstance(restore, RestoreTable):
        if restore.health_factor is not None and restore.health_factor <= 1:
            raise RuleFaultError(f"restore.health_factor: {restore.health_factor} must be above 1")
        if restore.ltv is not None and not 0 < restore.ltv < 1:
            raise RuleFaultError(f'restore.ltv: {restore.ltv} must lie between 0 and 1; write 50 % as "0.50"')


def _check_direction(trigger: Trigger, target: Target | None, table: RuleTable) -> None:
    boost = Action.LEVERAGE_UP in table.actions
    others = [a.value for a in table.actions if a not in (Action.LEVERAGE_UP, Action.ALERT)]
    raises = trigger.measure is Measure.HEALTH_FACTOR and not trigger.is_below
    if boost and (others or not raises or not isinstance(target, HealthFactorTarget)):
        raise RuleFaultError(
            "actions: leverage_up stands alone, with when = { health_factor_above = … } and restore.health_factor"
        )
    if raises and others:
        raise RuleFaultError(f"actions: {', '.join(others)} cannot lower a health factor; use leverage_up or alert")
    if not isinstance(target, HealthFactorTarget | LtvTarget):
        return
    wanted = table.restore.health_factor if isinstance(table.restore, RestoreTable) else None
    if isinstance(target, HealthFactorTarget) and trigger.measure is Measure.HEALTH_FACTOR:
        wrong = target.health_factor <= trigger.bound if trigger.is_below else target.health_factor >= trigger.bound
        if wrong:
            side = "above" if trigger.is_below else "below"
            raise RuleFaultError(
                f"restore.health_factor: {wanted} must lie {side} the trigger, or the rule never rests"
            )
    if isinstance(target, HealthFactorTarget) and trigger.measure is Measure.LIQUIDATION_DISTANCE:
        least = WAD * WAD // (WAD - trigger.bound)
        if target.health_factor <= least:
            raise RuleFaultError(
                f"restore.health_factor: {wanted} leaves the distance below the trigger; "
                f"write more than {Decimal(least) / WAD:.4f}"
            )
    if isinstance(target, LtvTarget) and trigger.measure is Measure.LTV and target.ltv >= trigger.bound:
        raise RuleFaultError("restore.ltv: must lie below the trigger, or the rule never rests")


def _limits(table: LimitsTable) -> Limits:
    for name in ("max_spend_per_tx_usd", "max_spend_per_day_usd", "max_fee_gwei"):
        value = getattr(table, name)
        if value is not None and value <= 0:
            raise RuleFaultError(f"limits.{name}: {value} must be positive; leave the key out for no limit")

    def dollars(value: Decimal | None) -> Usd | None:
        return None if value is None else Usd(scaled(value, USD))

    return Limits(
        max_slippage=Bps(table.max_slippage_bps),
        max_spend_per_tx=dollars(table.max_spend_per_tx_usd),
        max_spend_per_day=dollars(table.max_spend_per_day_usd),
        max_fee=None if table.max_fee_gwei is None else Wei(scaled(table.max_fee_gwei, _GWEI)),
    )
