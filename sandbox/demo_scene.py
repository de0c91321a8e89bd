"""The demo's scene: two identical leveraged positions in the world, and what the chain says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from eth_abi.abi import decode
from web3 import Web3

from sandbox.demo_crash import START_PRICE
from sandbox.seizures import LIQUIDATION_TOPIC, Seizure, seizures
from sandbox.world import World

KEPT, UNKEPT = "kept", "unkept"
COLLATERAL, DEBT = 10 * 10**18, 14_000 * 10**6
CALM_BLOCK_S = 12
TWAP_S = 600  # the pools' averages cover five minutes
SWAP_TOPIC = Web3.keccak(text="Swap(address,address,int256,int256,uint160,uint128,int24)")
NATIVE_DECIMALS, USD_DECIMALS = 18, 8


@dataclass(frozen=True, slots=True)
class Frame:
    """Both positions at one block; health factors are capped at 99."""

    block: int
    timestamp: int
    price: Decimal
    health: Mapping[str, float]
    collateral_usd: Mapping[str, Decimal]
    debt_usd: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One LiquidationCall event; `penalty_usd` is what was lost beyond what was repaid, at that block's prices.

    What the protocol took of the bonus is lost as well.
    """

    owner: str
    block: int
    transaction: str
    penalty_usd: Decimal


def open_positions(world: World) -> dict[str, str]:
    """Owners by name. What they borrowed is spent (sent away), so a rescue has to come out of the position."""
    world.set_timestamp_interval(CALM_BLOCK_S)
    world.set_price("WETH", START_PRICE)
    world.align_pools()
    owners: dict[str, str] = {KEPT: world.account(0).address, UNKEPT: world.account(1).address}
    for owner in owners.values():
        world.open_position(owner, collateral={"WETH": COLLATERAL}, debt={"USDC": DEBT})
        world.chain.send(world.token("USDC").functions.transfer(world.role("lp"), DEBT), owner)
    world.warp(TWAP_S)
    world.refresh_feeds()
    return owners


def read_frame(world: World, owners: Mapping[str, str], block: int) -> Frame:
    """Everything the view shows, in one call at one block."""
    pool, weth = world.pool, world.token("WETH").address
    oracle = world.chain.at("AaveOracle", world.addresses["aave"]["oracle"])
    calls: list[tuple[str, bool, bytes]] = [
        (oracle.address, False, bytes.fromhex(oracle.encode_abi("getAssetPrice", [weth])[2:]))
    ]
    calls += [
        (pool.address, False, bytes.fromhex(pool.encode_abi("getUserAccountData", [o])[2:])) for o in owners.values()
    ]
    calls.append((world.addresses["multicall3"], False, bytes.fromhex("0f28c97d")))  # getCurrentBlockTimestamp()
    price, *accounts, timestamp = aggregate(world, calls, block)
    data = {name: decode(["uint256"] * 6, answer) for name, answer in zip(owners, accounts, strict=True)}
    return Frame(
        block=block,
        timestamp=int.from_bytes(timestamp),
        price=Decimal(int.from_bytes(price)).scaleb(-USD_DECIMALS),
        health={name: min(d[5] / 1e18, 99.0) for name, d in data.items()},
        collateral_usd={name: Decimal(d[0]).scaleb(-USD_DECIMALS) for name, d in data.items()},
        debt_usd={name: Decimal(d[1]).scaleb(-USD_DECIMALS) for name, d in data.items()},
    )


def read_equity(world: World, owner: str, block: int, since: int) -> Decimal:
    """Dollars of all that the owner has: supplied, less owed, plus wallet; of native coin its change since `since`."""
    known = world.addresses
    tables = (known["a_tokens"], known["debt_tokens"], known["tokens"])
    erc20 = world.token("WETH")
    data = bytes.fromhex(erc20.encode_abi("balanceOf", [owner])[2:])
    symbols = list(known["tokens"])
    answers = aggregate(world, [(table[s], False, data) for table in tables for s in symbols], block)
    amounts = [int.from_bytes(answer) for answer in answers]
    prices, total, count = world.prices(), Decimal(0), len(symbols)
    for i, symbol in enumerate(symbols):
        net = amounts[i] - amounts[count + i] + amounts[2 * count + i]
        total += Decimal(net).scaleb(-known["decimals"][symbol]) * prices[symbol]
    account = world.w3.to_checksum_address(owner)
    native = world.w3.eth.get_balance(account, block) - world.w3.eth.get_balance(account, since)
    return total + Decimal(native).scaleb(-NATIVE_DECIMALS) * prices["WETH"]


def read_liquidations(world: World, first_block: int) -> list[Liquidation]:
    """Every liquidation since a block, as the pool's own events tell it."""
    query: Any = {"address": world.pool.address, "topics": [LIQUIDATION_TOPIC.to_0x_hex()], "fromBlock": first_block}
    transactions = dict.fromkeys(log["transactionHash"] for log in world.w3.eth.get_logs(query))
    receipts = [world.w3.eth.get_transaction_receipt(hash_) for hash_ in transactions]
    return [_liquidation(world, one, r) for r in receipts for one in seizures(world, r["logs"])]


def _liquidation(world: World, one: Seizure, receipt: Any) -> Liquidation:
    block = receipt["blockNumber"]
    lost = _worth(world, one.collateral, one.taken + one.protocol, block)
    freed = _worth(world, one.debt, one.repaid + one.forgiven, block)
    return Liquidation(one.owner, block, receipt["transactionHash"].to_0x_hex(), lost - freed)


def read_sale_gain(world: World, transaction: str, blocks_before: int = 1) -> Decimal:
    """Dollars that pools gave in a transaction beyond what they took, at the feeds' prices so many blocks before."""
    pools = {pool["address"].lower(): pool for pool in world.addresses["pools"]}
    receipt = world.w3.eth.get_transaction_receipt(transaction)  # type: ignore[arg-type]
    gain = Decimal(0)
    for log in receipt["logs"]:
        if log["topics"][0] == SWAP_TOPIC and log["address"].lower() in pools:
            pool = pools[log["address"].lower()]
            for side, amount in zip(("token0", "token1"), decode(["int256"] * 2, log["data"][:64]), strict=True):
                gain -= _worth(
                    world, world.addresses["tokens"][pool[side]], amount, receipt["blockNumber"] - blocks_before
                )
    return gain


def _worth(world: World, asset: str, amount: int, block: int) -> Decimal:
    symbols = {address.lower(): symbol for symbol, address in world.addresses["tokens"].items()}
    oracle = world.chain.at("AaveOracle", world.addresses["aave"]["oracle"])
    price = oracle.functions.getAssetPrice(asset).call(block_identifier=block)
    decimals: int = world.addresses["decimals"][symbols[asset.lower()]]
    return Decimal(amount).scaleb(-decimals) * Decimal(price).scaleb(-USD_DECIMALS)


def aggregate(world: World, calls: Sequence[tuple[str, bool, bytes]], block: int) -> list[bytes]:
    multicall = world.chain.at("Multicall3", world.addresses["multicall3"])
    answers = multicall.functions.aggregate3(list(calls)).call(block_identifier=block)
    return [bytes(data) for _, data in answers]
