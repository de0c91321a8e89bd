"""Reads and moves prices: feeds and ratio adapters, and pools by real swaps that stop at a price limit."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.chain import Chain
from sandbox.deploy import FEED_DECIMALS, Addresses, answer
from sandbox.uniswap import MAX_SQRT, MIN_SQRT, price_of, sqrt_price_for

LATEST_TIMESTAMP = bytes.fromhex("8205bf6a")
UPDATE = bytes.fromhex("a2e62045")
SLOT0 = bytes.fromhex("3850c7bd")
UNIT = Decimal(10) ** -FEED_DECIMALS
FEE_UNIT = Decimal(10) ** 6
SWAPS_GAS = 15_000_000
ENOUGH = 2**127  # a swap with a price limit takes what it needs
Pool = Mapping[str, Any]
Calls = list[tuple[str, bool, bytes]]


def read_prices(chain: Chain, addresses: Addresses) -> dict[str, Decimal]:
    """Dollars per whole token of every reserve, as Aave's oracle says."""
    oracle = chain.at("AaveOracle", addresses["aave"]["oracle"])
    answers = oracle.functions.getAssetsPrices(list(addresses["tokens"].values())).call()
    return {s: value * UNIT for s, value in zip(addresses["tokens"], answers, strict=True)}


def read_updated_at(chain: Chain, addresses: Addresses) -> dict[str, int]:
    """Timestamp of each feed's latest answer."""
    calls = [(feed, False, LATEST_TIMESTAMP) for feed in addresses["feeds"].values()]
    answers = chain.at("Multicall3", addresses["multicall3"]).functions.aggregate3(calls).call()
    return {s: int.from_bytes(data) for s, (_, data) in zip(addresses["feeds"], answers, strict=True)}


def encode_prices(
    chain: Chain, addresses: Addresses, prices: Mapping[str, Decimal], updated_at: int | None, reference: bool
) -> Calls:
    """The calls that put the feeds at `prices`; a ratio-priced token moves by its ratio. `updated_at` None is now."""
    calls: Calls = []
    for symbol in (s for s in prices if s in addresses["feeds"]):
        feeds = [addresses["feeds"][symbol]]
        if reference and symbol in addresses["reference_feeds"]:
            feeds.append(addresses["reference_feeds"][symbol])
        value = answer(prices[symbol])
        for address in feeds:
            feed = chain.at("Feed", address)
            if updated_at is None:
                data = feed.encode_abi("setAnswer", [value])
            else:
                data = feed.encode_abi("setAnswerAt", [value, updated_at])
            calls.append((address, False, data))
    calls += _perp_updates(addresses, prices)
    if ratios := [s for s in prices if s in addresses["ratio_of"]]:
        base_prices = read_prices(chain, addresses) | dict(prices)
        for symbol in ratios:
            ratio = prices[symbol] / base_prices[addresses["ratio_of"][symbol]] * 10**18
            adapter = chain.at("RatioAdapter", addresses["sources"][symbol])
            rounded = int(ratio.to_integral_value(ROUND_HALF_UP))
            calls.append((adapter.address, False, adapter.encode_abi("setRatio", [rounded])))
    return calls


def _perp_updates(addresses: Addresses, symbols: Mapping[str, Decimal]) -> Calls:
    """Let the perp exchange take note of each new answer, as its updater does at every round of a feed.

    Without that the averages of its index go wrong, and after hours of a falling price cannot be computed at all
    (CumulativeTwap counts the price before for all the time up to the window). It refuses where nothing is new.
    """
    markets = addresses["perp"]["markets"].values() if "perp" in addresses else ()
    return [(market["price_feed"], True, UPDATE) for market in markets if market["feed_of"] in symbols]


def send_together(chain: Chain, addresses: Addresses, calls: Calls) -> str:
    """All calls in one transaction of the feeds' account; its hash."""
    multicall = chain.at("Multicall3", addresses["multicall3"])
    return chain.submit(multicall.functions.aggregate3(calls), addresses["roles"]["feeds"], gas=8_000_000)


def find_pool(addresses: Addresses, a: str, b: str, fee: int | None = None) -> Pool:
    """The pool of two symbols, in either order; without a fee the first listed."""
    for pool in addresses["pools"]:
        if {pool["token0"], pool["token1"]} == {a, b} and fee in (None, pool["fee"]):
            found: Pool = pool
            return found
    raise KeyError(f"no pool {a}/{b}" + (f" with fee {fee}" if fee else ""))


def pool_price(chain: Chain, addresses: Addresses, pool: Pool) -> Decimal:
    """Whole token1 per whole token0."""
    return price_of(_sqrt_price(chain, pool), *_decimals(addresses, pool))


def pool_prices(chain: Chain, addresses: Addresses) -> list[Decimal]:
    """`pool_price` of every pool of the world, in their order, in one call."""
    pools = addresses["pools"]
    calls = [(p["address"], False, SLOT0) for p in pools]
    answers = chain.at("Multicall3", addresses["multicall3"]).functions.aggregate3(calls).call()
    sqrt_prices = (int.from_bytes(data[:32]) for _, data in answers)
    return [price_of(sqrt, *_decimals(addresses, p)) for sqrt, p in zip(sqrt_prices, pools, strict=True)]


def fair_price(prices: Mapping[str, Decimal], pool: Pool) -> Decimal:
    """What the feeds say one whole token0 costs in whole token1."""
    return prices[pool["token0"]] / prices[pool["token1"]]


def encode_swap(chain: Chain, addresses: Addresses, pool: Pool, price: Decimal, trader: str) -> bytes | None:
    """SwapRouter02 call that swaps until the pool's price is `price` (whole token1 per whole token0); None if it is.

    `trader` must own enough of both tokens and have approved the router; it pays only what the swap takes.
    """
    limit = min(max(sqrt_price_for(price, *_decimals(addresses, pool)), MIN_SQRT), MAX_SQRT)
    now = _sqrt_price(chain, pool)
    if limit == now:
        return None
    sold, bought = ("token0", "token1") if limit < now else ("token1", "token0")
    tokens = addresses["tokens"]
    order = (tokens[pool[sold]], tokens[pool[bought]], pool["fee"], trader, ENOUGH, 0, limit)
    router = chain.at("SwapRouter02", addresses["uniswap"]["swap_router_02"])
    return bytes.fromhex(router.encode_abi("exactInputSingle", [order]).removeprefix("0x"))


def trade(chain: Chain, addresses: Addresses, swaps: Sequence[bytes], trader: str) -> str:
    """All swaps in one transaction of `trader`; its hash."""
    router = chain.at("SwapRouter02", addresses["uniswap"]["swap_router_02"])
    return chain.submit(router.functions["multicall(bytes[])"](list(swaps)), trader, SWAPS_GAS)


def profitable_price(now: Decimal, fair: Decimal, pool: Pool) -> Decimal | None:
    """Where an arbitrageur leaves a pool that stands at `now`: as near to fair as its fee lets pay; None to stay."""
    keep: Decimal = 1 - pool["fee"] / FEE_UNIT
    if now > fair / keep:
        return fair / keep
    return fair * keep if now < fair * keep else None


def _sqrt_price(chain: Chain, pool: Pool) -> int:
    return int(chain.at("UniswapV3Pool", pool["address"]).functions.slot0().call()[0])


def _decimals(addresses: Addresses, pool: Pool) -> tuple[int, int]:
    return addresses["decimals"][pool["token0"]], addresses["decimals"][pool["token1"]]
