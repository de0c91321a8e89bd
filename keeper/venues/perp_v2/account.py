"""One account at Perp v2, as the rest of the program sees a perpetual venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.core.perp.moves import PerpMove, TradeQuote
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues.effects import Decoder
from keeper.venues.feeds.fixed_price import price_source
from keeper.venues.perp_v2 import calls as perp_v2_calls
from keeper.venues.perp_v2 import effects as perp_v2_effects
from keeper.venues.perp_v2 import position as perp_v2_account
from keeper.venues.perp_v2 import quotes as perp_v2_quotes
from keeper.venues.perp_v2.events import PerpV2Chronicle
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Scope
from keeper.venues.ports import AtOnce, Call, Chronicle, Codes, OrderBook, OrderTrial, Probe, Read, Settles


@dataclass(frozen=True, slots=True)
class PerpV2Account:
    """A cross-margin account: trades are done when they are mined, and no order rests."""

    deployment: PerpV2Deployment
    scope: PerpV2Scope
    quoter: Address | None
    """Uniswap's QuoterV2 of the factory the markets' pools are from; None: then nothing is traded."""

    @property
    def settles(self) -> Settles:
        """A trade is done when it is mined."""
        return AtOnce()

    @property
    def collateral(self) -> Address:
        """The settlement token."""
        return self.deployment.collateral

    @property
    def spender(self) -> Address:
        """The vault."""
        return self.deployment.vault

    def witness(self, position: PerpPosition) -> tuple[Read, bytes] | None:
        """Return what the account is worth, and what it was read to be: sizes, marks and margin all are in it."""
        worth = position.reported.equity + position.gifts
        return perp_v2_account.worth_read(self.deployment, self.scope.owner), worth.to_bytes(32, "big", signed=True)

    def priced_at(self, there: PerpPosition, here: PerpPosition) -> Codes | None:
        """Return, in the place of each market's aggregator, one that answers the index price.

        None where the index of a market is not an aggregator's answer, or its mark does not follow from it.
        """
        if any(leg.mark_rule is None or self.scope.market(leg.market).feed is None for leg in there.held):
            return None
        moved = [leg.oracle for leg, now in zip(there.legs, here.legs, strict=True) if leg.oracle != now.oracle]
        return {self.scope.market(o.asset).source: price_source(o.answer) for o in moved}

    def plain_feeds(self) -> Mapping[Address, Address]:
        """Return the markets whose index is one aggregator's answer."""
        return {market.base_token: market.source for market in self.scope.markets if market.feed is not None}

    @property
    def chronicle(self) -> Chronicle:
        """The ClearingHouse's events."""
        return PerpV2Chronicle(self.deployment, self.scope)

    @property
    def order_book(self) -> OrderBook | None:
        """None: trades are done at once."""
        return None

    def probe(self, name: str, block: BlockRef) -> Probe[PerpPosition]:
        """Return the reads of the account."""
        return perp_v2_account.position_probe(self.deployment, self.scope, name, block)

    def quote_probe(self, position: PerpPosition, market: Address, size_change: int) -> Probe[TradeQuote | None]:
        """Return the reads that show what a trade would give now."""
        if self.quoter is None or not size_change:
            return Probe((), lambda _: None)
        asked = self.scope.market(market)
        return perp_v2_quotes.trade_probe(self.deployment, asked, self.scope.owner, size_change, self.quoter)

    def execution_fee(self, gas_price: Wei) -> Wei:
        """Return zero: there are no keepers to pay."""
        return Wei(0 * gas_price)

    def encode(self, position: PerpPosition, move: PerpMove, signer: Address, deadline: int, gas_price: Wei) -> Call:
        """Return the call of one move. Raises ValueError for what only the owner may do, or the venue does not have."""
        return perp_v2_calls.encode_move(self.deployment, self.scope, move, signer, deadline)

    def decoders(self, position: PerpPosition) -> Mapping[Address, Decoder]:
        """Return the collateral, the vault and the clearing house, and what calls to each do."""
        return perp_v2_effects.decoders(self.deployment, self.scope, position)

    @property
    def can_try(self) -> bool:
        """Nothing is left to be tried: what is rehearsed is the trade itself."""
        return True

    def as_if_executed(self, calls: Sequence[Call], timestamp: int, keys: Sequence[str]) -> OrderTrial | None:
        """Return None: the rehearsal executes."""
        del calls, timestamp, keys
        return None

    def least_gas(self, move: PerpMove) -> int:
        """Return zero: no call needs more than it uses."""
        del move
        return 0
