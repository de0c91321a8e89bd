"""From an intent to plans: work out every allowed way; cheapest sufficient first, then the most helpful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.core.actions import Action
from keeper.core.decide import Hold, Safety
from keeper.core.lending import figures as lending
from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.actions.flash import BY_LOAN
from keeper.core.lending.actions.leave import left
from keeper.core.lending.metrics import LendingTarget, meets
from keeper.core.lending.moves import (
    Approve,
    Flash,
    Repay,
    RepayWithCollateral,
    Spender,
    Supply,
    Swap,
    Withdraw,
    weight,
)
from keeper.core.lending.position import Holding
from keeper.core.lending.proposals import Cost, Means, PlanTerms, Proposal, Rejected, Step, leaves
from keeper.core.lending.rules import LendingIntent
from keeper.core.lending.slippage import BEGINS
from keeper.core.reasons import Reason
from keeper.core.snapshot import AccountFigures, LendingPosition
from keeper.core.units import BPS, INFINITE, WAD, Address, Amount, Usd, Wad, ratio_text

PARTIAL_TOLERANCE = 10
"""Basis points by which a partial plan may miss its projected health factor."""

THEN = ", then "
TRIFLE = "moves less than its gas costs"
LATE = "moves health by less than it costs to be late with the rest"
LATENESS = 30
"""Basis points of health that a way which does not suffice must bring to be done alone."""


@dataclass(frozen=True, slots=True)
class Postcondition:
    """What must hold after the plan, at the prices it was decided on. Checked in rehearsal and again when mined."""

    target: LendingTarget | None
    least_health: Wad
    of: LendingPosition
    """The position it was made for."""

    def is_met(self, figures: AccountFigures, holdings: tuple[Holding, ...] | None = None) -> bool:
        """Return whether an account keeps the promise: by its figures, and for a share by what it holds."""
        now = self.of if holdings is None else replace(self.of, holdings=holdings)
        return figures.health_factor >= self.least_health and (self.target is None or meets(self.target, now)(figures))

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

    @property
    def spend(self) -> Usd:
        """Dollars the plan moves."""
        return Usd(sum(step.spend for step in self.steps))

    @property
    def signs_permits(self) -> bool:
        """Whether a permit of the owner's goes with it."""
        return any(isinstance(step.move, Flash) and step.move.by_permit for step in self.steps)

    @property
    def weights(self) -> tuple[tuple[object, int], ...]:
        """What it does and how much of it, move by move: what makes it this plan and no other."""
        return tuple(found for step in self.steps if (found := weight(step.move)) is not None)


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
    proposals, rejected = _sorted(_ways(intent, state, terms))
    rejected += [Rejected(action.key, Reason.DOUBTFUL_PRICE, doubt.detail) for action, doubt in intent.forbidden]
    proposals += _combinations(proposals, intent, state, terms)
    if leaves(intent):
        proposals, stuck = left(proposals, intent, state, terms)
        rejected += stuck
    helping = [p for p in proposals if _helps(p, intent)]
    rejected += [Rejected(p.label, Reason.INSUFFICIENT, why, p.cost) for p in helping if (why := _trifling(p, intent))]
    helping = [p for p in helping if not _trifling(p, intent)]
    ranked = sorted((p for p in helping if p.is_sufficient), key=lambda p: (p.cost.total, len(p.steps)))
    ranked += sorted((p for p in helping if not p.is_sufficient), key=lambda p: _help(p, intent), reverse=True)
    if intent.assessment.figures.health_factor <= BEGINS and not intent.rule.is_boost and not terms.is_atomic:
        ranked = _in_one_first(ranked)
    if intent.assessment.figures.health_factor <= terms.safety.emergency_health and not intent.rule.is_boost:
        ranked.sort(key=lambda p: _lateness(p, terms))
    if not ranked:
        return intent.hold(*_why_none(rejected))
    return tuple(_as_plan(p, intent, allowances, (*_others(ranked, p), *rejected)) for p in ranked)


def _in_one_first(ranked: list[Proposal]) -> list[Proposal]:
    """Near liquidation a loan of one transaction goes before rounds of many, though these trade a little cheaper.

    Nothing can happen between its steps, and nobody has to wait for blocks.
    """
    if not any(isinstance(s.move, Flash) for p in ranked for s in p.steps):
        return ranked
    return sorted(ranked, key=lambda p: (not p.is_sufficient, sum(isinstance(s.move, Swap) for s in p.steps) > 1))


def _lateness(proposal: Proposal, terms: PlanTerms) -> int:
    """Rank near liquidation: what is safe once its first transaction that pays is mined goes before what is not.

    The first round of a long sale helps as soon as a sale of one round would, and the rest follows.
    """
    paying = [
        s.health_after for s in proposal.steps if isinstance(s.move, Supply | Repay | RepayWithCollateral | Flash)
    ]
    soonest = paying[-1 if terms.is_atomic else 0] if paying else Wad(0)
    return 0 if soonest > terms.safety.emergency_health else 1


def _ways(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    for action in intent.actions:
        yield from ACTIONS[action.key].propose(intent, state, terms)


def _sorted(ways: Iterator[Proposal | Rejected]) -> tuple[list[Proposal], list[Rejected]]:
    found = list(ways)
    return [w for w in found if isinstance(w, Proposal)], [w for w in found if isinstance(w, Rejected)]


def _combinations(singles: list[Proposal], intent: LendingIntent, state: Means, terms: PlanTerms) -> list[Proposal]:
    """Return ways one after the other: all that help, and what the wallet pays, or opens a way, with a sale after it.

    A smaller sale after a payment may be cheaper than a whole one, and tied up capital dearer: each is costed.
    """
    nothing = Proposal((), "", (), Cost(Usd(0), Usd(0), Usd(0)), state, is_sufficient=False)
    parts = [p for p in singles if p.steps and not p.is_sufficient and not p.is_fallback]
    paid = [p for p in parts if _trades_nothing(p) or _opens(p, intent)]
    if not paid and any(p.is_sufficient for p in singles):
        return []
    trading = tuple(action for action in intent.actions if action.trades)
    begun = [(nothing, intent.actions), *((p, trading) for p in paid if trading)]
    found = {(p := _combine(first, actions, intent, terms)).label: p for first, actions in begun}
    return [p for p in found.values() if THEN in p.label]


def _combine(first: Proposal, actions: tuple[Action, ...], intent: LendingIntent, terms: PlanTerms) -> Proposal:
    """Return a way with others after it, the ones that trade nothing before the others, until the target is met.

    A pair is traded once: what the pools quoted is used up by then. Trades and payments share the rounds of one plan.
    """
    total = first
    for action in ACTIONS.values():
        while action in actions and not total.is_sufficient:
            left = replace(terms, most_rounds=terms.rounds - sum(step.spend > 0 for step in total.steps))
            if left.rounds <= 0:
                break
            found, _ = _sorted(ACTIONS[action.key].propose(intent, total.after, left))
            made = {_trade_of(label) for label in total.label.split(THEN)}
            found = [p for p in found if not p.is_fallback and (_opens(p, intent) or not _moves_a_trifle(p))]
            found = [p for p in found if not (action.trades and _trade_of(p.label) in made)]
            best = max(found, key=lambda p: _help(p, intent), default=None)
            if best is None or _help(best, intent) <= _help(total, intent):
                break
            total = _joined(total, best)
    return total


def _trade_of(label: str) -> str:
    """Return which pair a way trades: whichever way it does, what the pools quoted is used up then."""
    return label.removesuffix(BY_LOAN)


def _joined(first: Proposal, then: Proposal) -> Proposal:
    cost = Cost(
        Usd(first.cost.gas + then.cost.gas),
        Usd(first.cost.trading + then.cost.trading),
        Usd(first.cost.capital + then.cost.capital),
    )
    label = f"{first.label}{THEN}{then.label}" if first.label else then.label
    actions = tuple(dict.fromkeys(first.actions + then.actions))
    return Proposal(actions, label, first.steps + then.steps, cost, then.after, then.is_sufficient)


def _help(proposal: Proposal, intent: LendingIntent) -> tuple[bool, int, int]:
    """Rank by sufficiency, then by health gained (given up, for a boost), then by debt left."""
    figures = lending.figures(proposal.after.account)
    health = -figures.health_factor if intent.rule.adds_leverage else figures.health_factor
    return proposal.is_sufficient, health, -figures.debt_value


def _helps(proposal: Proposal, intent: LendingIntent) -> bool:
    before = intent.assessment.figures
    if intent.rule.rearranges or (leaves(intent) and proposal.is_sufficient):
        return bool(proposal.steps)
    health = -before.health_factor if intent.rule.adds_leverage else before.health_factor
    return bool(proposal.steps) and _help(proposal, intent)[1:] > (health, -before.debt_value)


def _trifling(proposal: Proposal, intent: LendingIntent) -> str:
    """Return why a way that does not suffice is not done alone; nothing where it is.

    While it is mined nothing else can be sent: it must be worth more than that wait. Near liquidation little is much.
    """
    if proposal.is_sufficient:
        return ""
    if _moves_a_trifle(proposal):
        return TRIFLE
    before, after = intent.assessment.figures.health_factor, lending.health_factor(proposal.after.account)
    if intent.rule.is_boost or before >= INFINITE or after >= INFINITE:
        return ""
    least = min(before * LATENESS // BPS, max(0, before - WAD) // 10)
    return "" if after - before >= least else LATE


def _moves_a_trifle(proposal: Proposal) -> bool:
    """Whether a way that does not suffice moves less than its gas costs: the last cents of a limit or a wallet."""
    return not proposal.is_sufficient and sum(step.spend for step in proposal.steps) < proposal.cost.gas


def _trades_nothing(proposal: Proposal) -> bool:
    return not any(action.trades for action in proposal.actions)


def _opens(proposal: Proposal, intent: LendingIntent) -> bool:
    """Return whether a way takes out what keeps other collateral inside: it is judged by what follows it."""
    out = [step.move for step in proposal.steps if isinstance(step.move, Withdraw | Flash)]
    assets = [move.asset if isinstance(move, Withdraw) else move.route.tokens[0] for move in out]
    return any(intent.assessment.position.holding(asset).holds_back for asset in assets)


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
