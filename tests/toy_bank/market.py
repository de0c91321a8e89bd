"""The bank as the program sees a lending market: what it lists, how it is found, and the calls of its moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.lending.moves import Borrow, MarketMove, Repay, Supply, Withdraw
from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Quoted
from keeper.core.units import UINT256_MAX, Address, Amount, Wei
from keeper.venues.codec.abi import address, load
from keeper.venues.effects import Call, Decoder
from keeper.venues.listings import Listings, MarketToken, fed
from keeper.venues.ports import Answer, Discovery, LendingAccount, Probe, Read
from toy_bank.abi import BANK
from toy_bank.account import ToyAccount
from toy_bank.effects import bank_decoder

_ERC20, _FEED = load("erc20"), load("chainlink_feed")


@dataclass(frozen=True, slots=True)
class ToyMarket(Listings[MarketToken]):
    """The bank: its collateral first, its debt second."""

    name: str
    bank: Address
    listings: tuple[MarketToken, ...]

    def taker_of(self, asset: Address) -> Address:
        """Return who takes what is paid: the bank, whatever it is."""
        return self.bank

    @property
    def receipts(self) -> Mapping[Address, Address]:
        """None: a supply is no token."""
        return {}

    @property
    def governed_by(self) -> tuple[Address, ...]:
        """Nobody changes it."""
        return ()

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> ToyMarket:
        """Return it with the feed behind each price, and how old it may get."""
        return replace(self, listings=fed(self.listings, feeds, heartbeats))

    @property
    def counts_in(self) -> Address | None:
        """Dollars."""
        return None

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> ToyMarket:
        """Return it as it is: it counts in dollars."""
        return self

    def price_probe(self, asset: Address) -> Probe[int]:
        """Return the probe of a price, zero where it is not known."""

        def decode(answers: Sequence[Answer]) -> int:
            found = _FEED.latestAnswer.decode_or_none(answers[0])
            return int(found[0]) if found else 0

        return Probe((_FEED.latestAnswer.read(self.listing(asset).source),), decode)

    def dollar_probe(self) -> Probe[Address | None]:
        """Return the debt: it is worth a dollar."""
        return Probe((), lambda answers: self.listings[1].asset)

    def figures_read(self, owner: Address) -> Read | None:
        """There is no view of six words: its accounts are read in full."""
        return None

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Return the account: both assets always matter."""
        yield ()
        return ToyAccount(self, owner)

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move. Raises ValueError for one that the bank does not have."""
        owner = position.owner
        match move:
            case Supply(_, amount):
                return Call(self.bank, BANK.supply.encode(amount, owner), Wei(0), "supply to the bank")
            case Withdraw(_, wanted):
                amount = UINT256_MAX if wanted is None else wanted
                return Call(self.bank, BANK.withdraw.encode(amount, owner), Wei(0), "withdraw from the bank")
            case Borrow(_, amount):
                return Call(self.bank, BANK.borrow.encode(amount, owner), Wei(0), "borrow of the bank")
            case Repay(_, amount, is_all):
                data = BANK.repay.encode(UINT256_MAX if is_all else amount, owner)
                return Call(self.bank, data, Wei(0), "repay the bank")
            case _:
                raise ValueError(f"{type(move).__name__} is nothing the bank does")

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """Return nothing: the bank has no call that only looks."""
        return None

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the bank, and what calls to it do."""
        return {self.bank: bank_decoder(self.bank, *(x.asset for x in self.listings))}


def discover(name: str, bank: Address) -> Discovery[ToyMarket]:
    """Find the bank's two assets and their prices. Raises ReadFailedError when it is no bank."""
    places = (BANK.collateral, BANK.debt, BANK.collateralPrice, BANK.debtPrice)
    answers = yield tuple(f.read(bank) for f in places)
    *tokens, first, second = (address(f.decode(a)[0]) for f, a in zip(places, answers, strict=True))
    answers = yield tuple(f.read(t) for t in tokens for f in (_ERC20.symbol, _ERC20.decimals))
    listings = [
        MarketToken(t, str(_ERC20.symbol.decode(symbol)[0]), int(_ERC20.decimals.decode(decimals)[0]), source)
        for t, source, symbol, decimals in zip(tokens, (first, second), answers[::2], answers[1::2], strict=True)
    ]
    return ToyMarket(name, bank, tuple(listings))
