"""Perpetual Protocol v2 (Curie): where the exchange is, and the markets an account is in.

Everything is found from the ClearingHouse, and the markets (base tokens) an account is in from the account; a market it
is not in yet has to be named. ``perp_v2_account`` reads the account, ``perp_v2_quotes`` the price of a trade,
``perp_v2_calls`` makes the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from keeper.core.units import Address
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Answer, Discovery, Probe

_HOUSE = load("perp_v2_clearing_house")
_VAULT = load("perp_v2_vault")
_BALANCE = load("perp_v2_account_balance")
_EXCHANGE = load("perp_v2_exchange")
_CONFIG = load("perp_v2_config")
_REGISTRY = load("perp_v2_market_registry")
_BASE = load("perp_v2_base_token")
_FEED = load("perp_v2_price_feed")
_ERC20 = load("erc20")

RATIO = 10**6
"""The contracts' own ratios are millionths."""
Q96 = 2**96


@dataclass(frozen=True, slots=True)
class PerpV2Deployment:
    """Perp v2 as found from its ClearingHouse: what does not change from block to block."""

    clearing_house: Address
    vault: Address
    account_balance: Address
    exchange: Address
    order_book: Address
    config: Address
    market_registry: Address
    collateral: Address
    collateral_symbol: str
    collateral_decimals: int
    twap_interval_s: int
    """Over which funding compares market and index."""
    mark_windows_s: tuple[int, int] | None = None
    """Over which the mark averages the market, and what that stands above the index; None: an older version."""

    @property
    def unit(self) -> int:
        """Dollars (10^-18) of the collateral's smallest unit."""
        return int(10 ** (18 - self.collateral_decimals))


@dataclass(frozen=True, slots=True)
class PerpV2Market:
    """One market: its base token, the underlying as people name it, the feed behind the index."""

    base_token: Address
    symbol: str
    pool: Address
    quote_token: Address
    exchange_fee: int
    """What this account pays, in millionths of the notional."""
    uniswap_fee: int
    most_spread: int
    """How far (millionths) a trade may leave the market from the index."""
    prices: Address
    """The dispatcher that the base token asks."""
    feed: Address | None
    """What gives the index price's age; None where the contract behind the index is of another kind."""
    source: Address
    """The Chainlink aggregator, or the contract in its place."""
    heartbeat_s: int = 0
    named_feed: Address | None = None
    """A Chainlink feed that the owner named to give the age, where the contracts do not."""


@dataclass(frozen=True, slots=True)
class PerpV2Scope:
    """The markets that one account's read covers."""

    owner: Address
    markets: tuple[PerpV2Market, ...]

    def market(self, base_token: Address) -> PerpV2Market:
        """Return a market by its base token; KeyError when it is not covered."""
        for market in self.markets:
            if market.base_token == base_token:
                return market
        raise KeyError(base_token)


# --- discovery -------------------------------------------------------------------------------------------------------


def discover_deployment(clearing_house: Address) -> Discovery[PerpV2Deployment]:
    """Find the exchange's other contracts. Raises ReadFailedError when the address is no ClearingHouse."""
    getters = (
        _HOUSE.getVault,
        _HOUSE.getAccountBalance,
        _HOUSE.getExchange,
        _HOUSE.getOrderBook,
        _HOUSE.getClearingHouseConfig,
    )
    answers = yield tuple(f.read(clearing_house) for f in getters)
    vault, balance, exchange, book, config = (address(f.decode(a)[0]) for f, a in zip(getters, answers, strict=True))
    answers = yield (
        _EXCHANGE.getMarketRegistry.read(exchange),
        _VAULT.getSettlementToken.read(vault),
        _VAULT.decimals.read(vault),
        _CONFIG.getTwapInterval.read(config),
        _CONFIG.getMarkPriceConfig.read(config),
    )
    token = address(_VAULT.getSettlementToken.decode(answers[1])[0])
    registry = address(_EXCHANGE.getMarketRegistry.decode(answers[0])[0])
    (symbol,) = yield (_ERC20.symbol.read(token),)
    return PerpV2Deployment(
        clearing_house=clearing_house,
        vault=vault,
        account_balance=balance,
        exchange=exchange,
        order_book=book,
        config=config,
        market_registry=registry,
        collateral=token,
        collateral_symbol=_ERC20.symbol.decode(symbol)[0],
        collateral_decimals=_VAULT.decimals.decode(answers[2])[0],
        twap_interval_s=_CONFIG.getTwapInterval.decode(answers[3])[0],
        mark_windows_s=_CONFIG.getMarkPriceConfig.decode_or_none(answers[4]),
    )


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What the registry says of a market: its pool, this account's fee, the pool's own, the band around the index."""

    pool: Address
    exchange_fee: int
    uniswap_fee: int
    most_spread: int


def terms_probe(deployment: PerpV2Deployment, owner: Address, base_token: Address) -> Probe[MarketTerms]:
    """Return the probe of a market's terms; registries before 2.8 know no fee discounts by account."""
    registry = deployment.market_registry
    reads = (
        _REGISTRY.getMarketInfoByTrader.read(registry, owner, base_token),
        _REGISTRY.getMarketInfo.read(registry, base_token),
    )

    def decode(answers: Sequence[Answer]) -> MarketTerms:
        own = _REGISTRY.getMarketInfoByTrader.decode_or_none(answers[0])
        ((pool, fee, uniswap_fee, _, spread),) = own or _REGISTRY.getMarketInfo.decode(answers[1])
        return MarketTerms(address(pool), fee, uniswap_fee, spread)

    return Probe(reads, decode)


_PER_MARKET = 4


def discover_scope(deployment: PerpV2Deployment, owner: Address, named: Sequence[Address]) -> Discovery[PerpV2Scope]:
    """Find the markets an account is in, and those named: base tokens, fees, the feeds behind their index."""
    registered, quote = yield (
        _BALANCE.getBaseTokens.read(deployment.account_balance, owner),
        _HOUSE.getQuoteToken.read(deployment.clearing_house),
    )
    tokens = list(dict.fromkeys([*map(address, _BALANCE.getBaseTokens.decode(registered)[0]), *named]))
    answers = yield tuple(
        read
        for token in tokens
        for read in (
            _BASE.symbol.read(token),
            _BASE.getPriceFeed.read(token),
            *terms_probe(deployment, owner, token).reads,
        )
    )
    dispatchers = [address(_BASE.getPriceFeed.decode(a)[0]) for a in answers[1::_PER_MARKET]]
    found = yield tuple(_FEED.getChainlinkPriceFeedV3.read(d) for d in dispatchers)
    behind = [_FEED.getChainlinkPriceFeedV3.decode_or_none(a) for a in found]
    feeds = [address(b[0]) if b else None for b in behind]
    sources = yield tuple(_FEED.getAggregator.read(f) for f in feeds if f)
    aggregators = iter([_FEED.getAggregator.decode_or_none(a) for a in sources])
    markets = []
    for i, token in enumerate(tokens):
        symbol, _, *registry = answers[_PER_MARKET * i : _PER_MARKET * (i + 1)]
        terms = terms_probe(deployment, owner, token).decode(registry)
        aggregator = next(aggregators) if feeds[i] else None
        markets.append(
            PerpV2Market(
                base_token=token,
                symbol=_BASE.symbol.decode(symbol)[0].removeprefix("v"),
                pool=terms.pool,
                quote_token=address(_HOUSE.getQuoteToken.decode(quote)[0]),
                exchange_fee=terms.exchange_fee,
                uniswap_fee=terms.uniswap_fee,
                most_spread=terms.most_spread,
                prices=dispatchers[i],
                feed=feeds[i] if aggregator else None,
                source=address(aggregator[0]) if aggregator else dispatchers[i],
            )
        )
    return PerpV2Scope(owner, tuple(markets))


def with_heartbeats(
    scope: PerpV2Scope, heartbeat_s: Callable[[str], int], feed: Callable[[str], Address | None] = lambda _: None
) -> PerpV2Scope:
    """Return the scope with how old each index price may get, and the feed that gives it if one was named."""
    markets = (replace(m, heartbeat_s=heartbeat_s(m.symbol), named_feed=feed(m.symbol)) for m in scope.markets)
    return replace(scope, markets=tuple(markets))
