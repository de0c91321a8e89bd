"""One isolated market of Morpho Blue as the program sees a lending market: a collateral, a loan, and their terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.core.lending.moves import MarketMove
from keeper.core.lending.position import LendingPosition
from keeper.core.prices import Doubt, Quoted, best
from keeper.core.reasons import Reason
from keeper.core.units import Address, Amount, Wad
from keeper.venues.codec.abi import address, load
from keeper.venues.contracts.erc20 import symbol_of
from keeper.venues.effects import Call, Decoder
from keeper.venues.listings import Listings, MarketToken
from keeper.venues.morpho_blue.account import MorphoAccount
from keeper.venues.morpho_blue.agency import MorphoAgency
from keeper.venues.morpho_blue.calls import encode_move
from keeper.venues.morpho_blue.effects import blue_decoder
from keeper.venues.morpho_blue.pre_liquidation import PreLiquidation, discover_pre_liquidations
from keeper.venues.ports import Agency, Answer, Discovery, LendingAccount, Probe, Read, ReadFailedError

_BLUE, _ERC20 = load("morpho_blue"), load("erc20")
_ORACLE, _IRM = load("morpho_blue_oracle"), load("morpho_blue_irm")
_FEEDS = (_ORACLE.BASE_FEED_1, _ORACLE.BASE_FEED_2, _ORACLE.QUOTE_FEED_1, _ORACLE.QUOTE_FEED_2)
NOBODY = Address("0x0000000000000000000000000000000000000000")
NOBODY_SAYS: Probe[tuple[Quoted | None, ...]] = Probe((), lambda _: ())


@dataclass(frozen=True, slots=True)
class Params:
    """What makes a market, and never changes: its id is their hash."""

    loan: Address
    collateral: Address
    oracle: Address
    irm: Address
    lltv: Wad

    @property
    def words(self) -> tuple[Address, Address, Address, Address, int]:
        """As the contract takes them."""
        return self.loan, self.collateral, self.oracle, self.irm, self.lltv


@dataclass(frozen=True, slots=True)
class MorphoMarket(Listings[MarketToken]):
    """A market: its collateral first, its loan second."""

    name: str
    blue: Address
    id: str
    params: Params
    listings: tuple[MarketToken, MarketToken]
    multicall: Address
    base_feeds: tuple[Address, ...] = ()
    """What the oracle multiplies to price the collateral, as far as it says."""
    quote_feeds: tuple[Address, ...] = ()
    """What it divides by, to price the loan."""
    pre_liquidations: tuple[PreLiquidation, ...] = ()
    """Those of this market that the network file names."""
    quoted: Probe[tuple[Quoted | None, ...]] = NOBODY_SAYS
    """Who says what the loan is worth in dollars."""

    def taker_of(self, asset: Address) -> Address:
        """Return who takes what is paid: Morpho, whatever it is."""
        return self.blue

    @property
    def receipts(self) -> Mapping[Address, Address]:
        """None: supplies and collateral are no tokens."""
        return {}

    @property
    def agency(self) -> Agency:
        """By an authorisation: of all of an owner's account, in every market."""
        return MorphoAgency(self)

    @property
    def governed_by(self) -> tuple[Address, ...]:
        """Nobody changes a market."""
        return ()

    @property
    def counts_in(self) -> Address | None:
        """The loan."""
        return self.params.loan

    def with_dollars(self, quoted: Probe[tuple[Quoted | None, ...]]) -> MorphoMarket:
        """Return the market with who says what the loan is worth in dollars."""
        return replace(self, quoted=quoted)

    def with_feeds(self, feeds: Mapping[Address, Address | None], heartbeats: Mapping[Address, int]) -> MorphoMarket:
        """Return it with how old each price may get; the oracle's own feeds give the age where the file names none."""
        own = {self.params.collateral: self.base_feeds, self.params.loan: self.quote_feeds}
        collateral, loan = (
            replace(x, feed=feeds[x.asset] or next(iter(own[x.asset]), None), heartbeat_s=heartbeats[x.asset])
            for x in self.listings
        )
        return replace(self, listings=(collateral, loan))

    def price_probe(self, asset: Address) -> Probe[int]:
        """Return the probe of a token's price in dollars: the oracle's, times what the loan is worth."""
        reads = (self._price_read, *self.quoted.reads)
        scale = self.scale

        def decode(answers: Sequence[Answer]) -> int:
            price, dollars = _ORACLE.price.decode_or_none(answers[0]), best(self.quoted.decode(answers[1:]), 0)
            if dollars is None or price is None:
                return 0
            return dollars.answer if asset == self.params.loan else price[0] * dollars.answer // scale

        return Probe(reads, decode)

    def dollar_probe(self) -> Probe[Address | None]:
        """Return nothing: trades meet at the dollar of a market that has one."""
        return Probe((), lambda _: None)

    def figures_read(self, owner: Address) -> Read | None:
        """There is no view of six words: its accounts are read in full."""
        return None

    def find_account(
        self, owner: Address, spenders: Sequence[Address], named: Sequence[str]
    ) -> Discovery[LendingAccount]:
        """Return the account, with what its debt costs now: both tokens always matter."""
        id_ = bytes.fromhex(self.id[2:])
        answers = yield (_BLUE.market.read(self.blue, id_),)
        totals = _BLUE.market.decode(answers[0])
        answers = yield (_IRM.borrowRateView.read(self.params.irm, self.params.words, totals),)
        rate = _IRM.borrowRateView.decode_or_none(answers[0])
        usual = 0 if self.params.irm == NOBODY else rate[0] if rate else None
        return MorphoAccount(self, owner, usual)

    def encode(self, move: MarketMove, position: LendingPosition, signer: Address) -> Call:
        """Return the call of a move. Raises ValueError for one that the market does not have."""
        return encode_move(self, move, position, signer)

    def insist(self, asset: Address, least: Amount, owner: Address) -> Call | None:
        """Return nothing: a withdrawal names its amount, and reverts where a liquidator left less."""
        return None

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return the contract, and what calls to it do in this market."""
        return {self.blue: blue_decoder(self.blue, self.params.words)}

    @property
    def scale(self) -> int:
        """The oracle's price of a collateral that is worth as much as the loan, whole token for whole token."""
        collateral, loan = self.listings
        return int(10 ** (36 + loan.decimals - collateral.decimals))

    @property
    def _price_read(self) -> Read:
        return _ORACLE.price.read(self.params.oracle, gas=60_000)


def discover_market(
    blue: Address,
    id_: str,
    name: str,
    multicall: Address,
    pre_liquidations: Sequence[Address] = (),
    factory: Address | None = None,
) -> Discovery[MorphoMarket]:
    """Find a market by its id. Raises ReadFailedError where the contract has none of that id."""
    answers = yield (_BLUE.idToMarketParams.read(blue, bytes.fromhex(id_[2:])),)
    loan, collateral, oracle, irm, lltv = _BLUE.idToMarketParams.decode(answers[0])
    params = Params(address(loan), address(collateral), address(oracle), address(irm), Wad(lltv))
    if params.loan == NOBODY:
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"Morpho at {blue} has no market {id_}"))
    tokens = params.collateral, params.loan
    answers = yield (
        *(f.read(token) for token in tokens for f in (_ERC20.symbol, _ERC20.decimals)),
        *(f.read(params.oracle) for f in _FEEDS),
    )
    first, second = (
        MarketToken(token, symbol_of(symbol, token), int(_ERC20.decimals.decode(decimals)[0]), params.oracle)
        for token, symbol, decimals in zip(tokens, answers[0:4:2], answers[1:4:2], strict=True)
    )
    feeds = [f.decode_or_none(answer) for f, answer in zip(_FEEDS, answers[4:], strict=True)]
    base, quote = (
        tuple(address(f[0]) for f in part if f and address(f[0]) != NOBODY) for part in (feeds[:2], feeds[2:])
    )
    lines = yield from discover_pre_liquidations(pre_liquidations, blue, id_, factory)
    return MorphoMarket(name, blue, id_, params, (first, second), multicall, base, quote, lines)
