"""Uniswap v3 from its npm artifacts: factory, position manager, SwapRouter02, QuoterV2, pools and their price maths.

Prices here are integers or exact square roots: a pool's price is token1 per token0 in smallest units, as
sqrtPriceX96 = floor(sqrt(token1 / token0) · 2^96).
"""

from dataclasses import dataclass
from decimal import Decimal
from math import isqrt

from web3.contract import Contract

from sandbox.chain import Chain

MAX = 2**256 - 1
Q192 = 2**192
SPACING = {100: 1, 500: 10, 3000: 60, 10000: 200}
MAX_TICK = 887272
OBSERVATIONS = 400
DEADLINE = 2**40
MIN_SQRT, MAX_SQRT = 4295128739 + 1, 1461446703485210103287273052203988822378723970342 - 1
ZERO = "0x" + "00" * 20


@dataclass(slots=True)
class Uniswap:
    """The contracts that every pool shares."""

    factory: Contract
    positions: Contract
    router: Contract
    quoter: Contract


def deploy_uniswap(chain: Chain, admin: str, wrapped_native: str) -> Uniswap:
    factory = chain.deploy("UniswapV3Factory", sender=admin)
    chain.send(factory.functions.enableFeeAmount(100, SPACING[100]), admin)
    f = factory.address
    positions = chain.deploy("NonfungiblePositionManager", f, wrapped_native, ZERO, sender=admin)
    router = chain.deploy("SwapRouter02", ZERO, f, positions.address, wrapped_native, sender=admin)
    quoter = chain.deploy("QuoterV2", f, wrapped_native, sender=admin)
    return Uniswap(factory, positions, router, quoter)


def create_pool(
    chain: Chain, uniswap: Uniswap, fee: int, amounts: dict[str, int], provider: str
) -> tuple[str, str, str]:
    """A pool of two tokens with full-range liquidity; `amounts` by token address also set its first price.

    `provider` owns the tokens and has approved the position manager. Returns (pool, token0, token1).
    """
    (token0, amount0), (token1, amount1) = sorted(amounts.items(), key=lambda item: int(item[0], 16))
    price = sqrt_price_x96(amount1, amount0)
    create = uniswap.positions.functions.createAndInitializePoolIfNecessary(token0, token1, fee, price)
    chain.send(create, provider, gas=8_000_000)
    edge = MAX_TICK // SPACING[fee] * SPACING[fee]
    order = (token0, token1, fee, -edge, edge, amount0, amount1, 0, 0, provider, DEADLINE)
    chain.send(uniswap.positions.functions.mint(order), provider)
    pool = uniswap.factory.functions.getPool(token0, token1, fee).call()
    grow = chain.at("UniswapV3Pool", pool).functions.increaseObservationCardinalityNext(OBSERVATIONS)
    chain.send(grow, provider, gas=15_000_000)
    return pool, token0, token1


def sqrt_price_x96(amount1: int, amount0: int) -> int:
    """sqrt(amount1 / amount0) · 2^96, rounded down."""
    return isqrt(amount1 * Q192 // amount0)


def price_of(sqrt_x96: int, decimals0: int, decimals1: int) -> Decimal:
    """Whole token1 per whole token0."""
    return Decimal(sqrt_x96) ** 2 / Q192 * Decimal(10) ** (decimals0 - decimals1)


def sqrt_price_for(price: Decimal, decimals0: int, decimals1: int) -> int:
    """The sqrtPriceX96 at which one whole token0 costs `price` whole token1."""
    numerator, denominator = (price * Decimal(10) ** (decimals1 - decimals0)).as_integer_ratio()
    return isqrt(numerator * Q192 // denominator)
