"""Which ways to help are worth their while, and which is better than another."""

from __future__ import annotations

from keeper.core.lending import figures as lending
from keeper.core.lending.moves import Flash, Repay, RepayWithCollateral, Supply, Swap
from keeper.core.lending.proposals import PlanTerms, Proposal, leaves
from keeper.core.lending.rules import LendingIntent
from keeper.core.lending.slippage import BEGINS
from keeper.core.units import BPS, INFINITE, WAD, Wad

TRIFLE = "moves less than its gas costs"
LATE = "moves health by less than it costs to be late with the rest"
LATENESS = 30
"""Basis points of health that a way which does not suffice must bring to be done alone."""


def ranked(helping: list[Proposal], intent: LendingIntent, terms: PlanTerms) -> list[Proposal]:
    """Return ways, best first: the sufficient ones by cost, then the others by how much they help.

    Near liquidation those that are out of danger soonest come first.
    """
    found = sorted((p for p in helping if p.is_sufficient), key=lambda p: (p.cost.total, len(p.steps)))
    found += sorted((p for p in helping if not p.is_sufficient), key=lambda p: help_of(p, intent), reverse=True)
    if intent.assessment.figures.health_factor <= BEGINS and not intent.rule.is_boost:
        found = _in_one_first(found)
    if intent.assessment.figures.health_factor <= terms.safety.emergency_health and not intent.rule.is_boost:
        found.sort(key=lambda p: _lateness(p, terms))
    return found


def _in_one_first(ranked: list[Proposal]) -> list[Proposal]:
    """Near liquidation a loan of one transaction goes before rounds of many, though these trade a little cheaper.

    Nothing can happen between its steps, nobody has to wait for blocks, and it bears a further fall until it is mined:
    rounds, within one transaction too, take out all that health allows now.
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


def help_of(proposal: Proposal, intent: LendingIntent) -> tuple[bool, int, int]:
    """Rank by sufficiency, then by health gained (given up, for a boost), then by debt left."""
    figures = lending.figures(proposal.after.account)
    health = -figures.health_factor if intent.rule.adds_leverage else figures.health_factor
    return proposal.is_sufficient, health, -figures.debt_value


def helps(proposal: Proposal, intent: LendingIntent) -> bool:
    """Return whether a way brings the position nearer to what the rule wants."""
    before = intent.assessment.figures
    if intent.rule.rearranges or (leaves(intent) and proposal.is_sufficient):
        return bool(proposal.steps)
    health = -before.health_factor if intent.rule.adds_leverage else before.health_factor
    return bool(proposal.steps) and help_of(proposal, intent)[1:] > (health, -before.debt_value)


def trifling(proposal: Proposal, intent: LendingIntent) -> str:
    """Return why a way that does not suffice is not done alone; nothing where it is.

    While it is mined nothing else can be sent: it must be worth more than that wait. Near liquidation little is much.
    """
    if proposal.is_sufficient:
        return ""
    if moves_a_trifle(proposal):
        return TRIFLE
    before, after = intent.assessment.figures.health_factor, lending.health_factor(proposal.after.account)
    if intent.rule.is_boost or before >= INFINITE or after >= INFINITE:
        return ""
    least = min(before * LATENESS // BPS, max(0, before - WAD) // 10)
    return "" if after - before >= least else LATE


def moves_a_trifle(proposal: Proposal) -> bool:
    """Whether a way that does not suffice moves less than its gas costs: the last cents of a limit or a wallet."""
    return not proposal.is_sufficient and sum(step.spend for step in proposal.steps) < proposal.cost.gas
