"""How much a rescue may cost in gas: a share of what liquidation would cost, rising as it comes nearer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.lending.figures import Account
from keeper.core.rules import Measure, Trigger
from keeper.core.snapshot import AccountFigures, LendingPosition
from keeper.core.units import BPS, INFINITE, WAD, Bps, Usd, Wad, Wei, mul_div_down

NOTHING = Usd(0)
LEAST_NEARNESS = WAD // 20
"""A rule that fired is worth something even far from liquidation."""


@dataclass(frozen=True, slots=True)
class Stake:
    """The sum behind a fee ceiling, for the journal. Dollars are base units (10^-8)."""

    collateral_at_risk: Usd
    bonus: Bps
    nearness: Wad
    expected_loss: Usd
    share: Bps
    most_fee: Usd
    budget: Usd | None = None
    """What gas may cost over the whole danger, however many plans it takes: the share of all that could be lost."""
    paid: Usd = NOTHING
    """What it has cost since the danger began."""

    @property
    def left(self) -> Usd:
        """What this plan's gas may cost: by how near liquidation is, and by what is left for the whole danger."""
        left = self.most_fee if self.budget is None else min(self.most_fee, self.budget - self.paid)
        return Usd(max(0, left))

    @property
    def is_used_up(self) -> bool:
        """Whether it is the danger's budget that binds."""
        return self.left < self.most_fee


def stake(
    position: LendingPosition,
    account: Account,
    figures: AccountFigures,
    trigger_health: Wad,
    share: Bps,
    paid: Usd = NOTHING,
) -> Stake:
    """Return what may be paid for gas: ``share`` of bonus × collateral at risk × nearness.

    All plans of one danger together are bounded by the same without the nearness; ``paid`` is what they cost so far.

    At risk is what a liquidator may take: the debt plus bonus, at most the collateral (Aave LiquidationLogic with a
    full close factor, from above). Nearness grows linearly from the trigger's health factor to 1 at liquidation.
    The bonus is the collateral's own, weighted by value, rounded up.
    """
    bonus = _bonus(position, account)
    at_risk = min(figures.collateral_value, figures.debt_value * (BPS + bonus) // BPS)
    nearness = near(figures.health_factor, trigger_health)
    loss = at_risk * bonus // BPS * nearness // WAD
    budget = Usd(at_risk * bonus // BPS * share // BPS)
    return Stake(Usd(at_risk), bonus, nearness, Usd(loss), share, Usd(loss * share // BPS), budget, paid)


def near(health: Wad, trigger: Wad) -> Wad:
    """Return how near liquidation is: 1 at a health factor of 1, falling to ``LEAST_NEARNESS`` at the trigger."""
    if health <= WAD:
        return Wad(WAD)
    if health >= INFINITE or trigger <= WAD or health >= trigger:
        return Wad(LEAST_NEARNESS)
    return Wad(max(LEAST_NEARNESS, mul_div_down(trigger - health, WAD, trigger - WAD)))


def trigger_health(trigger: Trigger, figures: AccountFigures) -> Wad:
    """Return the health factor at which a rule begins to fire; 2 for a rule that watches a price."""
    match trigger.measure:
        case Measure.HEALTH_FACTOR:
            return Wad(trigger.bound)
        case Measure.LTV if trigger.bound:
            return Wad(mul_div_down(figures.average_threshold * WAD // BPS, WAD, trigger.bound))
        case Measure.LIQUIDATION_DISTANCE if trigger.bound < WAD:
            return Wad(mul_div_down(WAD, WAD, WAD - trigger.bound))
        case _:
            return Wad(2 * WAD)


def fee_ceiling(of: Stake, gas: int, native_price: int, cap: Wei | None) -> Wei | None:
    """Return the highest fee per gas: the stake's dollars over ``gas``, at most the owner's ``cap``.

    Without a price of the native token only the cap counts.
    """
    if not native_price or not gas:
        return cap
    per_gas = Wei(mul_div_down(of.left, WAD, native_price * gas))
    return per_gas if cap is None else min(per_gas, cap)


def _bonus(position: LendingPosition, account: Account) -> Bps:
    weighted = total = 0
    for holding in position.held:
        if holding.is_collateral:
            balance = account.of(holding.reserve.asset)
            value = mul_div_down(balance.supplied, balance.price, balance.unit)
            total += value
            weighted += value * max(0, holding.reserve.liquidation_bonus - BPS)
    return Bps(-(-weighted // total)) if total else Bps(0)
