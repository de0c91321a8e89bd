"""One account in an Aave v3 market, as the rest of the program sees a lending venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keeper.core.lending.figures import moved
from keeper.core.lending.position import LendingPosition
from keeper.core.occurrences import Occurrence
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.venues.aave_v3 import events
from keeper.venues.aave_v3.position import AaveScope, account_call, position_probe
from keeper.venues.aave_v3.reserves import Listing
from keeper.venues.feeds.fixed_price import price_source
from keeper.venues.ports import AT_ONCE, Chronicle, Codes, Probe, Read, Settles, feeds_alone

if TYPE_CHECKING:
    from keeper.venues.aave_v3.market import AaveMarket


@dataclass(frozen=True, slots=True)
class AaveAccount:
    """An owner's account, and the reserves of the market that matter to it."""

    market: AaveMarket
    scope: AaveScope
    settles: Settles = AT_ONCE

    @property
    def owner(self) -> Address:
        """Whose it is."""
        return self.scope.owner

    @property
    def listings(self) -> tuple[Listing, ...]:
        """The reserves that matter to it."""
        return self.scope.listings

    def probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Return the reads of the position."""
        return position_probe(self.market, self.scope, name, block)

    def witness(self, position: LendingPosition) -> tuple[Read, bytes] | None:
        """Return getUserAccountData, and what it answered where the position was read."""
        return account_call(self.market, position)

    def priced_at(self, there: LendingPosition, here: LendingPosition) -> Codes | None:
        """Return, in the place of each source that the oracle asks, one that answers the holding's price."""
        return {h.price.source: price_source(h.price.answer) for h in moved(there, here)}

    def plain_feeds(self) -> Mapping[Address, Address]:
        """Return the assets that one feed alone prices."""
        return feeds_alone(self.listings)

    def trust_probe(self, signer: Address) -> Probe[bool | None]:
        """Return nothing: what an owner lets another borrow or take is an allowance of tokens."""
        return Probe((), lambda _: None)

    @property
    def chronicle(self) -> Chronicle:
        """The pool's events about the account."""
        return AaveChronicle(self.market, self.scope.owner)


@dataclass(frozen=True, slots=True)
class AaveChronicle:
    """What the pool's events say of an account."""

    market: AaveMarket
    owner: Address

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return what to ask eth_getLogs for."""
        return events.account_filters(self.market, self.owner)

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return what happened, the oldest first."""
        return events.occurrences(self.market, logs)
