"""The lender on paper: who lends within one transaction, and whose hand does what is done with the loan.

Its call says in plain text what is lent and sold; it is read back into the steps of a bundle, which the gate follows as
it follows those of every lender, and ``paper_bundle`` carries out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from keeper.backtest.paper_calls import HAND, LENDER, LENDERS, ROUTER, encoded, nothing
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.moves import ByLoan, Flash
from keeper.core.reasons import Reason
from keeper.core.units import Address, Amount, Bps
from keeper.venues.effects import (
    Bundles,
    Call,
    Decoder,
    Effect,
    Flow,
    Lends,
    Passes,
    Pulls,
    Redeems,
    Repays,
    Returns,
    Trades,
)
from keeper.venues.ports import Borrower, Discovery, Exchange, LendingMarket, Probe

SHORT = "the lender has not so much"


@dataclass(frozen=True, slots=True)
class PaperLender:
    """Who lends to a plain account, for nothing; it pulls what stands for a supply, being approved for it."""

    name: str = LENDERS
    spender: Address | None = LENDER
    paid_by_wallet: tuple[Address, ...] = ()
    calls_back: bool = False
    hands: tuple[Address, ...] = (LENDER, HAND)
    most_fee: Bps = Bps(0)  # noqa: RUF009 - a number
    refusals: ClassVar[Mapping[str, Reason]] = {SHORT: Reason.LENDER_SHORT}

    def agent(self, market: LendingMarket) -> Address | None:
        """Nobody acts for a whole account."""
        return None

    def serves(self, market: LendingMarket) -> bool:
        """Return whether supplies are tokens there."""
        return bool(market.receipts)

    def held_to_raise(self, market: LendingMarket) -> int:
        """Nobody borrows in the owner's name: boosts go in rounds on paper."""
        del market
        return 0

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Nobody asks."""
        return nothing(self)

    def there_probe(self, assets: Sequence[Address]) -> Probe[dict[Address, Amount]]:
        """Nobody asks: the reader has what it lends."""
        return nothing(assets)

    def fee_probe(self, assets: Sequence[Address]) -> Probe[dict[Address, LoanFee]]:
        """Nobody asks: it lends for nothing."""
        return nothing(assets)

    def encode(
        self,
        flash: ByLoan,
        market: LendingMarket,
        exchanges: Mapping[str, Exchange],
        borrower: Borrower,
        deadline: int,
        purpose: str,
    ) -> Call:
        """Return the one call of a loan. Raises ValueError for loans after the first: nobody signs permits on paper."""
        del exchanges
        if not isinstance(flash, Flash) or flash.then or flash.by_permit:
            raise ValueError("nobody signs permits on paper: one call takes one loan, approved before it")
        (receipt,) = (token for token, asset in market.receipts.items() if asset == flash.route.tokens[0])
        parts = [[str(part.sold), str(part.bought)] for part in flash.parts]
        return encoded(
            LENDER, purpose, do="loan", asset=flash.route.tokens[-1], amount=str(flash.bought), receipt=receipt,
            sold=str(flash.sold), given=flash.route.tokens[0], parts=parts, to=borrower.position.owner,
            deadline=deadline,
        )  # fmt: skip

    def decoders(
        self, market: LendingMarket, exchanges: Iterable[Exchange], account: Address
    ) -> Mapping[Address, Decoder]:
        """Return what calls to it do."""
        del market, exchanges, account
        return {LENDER: _of_lender}


def _of_lender(call: Call) -> tuple[Effect, ...]:
    found: Any = orjson.loads(call.data)
    if not isinstance(found, dict) or found.get("do") != "loan":
        raise ValueError(f"{call.purpose}: no call of a keeper's")
    return (Bundles(tuple(_steps(found))),)


def _steps(of: Mapping[str, Any]) -> Iterator[Flow]:
    """Yield the loan step by step: repaid, taken out, all of it sold, given back; the rest is the owner's.

    Where the lender takes it back from lies what was lent and no more.
    """
    owed, lent, owner = Address(of["asset"]), int(of["amount"]), Address(of["to"])
    receipt, given = Address(of["receipt"]), Address(of["given"])
    yield Lends(owed, lent, LENDER)
    yield Passes(owed, lent, LENDER, HAND)
    yield Repays(owed, lent, HAND, owner)
    yield Pulls(receipt, int(of["sold"]), HAND, LENDER)
    *before, last = of["parts"]
    for part in (*before, last):
        sold, least = (int(amount) for amount in part)
        yield Redeems(given, receipt, None if part is last else sold, HAND, ROUTER)
        yield Trades(given, None, ROUTER, owed, least, HAND, int(of["deadline"]))
    yield Passes(owed, lent, HAND, LENDER)
    yield Passes(owed, None, HAND, owner)
    yield Returns(owed, lent, LENDER)
