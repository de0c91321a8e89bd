"""How much a rescue may cost in gas: a share of the loss that it averts, rising as liquidation comes nearer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.lending.figures import Loan
from keeper.core.lending.metrics import LendingTrigger, health_at
from keeper.core.lending.outlook import awaited, fall_of
from keeper.core.lending.risk_metrics import LIQUIDATION_PROBABILITY
from keeper.core.lending.rules import LendingAssessment, Rule
from keeper.core.metrics import Subject
from keeper.core.snapshot import AccountFigures, LendingPosition
from keeper.core.units import BPS, DAY_S, INFINITE, WAD, Bps, Usd, Wad, Wei, mul_div_down

NOTHING = Usd(0)
NO_TOLL = Wei(0)
LEAST_NEARNESS = WAD // 20
"""A rule that fired is worth something even far from liquidation."""
FAR = Wad(2 * WAD)
"""What is safe where neither trigger nor target says it as a health factor."""


@dataclass(frozen=True, slots=True)
class Stake:
    """The sum behind a fee ceiling, for the journal. Dollars are base units (10^-8)."""

    collateral_at_risk: Usd
    bonus: Bps
    nearness: Wad
    expected_loss: Usd
    averted: Usd
    """What the plan takes of it: all, where it suffices."""
    share: Bps
    most_fee: Usd
    budget: Usd | None = None
    """What gas may cost over the whole danger, however many plans it takes: the share of all that could be lost."""
    paid: Usd = NOTHING
    """What it has cost since the danger began."""

    @property
    def left(self) -> Usd:
        """What this plan's gas may cost: by the loss it averts, and by what is left for the whole danger."""
        left = self.most_fee if self.budget is None else min(self.most_fee, self.budget - self.paid)
        return Usd(max(0, left))

    @property
    def is_used_up(self) -> bool:
        """Whether it is the danger's budget that binds."""
        return self.left < self.most_fee


def stake(
    assessed: LendingAssessment, safe: Wad, share: Bps, paid: Usd = NOTHING, after: AccountFigures | None = None
) -> Stake:
    """Return what may be paid for gas: ``share`` of the expected loss that a plan averts.

    The expected loss is bonus × collateral at risk × nearness. At risk is what a liquidator may take: the debt plus
    bonus, at most the collateral (with a full close factor, from above). The bonus is the collateral's own, weighted
    by value, rounded up. Nearness counts the fall until a plan is mined.

    A plan that suffices averts all of it; one that leaves the account with the figures ``after`` averts the difference,
    so that many small ones are worth no more than the whole. All plans of one danger are bounded by the share of what
    could be lost; ``paid`` is what they cost so far. Where the price history says that liquidation within a day is more
    probable than that nearness, the probability counts: probability × loss is at stake, and never less than before.
    """
    figures, bonus = assessed.figures, _bonus(assessed.position, assessed.account)
    at_risk, fall = _at_risk(figures, bonus), fall_of(assessed.account, assessed.drifts)
    nearness = max(Wad(LEAST_NEARNESS), near(awaited(figures.health_factor, fall), safe), expected(assessed.position))
    loss = _expected(figures, bonus, nearness)
    averted = loss
    if after is not None and figures.health_factor < safe:
        # a fall that goes on may take back all that a part wins, and one that ends leaves it: the better of both counts
        averted = max(_averted(figures, after, bonus, safe, Bps(speed)) for speed in (0, fall))
    budget = Usd(at_risk * bonus // BPS * share // BPS)
    return Stake(at_risk, bonus, nearness, loss, averted, share, Usd(averted * share // BPS), budget, paid)


def expected(p: LendingPosition) -> Wad:
    """Return how probable liquidation is within a day, where a rule looks ahead and it is known; else nothing."""
    if p.beside.market is None:
        return Wad(0)
    return Wad(min(WAD, LIQUIDATION_PROBABILITY.now(p, Subject(window_s=DAY_S)) or 0))


def near(health: Wad, safe: Wad) -> Wad:
    """Return how near liquidation is: 1 at a health factor of 1, falling evenly to nothing at ``safe``."""
    if health <= WAD:
        return Wad(WAD)
    if health >= INFINITE or health >= safe:
        return Wad(0)
    return Wad(mul_div_down(safe - health, WAD, safe - WAD))


def safe_health(rule: Rule, figures: AccountFigures) -> Wad:
    """Return the health factor at which a rule's danger is over: its target's, never less than its trigger's."""
    target = rule.target
    wanted = None if target is None else health_at(figures, target.metric, target.value)
    return max(_far_if_unknown(wanted), trigger_health(rule.trigger, figures))


def _averted(before: AccountFigures, after: AccountFigures, bonus: Bps, safe: Wad, fall: Bps) -> Usd:
    first, then = (_expected(of, bonus, near(awaited(of.health_factor, fall), safe)) for of in (before, after))
    return Usd(max(0, first - then))


def _expected(figures: AccountFigures, bonus: Bps, nearness: Wad) -> Usd:
    return Usd(_at_risk(figures, bonus) * bonus // BPS * nearness // WAD)


def _at_risk(figures: AccountFigures, bonus: Bps) -> Usd:
    return Usd(min(figures.collateral_value, figures.debt_value * (BPS + bonus) // BPS))


def trigger_health(trigger: LendingTrigger, figures: AccountFigures) -> Wad:
    """Return the health factor at which a rule begins to fire; 2 for a rule that no health factor makes fire."""
    return _far_if_unknown(health_at(figures, trigger.metric, trigger.bound))


def _far_if_unknown(health: int | None) -> Wad:
    return FAR if health is None or health >= INFINITE else Wad(health)


def fee_for(dollars: int, gas: int, native_price: int, toll: Wei = NO_TOLL) -> Wei | None:
    """Return the highest fee per gas that dollars pay for; None where no price of the native token says."""
    return fee_worth(Usd(dollars), gas, native_price, toll) if native_price and gas else None


def fee_worth(worth: Usd, gas: int, native_price: int, toll: Wei = NO_TOLL) -> Wei:
    """Return what ``worth`` dollars pay for each gas once a rollup's ``toll`` beside the gas is paid, rounded down."""
    return Wei(max(0, worth * WAD - toll * native_price) // (native_price * gas))


def _bonus(position: LendingPosition, account: Loan) -> Bps:
    weighted = total = 0
    for holding in position.held:
        if holding.is_collateral:
            now = account.of(holding.asset)
            value = mul_div_down(now.supplied, now.price.answer, now.unit)
            total += value
            weighted += value * holding.penalty_bps
    return Bps(-(-weighted // total)) if total else Bps(0)
