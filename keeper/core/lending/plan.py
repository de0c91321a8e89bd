"""From an intent to plans: work out every allowed way; cheapest sufficient first, then the most helpful."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from keeper.core.decide import Hold, Safety
from keeper.core.lending import figures as lending
from keeper.core.lending.actions.leave import left
from keeper.core.lending.combining import combinations, sorted_ways, ways
from keeper.core.lending.figures import Loan
from keeper.core.lending.metrics import EXITED, LendingTarget, meets
from keeper.core.lending.moves import Approve, ByLoan, Move, Spender, one_by_one, weight
from keeper.core.lending.position import Holding
from keeper.core.lending.proposals import Cost, Means, PlanTerms, Proposal, Rejected, Step, leaves
from keeper.core.lending.ranking import helps, ranked, trifling
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.snapshot import AccountFigures, LendingPosition
from keeper.core.units import BPS, Address, Amount, Usd, Wad, ratio_text

PARTIAL_TOLERANCE = 10
"""Basis points by which a partial plan may miss its projected health factor."""
A_CENT = Usd(10**6)
EARNED_ON_THE_WAY = 10**6
"""A share of what was supplied: five per cent a year earn a tenth of it in one minute."""


@dataclass(frozen=True, slots=True)
class Postcondition:
    """What must hold after the plan, at the prices it was decided on. Checked in rehearsal and again when mined."""

    target: LendingTarget | None
    least_health: Wad
    of: LendingPosition
    """The position it was made for."""

    def is_met(self, figures: AccountFigures, holdings: tuple[Holding, ...] | None = None) -> bool:
        """Return whether an account keeps the promise: by its figures, and for a share by what it holds."""
        if self.target is not None and self.target.metric is EXITED.metric:
            return self._is_left(figures)
        now = self.of if holdings is None else replace(self.of, holdings=holdings)
        return figures.health_factor >= self.least_health and (self.target is None or meets(self.target, now)(figures))

    def _is_left(self, figures: AccountFigures) -> bool:
        """Return whether nothing is owed, and of what was supplied no more stays than earned itself on the way.

        Where a supply earns and the venue knows no "all", what is left after a sale cannot be named to the unit.
        """
        most = max(A_CENT, self.of.reported.collateral_value // EARNED_ON_THE_WAY)
        return not figures.debt_value and figures.collateral_value < most

    def __str__(self) -> str:
        return str(self.target) if self.target else f"health factor {ratio_text(self.least_health)} or more"


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, why this way, and what must be true afterwards."""

    intent: LendingIntent
    label: str
    steps: tuple[Step, ...]
    cost: Cost
    before: AccountFigures
    projected: AccountFigures
    postcondition: Postcondition
    is_partial: bool
    rejected: tuple[Rejected, ...]
    leaves: Loan | None = field(default=None, compare=False, repr=False)
    """The account as it is thought to be afterwards."""

    @property
    def spend(self) -> Usd:
        """Dollars the plan moves."""
        return Usd(sum(step.spend for step in self.steps))

    @property
    def moves(self) -> tuple[Move, ...]:
        """The move of each step."""
        return tuple(step.move for step in self.steps)

    @property
    def signs_permits(self) -> bool:
        """Whether a permit of the owner's goes with it."""
        return any(isinstance(step.move, ByLoan) and step.move.by_permit for step in self.steps)

    @property
    def weights(self) -> tuple[tuple[object, int], ...]:
        """What it does and how much of it, move by move: what makes it this plan and no other."""
        return tuple(found for m in one_by_one(self.moves) if (found := weight(m)) is not None)


def is_drip(plan: Plan, safety: Safety) -> bool:
    """Return whether a plan only puts off what a whole one would settle, while there is time for the whole one.

    Where gas is too dear for the best plan a smaller one is no bargain: many of them cost more than it.
    """
    return plan.is_partial and plan.before.health_factor > safety.emergency_health


Allowances = dict[tuple[Address, Spender], Amount]
"""What was approved before: some tokens refuse to change an allowance that is not zero."""


def plans(intent: LendingIntent, state: Means, terms: PlanTerms, allowances: Allowances) -> tuple[Plan, ...] | Hold:
    """Return the plans worth rehearsing, best first, or why there are none.

    First the sufficient ones by cost, ways combined among them; then the others by how much they help. Near
    liquidation those that are out of danger soonest come first.
    """
    terms = terms.standing(allowances)
    proposals, rejected = sorted_ways(ways(intent, state, terms))
    rejected += [Rejected(action.key, Reason.DOUBTFUL_PRICE, doubt.detail) for action, doubt in intent.forbidden]
    proposals += combinations(proposals, intent, state, terms)
    if leaves(intent):
        proposals, stuck = left(proposals, intent, state, terms)
        rejected += stuck
    helping = [p for p in proposals if helps(p, intent)]
    rejected += [Rejected(p.label, Reason.INSUFFICIENT, why, p.cost) for p in helping if (why := trifling(p, intent))]
    helping = [p for p in helping if not trifling(p, intent)]
    best_first = ranked(helping, intent, terms)
    if not best_first:
        return intent.hold(*_why_none(rejected))
    return tuple(_as_plan(p, intent, allowances, (*_others(best_first, p), *rejected)) for p in best_first)


def _as_plan(chosen: Proposal, intent: LendingIntent, allowances: Allowances, rejected: tuple[Rejected, ...]) -> Plan:
    projected = lending.figures(chosen.after.account)
    is_bound = not chosen.is_sufficient or intent.rule.rearranges  # what is no rescue must not cost health unseen
    least = projected.health_factor * (BPS - PARTIAL_TOLERANCE) // BPS if is_bound else 0
    target = intent.target if chosen.is_sufficient or intent.rule.adds_leverage else None
    return Plan(
        intent=intent,
        label=chosen.label,
        steps=_clearing(chosen.steps, allowances),
        cost=chosen.cost,
        before=intent.assessment.figures,
        projected=projected,
        postcondition=Postcondition(target, Wad(least), intent.assessment.position),
        is_partial=not chosen.is_sufficient,
        rejected=rejected,
        leaves=chosen.after.account,
    )


def _clearing(steps: tuple[Step, ...], allowances: Allowances) -> tuple[Step, ...]:
    """Return the steps with a leftover allowance set to zero before it is given anew."""
    cleared, standing = list[Step](), dict(allowances)
    for step in steps:
        move = step.move
        if isinstance(move, Approve):
            key = (move.asset, move.spender)
            if standing.get(key, 0) and move.amount:
                cleared.append(replace(step, move=replace(move, amount=Amount(0))))
            standing[key] = Amount(0)
        cleared.append(step)
    return tuple(cleared)


def _others(ranked: list[Proposal], chosen: Proposal) -> tuple[Rejected, ...]:
    return tuple(
        Rejected(
            p.label,
            Reason.DEARER if p.is_sufficient else Reason.INSUFFICIENT,
            f"health factor {ratio_text(lending.health_factor(p.after.account))}",
            p.cost,
        )
        for p in ranked
        if p is not chosen and not p.is_fallback
    )


def _why_none(rejected: list[Rejected]) -> tuple[Reason, str]:
    """Return the one reason all ways share, else that nothing helps; every way's reason in the detail."""
    reasons = {r.reason for r in rejected}
    detail = "; ".join(f"{r.label}: {r.reason.short}{f' ({r.detail})' if r.detail else ''}" for r in rejected)
    return (reasons.pop() if len(reasons) == 1 else Reason.NOTHING_HELPS), detail
