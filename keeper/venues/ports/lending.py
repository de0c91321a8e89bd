"""What a lending market and an account in it are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from keeper.core.lending.moves import MarketMove
from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Quoted
from keeper.core.units import Address, Amount
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports.accounts import Account
from keeper.venues.ports.agency import Agency
from keeper.venues.ports.reads import Discovery, Probe, Read
from keeper.venues.ports.site import Listed


class LendingMarket(Protocol):
    """One market, as discovery found it: a table of the network file, of whichever protocol."""

    @property
    def name(self) -> str:
        """The name of its table."""

    @property
    def listings(self) -> Sequence[Listed]:
        """Every asset of it."""

    def taker_of(self, asset: Address) -> Address:
        """Return who takes what is paid in of an asset, and is approved for it."""

    @property
    def receipts(self) -> Mapping[Address, Address]:
        """Token that stands for a supply, one for one → its asset; empty where supplies are no tokens."""

    @property
    def agency(self) -> Agency | None:
        """How somebody acts for an owner's account where supplies are no tokens; None where nobody can in one call."""

    @property
    def governed_by(self) -> tuple[Address, ...]:
        """Contracts that emit nothing but what changed in the market."""

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> LendingMarket:
        """Return the market with the feed behind each asset's price, and how old it may get."""

    @property
    def counts_in(self) -> Address | None:
        """The asset that its money is; None for a market that counts in dollars."""

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> LendingMarket:
        """Return the market with what says how many dollars its money is: of a market that does not count in them."""

    def listing(self, asset: Address) -> Listed:
        """Return one of its assets; KeyError when it does not list it."""

    def named(self, name: str) -> Listed | None:
        """Return an asset by its address, or by a symbol that no other has; letter case aside."""

    def price_probe(self, asset: Address) -> Probe[int]:
        """Return the probe of an asset's price by the market's oracle, in 10^-8 dollars; zero where nobody knows it."""

    def dollar_probe(self) -> Probe[Address | None]:
        """Return the probe of the asset that is worth a dollar and of which it has most: where trades meet."""

    def figures_read(self, owner: Address) -> Read | None:
        """Return the read of an account's figures (``AccountFigures``, six words); None where there is no such view.

        Fleets of many accounts are screened by it.
        """

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Find the assets an account uses, a spender's wallet holds, or a rule names."""

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move, for the owner's account. Raises ValueError for a move the venue does not have.

        ``position`` is the account as the plan was made from it: what everything is, a venue may have to name exactly.
        """

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """Return a call of the owner's that moves nothing and reverts where his position has less of an asset.

        It leads a batch that sells: what a liquidator took before us in the same block is not sold again. None where
        the venue has no such call.
        """

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the market's contracts that a keeper calls, and what calls to each do: the gate's allow-list."""


class LendingAccount(Account[LendingPosition], Protocol):
    """One account in a lending market, as discovery found it: which reads it takes, and what its logs say."""

    @property
    def market(self) -> LendingMarket:
        """The market it is in."""

    @property
    def owner(self) -> Address:
        """Whose it is."""

    @property
    def listings(self) -> Sequence[Listed]:
        """The assets that matter to it."""

    def trust_probe(self, signer: Address) -> Probe[bool | None]:
        """Return the probe of whether a signer may take out and borrow for the owner; None where a venue has no such.

        A keeper uses no such right: ``keeper doctor`` says that it is there.
        """
