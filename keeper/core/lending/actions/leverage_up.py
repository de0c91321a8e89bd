"""The boost, deleverage's opposite: borrow to buy more collateral, in rounds within LTV and above the floor."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan, Sale
from keeper.core.lending.moves import Borrow, Supply, Swap
from keeper.core.lending.pairs import LEAST_ROUND, Pair, Rounds, boost_pairs, largest_within, per_round, with_approvals
from keeper.core.lending.position import Barred
from keeper.core.lending.proposals import (
    Cost,
    LendingAction,
    Means,
    PlanTerms,
    Proposal,
    Rejected,
    Step,
    borrow_room,
    gas_cost,
    goal_of,
    plan_floor,
    spent,
    supply_room,
    within,
    worth,
)
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import BPS, UINT256_MAX, Amount, Usd, decimal_of, mul_div_up


def boosts(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield one way per pair of debt to raise and collateral to buy."""
    if not terms.signer_is_owner:
        yield Rejected("leverage up", Reason.NOT_ALLOWED_FOR_GUARDIAN)
        return
    terms = terms.with_quotes(terms.quotes.of_wallets)
    pairs = boost_pairs(intent, state.account)
    if not pairs:
        yield Rejected("leverage up", Reason.NO_DEBT, "a boost raises a debt the position already has")
    for pair in pairs:
        yield _boost(pair, intent, state, terms)


def _boost(pair: Pair, intent: LendingIntent, state: Means, terms: PlanTerms) -> Proposal | Rejected:
    label = f"borrow {pair.sell.symbol} to buy {pair.buy.symbol}"
    refusal = _refuse_boost(pair)
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
    if not rounds.steps and pair.sell.borrowed + wanted.sold < pair.sell.least_debt:
        least = decimal_of(pair.sell.least_debt, pair.sell.decimals, 2)
        return Rejected(label, Reason.NOTHING_HELPS, f"the market refuses a debt under {least} {pair.sell.symbol}")
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
        free = _borrowable(account, pair, intent)
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


def boost_wanted(pair: Pair, intent: LendingIntent, state: Means, largest: int) -> Sale | None:
    """Return the largest purchase for which the target still holds, within dollars and pool."""
    slippage = intent.rule.limits.max_slippage
    collateral = pair.sell.money.usd_up(lending.figures(state.account).collateral_value)
    limit = within(min(state.left_usd, collateral * 10), pair.sell)
    if largest < UINT256_MAX:
        sell, buy = state.account.of(pair.sell.asset), state.account.of(pair.buy.asset)
        limit = min(limit, lending.sale_cost(sell, buy, largest, slippage))
    sell_asset, buy_asset = pair.sell.asset, pair.buy.asset
    deal = lending.leverage_to_reach(state.account, sell_asset, buy_asset, goal_of(intent), slippage, limit)
    return deal if deal and deal.bought <= largest else None


def _borrowable(account: Loan, pair: Pair, intent: LendingIntent) -> int:
    """Return how much can be borrowed now: by what the collateral carries, and by what the market has and allows."""
    by_ltv = lending.figures(account).available_borrows * 9999 // 10_000
    return min(lending.amount_down(by_ltv, pair.sell), borrow_room(pair.sell, intent, account))


def _refuse_boost(pair: Pair) -> tuple[Reason, str] | None:
    borrow, supply = pair.sell.room.borrow, pair.buy.room.supply
    for room in (borrow, supply):
        if isinstance(room, Barred):
            return room.reason, room.detail
    return None if supply else (Reason.CAP_REACHED, pair.buy.symbol)


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
