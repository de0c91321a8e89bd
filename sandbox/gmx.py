"""Deploys the stand-in for GMX v2: one ETH market, backed by and collateralised with WETH and USDC of this world.

It is ours, not GMX: it speaks the part of its language that a keeper speaks, and lives the same life (orders that wait
for a keeper, are executed, cancelled or frozen; liquidation; deleveraging). Rates are constant and set from outside.
"""

from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sandbox.chain import Chain

FLOAT = 10**30
YEAR = 365 * 86_400
BACKING = {"WETH": 50_000 * 10**18, "USDC": 150_000_000 * 10**6}
FEED_HEARTBEAT_S = 86_400
Key = bytes

CONFIG: dict[str, int] = {
    "MIN_COLLATERAL_USD": FLOAT,
    "MIN_POSITION_SIZE_USD": FLOAT,
    "ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1": 600_000,
    "ESTIMATED_GAS_FEE_PER_ORACLE_PRICE": 250_000,
    "ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR": FLOAT,
    "INCREASE_ORDER_GAS_LIMIT": 3_000_000,
    "DECREASE_ORDER_GAS_LIMIT": 3_000_000,
    "SINGLE_SWAP_GAS_LIMIT": 1_000_000,
}
PER_MARKET = {"MIN_COLLATERAL_FACTOR": FLOAT // 200, "MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION": FLOAT // 200}
PER_FLAG = {
    ("POSITION_FEE_FACTOR", True): 4 * FLOAT // 10_000,  # a trade that betters the balance
    ("POSITION_FEE_FACTOR", False): 6 * FLOAT // 10_000,
    ("POSITION_IMPACT_FACTOR", True): 3 * 10**19,
    ("POSITION_IMPACT_FACTOR", False): 9 * 10**19,
    ("MAX_POSITION_IMPACT_FACTOR", True): 4 * FLOAT // 1000,
    ("MAX_POSITION_IMPACT_FACTOR", False): 5 * FLOAT // 1000,
    ("MAX_OPEN_INTEREST", True): 10**8 * FLOAT,
    ("MAX_OPEN_INTEREST", False): 10**8 * FLOAT,
    ("BORROWING_FACTOR", True): FLOAT // 20 // YEAR,  # five percent a year, paid by the larger side
    ("BORROWING_FACTOR", False): FLOAT // 20 // YEAR,
}


def key(name: str, *args: Any) -> Key:
    """A key of the data store: ``key("POSITION_FEE_FACTOR", market, True)``."""
    base = keccak(encode(["string"], [name]))
    if not args:
        return base
    kinds = ["bool" if isinstance(a, bool) else "bytes32" if isinstance(a, bytes) else "address" for a in args]
    return keccak(encode(["bytes32", *kinds], [base, *args]))


def deploy_gmx(chain: Chain, tokens: dict[str, str], feeds: dict[str, str], admin: str) -> dict[str, str]:
    """The exchange and its market; returns the addresses, by the network file's names and `market`."""
    weth, usdc = tokens["WETH"], tokens["USDC"]
    market = chain.deploy("TestnetERC20", "GM ETH/USD", "GM", 18, admin, sender=admin).address
    store = chain.deploy("GmxDataStore", sender=admin)
    emitter = chain.deploy("GmxEventEmitter", sender=admin)
    vault = chain.deploy("GmxOrderVault", sender=admin)
    router = chain.deploy("GmxRouter", sender=admin)
    struct = (market, weth, weth, usdc)
    house = chain.deploy("GmxPositions", store.address, struct, emitter.address, sender=admin)
    exchange = chain.deploy("GmxExchangeRouter", router.address, house.address, weth, sender=admin)
    parts = (store.address, emitter.address, house.address, vault.address, weth, exchange.address)
    orders = chain.deploy("GmxOrders", *parts, sender=admin)
    reader = chain.deploy("GmxReader", house.address, orders.address, sender=admin)
    for call in (
        house.functions.setHandler(orders.address),
        vault.functions.setOwner(orders.address),
        router.functions.setPlugin(exchange.address),
        exchange.functions.setOrders(orders.address),
        store.functions.setUints(*_settings(market, tokens)),
        *(store.functions.setAddress(key("PRICE_FEED", tokens[s]), feeds[s]) for s in ("WETH", "USDC")),
        *(
            chain.at("TestnetERC20", tokens[s]).functions["mint(address,uint256)"](house.address, n)
            for s, n in BACKING.items()
        ),
    ):
        chain.send(call, admin)
    return {
        "data_store": store.address,
        "reader": reader.address,
        "exchange_router": exchange.address,
        "router": router.address,
        "order_vault": vault.address,
        "order_handler": orders.address,
        "event_emitter": emitter.address,
        "referral_storage": admin,  # asked for by name only
        "positions": house.address,
        "market": market,
    }


def _settings(market: str, tokens: dict[str, str]) -> tuple[list[Key], list[int]]:
    found = {key(name): value for name, value in CONFIG.items()}
    found |= {key(name, market): value for name, value in PER_MARKET.items()}
    found |= {key(name, market, flag): value for (name, flag), value in PER_FLAG.items()}
    for symbol, decimals in (("WETH", 18), ("USDC", 6)):
        found[key("PRICE_FEED_MULTIPLIER", tokens[symbol])] = 10 ** (60 - 8 - decimals)
        found[key("PRICE_FEED_HEARTBEAT_DURATION", tokens[symbol])] = FEED_HEARTBEAT_S
    return list(found), list(found.values())
