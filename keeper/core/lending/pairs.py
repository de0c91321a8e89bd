"""What trades share: pairs of what is given and bought, rounds, and the exact approvals around them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.lending.moves import MARKET, Approve, Move, Repay, Spender, Supply, Swap
from keeper.core.lending.position import Holding
from keeper.core.lending.proposals import Means, PlanTerms, Step, per_transaction, within
from keeper.core.lending.quotes import Quote
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import Address, Amount, Bps, Usd, Wad

LEAST_ROUND = 100
"""A round that moves less than 1/100 of the whole, or of what one transaction may, is not worth its gas."""
LEAST_ROUND_OF_ONE = 1000
"""The same within one transaction: the first rounds near liquidation are small, and open the way to larger ones."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What is given and what is bought."""

    sell: Holding
    buy: Holding


def sale_pairs(intent: LendingIntent, account: Loan) -> tuple[Pair, ...]:
    """Return every collateral that could be sold with every debt it could repay, none with a price in doubt."""
    return tuple(p for p in all_pairs(intent, account) if not intent.assessment.doubt_of(p.sell.asset, p.buy.asset))


def all_pairs(intent: LendingIntent, account: Loan) -> tuple[Pair, ...]:
    """Return the same, whatever is in doubt."""
    held = [h for h in intent.assessment.position.held if h.price.answer > 0]
    collateral = [h for h in held if _counts(account.of(h.asset))]
    debts = [h for h in held if account.of(h.asset).borrowed]
    return tuple(Pair(c, d) for c in collateral for d in debts if c.asset != d.asset)


def stuck(intent: LendingIntent, account: Loan) -> tuple[Holding, ...]:
    """Return collateral that holds back all other: while it secures debts nothing else may leave."""
    return tuple(h for h in intent.assessment.position.held if h.holds_back and _counts(account.of(h.asset)))


def without_stuck(intent: LendingIntent, account: Loan, pair: Pair) -> Loan:
    """Return the account without such collateral, but for what is sold itself."""
    for holding in stuck(intent, account):
        if holding is not pair.sell:
            account = lending.without_collateral(account, holding.asset)
    return account


def _counts(holding: Holding) -> bool:
    return holding.is_collateral and holding.supplied > 0


def boost_pairs(intent: LendingIntent, account: Loan) -> tuple[Pair, ...]:
    """Return every debt that could be raised with every collateral it could buy: the ones already held."""
    pairs = [Pair(p.buy, p.sell) for p in all_pairs(intent, account) if p.sell.borrow_factor]
    return tuple(p for p in pairs if not intent.assessment.doubt_of(p.sell.asset, p.buy.asset))


@dataclass(frozen=True, slots=True)
class Rounds:
    """Withdraw, swap, repay, as often as the position allows."""

    steps: tuple[Step, ...]
    account: Loan
    bought: Amount
    stopped_by: Reason | None


def per_round(pair: Pair, intent: LendingIntent) -> int:
    """Return the most one round may give up: what one transaction may spend."""
    return within(per_transaction(intent), pair.sell)


def largest_within(pair: Pair, state: Means, terms: PlanTerms, slippage: Bps, *, in_rounds: bool = False) -> int:
    """Return the largest quoted amount that costs no more than the oracle's price plus slippage; zero if none.

    ``in_rounds``: the last slice must be within it too. Impact grows along the way, so a sale that is fair as a whole
    may not be fair at its end, and each round is bounded by itself.
    """
    sell, buy = state.account.of(pair.sell.asset), state.account.of(pair.buy.asset)
    answers = terms.quotes.between(sell.asset, buy.asset)
    fair = [q.bought for q in answers if q.sold <= lending.sale_cost(sell, buy, q.bought, slippage)]
    if in_rounds:
        fair = [b for b in fair if _is_fair_to_the_end(pair, state, terms, slippage, b)]
    return max(fair, default=0)


def within_two(pair: Pair, state: Means, terms: PlanTerms, slippage: Bps) -> int:
    """Return the largest quoted amount that two pools give, each within slippage; zero if none."""
    sell, buy = state.account.of(pair.sell.asset), state.account.of(pair.buy.asset)

    def is_fair(quote: Quote) -> bool:
        return quote.sold <= lending.sale_cost(sell, buy, quote.bought, slippage)

    sizes = {q.bought for q in terms.quotes.between(sell.asset, buy.asset)}
    return max((n for n in sizes if terms.quotes.two(sell.asset, buy.asset, n, is_fair)), default=0)


def _is_fair_to_the_end(pair: Pair, state: Means, terms: PlanTerms, slippage: Bps, bought: int) -> bool:
    """Return whether the price at the end of a sale is within slippage, judged by its two halves.

    With impact growing along the way the end is dearer than the second half by half of what that is dearer than the
    first. The smallest quoted size has no half to compare with and counts as a whole.
    """
    sell, buy = state.account.of(pair.sell.asset), state.account.of(pair.buy.asset)
    answers = terms.quotes.between(sell.asset, buy.asset)
    half = bought // 2
    whole_cost = min(q.sold for q in answers if q.bought == bought)
    half_cost = min((q.sold for q in answers if q.bought == half), default=None)
    if half_cost is None or not half:
        return True
    second = whole_cost - half_cost
    end = second + max(0, second - half_cost) // 2
    return end <= lending.sale_cost(sell, buy, bought - half, slippage)


def with_approvals(steps: tuple[Step, ...], health: Wad, terms: PlanTerms) -> tuple[Step, ...]:
    """Return the steps with exact approvals of all that they will spend, and with a rest of them taken back.

    They lead and end the plan; or each round where plans of the same wallet may go out between two of its rounds.
    """
    return _by_round(steps, health) if terms.between_others else _around_all(steps, health)


def _by_round(steps: tuple[Step, ...], health: Wad) -> tuple[Step, ...]:
    """Return the steps, each next to its own approval: a wallet has one allowance for a spender, whoever set it."""
    found, at = list[Step](), health
    for step in steps:
        need = _takes(step.move)
        if need is not None:
            found.append(Step(need, Usd(0), at))
        found.append(step)
        at = step.health_after
        if need is not None and (isinstance(step.move, Swap) or (isinstance(step.move, Repay) and step.move.is_all)):
            found.append(Step(replace(need, amount=Amount(0)), Usd(0), at))
    return tuple(found)


def _takes(move: Move) -> Approve | None:
    """Return the approval that a move uses up."""
    match move:
        case Swap(route, sold, _):
            return Approve(route.tokens[0], route.exchange, sold)
        case Repay(asset, amount) | Supply(asset, amount):
            return Approve(asset, MARKET, amount)
        case _:
            return None


def _around_all(steps: tuple[Step, ...], health: Wad) -> tuple[Step, ...]:
    swaps = [s.move for s in steps if isinstance(s.move, Swap)]
    payments = [s.move for s in steps if isinstance(s.move, Repay | Supply)]
    if not swaps:
        return ()
    given, received = swaps[0].route.tokens[0], swaps[0].route.tokens[-1]

    def approve(asset: Address, spender: Spender, amount: int, at: Wad) -> Step:
        return Step(Approve(asset, spender, Amount(amount)), Usd(0), at)

    sold = dict[Spender, int]()
    for swap in swaps:
        sold[swap.route.exchange] = sold.get(swap.route.exchange, 0) + swap.sold
    lead = (
        *(approve(given, exchange, amount, health) for exchange, amount in sold.items()),
        approve(received, MARKET, sum(payment.amount for payment in payments), health),
    )
    last = steps[-1].health_after
    tail = [approve(given, exchange, 0, last) for exchange in sold]  # an exact-output swap rarely takes all it may
    if any(isinstance(payment, Repay) and payment.is_all for payment in payments):
        tail.append(approve(received, MARKET, 0, last))
    return (*lead, *steps, *tail)
