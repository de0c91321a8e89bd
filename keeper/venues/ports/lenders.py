"""What a lender is: who lends within one transaction, what the loan costs, how it is entered and given back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.moves import ByLoan
from keeper.core.lending.position import LendingPosition
from keeper.core.reasons import Reason
from keeper.core.units import Address, Amount, Bps
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports.agency import Mandate
from keeper.venues.ports.exchanges import Exchange
from keeper.venues.ports.lending import LendingMarket
from keeper.venues.ports.reads import Discovery, Probe


@dataclass(frozen=True, slots=True)
class Permit:
    """An owner's signature that somebody may take so much of a token until a deadline (EIP-2612)."""

    amount: int
    deadline: int
    v: int
    r: bytes
    s: bytes


@dataclass(frozen=True, slots=True)
class Borrower:
    """Whose loan it is: the position as the plan was made from it, and the account that signs for its owner."""

    position: LendingPosition
    account: Address
    call_back: Callable[[Sequence[Call]], bytes]
    """What the account is called back with, so that it makes these calls. Raises ValueError where it cannot be."""
    permits: Mapping[Address, Permit] = field(default_factory=dict)
    """By collateral: with one the lender's spender is approved within the call, and by nothing before it."""
    ends: Mapping[Address, Permit] = field(default_factory=dict)
    """By collateral: with one what is left of the first is taken back at the end of the call."""
    insists: Mapping[Address, Amount] = field(default_factory=dict)
    """By collateral: what must be supplied still, or nothing is done. Permits cover it."""
    words: tuple[Mandate, Mandate] | None = None
    """With them the lender's agent is let act within the call, and no more at its end."""


class Lender(Protocol):
    """Who lends within one transaction, and the contracts that make one call of a loan and what is done with it."""

    @property
    def name(self) -> str:
        """The name of its table, which moves and approvals carry."""

    @property
    def spender(self) -> Address | None:
        """Who takes out what stands for a supply, and is approved for it; None where the account itself acts."""

    def agent(self, market: LendingMarket) -> Address | None:
        """Return who acts for the owner's whole account at a market, and has to be let; None where nobody does."""

    @property
    def paid_by_wallet(self) -> tuple[Address, ...]:
        """Whom the account pays a loan back from its own wallet; empty where hands of the lender do all of it."""

    @property
    def calls_back(self) -> bool:
        """Whether it calls its borrower back: then only an account that is a contract can borrow."""

    @property
    def hands(self) -> tuple[Address, ...]:
        """Contracts that hold money while the call runs: what is left there afterwards is anybody's."""

    @property
    def refusals(self) -> Mapping[str, Reason]:
        """By what a call of its own reverts with: why it does not lend, asks more than was agreed, or is silent."""

    def serves(self, market: LendingMarket) -> bool:
        """Return whether it can speak to a lending market."""

    def held_to_raise(self, market: LendingMarket) -> int:
        """Return how many times a loan that raises a debt it must have: once, twice where it is the market itself.

        0: it borrows in nobody's name there.
        """

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Find what is wrong with the addresses of its table, each led by the key."""

    def there_probe(self, assets: Sequence[Address]) -> Probe[dict[Address, Amount]]:
        """Return the probe of how much it can lend of each asset now; what cannot be read is not there."""

    @property
    def most_fee(self) -> Bps:
        """The most of a loan that it may cost; with nothing it is asked about none, and gets none."""

    def fee_probe(self, assets: Sequence[Address]) -> Probe[dict[Address, LoanFee]]:
        """Return the probe of what loans cost now; what is not in it, of a lender that may ask, is not lent."""

    def encode(
        self,
        flash: ByLoan,
        market: LendingMarket,
        exchanges: Mapping[str, Exchange],
        borrower: Borrower,
        deadline: int,
        purpose: str,
    ) -> Call:
        """Return the one call of a loan, for the owner's account; its sales are void after the deadline.

        ``exchanges`` by name. Raises ValueError for loans after the first, where it makes one call of one loan, and for
        a boost where ``held_to_raise`` is nothing.
        """

    def decoders(
        self, market: LendingMarket, exchanges: Iterable[Exchange], account: Address
    ) -> Mapping[Address, Decoder]:
        """Return the contracts that ``account`` calls, and what calls to each do: the gate's allow-list."""
