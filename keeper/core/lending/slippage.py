"""What a sale may lose against the oracle's price: the owner's usual, wider as liquidation nears, never past the worst.

One bound for planning and for the gate, both from the oracle's price: whoever moves a pool takes no more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keeper.core.fee_budget import trigger_health
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.lending.rules import LendingAssessment, Rule
from keeper.core.pace import BLOCKS, STILL, Drift
from keeper.core.units import INFINITE, WAD, Address, Bps, Wad, mul_div_up

BEGINS = Wad(125 * WAD // 100)
"""The highest health factor at which a bound begins to widen, however early a rule fires."""


@dataclass(frozen=True, slots=True)
class Slippage:
    """The bounds of one decision. ``widened`` lies between the owner's ``usual`` and ``worst``."""

    usual: Bps
    widened: Bps
    worst: Bps
    drifts: Mapping[Address, Drift]
    is_derived: bool = False
    """Whether the owner left the worst out: then it is counted from the price that a fall leaves, a block later.

    A faster fall than the worst is a gap: no sale outruns it, and room for one would only be missing in the sale.
    """

    def of(self, sell: Holding, buy: Holding) -> Bps:
        """Return what a sale may lose: wider for what prices move until it is mined, never more than liquidation costs.

        Against the price of now liquidation costs its penalty and the block of the fall that it comes after. The
        owner's usual holds in any case.
        """
        away = self.drifts.get(sell.asset, STILL).down + self.drifts.get(buy.asset, STILL).up
        liquidated = sell.penalty_bps + away
        worst = self.worst + (away if self.is_derived and away <= self.worst else 0)
        return Bps(max(self.usual, min(self.widened + BLOCKS * away, worst, liquidated)))

    def between(self, position: LendingPosition) -> Callable[[Address, Address], Bps]:
        """Return the same by asset, for the gate. Raises KeyError for an asset that was not read."""
        return lambda sell, buy: self.of(position.holding(sell), position.holding(buy))


def slippage_of(rule: Rule, assessed: LendingAssessment, outrun: int = 0) -> Slippage:
    """Return the bounds of what a rule may sell now. A boost has no need to hurry: its usual is all it has.

    Each plan that the price outran (``outrun``) brings what the next may lose half of the way to the worst.
    """
    usual = rule.limits.max_slippage
    if rule.is_boost:
        return Slippage(usual, usual, usual, {})
    worst = rule.limits.worst
    begins = min(BEGINS, trigger_health(rule.trigger, assessed.figures))
    near = max(nearness(assessed.figures.health_factor, begins), WAD - (WAD >> min(outrun, 60)))
    widened = Bps(usual + mul_div_up(worst - usual, near, WAD))
    return Slippage(usual, widened, worst, assessed.drifts, rule.limits.worst_slippage is None)


def nearness(health: Wad, begins: Wad) -> Wad:
    """Return how near liquidation is: nothing from ``begins`` on, growing evenly to 1 at a health factor of 1."""
    if health <= WAD:
        return Wad(WAD)
    if health >= INFINITE or health >= begins:
        return Wad(0)
    return Wad(mul_div_up(begins - health, WAD, begins - WAD))
