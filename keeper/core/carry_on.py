"""Rules whose plan was cut short half way: how they fire until their targets are met. Pure."""

from __future__ import annotations

from dataclasses import replace

from keeper.core.metrics import P, Target, Trigger
from keeper.core.rules import Rule
from keeper.core.scales import Beyond

SHORT_OF_TARGET = 98
"""Percent of a target at which a plan counts as finished: interest and funding must not make another."""


def until_target(rule: Rule[P]) -> Rule[P]:
    """Return a rule that fires until its target is nearly met, where trigger and target alone say what that measures.

    A stop is of a price: what it closed half of is closed on when the price is there again.
    """
    return rule if rule.is_boost else replace(rule, trigger=carried_on(rule.trigger, rule.target))


def carried_on(trigger: Trigger[P], target: Target[P] | None) -> Trigger[P]:
    """Return a trigger that fires until a target is nearly met, where the two alone say what that measures."""
    if target is not None and trigger.side is Beyond.OUTSIDE:  # as near as is worth a trade, on either side
        return replace(trigger, bound=min(trigger.bound, abs(target.value) + target.within))
    if target is None or not target.value:
        return trigger
    there = trigger.at(None, target.eased(SHORT_OF_TARGET))
    if there is None:
        return trigger
    nearer = max(trigger.bound, there) if trigger.side is Beyond.BELOW else min(trigger.bound, there)
    return replace(trigger, bound=nearer)
