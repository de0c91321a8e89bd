"""The boost with a loan of the same transaction: buy collateral with it, supply that, borrow what gives the loan back.

Collateral is there before the debt is, so no round is needed, and health falls once, to where it ends. Only where
somebody may act for the owner's whole account: a debt is raised in his name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.core.actions import Action
from keeper.core.lending import figures as lending
from keeper.core.lending.actions.flash import BY_LOAN
from keeper.core.lending.actions.raising import boost_wanted, borrowable, refuse_boost, under_least
from keeper.core.lending.figures import Loan, Sale
from keeper.core.lending.moves import Approve, FlashBoost
from keeper.core.lending.pairs import Pair, largest_within
from keeper.core.lending.proposals import (
    Cost,
    LoanOffer,
    Means,
    PlanTerms,
    Proposal,
    Rejected,
    Step,
    borrow_room,
    gas_cost,
    per_transaction,
    plan_floor,
    spent,
    supply_room,
    worth,
)
from keeper.core.lending.quotes import Quote
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import BPS, Amount, Usd, mul_div_up, ratio_text


def boosts_by_loan(
    actions: tuple[Action, ...], pair: Pair, intent: LendingIntent, state: Means, terms: PlanTerms
) -> Iterator[Proposal | Rejected]:
    """Yield one way per lender that may borrow in the owner's name; ``actions`` are what they are ways of."""
    for offer in terms.offers:
        if not offer.held_to_raise:
            continue
        found = _way(pair, offer, intent, state, terms)
        yield replace(found, actions=actions) if isinstance(found, Proposal) else found
        if offer.takes_permits and isinstance(found, Proposal):  # a key that signs no word: he lets it act before
            plain = _way(pair, replace(offer, takes_permits=False), intent, state, terms)
            if isinstance(plain, Proposal):
                yield replace(plain, actions=actions, label=f"{plain.label}, approved before", is_fallback=True)


@dataclass(frozen=True, slots=True)
class _Sized:
    """A purchase that everybody bears: lender, pool, market and limits. All of ``deal.sold`` is sold."""

    deal: Sale
    quote: Quote


def _way(pair: Pair, offer: LoanOffer, intent: LendingIntent, state: Means, terms: PlanTerms) -> Proposal | Rejected:
    label = f"borrow {pair.sell.symbol} to buy {pair.buy.symbol}{BY_LOAN}"
    found = _sized(pair, offer, intent, state, terms)
    if isinstance(found, Rejected):
        return replace(found, label=label)
    deal, floor = found.deal, plan_floor(terms)
    after = _after(pair, deal, intent, state.account)
    if after is None or lending.health_factor(after) < floor:
        return Rejected(label, Reason.FLOOR_TOO_NEAR, f"floor {ratio_text(floor)}")
    steps, spend = _steps(pair, offer, found, state, after), worth(deal.sold, pair.sell)
    trading = max(0, worth(found.quote.sold, pair.sell) - worth(deal.bought, pair.buy))
    return Proposal(
        actions=(),
        label=label,
        steps=steps,
        cost=Cost(gas_cost(tuple(step.move for step in steps), terms), Usd(trading), Usd(0)),
        after=Means(after, state.wallet, spent(state, spend)),
        is_sufficient=not intent.rule.trigger.fires_at(lending.health_factor(after)),
    )


def _sized(pair: Pair, offer: LoanOffer, intent: LendingIntent, state: Means, terms: PlanTerms) -> _Sized | Rejected:
    """Return the largest purchase for which the target still holds, or why there is none."""
    if refusal := refuse_boost(pair):
        return Rejected("", *refusal)
    owed, slippage = pair.sell.asset, intent.rule.limits.max_slippage
    there = offer.there.get(owed, Amount(0)) // offer.held_to_raise
    if not there:
        return Rejected("", Reason.LENDER_SHORT, f"{offer.lender} has no {pair.sell.symbol} now")
    if offer.fee(owed, there):
        return Rejected("", Reason.LENDER_DEAR, f"{offer.lender} asks a fee; a boost is made with none")
    largest = min(largest_within(pair, state, terms, slippage), supply_room(pair.buy, intent, state.account))
    if not largest:
        return Rejected("", Reason.POOL_TOO_THIN, f"nothing within {slippage} bps of the oracle")
    limited = replace(state, left_usd=min(state.left_usd, per_transaction(intent)))
    most = min(there, borrow_room(pair.sell, intent, state.account))
    wanted = boost_wanted(pair, intent, limited, largest, most)
    quote = wanted and terms.quotes.best(pair.sell.asset, pair.buy.asset, wanted.bought)
    if not wanted or not quote or not wanted.bought:
        return Rejected("", Reason.NOTHING_HELPS, "nothing can be borrowed above the target")
    sold = min(wanted.sold, mul_div_up(quote.sold, BPS + slippage, BPS))
    if why := under_least(pair, sold):
        return Rejected("", Reason.NOTHING_HELPS, why)
    return _Sized(Sale(Amount(sold), wanted.bought), quote)


def _after(pair: Pair, deal: Sale, intent: LendingIntent, account: Loan) -> Loan | None:
    """Return the account at the end; None where the market would not lend so much on what is supplied by then."""
    supplied = lending.after(account, pair.buy.asset, supply=deal.bought)
    if borrowable(supplied, pair, intent) < deal.sold:
        return None
    after = lending.after(supplied, pair.sell.asset, debt=deal.sold)
    return after if after.model.lets_out(lending.figures(after)) else None


def _steps(pair: Pair, offer: LoanOffer, found: _Sized, state: Means, after: Loan) -> tuple[Step, ...]:
    """Return the one call; where no words go with it the owner lets the agent act before it, and no more after."""
    deal, before, end = found.deal, lending.health_factor(state.account), lending.health_factor(after)
    held = Amount(deal.sold * offer.held_to_raise)
    boost = FlashBoost(offer.lender, found.quote.route, deal.sold, deal.bought, held, offer.takes_permits)
    made = Step(boost, worth(deal.sold, pair.sell), end)
    if offer.takes_permits or offer.stands:
        return (made,)
    let, ended = (Approve(pair.buy.asset, offer.lender, amount) for amount in (deal.bought, Amount(0)))
    return Step(let, Usd(0), before), made, Step(ended, Usd(0), end)
