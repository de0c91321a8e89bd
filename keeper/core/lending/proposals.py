"""One way to help, worked out: the moves, what they cost, the account after them; or why it cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from keeper.core.actions import Action
from keeper.core.decide import Safety
from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.metrics import CLOSED, EXITED, meets
from keeper.core.lending.moves import Move, Redeem, gas_of
from keeper.core.lending.outlook import fall_of
from keeper.core.lending.position import Barred, Holding
from keeper.core.lending.quotes import QuoteRequest, Quotes
from keeper.core.lending.rules import LendingIntent
from keeper.core.pace import BLOCKS
from keeper.core.reasons import Reason
from keeper.core.snapshot import Wallet
from keeper.core.units import BPS, UINT256_MAX, WAD, Address, Amount, Bps, Usd, Wad, Wei, mul_div_down, mul_div_up

ATOMIC_FLOOR = Wad(WAD + 5 * WAD // 10_000)
"""1.0005: no step of one transaction comes down to less. The protocol refuses 1 itself."""
ATOMIC_ROUNDS = 3
"""Times the owner's rounds that one transaction may have: none of them waits for a block."""
RACED = Wad(108 * WAD // 100)
"""The highest health factor from which somebody may want to be first in our block: one block falls by no more."""
AIM = 5
"""Basis points by which a plan aims past its target, so that interest until mining cannot undo it."""


NO_TOLL = Wei(0)


@dataclass(frozen=True, slots=True)
class LoanOffer:
    """A lender for the time of one transaction, what it has of each asset now, and what that costs."""

    lender: str
    there: Mapping[Address, Amount]
    takes_permits: bool = False
    """Whether the owner's key is at hand, to approve it within the call by a signature."""
    entrusted: bool = False
    """Whether it acts for all of the account, or for nothing of it: it is let before, and no more after."""
    stands: bool = False
    """Whether the owner has let it act already: that is his, and stays as it is."""
    by_wallet: bool = False
    """Whether the account itself repays, takes out and sells within the call: it approves these, not the lender."""
    fees: Mapping[Address, LoanFee] = field(default_factory=dict)
    """By asset; of what is not in it a loan is for nothing."""
    most_fee: Bps = Bps(0)  # noqa: RUF009 - a number
    """The most of a loan that its owner has it cost."""

    held_to_raise: int = 0
    """How many times a loan that raises a debt it must have; 0: nobody could borrow in the owner's name there.

    Once, or twice where the market itself lends: then its loan is out while it lends the owner the same again.
    """

    def fee(self, asset: Address, lent: int) -> Amount:
        """Return what a loan costs, from above."""
        of = self.fees.get(asset)
        return Amount(0) if of is None else of.of(lent)

    def is_dear(self, asset: Address, lent: int) -> bool:
        """Return whether a loan costs more than its owner has it cost."""
        return self.fee(asset, lent) > mul_div_down(lent, self.most_fee, BPS)


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan is weighed with, besides the intent itself."""

    safety: Safety
    signer_is_owner: bool
    fee_per_gas: Wei
    native_price: int
    """Base units for one whole native token."""
    quotes: Quotes
    is_atomic: bool = False
    """Whether the whole plan is one transaction: nothing can happen between its steps."""
    between_others: bool = False
    """Whether other plans of the same wallet may go out between two rounds of it."""

    toll: Wei = NO_TOLL
    """What a rollup charges for its parent chain, for one call."""
    most_rounds: int | None = None
    """Rounds that are left, where that is less than the owner's."""
    offers: tuple[LoanOffer, ...] = ()
    """Who lends within one transaction, and can speak to the position's market."""

    @property
    def rounds(self) -> int:
        """Rounds of withdraw, swap, repay that a plan may still have."""
        most = self.safety.max_rounds * (ATOMIC_ROUNDS if self.is_atomic else 1)
        return most if self.most_rounds is None else min(most, self.most_rounds)

    def standing(self, allowances: Mapping[tuple[Address, str], Amount]) -> PlanTerms:
        """Return the same terms with what the owner has let lenders do already."""
        acting = {lender for (_, lender), allowed in allowances.items() if allowed}
        offers = tuple(
            replace(x, stands=True, takes_permits=False) if x.entrusted and x.lender in acting else x
            for x in self.offers
        )
        return replace(self, offers=offers)

    def with_quotes(self, quotes: Quotes) -> PlanTerms:
        """Return the same terms with the pools' answers."""
        return replace(self, quotes=quotes)


@dataclass(frozen=True, slots=True)
class Means:
    """An account and the means to help it, before or after some moves."""

    account: Loan
    wallet: Wallet
    left_usd: int
    """Dollars that may still be moved; UINT256_MAX when unlimited."""


@dataclass(frozen=True, slots=True)
class Step:
    """One move of a plan, the dollars it spends, and the health factor it leaves."""

    move: Move
    spend: Usd
    health_after: Wad
    left_over: Amount = Amount(0)  # noqa: RUF009 - a number
    """Of a swap: what of the most it may give it would leave in the wallet by now."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a proposal costs, in 10^-8 dollars: gas, loss in trading, capital tied up."""

    gas: Usd
    trading: Usd
    capital: Usd

    @property
    def total(self) -> Usd:
        """The one currency proposals are compared in."""
        return Usd(self.gas + self.trading + self.capital)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A worked-out way to help. ``is_sufficient``: the state after it meets the target."""

    actions: tuple[Action, ...]
    label: str
    steps: tuple[Step, ...]
    cost: Cost
    after: Means
    is_sufficient: bool
    is_fallback: bool = False
    """A smaller part of another way, for when that does not work as a whole."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A way that was weighed and not taken."""

    label: str
    reason: Reason
    detail: str = ""
    cost: Cost | None = None


Builder = Callable[[LendingIntent, Means, PlanTerms], Iterator[Proposal | Rejected]]
Asking = Callable[[LendingIntent, Means, PlanTerms], Iterator[QuoteRequest]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LendingAction(Action):
    """One way to help a loan."""

    propose: Builder = field(kw_only=True)
    """Yield every way of this kind, limits and room minded, or why one cannot be had."""
    asks: Asking | None = None
    """What the pools are asked before that, where it trades."""


def goal_of(intent: LendingIntent) -> lending.Goal:
    """Return the predicate a plan is solved for: the target, aimed a hair to the safe side.

    Who leaves repays everything first; what comes out then needs no sum.
    """
    target = CLOSED if leaves(intent) else intent.target.aimed(AIM)
    return meets(target, intent.assessment.position)


def leaves(intent: LendingIntent) -> bool:
    """Return whether nothing is to be left in the market."""
    return intent.target.metric is EXITED.metric


def plan_floor(terms: PlanTerms) -> Wad:
    """Return the health floor a plan is made with: a hair above the owner's, so that interest cannot break it."""
    return Wad(mul_div_up(terms.safety.health_floor, BPS + AIM, BPS))


def round_floor(account: lending.Loan, terms: PlanTerms) -> Wad:
    """Return the health factor a round of a sale of several transactions may come down to.

    It keeps half of the distance to liquidation: the market moves while they are mined.
    """
    health, floor = lending.health_factor(account), plan_floor(terms)
    return floor if health >= UINT256_MAX else Wad(max(floor, WAD + (health - WAD) // 2))


def between_floor(account: lending.Loan, intent: LendingIntent, terms: PlanTerms) -> Wad:
    """Return the health factor that steps of one transaction may come down to: nobody can act between them.

    The owner's floor where there is room for it; below, a quarter of the distance to liquidation stays, and up to three
    while prices fall: the transaction is mined blocks later, and reverts where health would not have sufficed.
    """
    health, floor = lending.health_factor(account), plan_floor(terms)
    if health >= UINT256_MAX or health <= WAD:
        return floor
    away = fall_of(account, intent.assessment.drifts)
    least = max(ATOMIC_FLOOR, min(floor, WAD + (health - WAD) // 4))
    # where not even one block of the fall can be borne, keeping more would only take more rounds
    is_borne = health * (BPS - away) > WAD * BPS
    most = WAD + (health - WAD) * (3 if is_borne else 2) // 4
    return Wad(max(ATOMIC_FLOOR, min(most, mul_div_up(least, BPS, max(1, BPS - BLOCKS * away)))))


def end_floor(before: lending.Loan, terms: PlanTerms) -> Wad:
    """Return the health factor a plan may not end below: the owner's floor, or what it was where that is less."""
    return min(terms.safety.health_floor, lending.health_factor(before))


def gas_cost(moves: tuple[Move, ...], terms: PlanTerms) -> Usd:
    """Return what the moves' gas costs, rounded up."""
    gas = gas_of(moves, is_atomic=terms.is_atomic)
    return Usd(mul_div_up(gas * terms.fee_per_gas + len(moves) * terms.toll, terms.native_price, WAD))


def capital_cost(spend: int, terms: PlanTerms) -> Usd:
    """Return what tying up wallet funds costs, rounded up."""
    return Usd(mul_div_up(spend, terms.safety.capital_cost, BPS))


def affordable(state: Means, holding: Holding, intent: LendingIntent) -> Amount:
    """Return the most of an asset that the wallet holds and the dollars left, and per transaction, allow."""
    dollars = min(state.left_usd, per_transaction(intent))
    return Amount(min(state.wallet.has(holding.asset), within(dollars, holding)))


def per_transaction(intent: LendingIntent) -> int:
    """Return the dollars one transaction may move; UINT256_MAX when unlimited."""
    cap = intent.rule.limits.max_spend_per_tx
    return UINT256_MAX if cap is None else cap


def spent(state: Means, dollars: int) -> int:
    """Return the dollars left after some were moved."""
    return state.left_usd if state.left_usd >= UINT256_MAX else max(0, state.left_usd - dollars)


def within(dollars: int, holding: Holding) -> int:
    """Return how much of an asset ``dollars`` are, rounded down; unlimited stays unlimited."""
    return UINT256_MAX if dollars >= UINT256_MAX else holding.amount_down(dollars)


def supply_room(holding: Holding, intent: LendingIntent, account: Loan) -> int:
    """Return how much may still be supplied, a plan's moves so far counted; zero where nothing may be."""
    before, now = (a.of(holding.asset) for a in (intent.assessment.account, account))
    return _less(holding.room.supply, now.supplied - before.supplied)


def withdraw_room(holding: Holding, intent: LendingIntent, account: Loan) -> int:
    """Return what the market can pay out after a plan's moves so far: supplies and repayments add to it."""
    before, now = (a.of(holding.asset) for a in (intent.assessment.account, account))
    return _less(holding.room.withdraw, (now.borrowed - before.borrowed) - (now.supplied - before.supplied))


def borrow_room(holding: Holding, intent: LendingIntent, account: Loan) -> int:
    """Return how much may still be borrowed after a plan's moves so far; zero where nothing may be."""
    before, now = (a.of(holding.asset) for a in (intent.assessment.account, account))
    return _less(holding.room.borrow, now.borrowed - before.borrowed)


def _less(room: Amount | Barred, used: int) -> int:
    return 0 if isinstance(room, Barred) else UINT256_MAX if room >= UINT256_MAX else max(0, room - used)


def worth(amount: int, holding: Holding) -> Usd:
    """Return what an amount is worth in dollars, rounded up: spending counts against us."""
    return holding.usd_up(amount)


def paid(state: Means, asset: Address, amount: int, spend: int) -> tuple[Wallet, int]:
    """Return wallet and dollars left after an amount left the wallet."""
    return state.wallet.without(asset, amount), spent(state, spend)


def drawn(wallet: Wallet, asset: Address, amount: int) -> tuple[Redeem, ...]:
    """Return what has to be redeemed before an amount can be paid: what the wallet lacks of it, exactly."""
    lacks, found = amount - wallet.tokens.get(asset, 0), list[Redeem]()
    for one in wallet.savings:
        if one.asset == asset and lacks > 0 and one.there:
            found.append(Redeem(asset, one.token, Amount(min(lacks, one.there))))
            lacks -= found[-1].amount
    return tuple(found)
