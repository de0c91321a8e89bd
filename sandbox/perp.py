"""Deploys Perpetual Protocol v2 (Curie) from its npm artifacts: one market, its index the feed of one of our reserves.

Cross margin in a dollar reserve; the market is a Uniswap v3 pool of virtual tokens, quoted 18 decimals a side.
"""

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
ZERO_CODE = b"\0" * 32
WHOLE = 10**18


def deploy_perp(
    chain: Chain, market: PerpMarket, price: int, uniswap: Uniswap, collateral: str, feed: str, admin: str
) -> dict[str, Any]:
    """Exchange and market; `price` is dollars with 18 decimals. Returns the addresses."""
    parts = {name: chain.deploy(name, sender=admin) for name in PARTS}
    quote = chain.deploy("QuoteToken", sender=admin)
    base = _deploy_base(chain, quote, admin)
    source = chain.deploy("ChainlinkPriceFeedV3", feed, FEED_TIMEOUT_S, TWAP_S, sender=admin)
    prices = chain.deploy("PriceFeedDispatcher", source.address, sender=admin)

    def send(contract: Contract, function: str, *args: Any) -> None:
        chain.send(contract.functions[function](*args), admin, gas=16_000_000)

    send(quote, "initialize", "vUSD", "vUSD")
    send(base, "initialize", market.name, market.name, prices.address)
    _wire(parts, send, collateral, uniswap.factory.address, quote.address)
    pool = _create_pool(chain, uniswap, base, quote, price, send)
    house = parts["ClearingHouse"].address
    for token in (base, quote):  # the registry wants all of this before it lists a pool
        send(token, "mintMaximumTo", house)
        send(token, "addWhitelist", house)
        send(token, "addWhitelist", pool.address)
    registry = parts["MarketRegistry"]
    send(registry, "addPool", base.address, UNISWAP_FEE)
    send(registry, "setFeeRatio", base.address, market.fee)
    send(registry, "setInsuranceFundFeeRatio", base.address, market.insurance_share)
    send(parts["Exchange"], "setMaxTickCrossedWithinBlock", base.address, MOST_TICKS_A_BLOCK)
    send(base, "cacheTwap", TWAP_S)
    return {
        "clearing_house": house,
        "vault": parts["Vault"].address,
        "account_balance": parts["AccountBalance"].address,
        "exchange": parts["Exchange"].address,
        "order_book": parts["OrderBook"].address,
        "config": parts["ClearingHouseConfig"].address,
        "market_registry": registry.address,
        "insurance_fund": parts["InsuranceFund"].address,
        "collateral": market.collateral,
        "underlying": market.underlying,
        "feed_of": market.feed_of,
        "base_token": base.address,
        "quote_token": quote.address,
        "pool": pool.address,
        "fee": market.fee,
    }


def open_market(chain: Chain, market: PerpMarket, perp: dict[str, Any], price: int, maker: str, trader: str) -> None:
    """The maker fills the whole price range; one trade there and back, so that funding has a beginning."""
    edge = MAX_TICK // SPACING[UNISWAP_FEE] * SPACING[UNISWAP_FEE]
    dollars = market.depth_usd * WHOLE
    order = (perp["base_token"], dollars * WHOLE // price, dollars, -edge, edge, 0, 0, False, DEADLINE)
    house = chain.at("ClearingHouse", perp["clearing_house"])
    chain.send(house.functions.addLiquidity(order), maker)
    for sells in (False, True):
        there = (perp["base_token"], sells, sells, WHOLE, 0, DEADLINE, 0, ZERO_CODE)
        chain.send(house.functions.openPosition(there), trader)


def _deploy_base(chain: Chain, quote: Contract, admin: str) -> Contract:
    """The base token's address must be below the quote's."""
    while True:
        base = chain.deploy("BaseToken", sender=admin)
        if int(base.address, 16) < int(quote.address, 16):
            return base


def _wire(parts: dict[str, Contract], send: Any, collateral: str, factory: str, quote: str) -> None:
    at = {name: part.address for name, part in parts.items()}
    config, registry, book = at["ClearingHouseConfig"], at["MarketRegistry"], at["OrderBook"]
    balance, exchange, vault, fund = at["AccountBalance"], at["Exchange"], at["Vault"], at["InsuranceFund"]
    for name, function, *args in (
        ("InsuranceFund", "initialize", collateral),
        ("ClearingHouseConfig", "initialize"),
        ("MarketRegistry", "initialize", factory, quote),
        ("OrderBook", "initialize", registry),
        ("AccountBalance", "initialize", config, book),
        ("Exchange", "initialize", registry, book, config),
        ("Exchange", "setAccountBalance", balance),
        ("OrderBook", "setExchange", exchange),
        ("Vault", "initialize", fund, config, balance, exchange),
        ("CollateralManager", "initialize", config, vault, *COLLATERAL_RULES),
        ("InsuranceFund", "setVault", vault),
        ("AccountBalance", "setVault", vault),
        ("Vault", "setCollateralManager", at["CollateralManager"]),
        ("ClearingHouse", "initialize", config, vault, quote, factory, exchange, balance, fund),
        ("DelegateApproval", "initialize"),
        ("ClearingHouse", "setDelegateApproval", at["DelegateApproval"]),
        *((name, "setClearingHouse", at["ClearingHouse"]) for name in _CALLEES),
        ("ClearingHouseConfig", "setSettlementTokenBalanceCap", MAX),
    ):
        send(parts[name], function, *args)


_CALLEES = ("MarketRegistry", "OrderBook", "Exchange", "AccountBalance", "Vault")


def _create_pool(chain: Chain, uniswap: Uniswap, base: Contract, quote: Contract, price: int, send: Any) -> Contract:
    send(uniswap.factory, "createPool", base.address, quote.address, UNISWAP_FEE)
    found = uniswap.factory.functions.getPool(base.address, quote.address, UNISWAP_FEE).call()
    pool = chain.at("UniswapV3Pool", found)
    send(pool, "initialize", sqrt_price_x96(price, WHOLE))
    for size in range(OBSERVATIONS_A_CALL, OBSERVATIONS + 1, OBSERVATIONS_A_CALL):
        send(pool, "increaseObservationCardinalityNext", size)
    return pool
