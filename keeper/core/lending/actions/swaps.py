"""Rearranging a loan: collateral into other collateral, debt into other debt, until a share is what it should be.

It rescues nobody, so it hurries nowhere: the pools' own price with a hair of room, the owner's usual slippage at the
most, a bound on what it may cost, and an end at which no rule that protects would fire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from keeper.core import names
from keeper.core.lending import figures as lending
from keeper.core.lending.actions.swapping import COLLATERAL, DEBT, Swapping
from keeper.core.lending.figures import Loan, Sale
from keeper.core.lending.metrics import as_if
from keeper.core.lending.moves import Swap
from keeper.core.lending.named import is_dollar
from keeper.core.lending.pairs import LEAST_ROUND, LEAST_ROUND_OF_ONE, Pair, largest_within, per_round, with_approvals
from keeper.core.lending.position import Barred, Holding
from keeper.core.lending.proposals import (
    Cost,
    LendingAction,
    Means,
    PlanTerms,
    Proposal,
    Rejected,
    Step,
    end_floor,
    gas_cost,
    plan_floor,
    spent,
    supply_room,
    within,
    worth,
)
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.lending.rules import LendingIntent
from keeper.core.lending.share_metrics import amounts_of, owed, part_of, secured, share
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import BPS, UINT256_MAX, Amount, Bps, Usd, mul_div_up, ratio_text, smallest, usd_text

SNUG = 10
"""Basis points beyond the pool's own price that a swap may give: what is not given would lie in the wallet."""
MOST_SINKS = 3
"""Assets that are tried to swap into, the least volatile first."""


def collateral_swaps(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield one way per collateral that is too much and collateral to swap it into."""
    for way in _swaps(COLLATERAL, intent, state, terms):
        yield replace(way, actions=(SWAP_COLLATERAL,)) if isinstance(way, Proposal) else way


def debt_swaps(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    """Yield one way per debt that is too much and debt to have in its place."""
    for way in _swaps(DEBT, intent, state, terms):
        yield replace(way, actions=(SWAP_DEBT,)) if isinstance(way, Proposal) else way


def _swaps(turn: Swapping, intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[Proposal | Rejected]:
    if not terms.signer_is_owner:
        yield Rejected(turn.key, Reason.NOT_ALLOWED_FOR_GUARDIAN)
        return
    terms = terms.with_quotes(terms.quotes.of_wallets)
    found = list(_pairs(turn, intent, state.account))
    if not found:
        yield Rejected(turn.key, Reason.NOTHING_HELPS, "nothing it may be swapped into")
    for pair in found:
        doubt = intent.assessment.doubt_of(pair.sell.asset, pair.buy.asset)
        yield _swap(turn, pair, intent, state, terms) if doubt is None else _doubted(turn, pair, doubt)


def _doubted(turn: Swapping, pair: Pair, doubt: Doubt) -> Rejected:
    return Rejected(turn.label(pair), Reason.DOUBTFUL_PRICE, doubt.detail)


# --- which pairs -----------------------------------------------------------------------------------------------------


def _pairs(turn: Swapping, intent: LendingIntent, account: Loan) -> Iterator[Pair]:
    """Yield what is given and what is bought, the largest of what is too much first, the least volatile of the rest.

    Of debts what is taken on is given, and what is repaid is bought.
    """
    part, now = part_of(account.holdings, intent.target.of), _share_now(turn, intent, account)
    if now is None or amounts_of(intent.target) is not turn.amount:
        return
    is_over = now > intent.target.value
    inside = [h for h in account.holdings if h.asset in part and h.price.answer]
    outside = [h for h in _allowed(intent, account.holdings) if h.asset not in part and h.price.answer]
    inside, outside = (inside, outside) if is_over else (outside, inside)
    held = sorted((h for h in inside if turn.amount(h)), key=lambda h: -h.usd_down(turn.amount(h)))
    into = [h for h in _calmest(intent, outside) if _takes(turn, h)][:MOST_SINKS]
    for too_much in held:
        for other in into:
            given, bought = (too_much, other) if turn.amount is secured else (other, too_much)
            yield Pair(
                intent.assessment.position.holding(given.asset), intent.assessment.position.holding(bought.asset)
            )


def _allowed(intent: LendingIntent, holdings: Iterable[Holding]) -> tuple[Holding, ...]:
    """Return what the rule names to swap into, in its order; all where it names nothing."""
    held = tuple(holdings)
    named = [h for name in intent.rule.into for h in names.meant(name, held)]
    return tuple(dict.fromkeys(named)) if intent.rule.into else held


def _calmest(intent: LendingIntent, of: Sequence[Holding]) -> list[Holding]:
    """Return assets, the least volatile first: dollar coins, then by their own feeds where these are known."""
    market = intent.assessment.position.beside.market

    def unrest(holding: Holding) -> tuple[bool, float]:
        moved = market.movement(holding.asset) if market is not None else None
        known = None if moved is None or isinstance(moved, Doubt) else moved.volatility
        return not is_dollar(holding), 1e9 if known is None or isinstance(known, Doubt) else known

    return sorted(of, key=unrest)


def _takes(turn: Swapping, holding: Holding) -> bool:
    """Return whether the market takes an asset as what it is to become: collateral that counts, or a debt."""
    way = holding.room.supply if turn.amount is secured else holding.room.borrow
    counts = bool(holding.liquidation_factor) if turn.amount is secured else True
    return counts and not isinstance(way, Barred) and way > 0


def _share_now(turn: Swapping, intent: LendingIntent, account: Loan) -> int | None:
    return share(account.holdings, part_of(account.holdings, intent.target.of), turn.amount)


# --- how much --------------------------------------------------------------------------------------------------------


def wanted(turn: Swapping, pair: Pair, intent: LendingIntent, state: Means, largest: int) -> Sale:
    """Return the smallest swap that brings the share to its target, within dollars and ``largest``; else the most."""
    part, account = part_of(state.account.holdings, intent.target.of), state.account
    low, high = account.of(pair.sell.asset), account.of(pair.buy.asset)
    too_much = high if turn.amount is owed else low
    is_over, goal = too_much.asset in part, intent.target.value

    def sale(bought: int) -> Sale:
        return Sale(lending.sale_cost(low, high, bought, intent.rule.limits.max_slippage), Amount(bought))

    def is_there(bought: int) -> bool:
        then = share(turn.after(account, pair, sale(bought)).holdings, part, turn.amount)
        return then is not None and (then <= goal if is_over else then >= goal)

    dollars = within(state.left_usd, pair.sell)
    most = min(largest, turn.whole(account, pair), _most(turn, low, high, intent))
    most = min(most, _bought_with(dollars, low, high, intent) if dollars < UINT256_MAX else UINT256_MAX)
    found = smallest(0, most, is_there) if most > 0 else None
    return sale(most if found is None else found) if most > 0 else Sale(Amount(0), Amount(0))


def _most(turn: Swapping, given: Holding, bought: Holding, intent: LendingIntent) -> int:
    """Return the most that can be bought with all that there is of what is given; a debt has no such end."""
    if turn.amount is owed:
        return UINT256_MAX
    return _bought_with(given.supplied, given, bought, intent)


def _bought_with(paid: int, given: Holding, bought: Holding, intent: LendingIntent) -> int:
    """Return what an amount buys at the worst price that may be, rounded down."""
    return (
        paid
        * given.price.answer
        * bought.unit
        * BPS
        // (bought.price.answer * given.unit * (BPS + intent.rule.limits.max_slippage))
    )


# --- one way ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sized:
    """A swap that pools, market and limits bear."""

    sale: Sale
    quote: Quote


def _swap(turn: Swapping, pair: Pair, intent: LendingIntent, state: Means, terms: PlanTerms) -> Proposal | Rejected:
    label, barred = turn.label(pair), turn.barred(pair)
    if barred is not None:
        return Rejected(label, barred.reason, barred.detail)
    if not within(state.left_usd, pair.sell):
        return Rejected(label, Reason.SPEND_LIMIT, "nothing left to spend")
    slippage = intent.rule.limits.max_slippage
    fair = largest_within(pair, state, terms, slippage)
    if turn.amount is secured:
        fair = min(fair, supply_room(pair.buy, intent, state.account))
    sale = wanted(turn, pair, intent, state, fair) if fair else Sale(Amount(0), Amount(0))
    quote = terms.quotes.best(pair.sell.asset, pair.buy.asset, sale.bought)
    if quote is None or not sale.bought:
        return Rejected(label, Reason.POOL_TOO_THIN, f"nothing within {slippage} bps of the oracle")
    snug = Sale(Amount(min(sale.sold, _snug(pair, sale, quote))), sale.bought)
    return _worked_out(turn, label, pair, _Sized(snug, quote), intent, state, terms)


def _snug(pair: Pair, sale: Sale, quote: Quote) -> int:
    """Return what a swap may give: what pools ask now, or the oracle's price where they ask less, and a hair."""
    par = lending.sale_cost(pair.sell, pair.buy, sale.bought, Bps(0))
    return mul_div_up(max(quote.sold, par), BPS + SNUG, BPS)


def _worked_out(
    turn: Swapping, label: str, pair: Pair, found: _Sized, intent: LendingIntent, state: Means, terms: PlanTerms
) -> Proposal | Rejected:
    steps, after, bought = _rounds(turn, pair, found, intent, state, terms)
    if not steps:
        return Rejected(label, Reason.FLOOR_TOO_NEAR, f"floor {ratio_text(plan_floor(terms))}")
    if why := _worse(after, intent, state, terms):
        return Rejected(label, Reason.FLOOR_TOO_NEAR, why)
    moved = sum(step.spend for step in steps)
    asked = mul_div_up(found.quote.sold, bought, found.sale.bought)
    lost = max(0, worth(asked, pair.sell) - worth(bought, pair.buy))
    cost = Cost(gas_cost(tuple(step.move for step in steps), terms), Usd(lost), Usd(0))
    most = intent.rule.limits.max_cost
    if most is not None and cost.total * BPS > moved * most:
        detail = f"{usd_text(cost.total)} for {usd_text(moved)}, max_cost_bps is {most}"
        return Rejected(label, Reason.COSTS_TOO_MUCH, detail, cost)
    return Proposal(
        actions=(),
        label=label,
        steps=steps,
        cost=cost,
        after=Means(after, state.wallet, spent(state, moved)),
        is_sufficient=intent.target.is_met(replace(intent.assessment.position, holdings=after.holdings)),
    )


def _rounds(
    turn: Swapping, pair: Pair, found: _Sized, intent: LendingIntent, state: Means, terms: PlanTerms
) -> tuple[tuple[Step, ...], Loan, int]:
    """Return the steps, the account after them, and what is bought in all."""
    account, left, steps = state.account, found.sale, list[Step]()
    most, least = per_round(pair, intent), LEAST_ROUND_OF_ONE if terms.is_atomic else LEAST_ROUND
    for _ in range(terms.rounds):
        amount = min(left.sold, turn.free(account, pair, intent, terms), most)
        if amount * least < min(found.sale.sold, most) and amount < left.sold:
            break
        bought = left.bought if amount == left.sold else left.bought * amount // left.sold
        round_, spend = Sale(Amount(amount), Amount(bought)), worth(amount, pair.sell)
        swap = Step(Swap(found.quote.route, round_.sold, round_.bought), spend, lending.health_factor(account))
        steps += turn.steps(account, pair, round_, swap)
        account = turn.after(account, pair, round_)
        left = Sale(Amount(left.sold - amount), Amount(left.bought - bought))
        if not left.bought or not left.sold:
            break
    bought = found.sale.bought - left.bought
    return with_approvals(tuple(steps), lending.health_factor(state.account), terms), account, bought


def _worse(after: Loan, intent: LendingIntent, state: Means, terms: PlanTerms) -> str:
    """Return why an account may not end so: below the floor, or where a rule that protects would fire."""
    figures, position = lending.figures(after), intent.assessment.position
    if figures.health_factor < end_floor(state.account, terms):
        return f"floor {ratio_text(terms.safety.health_floor)}"
    then = as_if(replace(position, holdings=after.holdings), figures)
    for rule in (v.rule for v in intent.assessment.verdicts if v.rule.actions and not v.rule.is_boost):
        value = rule.trigger.metric.now(then, rule.trigger.of)
        if value is not None and rule.trigger.fires_at(value, then):
            return f"rule {rule.name} would fire"
    return ""


def _asked_of_collateral(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[QuoteRequest]:
    del terms
    yield from _asked(COLLATERAL, intent, state)


def _asked_of_debt(intent: LendingIntent, state: Means, terms: PlanTerms) -> Iterator[QuoteRequest]:
    del terms
    yield from _asked(DEBT, intent, state)


def _asked(turn: Swapping, intent: LendingIntent, state: Means) -> Iterator[QuoteRequest]:
    """Yield the swap of each pair."""
    for pair in _pairs(turn, intent, state.account):
        sale = wanted(turn, pair, intent, state, UINT256_MAX)
        yield QuoteRequest(pair.sell.asset, pair.buy.asset, sale.bought)


SWAP_COLLATERAL = LendingAction(
    "swap_collateral",
    "Swaps collateral into other collateral until a share of it is what `restore` says: into what `into` names, else "
    "the least volatile that counts.",
    trades=True,
    reaches="collateral_share",
    closes=False,
    propose=collateral_swaps,
    asks=_asked_of_collateral,
)
SWAP_DEBT = LendingAction(
    "swap_debt",
    "Borrows another asset and repays with it, until a share of the debts is what `restore` says: what `into` names, "
    "else the least volatile that can be borrowed.",
    trades=True,
    reaches="debt_share",
    closes=False,
    propose=debt_swaps,
    asks=_asked_of_debt,
)
