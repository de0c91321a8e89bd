"""A market of Compound v3 as the program sees a lending market: a base asset that is lent, and collaterals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core import names
from keeper.core.lending.moves import MarketMove
from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Doubt, Quoted, best
from keeper.core.reasons import Reason
from keeper.core.units import USD, Address, Amount
from keeper.venues.codec.abi import address, load
from keeper.venues.compound_v3.account import CometAccount
from keeper.venues.compound_v3.agency import CometAgency
from keeper.venues.compound_v3.calls import encode_move
from keeper.venues.compound_v3.effects import comet_decoder
from keeper.venues.compound_v3.model import Curve
from keeper.venues.contracts.erc20 import symbol_of
from keeper.venues.effects import Call, Decoder
from keeper.venues.listings import Listings, MarketToken, fed
from keeper.venues.ports import Answer, Discovery, LendingAccount, Probe, Read, ReadFailedError

_COMET, _ERC20 = load("compound_v3"), load("erc20")
_CURVE = (
    _COMET.borrowKink,
    _COMET.borrowPerSecondInterestRateBase,
    _COMET.borrowPerSecondInterestRateSlopeLow,
    _COMET.borrowPerSecondInterestRateSlopeHigh,
)
IN_DOLLARS: Probe[tuple[Quoted | None, ...]] = Probe((), lambda _: ())


@dataclass(frozen=True, slots=True, kw_only=True)
class CometListing(MarketToken):
    """The base asset (``index`` is None) or a collateral."""

    index: int | None


@dataclass(frozen=True, slots=True)
class CometMarket(Listings[CometListing]):
    """A market: its base asset first."""

    name: str
    comet: Address
    listings: tuple[CometListing, ...]
    curve: Curve
    least_debt: Amount
    multicall: Address
    money: Address | None = None
    """The asset that its prices are in; None for a market that counts in dollars."""
    quoted: Probe[tuple[Quoted | None, ...]] = IN_DOLLARS

    @property
    def agency(self) -> CometAgency:
        """Its ``allow``, and the bundler's adapter for these markets."""
        return CometAgency(self)

    @property
    def base(self) -> Address:
        """What is lent."""
        return self.listings[0].asset

    def taker_of(self, asset: Address) -> Address:
        """Return who takes what is paid: the market, whatever it is."""
        return self.comet

    @property
    def receipts(self) -> Mapping[Address, Address]:
        """Collateral here is no token."""
        return {}

    @property
    def governed_by(self) -> tuple[Address, ...]:
        """Nobody that says nothing else: factors are read with every position."""
        return ()

    @property
    def counts_in(self) -> Address | None:
        """What its prices are in."""
        return self.money

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> CometMarket:
        """Return the market with who says what its money is worth in dollars."""
        return replace(self, quoted=quoted)

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> CometMarket:
        """Return the market with the feed behind each price, and how old it may get."""
        return replace(self, listings=fed(self.listings, feeds, heartbeats))

    def price_probe(self, asset: Address) -> Probe[int]:
        """Return the probe of an asset's price in dollars, zero where the market does not know it."""
        reads = (_COMET.getPrice.read(self.comet, self.listing(asset).source), *self.quoted.reads)

        def decode(answers: Sequence[Answer]) -> int:
            price, money = _COMET.getPrice.decode_or_none(answers[0]), self.money_of(answers[1:], 0)
            return price[0] * money // USD if price and money else 0

        return Probe(reads, decode)

    def money_of(self, answers: Sequence[Answer], now: int) -> int:
        """Return how many dollars of 10^-8 its money is, by whoever says it; zero where nobody does."""
        if self.money is None:
            return USD
        found = best(self.quoted.decode(answers), now)
        return found.answer if found else 0

    def dollar_probe(self) -> Probe[Address | None]:
        """Return the base asset where it is about a dollar."""
        price = self.price_probe(self.base)
        return Probe(price.reads, lambda answers: self.base if abs(price.decode(answers) - USD) * 33 <= USD else None)

    def figures_read(self, owner: Address) -> Read | None:
        """There is no view of six words: its accounts are read in full."""
        return None

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Find the collaterals that an account has, a spender's wallet holds, or a rule names; the base always."""
        base, *others = self.listings
        reads = [_COMET.collateralBalanceOf.read(self.comet, owner, x.asset) for x in others]
        reads += [_ERC20.balanceOf.read(x.asset, s) for x in others for s in spenders]
        answers = yield tuple(reads)
        wanted, count = {x.asset for name in named for x in names.meant(name, others)}, len(spenders)
        used = [base]
        for i, listing in enumerate(others):
            begin = len(others) + i * count
            funded = any((_ERC20.balanceOf.decode_or_none(a) or (0,))[0] for a in answers[begin : begin + count])
            if _COMET.collateralBalanceOf.decode(answers[i])[0] or funded or listing.asset in wanted:
                used.append(listing)
        return CometAccount(self, owner, tuple(used))

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move. Raises ValueError for one that the market does not have."""
        return encode_move(self, move, position, signer)

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """Return nothing: a withdrawal names its amount, and an absorption leaves none."""
        return None

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the market, and what calls to it do."""
        return {self.comet: comet_decoder(self.comet, self.base, {x.asset for x in self.listings[1:]})}


def discover_market(
    comet: Address, name: str, multicall: Address, money: Address | None = None
) -> Discovery[CometMarket]:
    """Find base asset, collaterals and their feeds. Raises ReadFailedError when the address is no market."""
    constants = (_COMET.baseToken, _COMET.baseTokenPriceFeed, _COMET.baseBorrowMin, _COMET.numAssets, *_CURVE)
    answers = yield tuple(f.read(comet) for f in constants)
    base, feed, least, count, *curve = (f.decode(a)[0] for f, a in zip(constants, answers, strict=True))
    answers = yield tuple(_COMET.getAssetInfo.read(comet, i) for i in range(count))
    infos = [_COMET.getAssetInfo.decode(a)[0] for a in answers]
    places = [(None, address(base), address(feed)), *((i, address(x[1]), address(x[2])) for i, x in enumerate(infos))]
    answers = yield tuple(f.read(asset) for _, asset, _ in places for f in (_ERC20.symbol, _ERC20.decimals))
    listings = tuple(
        CometListing(asset, symbol_of(symbol, asset), int(_ERC20.decimals.decode(decimals)[0]), source, index=i)
        for (i, asset, source), symbol, decimals in zip(places, answers[::2], answers[1::2], strict=True)
    )
    if any(10**x.decimals != info[3] for x, info in zip(listings[1:], infos, strict=True)):
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"{name}: a collateral's unit is not its token's"))
    return CometMarket(name, comet, listings, Curve(*curve), Amount(least), multicall, money)
