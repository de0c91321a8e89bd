"""One account at Perp v2, as the rest of the program sees a perpetual venue."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.margins import PerpPosition
from keeper.core.perp_moves import PerpMove, TradeQuote
from keeper.core.positions import BlockRef
from keeper.core.units import Address, Wei
from keeper.venues import perp_v2_account
from keeper.venues.perp_v2 import Deployment, Scope
from keeper.venues.ports import Call, OrderBook, PerpAct, Probe


@dataclass(frozen=True, slots=True)
class PerpV2Seat:
    """A cross-margin account: trades are done when they are mined, and no order rests."""

    deployment: Deployment
    scope: Scope

    @property
    def is_delayed(self) -> bool:
        """Never."""
        return False

    @property
    def collateral(self) -> Address:
        """The settlement token."""
        return self.deployment.collateral

    @property
    def spender(self) -> Address:
        """The vault."""
        return self.deployment.vault

    @property
    def order_book(self) -> OrderBook | None:
        """None: trades are done at once."""
        return None

    def probe(self, name: str, block: BlockRef) -> Probe[PerpPosition]:
        """Return the reads of the account."""
        return perp_v2_account.position_probe(self.deployment, self.scope, name, block)

    def quote_probe(self, position: PerpPosition, market: Address, size_change: int) -> Probe[TradeQuote | None]:
        """Return the reads that tell what a trade would give now."""
        raise NotImplementedError

    def execution_fee(self, gas_price: Wei) -> Wei:
        """Return zero: there are no keepers to pay."""
        return Wei(0 * gas_price)

    def encode(self, position: PerpPosition, move: PerpMove, signer: Address, deadline: int, gas_price: Wei) -> Call:
        """Return the call of one move."""
        raise NotImplementedError

    def decode(self, call: Call) -> tuple[PerpAct, ...]:
        """Return what a call does. Raises ValueError when it is not one that this seat makes."""
        raise NotImplementedError

    def least_gas(self, move: PerpMove) -> int:
        """Return zero: no call needs more than it uses."""
        del move
        return 0
