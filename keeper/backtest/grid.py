"""What a sweep varies: accounts to begin with, and settings: fixed thresholds, widening ones, probabilities. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Data = dict[str, Any]
Setting = tuple[str, Data | None, float | None]
"""Its name, its rule, and the health below which alone it fires, where there is one."""
USUAL_SMALLER = "5"
WIDEST = "1.55"
"""A threshold that widens with volatility goes no further: targets are above it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """What is varied: healths to begin with, thresholds and their targets, probabilities to act at and to get to."""

    healths: tuple[str, ...]
    triggers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    probabilities: tuple[str, ...] = ()
    smaller: tuple[str, ...] = (USUAL_SMALLER,)
    """How many times smaller a probability to get to is than the one to act at."""
    goals: tuple[str, ...] = ()
    """Healths that rules on a probability get to as well."""
    widening: tuple[tuple[str, str], ...] = ()
    """Thresholds that widen: at no volatility, and for each whole of it (100 % a year)."""

    def settings(self, rule: Data) -> Iterator[Setting]:
        """Yield each setting; ``rule`` has what all of them share."""
        yield "no keeper", None, 0.0
        for trigger in self.triggers:
            for target in self._above(trigger):
                said: Data = {"when": {"health_factor_below": trigger}, "restore": {"health_factor": target}}
                yield f"fixed {trigger}:{target}", rule | said, float(trigger)
        for chance in self.probabilities:
            for times in self.smaller:
                goal = format(Decimal(chance) / Decimal(times), "f")
                yield _adaptive(rule, chance, goal, {"liquidation_probability": goal})
            for health in self.goals:
                yield _adaptive(rule, chance, health, {"health_factor": health})
        for base, share in self.widening:
            for target in self._above(WIDEST):
                bound = {"base": base, "per_volatility": share, "max": WIDEST}
                said = {"when": {"health_factor_below": bound}, "restore": {"health_factor": target}}
                yield f"widening {base}+{share}:{target}", rule | said, float(WIDEST)

    def _above(self, trigger: str) -> Iterator[str]:
        return (target for target in self.targets if Decimal(target) > Decimal(trigger))


def _adaptive(rule: Data, chance: str, goal: str, restore: Data) -> Setting:
    when = {"liquidation_probability_above": {"probability": chance, "horizon": "24h"}}
    return f"adaptive {chance}:{goal}", rule | {"when": when, "restore": restore}, None
