"""How closely a resting order follows a price that moves with volatility: no closer than is worth its gas. Pure.

The keeper itself judges its rule at the exact price in each block; the order is what is left while it is away. So the
order may lag by a band, for as long as the rule's cooldown, and never beyond the ends that its owner set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.prices import Doubt
from keeper.core.rules import as_now
from keeper.core.units import Usd, mul_div_up

Span = tuple[int, int]
"""Two prices in 10^-8 dollars, the lower first: an order between them stays as it is."""
NOWHERE: Mapping[str, Span] = MappingProxyType({})
BAND = 10
"""An order is moved by a tenth of the way from base to end at the least."""
TIMES = 10
"""What a move of the price means for the size is worth ten times its gas, or it waits."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a change of an order is weighed by: its gas, and the size that it is for, dollars of 10^-8."""

    gas_usd: int
    size_usd: int
    price: int
    """Of one whole underlying."""

    @property
    def step(self) -> Usd:
        """The least move of the price that is worth the gas, rounded up."""
        return Usd(mul_div_up(TIMES * self.gas_usd, self.price, self.size_usd) if self.size_usd > 0 else 0)


def left_alone(rule: PerpRule, position: PerpPosition, worth: Worth, *, is_soon: bool) -> Span:
    """Return between which prices an order of a rule stays as it is.

    Soon after the last change, or where volatility is not known, that is anywhere between the ends; else near the
    price of now. ``rule`` is as its owner wrote it.
    """
    now, doubt = as_now(rule, position)
    low, high = rule.trigger.ends
    if is_soon or isinstance(doubt, Doubt):
        return low, high
    bound = now.trigger.bound
    step = max((high - low) // BAND, worth.step)
    return max(low, bound - step), min(high, bound + step)
