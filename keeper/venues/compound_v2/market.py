"""A market of the Compound v2 family as the program sees a lending market: a token for each asset that is lent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core import names
from keeper.core.lending.moves import MarketMove
from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Doubt, Quoted
from keeper.core.reasons import Reason
from keeper.core.units import NATIVE, USD, Address, Amount
from keeper.venues.codec.abi import address, load
from keeper.venues.compound_v2.account import V2Account
from keeper.venues.compound_v2.calls import encode_move
from keeper.venues.compound_v2.effects import comptroller_decoder, native_decoder, token_decoder
from keeper.venues.contracts.erc20 import symbol_of
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports import Answer, Discovery, LendingAccount, Probe, Read, ReadFailedError

_COMPTROLLER, _TOKEN = load("compound_v2_comptroller"), load("compound_v2_token")
_ORACLE, _ERC20 = load("compound_v2_oracle"), load("erc20")
NATIVE_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class V2Listing:
    """An asset and the token that a supply of it is. Of the chain's own currency ``asset`` is ``NATIVE``."""

    asset: Address
    symbol: str
    decimals: int
    token: Address
    source: Address
    """The oracle, which everything is asked of."""
    feed: Address | None = None
    heartbeat_s: int = 0

    @property
    def is_native(self) -> bool:
        """Whether it is the chain's own currency."""
        return self.asset == NATIVE


@dataclass(frozen=True, slots=True)
class V2Market:
    """One comptroller and its tokens."""

    name: str
    comptroller: Address
    oracle: Address
    listings: tuple[V2Listing, ...]
    multicall: Address
    blocks_per_year: int

    @property
    def receipts(self) -> Mapping[Address, Address]:
        """None: a token is not its asset one for one."""
        return {}

    @property
    def agency(self) -> None:
        """Nobody acts for another's account."""

    @property
    def governed_by(self) -> tuple[Address, ...]:
        """Nobody that says nothing else: factors, prices and pauses are read with every position."""
        return ()

    @property
    def counts_in(self) -> Address | None:
        """Dollars."""
        return None

    def taker_of(self, asset: Address) -> Address:
        """Return who takes what is paid of an asset: its own token."""
        return next((x.token for x in self.listings if x.asset == asset), self.comptroller)

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> V2Market:
        """Return the market: it counts in dollars."""
        return self

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> V2Market:
        """Return the market with the feed behind each price, and how old it may get."""
        listings = (replace(x, feed=feeds[x.asset], heartbeat_s=heartbeats[x.asset]) for x in self.listings)
        return replace(self, listings=tuple(listings))

    def listing(self, asset: Address) -> V2Listing:
        """Return one of its assets; KeyError for another."""
        return {x.asset: x for x in self.listings}[asset]

    def named(self, name: str) -> V2Listing | None:
        """Return an asset by its address, or by a symbol that no other has."""
        return names.only(name, self.listings)

    def price_probe(self, asset: Address) -> Probe[int]:
        """Return the probe of an asset's price in dollars, zero where the oracle does not know it."""
        listing = self.listing(asset)

        def decode(answers: Sequence[Answer]) -> int:
            price = _ORACLE.getUnderlyingPrice.decode_or_none(answers[0])
            return answer_of(price[0], listing.decimals) if price else 0

        return Probe((_ORACLE.getUnderlyingPrice.read(self.oracle, listing.token),), decode)

    def dollar_probe(self) -> Probe[Address | None]:
        """Return the asset worth about a dollar of which it has most."""
        others = [x for x in self.listings if not x.is_native]
        reads = [read for x in others for read in (self.price_probe(x.asset).reads[0], _TOKEN.getCash.read(x.token))]

        def decode(answers: Sequence[Answer]) -> Address | None:
            found = list[tuple[int, Address]]()
            for x, price, cash in zip(others, answers[::2], answers[1::2], strict=True):
                dollars = self.price_probe(x.asset).decode((price,))
                there = (_TOKEN.getCash.decode_or_none(cash) or (0,))[0]
                if abs(dollars - USD) * 33 <= USD:
                    found.append((there * 10**18 // 10**x.decimals, x.asset))
            return max(found)[1] if found else None

        return Probe(tuple(reads), decode)

    def figures_read(self, owner: Address) -> Read | None:
        """There is no view of six words: its accounts are read in full."""
        return None

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Find the assets that an account uses or entered, a spender's wallet holds, or a rule names."""
        held = [x for x in self.listings if not x.is_native]
        reads = [_TOKEN.getAccountSnapshot.read(x.token, owner) for x in self.listings]
        reads += [_ERC20.balanceOf.read(x.asset, s) for x in held for s in spenders]
        answers = yield (*reads, _COMPTROLLER.getAssetsIn.read(self.comptroller, owner))
        entered = {address(a) for a in _COMPTROLLER.getAssetsIn.decode(answers[-1])[0]}
        wanted, count = {x.asset for name in named for x in names.meant(name, self.listings)}, len(spenders)
        snapshots = zip(self.listings, answers, strict=False)
        used = {x.asset for x, a in snapshots if any(_TOKEN.getAccountSnapshot.decode(a)[1:3]) or x.token in entered}
        if spenders:  # there is always some of it in a wallet
            used |= {x.asset for x in self.listings if x.is_native}
        for i, x in enumerate(held):
            begin = len(self.listings) + i * count
            if any((_ERC20.balanceOf.decode_or_none(a) or (0,))[0] for a in answers[begin : begin + count]):
                used.add(x.asset)
        return V2Account(self, owner, tuple(x for x in self.listings if x.asset in used | wanted))

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move. Raises ValueError for one that the market does not have."""
        return encode_move(self, move, position, signer)

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """Return nothing: a withdrawal names its amount, and is refused where a liquidator left less."""
        return None

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the tokens and the comptroller, and what calls to each do."""
        made = ((x.token, x.asset, native_decoder if x.is_native else token_decoder) for x in self.listings)
        tokens = {token: of(token, asset) for token, asset, of in made}
        return {**tokens, self.comptroller: comptroller_decoder({x.token: x.asset for x in self.listings})}


def _underlying(found: tuple[str, ...] | None) -> Address | None:
    """Return what a token is of; None where it does not say, or says nobody: then it is of the chain's own currency."""
    return address(found[0]) if found and int(found[0], 16) else None


def _own_currency(symbol: str) -> str:
    """Return what the chain's own currency is called, by its market's token: vBNB, qiAVAX, cETH."""
    return symbol.lstrip("abcdefghijklmnopqrstuvwxyz") or symbol


def answer_of(price: int, decimals: int) -> int:
    """Return a price of the contract's in 10^-8 dollars for a whole token."""
    return int(price * 10**decimals // 10**28)


def discover_market(comptroller: Address, name: str, multicall: Address, per_year: int) -> Discovery[V2Market]:
    """Find the tokens, their assets and the oracle. Raises ReadFailedError when the address is no comptroller."""
    oracle, tokens = yield (_COMPTROLLER.oracle.read(comptroller), _COMPTROLLER.getAllMarkets.read(comptroller))
    at = address(_COMPTROLLER.oracle.decode(oracle)[0])
    listed = [address(token) for token in _COMPTROLLER.getAllMarkets.decode(tokens)[0]]
    answers = yield tuple(f.read(token) for token in listed for f in (_TOKEN.underlying, _TOKEN.symbol))
    places = [
        (token, _underlying(_TOKEN.underlying.decode_or_none(asset)) or token, symbol)
        for token, asset, symbol in zip(listed, answers[::2], answers[1::2], strict=True)
    ]
    answers = yield tuple(f.read(asset) for _, asset, _ in places for f in (_ERC20.symbol, _ERC20.decimals))
    listings = tuple(
        V2Listing(NATIVE, _own_currency(symbol_of(own, token)), NATIVE_DECIMALS, token, at)
        if asset == token
        else V2Listing(asset, symbol_of(symbol, asset), int(_ERC20.decimals.decode(decimals)[0]), token, at)
        for (token, asset, own), symbol, decimals in zip(places, answers[::2], answers[1::2], strict=True)
    )
    if not listings:
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"{name}: {comptroller} lists no market"))
    return V2Market(name, comptroller, at, listings, multicall, per_year)
