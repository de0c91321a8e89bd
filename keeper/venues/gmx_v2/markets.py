"""GMX v2: where it lives, its markets, and the prices its figures are reckoned at.

GMX trades at prices that its oracle network signs off chain and shows on chain only inside a keeper's transaction. What
the chain always shows are the Chainlink feeds the exchange itself holds those prices against (DataStore PRICE_FEED):
they are read here, with the time of their last round, and passed to the Reader. Two rounds of reads at one block:
first ``price_probe``, then what needs prices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from keeper.core.book.position import FOLLOWS
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.units import BPS, USD, Address, Amount, Bps, mul_div_down, mul_div_up
from keeper.venues.codec.abi import address, load
from keeper.venues.gmx_v2 import keys
from keeper.venues.gmx_v2.answers import OrderRow, RawPosition, order_row, raw_position
from keeper.venues.ports import Answer, Discovery, Probe, ReadFailedError

READER = load("gmx_v2_reader")
DATA = load("gmx_v2_data_store")
_ERC20 = load("erc20")
_FEED = load("chainlink_feed")
USD_UNIT = 10**30
USD_DECIMALS = 30
MOST = 1000
"""Positions and orders of an account that are listed; with more of them it counts as unreadable."""
EXACT = Bps(0)
"""No spread: what GMX signs for tokens whose spread it removes."""
_MULTIPLIER_DECIMALS = 60
_SAME = {"WETH": "ETH", "WBTC": "BTC", "WBTC.e": "BTC", "WBTC.b": "BTC", "BTC.b": "BTC", "WETH.e": "ETH"}


@dataclass(frozen=True, slots=True)
class GmxDeployment:
    """Where GMX v2 lives on a chain. Approvals go to ``router``, calls to ``exchange_router``."""

    data_store: Address
    reader: Address
    exchange_router: Address
    router: Address
    order_vault: Address
    event_emitter: Address
    referral_storage: Address


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a market, and the feed its price comes from.

    ``multiplier`` makes a feed's answer the price of one smallest unit, in 10^-60 dollars. Index tokens of markets
    without a token of their own have decimals but no contract, and no symbol but the one the network file gives them.
    """

    address: Address
    symbol: str
    decimals: int
    feed: Address
    multiplier: int
    heartbeat_s: int
    name: str = ""
    """What it stands for by the network file; empty where that does not say."""

    @property
    def underlying(self) -> str:
        """What it stands for, as rules and books name it: ``ETH`` of ``WETH``."""
        return self.name or _SAME.get(self.symbol, self.symbol)

    def moves_with(self, index: Token, name: str) -> bool:
        """Return whether it is worth what ``index`` is, or a share of it: the same token, feed or underlying."""
        if index.address == self.address or index.feed == self.feed:
            return True
        follows = {self.underlying.upper(), FOLLOWS.get(self.symbol.lower(), "")}
        return name.upper() in follows


@dataclass(frozen=True, slots=True)
class GmxMarket:
    """One market: what is traded, and the two tokens that back it and serve as collateral."""

    deployment: GmxDeployment
    token: Address
    symbol: str
    index: Token
    long: Token
    short: Token

    @property
    def struct(self) -> tuple[Address, Address, Address, Address]:
        """The market as the Reader takes it."""
        return (self.token, self.index.address, self.long.address, self.short.address)

    @property
    def tokens(self) -> tuple[Token, Token, Token]:
        """Index, long and short token."""
        return (self.index, self.long, self.short)

    def collateral(self, token: Address) -> Token:
        """Return a collateral token; KeyError when the market takes no such collateral."""
        for each in (self.long, self.short):
            if each.address == token:
                return each
        raise KeyError(token)


@dataclass(frozen=True, slots=True)
class Price:
    """A token's price at a block: dollars (30 decimals) of one smallest unit, and the round it is from."""

    low: int
    high: int
    answer: int
    """The feed's answer in 10^-8 dollars for one whole token."""
    updated_at: int
    round_id: int

    def pick(self, *, is_long: bool, is_increase: bool) -> int:
        """Return the side of the spread that a trade gets: the worse."""
        return self.high if is_long == is_increase else self.low


@dataclass(frozen=True, slots=True)
class MarketPrices:
    """The three prices every figure of a market depends on."""

    index: Price
    long: Price
    short: Price

    @property
    def struct(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """The prices as the Reader takes them."""
        return ((self.index.low, self.index.high), (self.long.low, self.long.high), (self.short.low, self.short.high))


NamedFeed = Callable[[str], Address | None]
"""The feed an owner names for a token's symbol; None leaves it to GMX."""
Names = Mapping[Address, str]
"""What tokens stand for, by address: those without a contract cannot say it themselves."""
NO_NAMES: Names = MappingProxyType({})


def _unnamed(symbol: str) -> Address | None:
    del symbol
    return None


# --- discovery -------------------------------------------------------------------------------------------------------


def discover_market(
    deployment: GmxDeployment,
    market: Address,
    named: NamedFeed = _unnamed,
    symbol: str | None = None,
    names: Names = NO_NAMES,
) -> Discovery[GmxMarket]:
    """Find a market's tokens and the feeds behind them.

    A feed the owner has ``named`` for a token's symbol takes precedence over the DataStore's own. The underlying is
    what ``names`` says of the index token, or the token itself; where neither does, the market's own ``symbol``, and
    at last the token's address: it never is nothing. Raises ReadFailedError for an address that is no market, and for
    a token without a feed.
    """
    (answer,) = yield (READER.getMarket.read(deployment.reader, deployment.data_store, market),)
    stated, *found = (address(t) for t in READER.getMarket.decode(answer)[0])
    if stated != market:
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"{market} is no market of this GMX"))
    store, places = deployment.data_store, tuple(found)
    answers = yield tuple(
        read
        for token in places
        for read in (
            _ERC20.symbol.read(token),
            _ERC20.decimals.read(token),
            DATA.getAddress.read(store, keys.key("PRICE_FEED", token)),
            DATA.getUint.read(store, keys.key("PRICE_FEED_MULTIPLIER", token)),
            DATA.getUint.read(store, keys.key("PRICE_FEED_HEARTBEAT_DURATION", token)),
        )
    )
    known = {places[0]: symbol or ""} | {token: names[token] for token in places if token in names}
    rows = [_token_row(t, answers[5 * i : 5 * i + 5], named, known.get(t, "")) for i, t in enumerate(places)]
    answers = yield tuple(_FEED.decimals.read(feed) for _, _, _, feed, _, _ in rows)
    found_ = [_token(row, _FEED.decimals.decode(a)[0]) for row, a in zip(rows, answers, strict=True)]
    index, long, short = (replace(token, name=names.get(token.address, "")) for token in found_)
    return GmxMarket(deployment, market, index.underlying or index.address, index, long, short)


_Row = tuple[Address, str, int | None, Address, int, int]
_USUAL_FEED_DECIMALS = 8
"""Those of every feed in dollars that GMX holds its prices against."""


def _token_row(token: Address, answers: Sequence[Answer], named: NamedFeed, name: str) -> _Row:
    """Return what is known of a token; ``name`` is its symbol where it has none itself."""
    symbol, decimals = _ERC20.symbol.decode_or_none(answers[0]), _ERC20.decimals.decode_or_none(answers[1])
    own = address(DATA.getAddress.decode(answers[2])[0])
    (multiplier,), (heartbeat,) = DATA.getUint.decode(answers[3]), DATA.getUint.decode(answers[4])
    called = (symbol[0] if symbol else "") or name
    feed = (named(called) if called else None) or own
    if not int(feed, 16):
        what = called or token
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, f"GMX names no feed for {what}: name one as its feed"))
    counted = decimals[0] if decimals else _counted(multiplier)
    if feed != own:
        multiplier, heartbeat = 0, 0
    return token, called, counted, feed, multiplier, heartbeat


def _counted(multiplier: int) -> int | None:
    """Return the decimals of a token that is no contract, from how its feed's answers are scaled."""
    return _MULTIPLIER_DECIMALS - _USUAL_FEED_DECIMALS - (len(str(multiplier)) - 1) if multiplier else None


def _token(row: _Row, feed_decimals: int) -> Token:
    token, symbol, decimals, feed, multiplier, heartbeat = row
    if decimals is None:
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"nothing gives the decimals of {token}"))
    scale = multiplier or 10 ** (_MULTIPLIER_DECIMALS - feed_decimals - decimals)
    return Token(token, symbol, decimals, feed, scale, heartbeat)


def with_heartbeats(market: GmxMarket, heartbeat_s: Callable[[Token], int]) -> GmxMarket:
    """Return the market with how old each feed's answer may get; ``Token.heartbeat_s`` is what GMX allows, or zero."""
    index, long, short = (replace(token, heartbeat_s=heartbeat_s(token)) for token in market.tokens)
    return replace(market, index=index, long=long, short=short)


def discover_account(
    deployment: GmxDeployment, owner: Address
) -> Discovery[tuple[tuple[RawPosition, ...], tuple[OrderRow, ...]]]:
    """Find every position and every order of an account, whatever the market."""
    answers = yield (
        READER.getAccountPositions.read(deployment.reader, deployment.data_store, owner, 0, MOST),
        READER.getAccountOrders.read(deployment.reader, deployment.data_store, owner, 0, MOST),
    )
    positions, orders = READER.getAccountPositions.decode(answers[0])[0], decode_orders(answers[1])
    if len(positions) >= MOST:
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"{owner} has {MOST} positions or more"))
    return tuple(raw_position(p) for p in positions), orders


def decode_orders(answer: Answer) -> tuple[OrderRow, ...]:
    """Return the orders of a ``getAccountOrders`` answer. Raises ReadFailedError also when there may be more."""
    rows = READER.getAccountOrders.decode(answer)[0]
    if len(rows) >= MOST:
        raise ReadFailedError(Doubt(Reason.POSITION_UNREADABLE, f"{MOST} orders or more"))
    return tuple(order_row(key, fields) for key, fields in rows)


# --- prices ----------------------------------------------------------------------------------------------------------


def price_probe(market: GmxMarket, spread: Bps = EXACT) -> Probe[MarketPrices]:
    """Return the probe of a market's prices: each feed's answer, widened by ``spread`` to either side.

    Raises ReadFailedError for a feed that does not answer. Age is not judged here: ``updated_at`` says it.
    """
    reads = tuple(_FEED.latestRoundData.read(token.feed) for token in market.tokens)

    def decode(answers: Sequence[Answer]) -> MarketPrices:
        found = [_price(token, answer, spread) for token, answer in zip(market.tokens, answers, strict=True)]
        return MarketPrices(*found)

    return Probe(reads, decode)


def _price(token: Token, answer: Answer, spread: Bps) -> Price:
    round_id, stated, _, updated_at, _ = _FEED.latestRoundData.decode(answer)
    if stated <= 0:
        raise ReadFailedError(Doubt(Reason.PRICE_NOT_POSITIVE, f"{token.symbol} answers {stated}"))
    return price_of(token, mul_div_down(stated, token.multiplier, USD_UNIT), spread, updated_at, round_id)


def price_of(token: Token, price: int, spread: Bps = EXACT, updated_at: int = 0, round_id: int = 0) -> Price:
    """Return a price (dollars of one smallest unit) with its spread, rounded outwards."""
    low, high = mul_div_down(price, BPS - spread, BPS), mul_div_up(price, BPS + spread, BPS)
    return Price(low, high, price * 10**token.decimals * USD // USD_UNIT, updated_at, round_id)


def oracle_of(token: Token, symbol: str, price: Price) -> OraclePrice:
    """Return a price as the core knows it, with its age."""
    return OraclePrice(
        asset=token.address,
        symbol=symbol,
        answer=price.answer,
        source=token.feed,
        updated_at=price.updated_at or None,
        round_id=price.round_id or None,
        heartbeat_s=token.heartbeat_s,
    )


def claimable_probe(market: GmxMarket, owner: Address) -> Probe[tuple[tuple[Address, Amount], ...]]:
    """Return the probe of the funding an account can claim in a market, by token; zero amounts are left out.

    What a position has earned since it was last touched comes on top when it is touched: see ``FullClose.claimable``.
    """
    tokens = tuple(dict.fromkeys((market.long.address, market.short.address)))
    reads = tuple(
        DATA.getUint.read(market.deployment.data_store, keys.key("CLAIMABLE_FUNDING_AMOUNT", market.token, t, owner))
        for t in tokens
    )

    def decode(answers: Sequence[Answer]) -> tuple[tuple[Address, Amount], ...]:
        amounts = zip(tokens, (DATA.getUint.decode(a)[0] for a in answers), strict=True)
        return tuple((token, Amount(amount)) for token, amount in amounts if amount)

    return Probe(reads, decode)
