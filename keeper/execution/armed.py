"""What is read beside everything else for plans that were made ready: allowances, quotes; and what they must say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from keeper.core.armed.bounds import OutOfBoundsError
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.moves import Approve, ByLoan, FlashBoost, Move, Route, Spender, Swap, borrowing, one_by_one
from keeper.core.lending.plan import Plan
from keeper.core.lending.quotes import Quote, QuoteRequest
from keeper.core.units import Address, Amount
from keeper.execution.encoding import Venues
from keeper.venues.ports import Answer, Probe, Read

Answers = Mapping[object, Answer]


Q_co = TypeVar("Q_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Watched(Generic[Q_co]):
    """What is read beside everything else while plans are armed: allowances, and what their trades would give."""

    allowances: tuple[tuple[Probe[Amount], Answer], ...]
    """Each with the answer it had when the plans were armed."""
    quotes: tuple[Probe[Q_co], ...]
    permits: tuple[tuple[Read, Answer], ...] = ()
    """How many permits of the owner each token has used up, with the answer when the plans were armed."""

    @property
    def reads(self) -> tuple[Read, ...]:
        """All of it."""
        allowances = [read for probe, _ in self.allowances for read in probe.reads]
        permits = [read for read, _ in self.permits]
        return (*allowances, *permits, *(read for probe in self.quotes for read in probe.reads))

    def found(self, answers: Answers) -> list[Q_co]:
        """Return what trades would give now. Raises OutOfBoundsError unless allowances are as they were."""
        for probe, before in self.allowances:
            if answers.get(probe.reads[0], b"") != before:
                raise OutOfBoundsError("an allowance is not what it was")
        return [probe.decode([answers.get(r) for r in probe.reads]) for probe in self.quotes]


WatchedPools = Watched[tuple[Quote, ...]]


def check_pools(plan: Plan, watched: WatchedPools, answers: Answers) -> None:
    """Raise OutOfBoundsError unless allowances are as they were, and pools ask no more than the swaps may give.

    That what they may give is within the bound from the oracle's price is the gate's to say.
    """
    if plan.signs_permits and any(answers.get(read) != before for read, before in watched.permits):
        raise OutOfBoundsError("a permit of the owner's was used since: what is signed is void")
    quotes = [quote for found in watched.found(answers) for quote in found]
    for route, (sold, bought) in swapped([step.move for step in plan.steps]).items():
        asked = min((_share(q, bought) for q in quotes if q.route == route and q.bought >= bought), default=None)
        if asked is None or asked > sold:
            raise OutOfBoundsError(f"the pool asks {asked}, the plan gives at most {sold}")


def check_lent(
    plan: Plan, there: Mapping[str, Mapping[Address, Amount]], fees: Mapping[str, Mapping[Address, LoanFee]]
) -> None:
    """Raise OutOfBoundsError where a lender has less now than the plan borrows of it, or asks more for it.

    The bundle would revert.
    """
    for loan in borrowing(plan.moves):
        if isinstance(loan, FlashBoost):
            owed, lent, wants, pays = loan.route.tokens[0], loan.sold, loan.held, 0
        else:
            owed, lent, wants, pays = loan.route.tokens[-1], loan.bought, loan.bought, int(loan.fee)
        has = there.get(loan.lender, {}).get(owed, 0)
        if has < wants:
            raise OutOfBoundsError(f"{loan.lender} has {has} of {owed} to lend, the plan borrows {wants}")
        of = fees.get(loan.lender, {}).get(owed)
        asked = 0 if of is None else of.of(lent)
        if asked > pays:
            raise OutOfBoundsError(f"{loan.lender} asks {asked} of {owed} for its loan, the plan pays {pays}")


def watched_for(
    plans: Sequence[Plan],
    venues: Venues,
    signer: Address,
    answers: Mapping[tuple[Address, Spender], Amount],
    permits: tuple[tuple[Read, Answer], ...] = (),
) -> WatchedPools:
    """Return what plans of one ladder want read at each block: their allowances, and one quote for each route.

    A share of the largest quote bounds what a smaller swap costs: impact grows with size.
    """
    moves = [step.move for plan in plans for step in plan.steps]
    largest = dict[Route, int]()
    for plan in plans:
        for route, (_, bought) in swapped([step.move for step in plan.steps]).items():
            largest[route] = max(largest.get(route, 0), _coarse(bought))
    asked = [(QuoteRequest(r.tokens[0], r.tokens[-1], Amount(b)), r) for r, b in largest.items()]
    quotes = tuple(venues.exchange(route.exchange).quote_probe([(request, route)]) for request, route in asked)
    keys = dict.fromkeys((m.asset, m.spender) for m in moves if isinstance(m, Approve))
    agents = venues.agents()  # a plan rests on what they may do already, and would end it
    lent = [loan for loan in borrowing(moves) if loan.lender in agents]
    keys |= dict.fromkeys((loan.route.tokens[-1 if isinstance(loan, FlashBoost) else 0], loan.lender) for loan in lent)
    allowances = tuple(
        (venues.allowance_probe(signer, asset, role), int(answers.get((asset, role), 0)).to_bytes(32, "big"))
        for asset, role in keys
    )
    return Watched(allowances, quotes, permits)


def swapped(moves: Sequence[Move]) -> dict[Route, tuple[int, int]]:
    """Return by route what all swaps of a plan give at most, and what they buy."""
    total = dict[Route, tuple[int, int]]()
    for move in one_by_one(moves):
        if isinstance(move, Swap | ByLoan):
            for part in move.parts if isinstance(move, ByLoan) else (move,):
                sold, bought = total.get(part.route, (0, 0))
                total[part.route] = (sold + part.sold, bought + part.bought)
    return total


def _coarse(amount: int) -> int:
    """Return an amount rounded up by at most a sixty-fourth: what is read stays the same from block to block."""
    shift = max(0, amount.bit_length() - 7)
    return ((amount >> shift) + 1) << shift


def _share(quote: Quote, bought: int) -> int:
    return -(-quote.sold * bought // quote.bought)
