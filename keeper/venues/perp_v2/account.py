"""One account at Perp v2, as the rest of the program sees a perpetual venue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.perp.moves import PerpMove, TradeQuote
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei, mul_div_down, mul_div_up
from keeper.venues.codec.abi import address, load
from keeper.venues.perp_v2 import calls as perp_v2_calls
from keeper.venues.perp_v2 import position as perp_v2_account
from keeper.venues.perp_v2 import quotes as perp_v2_quotes
from keeper.venues.perp_v2.events import PerpV2Chronicle
from keeper.venues.perp_v2.markets import RATIO, Deployment, Scope
from keeper.venues.ports import Attempt, Call, Chronicle, OrderBook, PerpAct, Probe

_ERC20 = load("erc20")


@dataclass(frozen=True, slots=True)
class PerpV2Seat:
    """A cross-margin account: trades are done when they are mined, and no order rests."""

    deployment: Deployment
    scope: Scope
    quoter: Address | None
    """Uniswap's QuoterV2 of the factory the markets' pools are from; None: then nothing is traded."""

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
        """Return the reads that tell what a trade would give now."""
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

    def decode(self, position: PerpPosition, call: Call) -> tuple[PerpAct, ...]:
        """Return what a call does. Raises ValueError when it is not one that this seat makes."""
        if call.to == self.collateral:
            spender, amount = _ERC20.approve.decode_inputs(call.data)
            if address(spender) != self.spender:
                raise ValueError(f"{spender} may not be approved")
            return (PerpAct("approve", asset=self.collateral, amount=amount),)
        found = perp_v2_calls.decode_call(call.data)
        if isinstance(found, perp_v2_calls.MarginCall):
            _expect(call.to, self.deployment.vault)
            kind = "withdraw" if found.takes_out else "deposit"
            return (PerpAct(kind, found.beneficiary, asset=found.asset, amount=found.amount),)
        _expect(call.to, self.deployment.clearing_house)
        return (self._trade(position, found),)

    def _trade(self, position: PerpPosition, found: perp_v2_calls.TradeCall) -> PerpAct:
        """Return a trade with the worst price it bears, before the exchange's fee."""
        leg = next((x for x in position.legs if x.market == found.market), None)
        if leg is None:
            raise ValueError(f"{found.market} is not a market of the account")
        change = -leg.size if found.size_change is None else found.size_change
        if not change:
            raise ValueError("a trade of nothing")
        fee = self.scope.market(found.market).exchange_fee
        if change < 0:
            bound = mul_div_up(found.bound, RATIO, RATIO - fee)
        else:
            bound = mul_div_down(found.bound, RATIO - fee, RATIO)
        return PerpAct(
            "trade",
            market=found.market,
            size=abs(change),
            buys=change > 0,
            worst_price=perp_v2_calls.price_of(change, bound),
            is_whole=found.size_change is None,
            deadline=found.deadline,
        )

    @property
    def can_try(self) -> bool:
        """Nothing is left to be tried: what is rehearsed is the trade itself."""
        return True

    def as_if_executed(self, calls: Sequence[Call], timestamp: int, keys: Sequence[str]) -> Attempt | None:
        """Return None: the rehearsal executes."""
        del calls, timestamp, keys
        return None

    def least_gas(self, move: PerpMove) -> int:
        """Return zero: no call needs more than it uses."""
        del move
        return 0


def _expect(to: Address, wanted: Address) -> None:
    if to != wanted:
        raise ValueError(f"{to} is not on the list")
