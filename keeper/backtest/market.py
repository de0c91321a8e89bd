"""The paper venue: a lending market whose calls say in plain text what they do.

They are read back into effects by decoders apart from the encoders, so that the gate and the rehearsal meet what they
meet at every venue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.backtest.paper_calls import POOL, TABLE, encoded, nothing, receipt_of, said, written
from keeper.core.lending.moves import Borrow, MarketMove, Pledge, Repay, RepayWithCollateral, Supply, Unpledge, Withdraw
from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Quoted
from keeper.core.units import Address, Amount
from keeper.venues.effects import Borrows, Call, Decoder, Effect, Offsets, Pays, Takes, Unpledges
from keeper.venues.ports import Discovery, LendingAccount, LendingMarket, Listed, Probe, Read


@dataclass(frozen=True, slots=True)
class PaperListing:
    """One asset of the market."""

    asset: Address
    symbol: str
    decimals: int
    source: Address
    feed: Address | None
    heartbeat_s: int


@dataclass(frozen=True, slots=True)
class PaperMarket:
    """A lending market that lists a few assets and counts in dollars."""

    listings: Sequence[Listed]
    name: str = TABLE
    governed_by: tuple[Address, ...] = ()
    counts_in: Address | None = None
    agency: None = None
    lends: bool = False
    """Whether there is a lender of one transaction, which takes what stands for supplies."""

    @property
    def receipts(self) -> Mapping[Address, Address]:
        """Return what stands for supplies where somebody asks for it; else they are no tokens."""
        return {receipt_of(x.asset): x.asset for x in self.listings} if self.lends else {}

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> LendingMarket:
        """Return it as it is."""
        return self

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> LendingMarket:
        """Return it as it is: it counts in dollars."""
        return self

    def listing(self, asset: Address) -> Listed:
        """Return one of its assets; KeyError when it does not list it."""
        return {x.asset: x for x in self.listings}[asset]

    def named(self, name: str) -> Listed | None:
        """Return an asset by its symbol or address."""
        return next((x for x in self.listings if name.lower() in (x.symbol.lower(), x.asset.lower())), None)

    def price_probe(self, asset: Address) -> Probe[int]:
        """Nobody asks."""
        return nothing(asset)

    def dollar_probe(self) -> Probe[Address | None]:
        """Nobody asks."""
        return Probe((), lambda _: None)

    def figures_read(self, owner: Address) -> Read | None:
        """There is no view: positions are few."""
        return None

    def taker_of(self, asset: Address) -> Address:
        """Return who takes what is paid: the pool on paper."""
        return POOL

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Nobody has to find what is on paper."""
        return nothing(owner)

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move."""
        symbol, owner = self.listing(move.asset).symbol, position.owner
        amount = written(move.amount)
        match move:
            case Supply():
                return encoded(POOL, f"supply {symbol}", do="supply", asset=move.asset, amount=amount, to=owner)
            case Withdraw():
                return encoded(POOL, f"withdraw {symbol}", do="withdraw", asset=move.asset, amount=amount, to=owner)
            case Borrow():
                return encoded(POOL, f"borrow {symbol}", do="borrow", asset=move.asset, amount=amount, to=owner)
            case Repay(_, _, is_all):
                paid = None if is_all and signer == owner else amount
                return encoded(POOL, f"repay {symbol}", do="repay", asset=move.asset, amount=paid, to=owner)
            case RepayWithCollateral():
                return encoded(POOL, f"repay {symbol} with its supply", do="offset", asset=move.asset, amount=amount)
            case Pledge():
                raise ValueError("a supply on paper counts by itself")
            case Unpledge():
                return encoded(POOL, f"unpledge {symbol}", do="unpledge", asset=move.asset, amount=None)

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """There is no such call."""
        return None

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what calls to the market do."""
        return {POOL: _of_market}


def _of_market(call: Call) -> tuple[Effect, ...]:
    found, asset, amount = said(call)
    to = Address(found["to"]) if "to" in found else None
    match found["do"], amount:
        case (("supply" | "repay"), _):
            return (Pays(asset, amount, to, POOL),)
        case "withdraw", _:
            return (Takes(asset, amount, to),)
        case "borrow", int():
            return (Borrows(asset, amount, to),)
        case "offset", int():
            return (Offsets(asset, amount),)
        case "unpledge", None:
            return (Unpledges(asset),)
        case _:
            raise ValueError(f"{call.purpose}: no call of a keeper's")
