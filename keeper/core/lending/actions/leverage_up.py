"""The boost, deleverage's opposite: borrow to buy more collateral, in rounds within LTV and above the floor.

Where somebody may borrow in the owner's name a loan of one transaction is one more way: the cheaper is taken.
"""

from __future__ import annotations

from collections.abc import Iterator

from keeper.core.lending import figures as lending
from keeper.core.lending.actions.boosts_by_loan import boosts_by_loan
from keeper.core.lending.actions.raising import boost_wanted, borrowable, refuse_boost, under_least
from keeper.core.lending.figures import Sale
from keeper.core.lending.moves import Borrow, Supply, Swap
from keeper.core.lending.pairs import LEAST_ROUND, Pair, Rounds, boost_pairs, largest_within, per_round, with_approvals
from keeper.core.lending.proposals import (
    Cost,
    LendingAction,
    Means,
    PlanTerms,
    Proposal,
    Rejected,
    Step,
    gas_cost,
    plan_floor,
    spent,
    supply_room,
    worth,
)
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import BPS, UINT256_MAX, Amount, Usd, mul_div_up


def boosts(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield the ways per pair of debt to raise and collateral to buy: in rounds, and by a loan of one transaction."""
    if not terms.signer_is_owner:
        yield Rejected("leverage up", Reason.NOT_ALLOWED_FOR_GUARDIAN)
        return
    alone = terms.with_quotes(terms.quotes.of_wallets)
    pairs = boost_pairs(intent, state.account)
    if not pairs:
        yield Rejected("leverage up", Reason.NO_DEBT, "a boost raises a debt the position already has")
    for pair in pairs:
        yield _boost(pair, intent, state, alone)
        yield from boosts_by_loan((LEVERAGE_UP,), pair, intent, state, terms)


def _boost(pair: Pair, intent: LendingIntent, state: Means, terms: PlanTerms) -> Proposal | Rejected:
    label = f"borrow {pair.sell.symbol} to buy {pair.buy.symbol}"
    refusal = refuse_boost(pair)
    if refusal:
        return Rejected(label, *refusal)
    slippage = intent.rule.limits.max_slippage
    largest = min(largest_within(pair, state, terms, slippage), supply_room(pair.buy, intent, state.account))
    if not largest:
        return Rejected(label, Reason.POOL_TOO_THIN, f"nothing within {slippage} bps of the oracle")
    wanted = boost_wanted(pair, intent, state, largest)
    quote = wanted and terms.quotes.best(pair.sell.asset, pair.buy.asset, wanted.bought)
    if not wanted or not quote:
        return Rejected(label, Reason.NOTHING_HELPS, "nothing can be borrowed above the target")
    ceiling = min(wanted.sold, mul_div_up(quote.sold, BPS + slippage, BPS))
    rounds = _boost_rounds(pair, Sale(Amount(ceiling), wanted.bought), quote, state, intent, terms)
    if not rounds.steps and (why := under_least(pair, wanted.sold)):
        return Rejected(label, Reason.NOTHING_HELPS, why)
    if not rounds.steps:
        return Rejected(label, Reason.FLOOR_TOO_NEAR, "nothing can be borrowed above the floor")
    trading = max(0, worth(quote.sold, pair.sell) - worth(wanted.bought, pair.buy))
    left = spent(state, sum(step.spend for step in rounds.steps))
    return Proposal(
        actions=(LEVERAGE_UP,),
        label=label,
        steps=rounds.steps,
        cost=Cost(gas_cost(tuple(s.move for s in rounds.steps), terms), Usd(trading), Usd(0)),
        after=Means(rounds.account, state.wallet, left),
        is_sufficient=not intent.rule.trigger.fires_at(lending.figures(rounds.account).health_factor),
    )


def _boost_rounds(
    pair: Pair, deal: Sale, quote: Quote, state: Means, intent: LendingIntent, terms: PlanTerms
) -> Rounds:
    borrow, buy = pair.sell.asset, pair.buy.asset
    account, left, steps = state.account, deal, list[Step]()
    most = per_round(pair, intent)
    for _ in range(terms.rounds):
        free = borrowable(account, pair, intent)
        amount = min(left.sold, free, most)
        if amount * LEAST_ROUND < min(deal.sold, most) and amount < left.sold:
            break
        if account.of(borrow).borrowed + amount < pair.sell.least_debt:
            break
        bought = left.bought if amount == left.sold else left.bought * amount // left.sold
        in_debt = lending.after(account, borrow, debt=amount)
        account = lending.after(in_debt, buy, supply=bought)
        low, health = lending.health_factor(in_debt), lending.health_factor(account)
        if low < plan_floor(terms):
            break
        steps += [
            Step(Borrow(borrow, Amount(amount)), Usd(0), low),
            Step(Swap(quote.route, Amount(amount), Amount(bought)), worth(amount, pair.sell), low),
            Step(Supply(buy, Amount(bought)), Usd(0), health),
        ]
        left = Sale(Amount(left.sold - amount), Amount(left.bought - bought))
        if not left.bought or not left.sold:
            break
    approved = with_approvals(tuple(steps), lending.health_factor(state.account), terms)
    return Rounds(approved, account, Amount(deal.bought - left.bought), None)


def _asks(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[QuoteRequest]:
    """Yield the purchase of each pair."""
    del terms
    for pair in boost_pairs(intent, state.account):
        deal = boost_wanted(pair, intent, state, UINT256_MAX)
        if deal:
            yield QuoteRequest(pair.sell.asset, pair.buy.asset, deal.bought)


LEVERAGE_UP = LendingAction(
    "leverage_up",
    "Borrows, buys more collateral with it and supplies that: more leverage, down to the target.",
    trades=True,
    adds_leverage=True,
    closes=False,
    propose=boosts,
    asks=_asks,
)
