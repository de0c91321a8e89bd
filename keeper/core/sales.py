"""Deleverage: sell collateral to repay debt, in rounds above a health floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.core import lending
from keeper.core.decisions import Intent
from keeper.core.lending import Account, Sale
from keeper.core.moves import Repay, Swap, Withdraw
from keeper.core.pairs import (
    LEAST_ROUND,
    Pair,
    Rounds,
    largest_within,
    per_round,
    sale_pairs,
    with_approvals,
)
from keeper.core.proposals import (
    Cost,
    Proposal,
    Rejected,
    State,
    Step,
    Terms,
    gas_cost,
    goal_of,
    liquidity,
    round_floor,
    spent,
    within,
    worth,
)
from keeper.core.quotes import Quote
from keeper.core.reasons import Reason
from keeper.core.rescues import full_repayment, interest_owed, same_asset_repayments
from keeper.core.rules import Action, CloseTarget
from keeper.core.slippage import slippage_of
from keeper.core.units import BPS, UINT256_MAX, Amount, Bps, Usd, mul_div_down, mul_div_up, ratio_text

DUST = 50
"""A rest of less than 1/50 is taken out with what is sold, where it may not stay."""


def deleverages(intent: Intent, state: State, terms: Terms) -> Iterator[Proposal | Rejected]:
    """Yield one way per pair of collateral and debt."""
    if not terms.signer_is_owner:
        yield Rejected("deleverage", Reason.NOT_ALLOWED_FOR_GUARDIAN)
        return
    pairs = sale_pairs(intent, state.account)
    same = tuple(same_asset_repayments(intent, state, terms))
    yield from same
    if not pairs and not same:
        yield Rejected("deleverage", Reason.NO_DEBT if not _has_debt(state.account) else Reason.NO_COLLATERAL)
    for pair in pairs:
        whole = _deleverage(pair, intent, state, terms)
        yield whole
        if isinstance(whole, Proposal) and _swaps(whole.steps) > 1:
            # should the pool not carry all rounds, the first alone still helps
            one = replace(terms, safety=replace(terms.safety, max_rounds=1))
            first = _deleverage(pair, intent, state, one)
            if isinstance(first, Proposal):
                yield replace(first, label=f"{first.label}, one round", is_fallback=True)


def _deleverage(pair: Pair, intent: Intent, state: State, terms: Terms) -> Proposal | Rejected:
    label = f"sell {pair.sell.reserve.symbol} to repay {pair.buy.reserve.symbol}"
    for holding in (pair.sell, pair.buy):
        if not holding.reserve.is_active or holding.reserve.is_paused:
            return Rejected(label, Reason.RESERVE_UNAVAILABLE, holding.reserve.symbol)
    if within(state.left_usd, pair.sell) == 0:
        return Rejected(label, Reason.SPEND_LIMIT, "nothing left to spend")
    slippage = bound_of(pair, intent)
    found = _sized(pair, intent, state, terms, largest_within(pair, state, terms, slippage))
    if found and _swaps(found.rounds.steps) > 1:
        steady = largest_within(pair, state, terms, slippage, in_rounds=True)
        if steady < found.sale.bought:
            found = _sized(pair, intent, state, terms, steady)
    if found is None:
        return Rejected(label, Reason.POOL_TOO_THIN, f"nothing within {slippage} bps of the oracle")
    rounds, quote = found.rounds, found.quote
    if not rounds.steps:
        floor = ratio_text(terms.safety.health_floor)
        return Rejected(label, rounds.stopped_by or Reason.FLOOR_TOO_NEAR, f"floor {floor}")
    moves = tuple(step.move for step in rounds.steps)
    share = mul_div_up(quote.sold, rounds.bought, found.sale.bought)
    trading = max(0, worth(share, pair.sell) - worth(rounds.bought, pair.buy))
    left = spent(state, sum(step.spend for step in rounds.steps))
    return Proposal(
        actions=(Action.DELEVERAGE,),
        label=label,
        steps=rounds.steps,
        cost=Cost(gas_cost(moves, terms), Usd(trading), Usd(0)),
        after=State(rounds.account, state.wallet, left),
        is_sufficient=goal_of(intent)(lending.figures(rounds.account)),
    )


@dataclass(frozen=True, slots=True)
class _Sized:
    """A sale of a size the pools can bear, and its rounds."""

    sale: Sale
    quote: Quote
    rounds: Rounds


def _sized(pair: Pair, intent: Intent, state: State, terms: Terms, largest: int) -> _Sized | None:
    """Return the sale that is wanted, at most ``largest``; None when the pools bear nothing of it."""
    if not largest:
        return None
    wanted = sale_wanted(pair, intent, state, largest)
    quote = terms.quotes.best(pair.sell.reserve.asset, pair.buy.reserve.asset, wanted.bought)
    if quote is None:
        return None
    # bounded from the oracle's price alone: what a pool asks now it may not ask any more when the sale is mined
    return _Sized(wanted, quote, _sale_rounds(pair, wanted, quote, state, intent, terms))


def _swaps(steps: tuple[Step, ...]) -> int:
    return sum(isinstance(step.move, Swap) for step in steps)


def _sale_rounds(pair: Pair, sale: Sale, quote: Quote, state: State, intent: Intent, terms: Terms) -> Rounds:
    sell, repay = pair.sell.reserve.asset, pair.buy.reserve.asset
    account, left, steps, stopped = state.account, sale, list[Step](), None
    most = per_round(pair, intent)
    for _ in range(terms.safety.max_rounds):
        free = lending.withdrawable(account, sell, round_floor(account, terms))
        available = liquidity(pair.sell, intent, account)
        amount = min(left.sold, free, available, most)
        if amount * LEAST_ROUND < min(sale.sold, most) and amount < left.sold:
            stopped = Reason.FLOOR_TOO_NEAR if free <= available else Reason.LIQUIDITY_SHORT
            break
        bought = left.bought if amount == left.sold else left.bought * amount // left.sold
        # what counts for no loan must leave whole: a rest of it would keep everything else inside
        rest = account.of(sell).supplied - amount
        is_whole = not pair.sell.reserve.ltv and 0 <= rest * DUST <= amount
        out = amount + rest if is_whole else amount
        withdrawn = lending.after(account, sell, supply=-out)
        owed = withdrawn.of(repay).borrowed
        is_all = bought >= full_repayment(owed)
        paid = min(bought, owed)
        account = lending.after(withdrawn, repay, debt=interest_owed(owed, paid, is_all=is_all) - paid)
        low, health = lending.health_factor(withdrawn), lending.health_factor(account)
        spend = worth(amount, pair.sell)
        steps += [
            Step(Withdraw(sell, None if is_whole else Amount(amount)), Usd(0), low),
            Step(Swap(quote.route, Amount(amount), Amount(bought)), spend, low, _left_over(amount, bought, quote)),
            Step(Repay(repay, Amount(bought), is_all=is_all), Usd(0), health),
        ]
        left = Sale(Amount(left.sold - amount), Amount(left.bought - bought))
        if not left.bought or not left.sold:
            break
    approved = with_approvals(tuple(steps), lending.health_factor(state.account))
    return Rounds(approved, account, Amount(sale.bought - left.bought), stopped)


def _left_over(amount: int, bought: int, quote: Quote) -> Amount:
    """Return what a swap of at most ``amount`` leaves unsold by what the pool asks now."""
    return Amount(max(0, amount - mul_div_down(quote.sold, bought, quote.bought)))


def sale_wanted(pair: Pair, intent: Intent, state: State, largest: int) -> Sale:
    """Return the smallest sufficient sale within slippage, dollars and pool; the largest possible if none is."""
    sell, buy = pair.sell.reserve.asset, pair.buy.reserve.asset
    bps = bound_of(pair, intent)
    # what is sold is rounded up to a whole unit, which of a dear asset is worth more than dust
    left = state.left_usd if state.left_usd >= UINT256_MAX else max(0, state.left_usd - worth(1, pair.sell))
    dollars = within(left, pair.buy)
    limit = min(largest, dollars * BPS // (BPS + bps) if dollars < UINT256_MAX else UINT256_MAX)
    if isinstance(intent.target, CloseTarget):
        # interest accrues until the last repayment: buy a hair more than is owed now
        owed = state.account.of(buy).borrowed
        padded = lending.after(state.account, buy, debt=full_repayment(owed) - owed)
        return lending.deleverage_most(padded, sell, buy, bps, limit)
    sale = lending.deleverage_to_reach(state.account, sell, buy, goal_of(intent), bps, limit)
    return sale or lending.deleverage_most(state.account, sell, buy, bps, limit)


def bound_of(pair: Pair, intent: Intent) -> Bps:
    """Return what a sale may lose now against the oracle's price."""
    return slippage_of(intent.rule, intent.assessment).of(pair.sell.reserve, pair.buy.reserve)


def _has_debt(account: Account) -> bool:
    return any(b.borrowed for b in account.balances)
