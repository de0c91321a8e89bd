"""What an account at a perpetual venue is, and its orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keeper.core.perp.moves import PerpMove, TradeQuote
from keeper.core.perp.position import PerpPosition
from keeper.core.units import Address, Wei
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports.accounts import Account
from keeper.venues.ports.reads import Probe


class PerpAccount(Account[PerpPosition], Protocol):
    """One account at a perpetual venue, as discovery found it: which reads it takes, how moves become calls."""

    @property
    def collateral(self) -> Address:
        """The token margin is paid in."""

    @property
    def spender(self) -> Address:
        """Who takes the collateral, and is approved for it."""

    def quote_probe(self, position: PerpPosition, market: Address, size_change: int) -> Probe[TradeQuote | None]:
        """Return the reads that show what a trade would give now; None where the venue would refuse it."""

    def execution_fee(self, gas_price: Wei) -> Wei:
        """Return what one order pays the venue's keepers at a gas price; zero where there are none."""

    def encode(self, position: PerpPosition, move: PerpMove, signer: Address, deadline: int, gas_price: Wei) -> Call:
        """Return the call of one move. Raises ValueError for a move the venue does not have."""

    def decoders(self, position: PerpPosition) -> Mapping[Address, Decoder]:
        """Return the contracts that this account's calls go to, and what calls to each do: the gate's allow-list."""

    def least_gas(self, move: PerpMove) -> int:
        """Return the gas limit a call needs at least, whatever it uses; zero where there is no such bound."""

    @property
    def can_try(self) -> bool:
        """Whether an order can be tried as if the venue's keepers executed it now."""

    def as_if_executed(self, calls: Sequence[Call], timestamp: int, keys: Sequence[str]) -> OrderTrial | None:
        """Return what to run to have the last call's order executed at once; None where it leaves none to be filled.

        ``keys`` are those of the orders the calls leave when they are run on the same state, in their order. Raises
        ValueError where the order is not among them.
        """

    @property
    def order_book(self) -> OrderBook | None:
        """What reads the venue's logs about orders; None where trades are done at once."""


class OrderBook(Protocol):
    """A venue's word on what became of orders, from its logs alone."""

    def filter(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the ``address`` and ``topics`` of an eth_getLogs request about orders by key."""

    def created(self, logs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
        """Return the keys of the orders that a transaction's logs say were created."""

    def by_itself(self) -> tuple[dict[str, Any], ...]:
        """Return what to ask eth_getLogs for to learn what the venue did to the account by itself."""

    def carried_out(self, logs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
        """Return the keys of the owner's orders, whoever placed them, that made the position smaller."""

    def outcome(self, key: str, logs: Sequence[dict[str, Any]]) -> OrderOutcome | None:
        """Return what became of an order; None while nothing was said."""


@dataclass(frozen=True, slots=True)
class OrderTrial:
    """Calls of which the last always reverts, and the error that means that its order could be executed now."""

    calls: tuple[Call, ...]
    fine: str


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of an order: ``executed``, ``cancelled`` or ``frozen``, and why, in words."""

    kind: str
    detail: str
    price: int | None = None
