"""The scene of the hedge demo: three owners with the same loop and the same money, and what the chain says of them.

HEDGED is short at the perp exchange and holds the rest of its cash as a reserve for margin; UNHEDGED and ALONE hold
all of it as cash. The keeper has rules for the first two; nobody looks after the last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from eth_abi.abi import decode

from sandbox.demo_crash import START_PRICE
from sandbox.demo_scene import CALM_BLOCK_S, COLLATERAL, DEBT, NATIVE_DECIMALS, TWAP_S, USD_DECIMALS, Frame, aggregate
from sandbox.perp_desk import PerpDesk
from sandbox.world import World

HEDGED, UNHEDGED, ALONE = "hedged", "unhedged", "alone"
MARGIN, RESERVE = 4_000 * 10**6, 9_500 * 10**6
NATIVE = 10**18
"""Gas money; it counts as ether, and is hedged like the rest."""
SHORT_SIZE = -(COLLATERAL + NATIVE)
MOST_RATIO = 99.0
TIMESTAMP, ETH_BALANCE = "0x0f28c97d", "0x4d2301cc"  # Multicall3: getCurrentBlockTimestamp(), getEthBalance(address)


@dataclass(frozen=True, slots=True)
class HedgeFrame(Frame):
    """All three at one block: `delta` (ether) and `equity` (dollars at the feeds' prices) by owner; and the short.

    Its margin ratio is the exchange's own, at a mark price that follows the market's averages.
    """

    delta: Mapping[str, float]
    equity: Mapping[str, Decimal]
    short: float
    """Ether, negative; zero when nothing is open."""
    margin_ratio: float
    """Capped at 99: next to nothing is open."""
    margin_ratio_unaided: float
    """What it would be without the margin that was added since the start."""
    cushion: Decimal
    """Dollars of the short's account beyond what the exchange requires; below zero anybody may liquidate."""


def open_books(world: World) -> dict[str, str]:
    """Owners by name. What they borrowed is spent; each has the same cash, of which HEDGED pays its margin."""
    world.set_timestamp_interval(CALM_BLOCK_S)
    world.set_price("WETH", START_PRICE)
    world.align_pools()
    world.perp.align()
    owners: dict[str, str] = {name: world.account(i).address for i, name in enumerate((HEDGED, UNHEDGED, ALONE))}
    for name, owner in owners.items():
        world.open_position(owner, collateral={"WETH": COLLATERAL}, debt={"USDC": DEBT})
        world.chain.send(world.token("USDC").functions.transfer(world.role("lp"), DEBT), owner)
        world.mint("USDC", owner, RESERVE if name == HEDGED else RESERVE + MARGIN)
    world.perp.open(owners[HEDGED], MARGIN, SHORT_SIZE)
    world.warp(TWAP_S)
    world.refresh_feeds()
    for owner in owners.values():
        world.rpc("anvil_setBalance", owner, hex(NATIVE))
    world.mine()
    return owners


def read_hedge_frame(world: World, owners: Mapping[str, str], block: int) -> HedgeFrame:
    """Everything the view shows, in one call at one block."""
    desk, pool, weth, usdc = world.perp, world.pool, world.token("WETH"), world.token("USDC")
    oracle = world.chain.at("AaveOracle", world.addresses["aave"]["oracle"])
    multicall = world.addresses["multicall3"]
    supplied, hedged = world.addresses["a_tokens"]["WETH"], owners[HEDGED]
    calls = [
        (multicall, TIMESTAMP),
        (oracle.address, oracle.encode_abi("getAssetPrice", [weth.address])),
        *_perp_calls(desk, hedged),
    ]
    for owner in owners.values():
        calls += [
            (pool.address, pool.encode_abi("getUserAccountData", [owner])),
            (supplied, weth.encode_abi("balanceOf", [owner])),
            (weth.address, weth.encode_abi("balanceOf", [owner])),
            (usdc.address, usdc.encode_abi("balanceOf", [owner])),
            (multicall, ETH_BALANCE + owner[2:].rjust(64, "0")),
        ]
    answers = aggregate(world, [(to, False, bytes.fromhex(data[2:])) for to, data in calls], block)
    timestamp, price_usd, size, value, required, held = (int.from_bytes(a, signed=True) for a in answers[:6])
    price, worth = Decimal(price_usd).scaleb(-USD_DECIMALS), Decimal(value).scaleb(-18)
    short = Decimal(size).scaleb(-18) * price - Decimal(held if size > 0 else -held).scaleb(-18) + worth
    data, delta, equity, cash_of = {}, {}, {}, {}
    for i, name in enumerate(owners):
        account, *balances = answers[6 + 5 * i : 11 + 5 * i]
        data[name] = decode(["uint256"] * 6, account)
        a_weth, wallet, cash, native = (int.from_bytes(b) for b in balances)
        ether = Decimal(a_weth + wallet + native).scaleb(-NATIVE_DECIMALS)
        debt = Decimal(data[name][1]).scaleb(-USD_DECIMALS)
        delta[name] = float(ether) + (size / 1e18 if name == HEDGED else 0)
        equity[name] = ether * price + Decimal(cash).scaleb(-6) - debt + (short if name == HEDGED else 0)
        cash_of[name] = cash
    added = (RESERVE - cash_of[HEDGED]) * 10**12
    return HedgeFrame(
        block=block,
        timestamp=timestamp,
        price=price,
        health={name: min(d[5] / 1e18, 99.0) for name, d in data.items()},
        collateral_usd={name: Decimal(d[0]).scaleb(-USD_DECIMALS) for name, d in data.items()},
        debt_usd={name: Decimal(d[1]).scaleb(-USD_DECIMALS) for name, d in data.items()},
        delta=delta,
        equity=equity,
        short=size / 1e18,
        margin_ratio=min(value / held, MOST_RATIO) if held else MOST_RATIO,
        margin_ratio_unaided=min((value - added) / held, MOST_RATIO) if held else MOST_RATIO,
        cushion=Decimal(value - required).scaleb(-18),
    )


def _perp_calls(desk: PerpDesk, owner: str) -> list[tuple[str, str]]:
    """Size, account value, what liquidation requires, size at the mark price."""
    balances, house = desk.balances, desk.house
    return [
        (balances.address, balances.encode_abi("getTakerPositionSize", [owner, desk.base])),
        (house.address, house.encode_abi("getAccountValue", [owner])),
        (balances.address, balances.encode_abi("getMarginRequirementForLiquidation", [owner])),
        (balances.address, balances.encode_abi("getTotalAbsPositionValue", [owner])),
    ]
