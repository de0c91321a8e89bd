"""Ways one after the other: what each of them leaves undone the next does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from keeper.core.actions import Action
from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.actions.flash import BY_LOAN
from keeper.core.lending.moves import ByLoan, Flash, Withdraw, one_by_one
from keeper.core.lending.proposals import Cost, Means, PlanTerms, Proposal, Rejected, Step, per_transaction
from keeper.core.lending.ranking import help_of, moves_a_trifle
from keeper.core.lending.rules import LendingIntent
from keeper.core.units import Usd

THEN = ", then "


def combinations(singles: list[Proposal], intent: LendingIntent, state: Means, terms: PlanTerms) -> list[Proposal]:
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
    kinds: list[Fits] = [_any, _by_loan] if any(_by_loan(p) for p in singles) else [_any]
    made = [_combine(first, actions, intent, terms, fits) for first, actions in begun for fits in kinds]
    found = {p.label: p for p in made}
    return [p for p in found.values() if THEN in p.label]


Fits = Callable[[Proposal], bool]
"""Whether a trade may stand in a row of ways."""


def _any(trade: Proposal) -> bool:
    del trade
    return True


def _by_loan(trade: Proposal) -> bool:
    """Loans of one transaction alone: a row of them is one transaction too."""
    return any(isinstance(step.move, ByLoan) for step in trade.steps)


def _combine(
    first: Proposal, actions: tuple[Action, ...], intent: LendingIntent, terms: PlanTerms, fits: Fits
) -> Proposal:
    """Return a way with others after it, the ones that trade nothing before the others, until the target is met.

    A pair is traded once: what the pools quoted is used up by then. Trades and payments share the rounds of one plan.
    """
    total = first
    for action in ACTIONS.values():
        while action in actions and not total.is_sufficient:
            left = replace(terms, most_rounds=terms.rounds - sum(step.spend > 0 for step in total.steps))
            if left.rounds <= 0:
                break
            found, _ = sorted_ways(ACTIONS[action.key].propose(intent, total.after, left))
            made = {_trade_of(label) for label in total.label.split(THEN)}
            found = [p for p in found if not p.is_fallback and (_opens(p, intent) or not moves_a_trifle(p))]
            found = [p for p in found if not action.trades or (_trade_of(p.label) not in made and fits(p))]
            best = max(found, key=lambda p: help_of(p, intent), default=None)
            if best is None or help_of(best, intent) <= help_of(total, intent):
                break
            total = _joined(total, best, intent)
    return total


def _trade_of(label: str) -> str:
    """Return which pair a way trades: whichever way it does, what the pools quoted is used up then."""
    return label.removesuffix(BY_LOAN)


def _joined(first: Proposal, then: Proposal, intent: LendingIntent) -> Proposal:
    cost = Cost(
        Usd(first.cost.gas + then.cost.gas),
        Usd(first.cost.trading + then.cost.trading),
        Usd(first.cost.capital + then.cost.capital),
    )
    label = f"{first.label}{THEN}{then.label}" if first.label else then.label
    actions = tuple(dict.fromkeys(first.actions + then.actions))
    steps = _in_one_call(first.steps, then.steps, per_transaction(intent))
    return Proposal(actions, label, steps, cost, then.after, then.is_sufficient)


def _in_one_call(before: tuple[Step, ...], after: tuple[Step, ...], most: int) -> tuple[Step, ...]:
    """Return steps in a row: of loans by permits, one after the other at one lender, one call is made.

    So no permit waits for another, and nothing comes between them. ``most``: dollars that one transaction may move.
    """
    if not before or not after:
        return before + after
    *earlier, last = before
    first, *later = after
    one, other = last.move, first.move
    if not (isinstance(one, Flash) and isinstance(other, Flash)) or not one.joins(other):
        return before + after
    if last.spend + first.spend > most:
        return before + after
    both = Step(one.before(other), Usd(last.spend + first.spend), first.health_after)
    return (*earlier, both, *later)


def _trades_nothing(proposal: Proposal) -> bool:
    return not any(action.trades for action in proposal.actions)


def _opens(proposal: Proposal, intent: LendingIntent) -> bool:
    """Return whether a way takes out what keeps other collateral inside: it is judged by what follows it."""
    moves = one_by_one(step.move for step in proposal.steps)
    assets = [
        m.asset if isinstance(m, Withdraw) else m.route.tokens[0] for m in moves if isinstance(m, Withdraw | Flash)
    ]
    return any(intent.assessment.position.holding(asset).holds_back for asset in assets)


def ways(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield every way that the rule's actions know, or why one cannot be had."""
    for action in intent.actions:
        yield from ACTIONS[action.key].propose(intent, state, terms)


def sorted_ways(of: Iterator[Proposal | Rejected]) -> tuple[list[Proposal], list[Rejected]]:
    """Return what was found, the ways apart from the reasons."""
    found = list(of)
    return [w for w in found if isinstance(w, Proposal)], [w for w in found if isinstance(w, Rejected)]
