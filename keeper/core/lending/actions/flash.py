"""Deleverage with a loan of the same transaction: repay first, then take out, sell and give back. No headroom needed.

Health never falls on the way: the debt is smaller before collateral leaves. So one transaction does what rounds cannot
near liquidation, and below it. Amounts are those of one sale (``sale_wanted``): exact, at the worst price that may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from keeper.core.actions import Action
from keeper.core.lending import figures as lending
from keeper.core.lending.actions.lent import fee_of, lent, several, too_dear
from keeper.core.lending.actions.rescues import full_repayment, interest_owed
from keeper.core.lending.actions.sales import bound_of, label_of, sale_wanted
from keeper.core.lending.figures import Loan, Sale, no_fee
from keeper.core.lending.moves import ANOTHER_WAY, MARKET, Approve, Flash, SalePart
from keeper.core.lending.openings import Opening
from keeper.core.lending.pairs import Pair, largest_within, sale_pairs, within_two
from keeper.core.lending.position import Barred
from keeper.core.lending.proposals import (
    ATOMIC_FLOOR,
    Cost,
    LoanOffer,
    Means,
    PlanTerms,
    Proposal,
    Rejected,
    Step,
    end_floor,
    gas_cost,
    goal_of,
    per_transaction,
    spent,
    withdraw_room,
    within,
    worth,
)
from keeper.core.lending.quotes import Quote
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import BPS, WAD, Amount, Usd, largest, mul_div_up, ratio_text

LEAST_SAVED = 8
"""Basis points of a sale that two pools must save: for less no second one is brought in, however cheap gas is."""
BY_LOAN = " with a loan of the same transaction"
"""How such a way is called, behind its pair."""


def by_loan(
    actions: tuple[Action, ...], intent: LendingIntent, state: Means, terms: PlanTerms, opening: Opening
) -> Iterator[Proposal | Rejected]:
    """Yield one way per pair of collateral and debt, and lender; ``actions`` are what they are ways of.

    Where no lender has enough, one more way is a loan of several.
    """
    for pair in sale_pairs(intent, state.account):
        if not opening.account.of(pair.sell.asset).is_collateral:
            continue  # it is what is taken out of the way
        for offer in terms.offers:
            found = _way(pair, (offer,), intent, state, terms, opening)
            yield replace(found, actions=actions) if isinstance(found, Proposal) else found
            if offer.takes_permits and isinstance(found, Proposal):
                # a token that knows no permit: the approval goes before
                plain = _way(pair, (replace(offer, takes_permits=False),), intent, state, terms, opening)
                if isinstance(plain, Proposal):
                    label = f"{plain.label}, approved before"
                    yield replace(plain, actions=actions, label=label, is_fallback=True)
        rows = _way(pair, several(pair, terms.offers), intent, state, terms, opening)
        if isinstance(rows, Proposal) and len([s for s in rows.steps if isinstance(s.move, Flash)]) > 1:
            yield replace(rows, actions=actions)


@dataclass(frozen=True, slots=True)
class _Sized:
    """A sale that everybody bears: lender, pools, market and limits."""

    sale: Sale
    quote: Quote
    fee: int = 0
    """What all loans for it cost."""
    beside: SalePart | None = None
    """What of it goes another way."""

    @property
    def due(self) -> int:
        """What the sale has to bring."""
        return self.sale.bought + self.fee


def _way(
    pair: Pair, offers: Sequence[LoanOffer], intent: LendingIntent, state: Means, terms: PlanTerms, opening: Opening
) -> Proposal | Rejected:
    if any(offer.by_wallet for offer in offers):
        terms = terms.with_quotes(terms.quotes.of_wallets)
    label, lead = f"{label_of(pair)}{BY_LOAN}", tuple[Step, ...]()
    if opening.blocked and not pair.sell.holds_back:
        return Rejected(label, Reason.COLLATERAL_STUCK, ", ".join(opening.blocked))
    if not pair.sell.holds_back:  # what is in the way needs no way opened to leave
        lead, state = opening.steps, replace(state, account=opening.account)
    found = _sized(pair, offers, intent, state, terms)
    if isinstance(found, Rejected):
        return replace(found, label=label)
    after = _after(state.account, pair, found.sale)
    figures, floor = lending.figures(after), max(ATOMIC_FLOOR, end_floor(state.account, terms))
    if figures.health_factor < floor or not after.model.lets_out(figures):
        return Rejected(label, Reason.FLOOR_TOO_NEAR, f"floor {ratio_text(floor)}")
    return _proposal(label, pair, offers, found, after, lead, intent, state, terms)


def _sized(
    pair: Pair,
    offers: Sequence[LoanOffer],
    intent: LendingIntent,
    state: Means,
    terms: PlanTerms,
    *,
    by_two: bool = True,
) -> _Sized | Rejected:
    """Return the smallest sufficient sale, or the largest that can be had; or why there is none.

    ``by_two``: it may be more than one pool bears alone.
    """
    for way in (pair.sell.room.withdraw, pair.buy.room.repay):
        if isinstance(way, Barred):
            return Rejected("", way.reason, way.detail)
    owed = pair.buy.asset
    there, fee = sum(offer.there.get(owed, Amount(0)) for offer in offers), fee_of(offers, owed)
    if not there:
        names = ", ".join(offer.lender for offer in offers) or "nobody"
        return Rejected("", Reason.LENDER_SHORT, f"{names} has no {pair.buy.symbol} now")
    left = min(state.left_usd, per_transaction(intent))
    if not within(left, pair.sell):
        return Rejected("", Reason.SPEND_LIMIT, "nothing left to spend")
    slippage = bound_of(pair, intent)
    fair = largest_within(pair, state, terms, slippage)
    by_hands = by_two and len(offers) == 1 and not offers[0].by_wallet  # else what is approved is for one exchange
    fair = max(fair, within_two(pair, state, terms, slippage) if by_hands else 0)
    room = withdraw_room(pair.sell, intent, state.account)
    limited = replace(state, left_usd=left)
    most = min(fair, there)
    if fee is not no_fee:
        most = largest(0, most, lambda b: b + fee(b) <= fair) or 0
    sale = sale_wanted(pair, intent, limited, most, fee)
    if sale.sold > room:
        most = lending.largest_sale(pair.sell, pair.buy, sale.bought, slippage, room, fee)
        sale = sale_wanted(pair, intent, limited, most, fee)
    asked = fee(sale.bought)
    if dear := too_dear(offers, owed, sale.bought):
        return Rejected("", Reason.LENDER_DEAR, f"{dear} of {pair.buy.symbol}, in its smallest units")
    quote = terms.quotes.best(pair.sell.asset, owed, sale.bought + asked)
    if quote is None or not sale.sold:
        why = Reason.POOL_TOO_THIN if not fair else Reason.LIQUIDITY_SHORT if not room else Reason.NOTHING_HELPS
        return Rejected("", why, f"nothing within {slippage} bps of the oracle" if not fair else pair.sell.symbol)
    one = _Sized(sale, quote, asked)
    found = _two_ways(pair, one, terms) if by_hands else one
    if by_hands and found.beside is None and quote.sold > sale.sold:  # no pool bears it alone
        return _sized(pair, offers, intent, state, terms, by_two=False)
    return found


def _two_ways(pair: Pair, one: _Sized, terms: PlanTerms) -> _Sized:
    """Return the sale by two pools where that is cheaper by more than its gas, each at the worst price of the whole."""
    sale, quote, due = one.sale, one.quote, one.due
    gas = Usd(mul_div_up(ANOTHER_WAY * terms.fee_per_gas, terms.native_price, WAD))
    dearer = max(pair.sell.amount_down(gas), mul_div_up(quote.sold, LEAST_SAVED, BPS))
    if quote.sold > sale.sold:  # dearer than it may be: by two pools, or not so much
        two = terms.quotes.two(pair.sell.asset, pair.buy.asset, due, lambda q: q.sold * due <= sale.sold * q.bought)
    else:
        two = terms.quotes.split(pair.sell.asset, pair.buy.asset, due, dearer)
    if two is None:
        return one
    large, little = two
    part = SalePart(little.route, Amount(mul_div_up(sale.sold, little.bought, due)), little.bought)
    if little.sold > part.sold or large.sold > sale.sold - part.sold:
        return one
    whole = replace(large, sold=Amount(large.sold + little.sold), bought=Amount(due))
    return replace(one, quote=whole, beside=part)


def _after(account: Loan, pair: Pair, sale: Sale) -> Loan:
    """Return the account at the end: no more is repaid than is owed, interest until mining is owed where it is not."""
    sell, repay = pair.sell.asset, pair.buy.asset
    owed = account.of(repay).borrowed
    paid, is_all = min(sale.bought, owed), sale.bought >= full_repayment(owed)
    repaid = lending.after(account, repay, debt=interest_owed(owed, paid, is_all=is_all) - paid)
    return lending.after(repaid, sell, supply=-sale.sold)


def _proposal(
    label: str,
    pair: Pair,
    offers: Sequence[LoanOffer],
    found: _Sized,
    after: Loan,
    lead: tuple[Step, ...],
    intent: LendingIntent,
    state: Means,
    terms: PlanTerms,
) -> Proposal:
    sale, spend = found.sale, worth(found.sale.sold, pair.sell)
    steps = (*lead, *_loans(pair, offers, found, state))
    # by hands of the lender's all that leaves is sold, at the price that the pools ask for what is owed
    lost = max(0, worth(found.quote.sold, pair.sell) - worth(sale.bought, pair.buy))
    is_own = all(offer.by_wallet for offer in offers)
    trading = lost if is_own else mul_div_up(lost, sale.sold, max(1, found.quote.sold))
    return Proposal(
        actions=(),
        label=label,
        steps=steps,
        cost=Cost(gas_cost(tuple(step.move for step in steps), terms), Usd(trading), Usd(0)),
        after=Means(after, state.wallet, spent(state, spend)),
        is_sufficient=goal_of(intent)(lending.figures(after)),
    )


def _loans(pair: Pair, offers: Sequence[LoanOffer], found: _Sized, state: Means) -> Iterator[Step]:
    """Yield the steps of one loan, or of several one after the other: each takes what the one before it left over.

    Each repays, takes out and sells its own part, at the worst price that the whole may have.
    """
    sale, left = found.sale, found.sale
    for offer, bought, fee in lent(offers, pair.buy.asset, sale.bought):
        sold = left.sold if bought == left.bought else min(left.sold, mul_div_up(sale.sold, bought + fee, found.due))
        route, beside = found.quote.route, found.beside
        loan = Flash(offer.lender, route, Amount(sold), bought, offer.takes_permits, beside, fee=fee)
        first, last = _approvals(loan, offer, state)
        before, account = (
            lending.health_factor(state.account),
            _after(state.account, pair, Sale(loan.sold, loan.bought)),
        )
        at_end, state = lending.health_factor(account), replace(state, account=account)
        yield from (Step(approve, Usd(0), before) for approve in first)
        yield Step(loan, worth(loan.sold, pair.sell), at_end)
        yield from (Step(approve, Usd(0), at_end) for approve in last)
        left = Sale(Amount(left.sold - sold), Amount(left.bought - bought))


def _approvals(flash: Flash, offer: LoanOffer, state: Means) -> tuple[tuple[Approve, ...], tuple[Approve, ...]]:
    """Return what is approved before a loan, exactly, and what is taken back after it: a sale rarely takes all it may.

    Of a debt that is repaid whole, the part meant for interest until mining may be left.
    """
    given, owed, exchange = flash.route.tokens[0], flash.route.tokens[-1], flash.route.exchange
    if flash.by_permit or offer.stands:
        return (), ()
    if not offer.by_wallet:
        rest = (Approve(given, offer.lender, Amount(0)),) if offer.entrusted else ()
        return (Approve(given, offer.lender, flash.sold),), rest
    first = (Approve(owed, MARKET, flash.bought), Approve(given, exchange, flash.sold))
    rest = (Approve(owed, MARKET, Amount(0)),) if flash.bought > state.account.of(owed).borrowed else ()
    return first, (Approve(given, exchange, Amount(0)), *rest)
