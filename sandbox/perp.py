"""Deploys Perpetual Protocol v2 (Curie) from its npm artifacts: markets whose index is the feed of a reserve.

Cross margin in a dollar reserve; a market is a Uniswap v3 pool of virtual tokens with 18 decimals a side.
"""

from dataclasses import dataclass
from typing import Any

from web3.contract import Contract

from sandbox.chain import Chain
from sandbox.spec import PerpMarket
from sandbox.uniswap import DEADLINE, MAX, MAX_TICK, SPACING, Uniswap, sqrt_price_x96

DAY_S = 86_400
FEED_TIMEOUT_S = 365 * DAY_S  # only matters where a second price source is set, which it is not here
TWAP_S = 900
UNISWAP_FEE = 10_000  # as on Optimism: Curie replaces it by its own fee
MOST_TICKS_A_BLOCK = 1000  # the contract's own limit, about 10 %
OBSERVATIONS, OBSERVATIONS_A_CALL = 1200, 600  # the mark price looks back half an hour
COLLATERAL_RULES = (5, 750_000, 500_000, 2000, 30_000, 10**10, 5 * 10**8)  # no second collateral is listed
PARTS = (
    "InsuranceFund",
    "ClearingHouseConfig",
    "MarketRegistry",
    "OrderBook",
    "AccountBalance",
    "Exchange",
    "Vault",
    "CollateralManager",
    "ClearingHouse",
    "DelegateApproval",
)
CALLEES = ("MarketRegistry", "OrderBook", "Exchange", "AccountBalance", "Vault")
ZERO_CODE = b"\0" * 32
WHOLE = 10**18


@dataclass(frozen=True, slots=True)
class Exchange:
    """The contracts that every market shares."""

    parts: dict[str, Contract]
    quote: Contract
    uniswap: Uniswap
    admin: str

    def addresses(self) -> dict[str, str]:
        """By the names the desk and the network file use."""
        return {
            "clearing_house": self.parts["ClearingHouse"].address,
            "vault": self.parts["Vault"].address,
            "account_balance": self.parts["AccountBalance"].address,
            "exchange": self.parts["Exchange"].address,
            "order_book": self.parts["OrderBook"].address,
            "config": self.parts["ClearingHouseConfig"].address,
            "market_registry": self.parts["MarketRegistry"].address,
            "insurance_fund": self.parts["InsuranceFund"].address,
            "quote_token": self.quote.address,
        }


def deploy_exchange(chain: Chain, uniswap: Uniswap, collateral: str, admin: str) -> Exchange:
    """Everything but markets; `collateral` is the token that margin is paid in."""
    parts = {name: chain.deploy(name, sender=admin) for name in PARTS}
    quote = chain.deploy("QuoteToken", sender=admin)
    exchange = Exchange(parts, quote, uniswap, admin)
    _send(chain, exchange, quote, "initialize", "vUSD", "vUSD")
    _wire(chain, exchange, collateral)
    _admit(chain, exchange, quote, parts["ClearingHouse"].address, mint=True)
    return exchange


def list_market(chain: Chain, exchange: Exchange, market: PerpMarket, price: int, feed: str) -> dict[str, Any]:
    """One market; `price` is dollars with 18 decimals, `feed` what its index follows. Returns its addresses."""
    parts, admin = exchange.parts, exchange.admin
    base = _deploy_base(chain, exchange.quote, admin)
    source = chain.deploy("ChainlinkPriceFeedV3", feed, FEED_TIMEOUT_S, TWAP_S, sender=admin)
    prices = chain.deploy("PriceFeedDispatcher", source.address, sender=admin)
    _send(chain, exchange, base, "initialize", market.name, market.name, prices.address)
    pool = _create_pool(chain, exchange, base, price)
    _admit(chain, exchange, base, parts["ClearingHouse"].address, mint=True)
    for token in (base, exchange.quote):
        _admit(chain, exchange, token, pool.address)
    for name, function, *args in (
        ("MarketRegistry", "addPool", base.address, UNISWAP_FEE),
        ("MarketRegistry", "setFeeRatio", base.address, market.fee),
        ("MarketRegistry", "setInsuranceFundFeeRatio", base.address, market.insurance_share),
        ("Exchange", "setMaxTickCrossedWithinBlock", base.address, MOST_TICKS_A_BLOCK),
    ):
        _send(chain, exchange, parts[name], function, *args)
    _send(chain, exchange, base, "cacheTwap", TWAP_S)
    return {
        "base_token": base.address,
        "pool": pool.address,
        "price_feed": source.address,
        "feed_of": market.feed_of,
        "fee": market.fee,
    }


def open_market(
    chain: Chain, exchange: Exchange, market: PerpMarket, price: int, base: str, maker: str, trader: str
) -> None:
    """The maker fills the whole price range; one trade there and back, so that funding has a beginning."""
    edge = MAX_TICK // SPACING[UNISWAP_FEE] * SPACING[UNISWAP_FEE]
    dollars = market.depth_usd * WHOLE
    order = (base, dollars * WHOLE // price, dollars, -edge, edge, 0, 0, False, DEADLINE)
    house = exchange.parts["ClearingHouse"]
    chain.send(house.functions.addLiquidity(order), maker)
    for sells in (False, True):
        there = (base, sells, sells, WHOLE, 0, DEADLINE, 0, ZERO_CODE)
        chain.send(house.functions.openPosition(there), trader)


def _send(chain: Chain, exchange: Exchange, contract: Contract, function: str, *args: Any) -> None:
    chain.send(contract.functions[function](*args), exchange.admin, gas=16_000_000)


def _admit(chain: Chain, exchange: Exchange, token: Contract, holder: str, mint: bool = False) -> None:
    """A virtual token moves between admitted holders only; the registry wants this before it lists a pool."""
    if mint:
        _send(chain, exchange, token, "mintMaximumTo", holder)
    _send(chain, exchange, token, "addWhitelist", holder)


def _deploy_base(chain: Chain, quote: Contract, admin: str) -> Contract:
    """The base token's address must be below the quote's."""
    while True:
        base = chain.deploy("BaseToken", sender=admin)
        if int(base.address, 16) < int(quote.address, 16):
            return base


def _wire(chain: Chain, exchange: Exchange, collateral: str) -> None:
    at = {name: part.address for name, part in exchange.parts.items()}
    factory, quote = exchange.uniswap.factory.address, exchange.quote.address
    config, registry, book = at["ClearingHouseConfig"], at["MarketRegistry"], at["OrderBook"]
    balance, swaps, vault, fund = at["AccountBalance"], at["Exchange"], at["Vault"], at["InsuranceFund"]
    for name, function, *args in (
        ("InsuranceFund", "initialize", collateral),
        ("ClearingHouseConfig", "initialize"),
        ("MarketRegistry", "initialize", factory, quote),
        ("OrderBook", "initialize", registry),
        ("AccountBalance", "initialize", config, book),
        ("Exchange", "initialize", registry, book, config),
        ("Exchange", "setAccountBalance", balance),
        ("OrderBook", "setExchange", swaps),
        ("Vault", "initialize", fund, config, balance, swaps),
        ("CollateralManager", "initialize", config, vault, *COLLATERAL_RULES),
        ("InsuranceFund", "setVault", vault),
        ("AccountBalance", "setVault", vault),
        ("Vault", "setCollateralManager", at["CollateralManager"]),
        ("ClearingHouse", "initialize", config, vault, quote, factory, swaps, balance, fund),
        ("DelegateApproval", "initialize"),
        ("ClearingHouse", "setDelegateApproval", at["DelegateApproval"]),
        *((name, "setClearingHouse", at["ClearingHouse"]) for name in CALLEES),
        ("ClearingHouseConfig", "setSettlementTokenBalanceCap", MAX),
    ):
        _send(chain, exchange, exchange.parts[name], function, *args)


def _create_pool(chain: Chain, exchange: Exchange, base: Contract, price: int) -> Contract:
    factory, quote = exchange.uniswap.factory, exchange.quote
    _send(chain, exchange, factory, "createPool", base.address, quote.address, UNISWAP_FEE)
    pool = chain.at("UniswapV3Pool", factory.functions.getPool(base.address, quote.address, UNISWAP_FEE).call())
    _send(chain, exchange, pool, "initialize", sqrt_price_x96(price, WHOLE))
    for size in range(OBSERVATIONS_A_CALL, OBSERVATIONS + 1, OBSERVATIONS_A_CALL):
        _send(chain, exchange, pool, "increaseObservationCardinalityNext", size)
    return pool
