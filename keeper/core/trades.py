"""Help that trades: sell collateral to repay debt, in rounds above a health floor; and its opposite, the boost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keeper.core import lending
from keeper.core.decisions import Intent
from keeper.core.lending import Account, Sale
from keeper.core.moves import Approve, Borrow, Repay, Route, Spender, Supply, Swap, Withdraw
from keeper.core.positions import Holding
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
    per_transaction,
    plan_floor,
    round_floor,
    spent,
    within,
    worth,
)
from keeper.core.quotes import Quote, QuoteRequest
from keeper.core.reasons import Reason
from keeper.core.rescues import full_repayment, interest_owed
from keeper.core.rules import Action, CloseTarget
from keeper.core.units import BPS, UINT256_MAX, Address, Amount, Bps, Usd, Wad, mul_div_up, ratio_text

LEAST_ROUND = 100
"""A round that moves less than 1/100 of the whole, or of what one transaction may, is not worth its gas."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What is given and what is bought."""

    sell: Holding
    buy: Holding


def sale_pairs(intent: Intent, account: Account) -> tuple[Pair, ...]:
    """Return every collateral that could be sold with every debt it could repay."""
    held = intent.assessment.position.held
    collateral = [h for h in held if h.is_collateral and account.of(h.reserve.asset).supplied]
    debts = [h for h in held if account.of(h.reserve.asset).borrowed]
    return tuple(Pair(c, d) for c in collateral for d in debts if c.reserve.asset != d.reserve.asset)


def boost_pairs(intent: Intent, account: Account) -> tuple[Pair, ...]:
    """Return every debt that could be raised with every collateral it could buy: the ones already held."""
    return tuple(Pair(pair.buy, pair.sell) for pair in sale_pairs(intent, account))


def quotes_needed(intent: Intent, state: State, terms: Terms) -> tuple[QuoteRequest, ...]:
    """Return what to ask the pools before proposals can be worked out."""
    requests = []
    for action in intent.actions:
        if action is Action.DELEVERAGE and terms.signer_is_owner:
            for pair in sale_pairs(intent, state.account):
                sale = _sale_wanted(pair, intent, state, UINT256_MAX)
                requests.append(QuoteRequest(pair.sell.reserve.asset, pair.buy.reserve.asset, sale.bought))
        if action is Action.LEVERAGE_UP and terms.signer_is_owner:
            for pair in boost_pairs(intent, state.account):
                deal = _boost_wanted(pair, intent, state, UINT256_MAX)
                if deal:
                    requests.append(QuoteRequest(pair.sell.reserve.asset, pair.buy.reserve.asset, deal.bought))
    return tuple(r for r in requests if r.bought)


# --- deleverage ------------------------------------------------------------------------------------------------------


def deleverages(intent: Intent, state: State, terms: Terms) -> Iterator[Proposal | Rejected]:
    """Yield one way per pair of collateral and debt."""
    if not terms.signer_is_owner:
        yield Rejected("deleverage", Reason.NOT_ALLOWED_FOR_GUARDIAN)
        return
    pairs = sale_pairs(intent, state.account)
    if not pairs:
        yield Rejected("deleverage", Reason.NO_DEBT if not _has_debt(state.account) else Reason.NO_COLLATERAL)
    for pair in pairs:
        yield _deleverage(pair, intent, state, terms)


def _deleverage(pair: Pair, intent: Intent, state: State, terms: Terms) -> Proposal | Rejected:
    label = f"sell {pair.sell.reserve.symbol} to repay {pair.buy.reserve.symbol}"
    for holding in (pair.sell, pair.buy):
        if not holding.reserve.is_active or holding.reserve.is_paused:
            return Rejected(label, Reason.RESERVE_UNAVAILABLE, holding.reserve.symbol)
    if within(state.left_usd, pair.sell) == 0:
        return Rejected(label, Reason.SPEND_LIMIT, "nothing left to spend")
    slippage = intent.rule.limits.max_slippage
    largest = _largest_within(pair, state, terms, slippage)
    if not largest:
        return Rejected(label, Reason.POOL_TOO_THIN, f"nothing within {slippage} bps of the oracle")
    wanted = _sale_wanted(pair, intent, state, largest)
    quote = terms.quotes.best(pair.sell.reserve.asset, pair.buy.reserve.asset, wanted.bought)
    if quote is None:
        return Rejected(label, Reason.POOL_TOO_THIN, "no quote for the amount")
    # the bound is the tighter of oracle and pool: a wrong oracle must not license a bad sale
    ceiling = min(wanted.sold, mul_div_up(quote.sold, BPS + slippage, BPS))
    rounds = _sale_rounds(pair, Sale(Amount(ceiling), wanted.bought), quote.route, state, intent, terms)
    if not rounds.steps:
        return Rejected(
            label, rounds.stopped_by or Reason.FLOOR_TOO_NEAR, f"floor {ratio_text(terms.safety.health_floor)}"
        )
    moves = tuple(step.move for step in rounds.steps)
    share = mul_div_up(quote.sold, rounds.bought, wanted.bought)
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
class Rounds:
    """Withdraw, swap, repay, as often as the position allows."""

    steps: tuple[Step, ...]
    account: Account
    bought: Amount
    stopped_by: Reason | None


def _sale_rounds(pair: Pair, sale: Sale, route: Route, state: State, intent: Intent, terms: Terms) -> Rounds:
    sell, repay = pair.sell.reserve.asset, pair.buy.reserve.asset
    account, left, steps, stopped = state.account, sale, list[Step](), None
    per_round = _per_round(pair, intent)
    for _ in range(terms.safety.max_rounds):
        free = lending.withdrawable(account, sell, round_floor(account, terms))
        available = liquidity(pair.sell, intent, account)
        amount = min(left.sold, free, available, per_round)
        if amount * LEAST_ROUND < min(sale.sold, per_round) and amount < left.sold:
            stopped = Reason.FLOOR_TOO_NEAR if free <= available else Reason.LIQUIDITY_SHORT
            break
        bought = left.bought if amount == left.sold else left.bought * amount // left.sold
        withdrawn = lending.after(account, sell, supply=-amount)
        owed = withdrawn.of(repay).borrowed
        is_all = bought >= full_repayment(owed)
        paid = min(bought, owed)
        account = lending.after(withdrawn, repay, debt=interest_owed(owed, paid, is_all=is_all) - paid)
        low, health = lending.health_factor(withdrawn), lending.health_factor(account)
        spend = worth(amount, pair.sell)
        steps += [
            Step(Withdraw(sell, Amount(amount)), Usd(0), low),
            Step(Swap(route, Amount(amount), Amount(bought)), spend, low),
            Step(Repay(repay, Amount(bought), is_all=is_all), Usd(0), health),
        ]
        left = Sale(Amount(left.sold - amount), Amount(left.bought - bought))
        if not left.bought or not left.sold:
            break
    approved = _with_approvals(tuple(steps), lending.health_factor(state.account))
    return Rounds(approved, account, Amount(sale.bought - left.bought), stopped)


def _sale_wanted(pair: Pair, intent: Intent, state: State, largest: int) -> Sale:
    """Return the smallest sufficient sale within slippage, dollars and pool; the largest possible if none is."""
    sell, buy = pair.sell.reserve.asset, pair.buy.reserve.asset
    bps = intent.rule.limits.max_slippage
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


def _per_round(pair: Pair, intent: Intent) -> int:
    return within(per_transaction(intent), pair.sell)


# --- leverage up -----------------------------------------------------------------------------------------------------


def boosts(intent: Intent, state: State, terms: Terms) -> Iterator[Proposal | Rejected]:
    """Yield one way per pair of debt to raise and collateral to buy."""
    if not terms.signer_is_owner:
        yield Rejected("leverage up", Reason.NOT_ALLOWED_FOR_GUARDIAN)
        return
    pairs = boost_pairs(intent, state.account)
    if not pairs:
        yield Rejected("leverage up", Reason.NO_DEBT, "a boost raises a debt the position already has")
    for pair in pairs:
        yield _boost(pair, intent, state, terms)


def _boost(pair: Pair, intent: Intent, state: State, terms: Terms) -> Proposal | Rejected:
    label = f"borrow {pair.sell.reserve.symbol} to buy {pair.buy.reserve.symbol}"
    refusal = _refuse_boost(pair)
    if refusal:
        return Rejected(label, *refusal)
    slippage = intent.rule.limits.max_slippage
    largest = _largest_within(pair, state, terms, slippage)
    if not largest:
        return Rejected(label, Reason.POOL_TOO_THIN, f"nothing within {slippage} bps of the oracle")
    wanted = _boost_wanted(pair, intent, state, largest)
    quote = wanted and terms.quotes.best(pair.sell.reserve.asset, pair.buy.reserve.asset, wanted.bought)
    if not wanted or not quote:
        return Rejected(label, Reason.NOTHING_HELPS, "nothing can be borrowed above the target")
    ceiling = min(wanted.sold, mul_div_up(quote.sold, BPS + slippage, BPS))
    rounds = _boost_rounds(pair, Sale(Amount(ceiling), wanted.bought), quote, state, intent, terms)
    if not rounds.steps:
        return Rejected(label, Reason.FLOOR_TOO_NEAR, "nothing can be borrowed above the floor")
    trading = max(0, worth(quote.sold, pair.sell) - worth(wanted.bought, pair.buy))
    left = spent(state, sum(step.spend for step in rounds.steps))
    return Proposal(
        actions=(Action.LEVERAGE_UP,),
        label=label,
        steps=rounds.steps,
        cost=Cost(gas_cost(tuple(s.move for s in rounds.steps), terms), Usd(trading), Usd(0)),
        after=State(rounds.account, state.wallet, left),
        is_sufficient=not intent.rule.trigger.fires_at(lending.figures(rounds.account).health_factor),
    )


def _boost_rounds(pair: Pair, deal: Sale, quote: Quote, state: State, intent: Intent, terms: Terms) -> Rounds:
    borrow, buy = pair.sell.reserve.asset, pair.buy.reserve.asset
    account, left, steps = state.account, deal, list[Step]()
    per_round = _per_round(pair, intent)
    for _ in range(terms.safety.max_rounds):
        free = _borrowable(account, pair, intent)
        amount = min(left.sold, free, per_round)
        if amount * LEAST_ROUND < min(deal.sold, per_round) and amount < left.sold:
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
    approved = _with_approvals(tuple(steps), lending.health_factor(state.account))
    return Rounds(approved, account, Amount(deal.bought - left.bought), None)


def _boost_wanted(pair: Pair, intent: Intent, state: State, largest: int) -> Sale | None:
    """Return the largest purchase for which the target still holds, within dollars and pool."""
    slippage = intent.rule.limits.max_slippage
    limit = within(min(state.left_usd, lending.figures(state.account).collateral_value * 10), pair.sell)
    if largest < UINT256_MAX:
        sell, buy = state.account.of(pair.sell.reserve.asset), state.account.of(pair.buy.reserve.asset)
        limit = min(limit, lending.sale_cost(sell, buy, largest, slippage))
    sell_asset, buy_asset = pair.sell.reserve.asset, pair.buy.reserve.asset
    deal = lending.leverage_to_reach(state.account, sell_asset, buy_asset, goal_of(intent), slippage, limit)
    return deal if deal and deal.bought <= largest else None


def _borrowable(account: Account, pair: Pair, intent: Intent) -> int:
    """Return how much can be borrowed now: by LTV, by the reserve's liquidity and by its cap."""
    reserve, room = pair.sell.reserve, UINT256_MAX
    if reserve.borrow_cap:
        earlier = account.of(reserve.asset).borrowed - intent.assessment.account.of(reserve.asset).borrowed
        room = (reserve.borrow_cap * reserve.unit - reserve.total_borrowed) * 999 // 1000
        room = max(0, room - earlier)
    by_ltv = lending.figures(account).available_borrows * 9999 // 10_000
    return min(within(by_ltv, pair.sell), liquidity(pair.sell, intent, account), room)


def _refuse_boost(pair: Pair) -> tuple[Reason, str] | None:
    borrow, buy = pair.sell.reserve, pair.buy.reserve
    for reserve in (borrow, buy):
        if not reserve.is_active or reserve.is_frozen or reserve.is_paused:
            return Reason.RESERVE_UNAVAILABLE, reserve.symbol
    if not borrow.is_borrowable:
        return Reason.RESERVE_UNAVAILABLE, f"{borrow.symbol} cannot be borrowed"
    if buy.supply_cap and buy.total_supplied >= buy.supply_cap * buy.unit:
        return Reason.CAP_REACHED, buy.symbol
    return None


# --- both ------------------------------------------------------------------------------------------------------------


def _largest_within(pair: Pair, state: State, terms: Terms, slippage: Bps) -> int:
    """Return the largest quoted amount that costs no more than the oracle's price plus slippage; zero if none."""
    sell, buy = state.account.of(pair.sell.reserve.asset), state.account.of(pair.buy.reserve.asset)
    answers = terms.quotes.between(sell.asset, buy.asset)
    fair = [q.bought for q in answers if q.sold <= lending.sale_cost(sell, buy, q.bought, slippage)]
    return max(fair, default=0)


def _with_approvals(steps: tuple[Step, ...], health: Wad) -> tuple[Step, ...]:
    """Return the steps led by exact approvals of all that they will spend, and followed by taking back a rest."""
    swaps = [s.move for s in steps if isinstance(s.move, Swap)]
    payments = [s.move for s in steps if isinstance(s.move, Repay | Supply)]
    if not swaps:
        return ()
    given, received = swaps[0].route.tokens[0], swaps[0].route.tokens[-1]

    def approve(asset: Address, spender: Spender, amount: int, at: Wad) -> Step:
        return Step(Approve(asset, spender, Amount(amount)), Usd(0), at)

    lead = (
        approve(given, Spender.ROUTER, sum(swap.sold for swap in swaps), health),
        approve(received, Spender.MARKET, sum(payment.amount for payment in payments), health),
    )
    last = steps[-1].health_after
    tail = [approve(given, Spender.ROUTER, 0, last)]  # an exact-output swap rarely takes all it may
    if any(isinstance(payment, Repay) and payment.is_all for payment in payments):
        tail.append(approve(received, Spender.MARKET, 0, last))
    return (*lead, *steps, *tail)


def _has_debt(account: Account) -> bool:
    return any(b.borrowed for b in account.balances)
