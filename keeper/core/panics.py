"""What an owner orders to be closed or deleveraged now: a rule that was declared beforehand, and is in force on order.

An order is kept in the journal, so that it outlives a restart, and one process may give it to another. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.core.actions import Action
from keeper.core.metrics import P, Target, Trigger
from keeper.core.rules import ORDERED, Limits, Rule
from keeper.core.scales import Beyond

MOST = 1000
"""Positions of one order."""


@dataclass(frozen=True, slots=True)
class Order:
    """Which positions were ordered to be closed or deleveraged, and when (seconds since 1970)."""

    positions: tuple[str, ...]
    since: int

    def without(self, done: Sequence[str]) -> Order:
        """Return the order but for what is done."""
        return Order(tuple(name for name in self.positions if name not in done), self.since)

    def also(self, names: Sequence[str], now: int) -> Order:
        """Return the order with more positions."""
        return Order(tuple(dict.fromkeys((*self.positions, *names)))[:MOST], now)


def ordered_rule(position: str, target: Target[P], actions: tuple[Action, ...], limits: Limits) -> Rule[P]:
    """Return the rule that brings a position to a target from wherever it stands, once, without a cooldown."""
    side = target.metric.risk or Beyond.ABOVE
    trigger = Trigger(target.metric, side, target.value, target.of)
    return Rule(ORDERED, position, trigger, target, actions, 0, limits)


def in_force(rules: Sequence[Rule[P]], declared: Sequence[Rule[P]], ordered: Sequence[str]) -> tuple[Rule[P], ...]:
    """Return the rules with those that were ordered before them all."""
    return (*(rule for rule in declared if rule.position in ordered), *(r for r in rules if not r.is_ordered))


def key_of(chain_id: int, network: str) -> str:
    """Return the name under which the order of one chain is kept."""
    return f"panic:{chain_id}:{network}"


def plain(order: Order) -> dict[str, Any] | None:
    """Return an order as JSON can hold it; None where nothing is left of it."""
    return {"positions": list(order.positions), "since": order.since} if order.positions else None


def from_plain(written: Any) -> Order:
    """Return the order that was written down; none where there is none, or it cannot be read: to sell needs a word."""
    try:
        return Order(tuple(str(name) for name in written["positions"]), int(written["since"]))
    except (TypeError, ValueError, KeyError):
        return Order((), 0)
