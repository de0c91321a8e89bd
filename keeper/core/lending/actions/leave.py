"""Leaving a market altogether: once nothing is owed, all that is supplied goes to the owner's wallet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from keeper.core.lending import figures as lending
from keeper.core.lending.moves import Flash, Withdraw
from keeper.core.lending.position import Barred, Holding
from keeper.core.lending.proposals import RACED, Cost, Means, PlanTerms, Proposal, Rejected, Step, gas_cost
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import Address, Usd, Wad

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
    out = partial(_with_all_out, terms=terms, before=intent.assessment.figures.health_factor)
    ways = [out(way) if way.is_sufficient else way for way in closing]
    refused = [
        Rejected(f"{LEAVE}: {h.symbol}", h.room.withdraw.reason, h.room.withdraw.detail)
        for h in state.account.holdings
        if h.supplied and isinstance(h.room.withdraw, Barred)
    ]
    return (ways if is_owed else [out(nothing)]), refused


def _with_all_out(way: Proposal, terms: PlanTerms, before: Wad) -> Proposal:
    account, steps = way.after.account, list(way.steps)
    whole = [h.asset for h in account.holdings if h.supplied and _comes_out(h)]
    if steps and (call := _in_one_call(steps[-1], whole, terms, before)) is not None:
        for asset in whole:
            account = lending.after(account, asset, supply=-account.of(asset).supplied)
        steps[-1] = replace(steps[-1], move=call, health_after=lending.health_factor(account))
    for holding in account.holdings:
        if holding.supplied and _comes_out(holding):
            account = lending.after(account, holding.asset, supply=-holding.supplied)
            steps.append(Step(Withdraw(holding.asset, None, holding.supplied), Usd(0), lending.health_factor(account)))
    moves = tuple(Withdraw(asset, None) for asset in whole)
    return replace(
        way,
        label=f"{way.label}, then {LEAVE}" if way.label else LEAVE,
        steps=tuple(steps),
        cost=replace(way.cost, gas=Usd(way.cost.gas + gas_cost(moves, terms))),
        after=replace(way.after, account=account),
        is_sufficient=not any(h.supplied and h.is_collateral for h in account.holdings),
    )


def _in_one_call(last: Step, whole: Sequence[Address], terms: PlanTerms, before: Wad) -> Flash | None:
    """Return the last call of a way with all that leaves in it; None where each leaves by a call of its own.

    How much is left when it is mined is not known to the unit, so the permit is for a little more, and a second one
    ends it within the call. Who has seen both could use both first, and undo the call: near liquidation, where that
    pays, what is left leaves by calls of its own.
    """
    flash = last.move
    if not isinstance(flash, Flash) or not flash.by_permit or not whole or before <= RACED:
        return None
    is_ours = any(o.lender == flash.lender and o.takes_permits and not o.entrusted for o in terms.offers)
    return flash.leaving(whole) if is_ours else None


def _comes_out(holding: Holding) -> bool:
    room = holding.room.withdraw
    return not isinstance(room, Barred) and room >= holding.supplied
