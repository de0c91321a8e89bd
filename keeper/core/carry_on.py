"""Rules whose plan was cut short half way: how they fire until their targets are met. Pure."""

from __future__ import annotations

from dataclasses import replace

from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.perp.rules import MarginTarget, PerpMeasure, PerpRule
from keeper.core.rules import Rule
from keeper.core.units import WAD, mul_div_down

SHORT_OF_TARGET = 98
"""Percent of a target at which a plan counts as finished: interest and funding must not make another."""


def until_target(rule: Rule) -> Rule:
    """Return a rule that fires until its target is nearly met, where both are a health factor to be raised."""
    target, trigger = rule.target, rule.trigger
    if rule.is_boost or target is None or not target.metric is trigger.metric is HEALTH_FACTOR:
        return rule
    nearly = target.value * SHORT_OF_TARGET // 100
    return replace(rule, trigger=replace(trigger, bound=max(trigger.bound, nearly)))


def until_margin(rule: PerpRule) -> PerpRule:
    """Return a rule that fires until its target is nearly met, where that is a margin, and the trigger one or leverage.

    A stop is of a price: what it closed half of is closed on when the price is there again.
    """
    target, trigger = rule.target, rule.trigger
    if not isinstance(target, MarginTarget) or not target.ratio:
        return rule
    nearly = target.ratio * SHORT_OF_TARGET // 100
    if trigger.measure is PerpMeasure.MARGIN_RATIO:
        return replace(rule, trigger=replace(trigger, bound=max(trigger.bound, nearly)))
    if trigger.measure is PerpMeasure.LEVERAGE:
        return replace(rule, trigger=replace(trigger, bound=min(trigger.bound, mul_div_down(WAD, WAD, nearly))))
    return rule
