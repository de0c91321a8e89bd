"""Deleverage: sell collateral to repay debt, in rounds above a health floor or by a loan of one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.core.lending import figures as lending
from keeper.core.lending.actions.flash import by_loan
from keeper.core.lending.actions.lent import dearest_fee
from keeper.core.lending.actions.rescues import full_repayment, interest_owed, same_asset_repayments
from keeper.core.lending.actions.sales import bound_of, label_of, sale_wanted
from keeper.core.lending.figures import Loan, Sale
from keeper.core.lending.moves import Repay, Swap, Withdraw
from keeper.core.lending.openings import Opening, opened
from keeper.core.lending.pairs import (
    LEAST_ROUND,
    LEAST_ROUND_OF_ONE,
    Pair,
    Rounds,
    all_pairs,
    largest_within,
    per_round,
    sale_pairs,
    with_approvals,
    without_stuck,
)
from keeper.core.lending.position import AccountFigures, Barred
from keeper.core.lending.proposals import (
    Cost,
    LendingAction,
    Means,
    PlanTerms,
    Proposal,
    Rejected,
    Step,
    between_floor,
    end_floor,
    gas_cost,
    goal_of,
    round_floor,
    spent,
    withdraw_room,
    within,
    worth,
)
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import UINT256_MAX, WAD, Amount, Usd, mul_div_down, mul_div_up, ratio_text

DUST = 50
"""A rest of less than 1/50 is taken out with what is sold, where it may not stay."""


def deleverages(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield one way per pair of collateral and debt."""
    if not terms.signer_is_owner:
        yield Rejected("deleverage", Reason.NOT_ALLOWED_FOR_GUARDIAN)
        return
    same = tuple(same_asset_repayments(intent, state, terms))
    yield from same
    doubtful, pairs = _doubtful(intent, state.account), sale_pairs(intent, state.account)
    yield from doubtful
    if not pairs and not same and not doubtful:
        yield Rejected("deleverage", Reason.NO_DEBT if not _has_debt(state.account) else Reason.NO_COLLATERAL)
    opening = opened(intent, state, terms)
    at_once = opened(intent, state, terms, at_once=True) if opening.blocked else opening
    yield from by_loan((DELEVERAGE,), intent, state, terms, at_once)
    terms = terms.with_quotes(terms.quotes.of_wallets)
    for pair in pairs:
        sell = opening.account.of(pair.sell.asset)
        if not sell.is_collateral:
            continue  # it is what is taken out of the way
        if pair.sell.holds_back or not at_once.blocked:
            yield from _ways(pair, intent, state, terms, at_once)
        else:
            yield Rejected(label_of(pair), Reason.COLLATERAL_STUCK, ", ".join(at_once.blocked))


def _ways(
    pair: Pair, intent: LendingIntent, state: Means, terms: PlanTerms, opening: Opening
) -> Iterator[Proposal | Rejected]:
    whole = _deleverage(pair, intent, state, terms, opening)
    yield whole
    if isinstance(whole, Proposal) and _swaps(whole.steps) > 1:
        # should the pool not carry all rounds, the first alone still helps
        first = _deleverage(pair, intent, state, replace(terms, most_rounds=1), opening)
        if isinstance(first, Proposal):
            yield replace(first, label=f"{first.label}, one round", is_fallback=True)


def _doubtful(intent: LendingIntent, account: Loan) -> tuple[Rejected, ...]:
    """Return the pairs that may not be traded for a doubt about one of the two."""
    found = []
    for pair in all_pairs(intent, account):
        doubt = intent.assessment.doubt_of(pair.sell.asset, pair.buy.asset)
        if doubt:
            found.append(Rejected(label_of(pair), Reason.DOUBTFUL_PRICE, doubt.detail))
    return tuple(found)


def _deleverage(
    pair: Pair, intent: LendingIntent, state: Means, terms: PlanTerms, opening: Opening
) -> Proposal | Rejected:
    label, lead = label_of(pair), tuple[Step, ...]()
    if not pair.sell.holds_back:  # what is in the way needs no way opened to leave
        lead, state = opening.steps, replace(state, account=opening.account)
    for room in (pair.sell.room.withdraw, pair.buy.room.repay):
        if isinstance(room, Barred):
            return Rejected(label, room.reason, room.detail)
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
    floor = end_floor(state.account, terms)
    if not rounds.steps and _is_between_limits(lending.figures(state.account), state.account):
        return Rejected(label, Reason.ABOVE_BORROW_LIMIT, "above the borrow limit")
    if not rounds.steps or lending.health_factor(rounds.account) < floor:
        return Rejected(label, rounds.stopped_by or Reason.FLOOR_TOO_NEAR, f"floor {ratio_text(floor)}")
    steps = (*lead, *rounds.steps)
    moves = tuple(step.move for step in steps)
    share = mul_div_up(quote.sold, rounds.bought, found.sale.bought)
    trading = max(0, worth(share, pair.sell) - worth(rounds.bought, pair.buy))
    left = spent(state, sum(step.spend for step in rounds.steps))
    return Proposal(
        actions=(DELEVERAGE,),
        label=label,
        steps=steps,
        cost=Cost(gas_cost(moves, terms), Usd(trading), Usd(0)),
        after=Means(rounds.account, state.wallet, left),
        is_sufficient=goal_of(intent)(lending.figures(rounds.account)),
    )


@dataclass(frozen=True, slots=True)
class _Sized:
    """A sale of a size the pools can bear, and its rounds."""

    sale: Sale
    quote: Quote
    rounds: Rounds


def _sized(pair: Pair, intent: LendingIntent, state: Means, terms: PlanTerms, largest: int) -> _Sized | None:
    """Return the sale that is wanted, at most ``largest``; None when the pools bear nothing of it."""
    if not largest:
        return None
    wanted = sale_wanted(pair, intent, state, largest)
    quote = terms.quotes.best(pair.sell.asset, pair.buy.asset, wanted.bought)
    if quote is None:
        return None
    # bounded from the oracle's price alone: what a pool asks now it may not ask any more when the sale is mined
    return _Sized(wanted, quote, _sale_rounds(pair, wanted, quote, state, intent, terms))


def _swaps(steps: tuple[Step, ...]) -> int:
    return sum(isinstance(step.move, Swap) for step in steps)


def _is_between_limits(now: AccountFigures, account: Loan) -> bool:
    """Return whether nothing leaves though liquidation has not begun: the market has a limit before it."""
    return now.health_factor >= WAD and not account.model.lets_out(now)


def _sale_rounds(pair: Pair, sale: Sale, quote: Quote, state: Means, intent: LendingIntent, terms: PlanTerms) -> Rounds:
    sell, repay = pair.sell.asset, pair.buy.asset
    account, left, steps, stopped = state.account, sale, list[Step](), None
    most = per_round(pair, intent)
    between = between_floor(account, intent, terms)
    least = LEAST_ROUND_OF_ONE if terms.is_atomic else LEAST_ROUND
    for _ in range(terms.rounds):
        floor = between if terms.is_atomic else round_floor(account, terms)
        free = lending.withdrawable(account, sell, floor, lending.bearable(account, floor))
        available = withdraw_room(pair.sell, intent, account)
        amount = min(left.sold, free, available, most)
        if amount * least < min(sale.sold, most) and amount < left.sold:
            stopped = Reason.FLOOR_TOO_NEAR if free <= available else Reason.LIQUIDITY_SHORT
            break
        bought = left.bought if amount == left.sold else left.bought * amount // left.sold
        # what holds back all other must leave whole: a rest of it would keep everything else inside
        rest = account.of(sell).supplied - amount
        is_whole = pair.sell.holds_back and 0 <= rest * DUST <= amount
        out = amount + rest if is_whole else amount
        withdrawn = lending.after(account, sell, supply=-out)
        owed = withdrawn.of(repay).borrowed
        is_all = bought >= full_repayment(owed)
        paid = min(bought, owed)
        account = lending.after(withdrawn, repay, debt=interest_owed(owed, paid, is_all=is_all) - paid)
        low, health = lending.health_factor(withdrawn), lending.health_factor(account)
        spend = worth(amount, pair.sell)
        steps += [
            Step(Withdraw(sell, None if is_whole else Amount(amount), Amount(out)), Usd(0), low),
            Step(Swap(quote.route, Amount(amount), Amount(bought)), spend, low, _left_over(amount, bought, quote)),
            Step(Repay(repay, Amount(bought), is_all=is_all), Usd(0), health),
        ]
        left = Sale(Amount(left.sold - amount), Amount(left.bought - bought))
        if not left.bought or not left.sold:
            break
    approved = with_approvals(tuple(steps), lending.health_factor(state.account), terms)
    return Rounds(approved, account, Amount(sale.bought - left.bought), stopped)


def _left_over(amount: int, bought: int, quote: Quote) -> Amount:
    """Return what a swap of at most ``amount`` leaves unsold by what the pool asks now."""
    return Amount(max(0, amount - mul_div_down(quote.sold, bought, quote.bought)))


def _has_debt(account: Loan) -> bool:
    return any(h.borrowed for h in account.holdings)


def _asks(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[QuoteRequest]:
    """Yield the sale of each pair, whole: what may have to get out of the way first takes a larger one, and so does a
    lender's fee.
    """
    for pair in sale_pairs(intent, state.account):
        bare = replace(state, account=without_stuck(intent, state.account, pair))
        fee = dearest_fee(terms.offers, pair.buy.asset)
        sale = sale_wanted(pair, intent, bare, UINT256_MAX, fee)
        yield QuoteRequest(pair.sell.asset, pair.buy.asset, Amount(sale.bought + fee(sale.bought)))


DELEVERAGE = LendingAction(
    "deleverage",
    "Withdraws collateral, sells it and repays debt with what comes of it, in rounds where it has to.",
    trades=True,
    propose=deleverages,
    asks=_asks,
)
