"""Leaving a market altogether: once nothing is owed, all that is supplied goes to the owner's wallet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keeper.core.lending import figures as lending
from keeper.core.lending.moves import Withdraw
from keeper.core.lending.position import Barred, Holding
from keeper.core.lending.proposals import Cost, Means, PlanTerms, Proposal, Rejected, Step, gas_cost
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import Usd

LEAVE = "withdraw everything"


def left(
    closing: Sequence[Proposal], intent: LendingIntent, state: Means, terms: PlanTerms
) -> tuple[list[Proposal], list[Rejected]]:
    """Return ways to close, each followed by the withdrawal of everything; of a loan without debt that alone.

    What the market does not let out now stays, and the way does not suffice: it is tried again.
    """
    if not terms.signer_is_owner:
        return list(closing), [Rejected(LEAVE, Reason.NOT_ALLOWED_FOR_GUARDIAN)]
    nothing = Proposal((), "", (), Cost(Usd(0), Usd(0), Usd(0)), state, is_sufficient=True)
    is_owed = any(h.borrowed for h in state.account.holdings)
    ways = [_with_all_out(way, terms) if way.is_sufficient else way for way in closing]
    refused = [
        Rejected(f"{LEAVE}: {h.symbol}", h.room.withdraw.reason, h.room.withdraw.detail)
        for h in state.account.holdings
        if h.supplied and isinstance(h.room.withdraw, Barred)
    ]
    return (ways if is_owed else [_with_all_out(nothing, terms)]), refused


def _with_all_out(way: Proposal, terms: PlanTerms) -> Proposal:
    account, steps = way.after.account, list(way.steps)
    for holding in account.holdings:
        if holding.supplied and _comes_out(holding):
            account = lending.after(account, holding.asset, supply=-holding.supplied)
            steps.append(Step(Withdraw(holding.asset, None, holding.supplied), Usd(0), lending.health_factor(account)))
    moves = tuple(step.move for step in steps[len(way.steps) :])
    return replace(
        way,
        label=f"{way.label}, then {LEAVE}" if way.label else LEAVE,
        steps=tuple(steps),
        cost=replace(way.cost, gas=Usd(way.cost.gas + gas_cost(moves, terms))),
        after=replace(way.after, account=account),
        is_sufficient=not any(h.supplied and h.is_collateral for h in account.holdings),
    )


def _comes_out(holding: Holding) -> bool:
    room = holding.room.withdraw
    return not isinstance(room, Barred) and room >= holding.supplied
