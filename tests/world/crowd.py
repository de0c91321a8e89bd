"""Many random accounts in one market, opened in a few requests; and the keeper's own reading of all of them."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
from web3 import Web3

from keeper.chain.blocks import Blocks
from keeper.chain.client import Node
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Address
from keeper.venues.aave_v3 import market as aave_v3
from keeper.venues.aave_v3.position import discover_scope, position_probe
from keeper.venues.contracts import multicall3
from keeper.venues.ports import joined
from sandbox.positions import AccountData, accounts_data
from sandbox.spec import WorldSpec
from sandbox.world import World

GAS = hex(2_000_000)
_session = requests.Session()
_session.trust_env = False


@dataclass(frozen=True)
class Wish:
    """What one account is to have, in smallest units. ``idle`` is supplied but switched off as collateral."""

    owner: str
    emode: int
    supplies: dict[str, int]
    idle: tuple[str, ...]
    debts: dict[str, int]


def wishes(world: World, spec: WorldSpec, count: int, seed: int, emodes: Sequence[int]) -> list[Wish]:
    """Random accounts; every reserve, with and without e-mode, one to four supplies, none to three debts."""
    dice = random.Random(seed)  # noqa: S311
    return [_wish(world, spec, dice, i, seed, emodes) for i in range(count)]


def settle(world: World, crowd: Sequence[Wish], *, seed: int) -> None:
    """Open all of them; months pass in between, so that indices differ and interest has accrued."""
    dice = random.Random(seed)  # noqa: S311
    world.rpc("anvil_autoImpersonateAccount", True)
    _requests(world, [("anvil_setBalance", [w.owner, hex(10**18)]) for w in crowd])
    third = -(-len(crowd) // 3)
    for start in range(0, len(crowd), third):
        part = crowd[start : start + third]
        _supply_for(world, part)
        _send(world, [(w.owner, _pool(world, "setUserEMode", w.emode)) for w in part if w.emode])
        _send(world, [(w.owner, _switch_off(world, s)) for w in part for s in w.idle])
        _send(world, [(w.owner, _borrow(world, s, amount, w.owner)) for w in part for s, amount in w.debts.items()])
        world.warp(dice.randrange(1, 60 * 86_400))
    _supply_for(world, crowd[::5])
    world.rpc("anvil_autoImpersonateAccount", False)


def read_all(world: World, owners: Sequence[str]) -> tuple[list[LendingPosition], dict[str, AccountData]]:
    """The keeper's reading of every account at one block, and the pool's own figures of the same block."""

    async def reading() -> list[LendingPosition]:
        node = Node(world.url, timeout_s=60)
        blocks = Blocks(node, world.addresses["chain_id"], multicall3.ADDRESS)
        head = await blocks.head()
        market = await blocks.discover(
            head, aave_v3.discover_market(Address(world.addresses["aave"]["pool_addresses_provider"]))
        )
        scopes = [await blocks.discover(head, discover_scope(market, Address(o), [], [])) for o in owners]
        probes = [position_probe(market, scope, scope.owner, head) for scope in scopes]
        found = await blocks.read(head, joined(probes))
        await node.close()
        return list(found)

    return asyncio.run(reading()), accounts_data(world.chain, world.addresses, owners)


# --- dice ------------------------------------------------------------------------------------------------------------


def _wish(world: World, spec: WorldSpec, dice: random.Random, index: int, seed: int, emodes: Sequence[int]) -> Wish:
    owner = Web3.to_checksum_address(f"0x{0xBEEF0000 + (seed << 16) + index:040x}")
    emode = dice.choice([0, 0, *emodes])
    category = next((e for e in spec.emodes if e.id == emode), None)
    reserves = [r for r in spec.reserves if r.symbol in world.addresses["tokens"]]
    supplied = dice.sample(reserves, dice.randint(1, 4))
    if category:  # at least one supply of the category's own
        first = spec.reserve(dice.choice(category.collateral))
        supplied = [first, *(r for r in supplied if r is not first)]
    dollars = {r.symbol: Decimal(dice.randrange(3, 10**6)) / dice.choice([1, 1, 7, 1000]) for r in supplied}
    idle = tuple(r.symbol for r in supplied[1:] if r.threshold and dice.random() < 0.25)
    capacity = sum(
        dollars[r.symbol] * (category.ltv if category and r.symbol in category.collateral else r.ltv) / 10_000
        for r in supplied
        if r.symbol not in idle
    )
    lenders = [r for r in reserves if r.borrowable and (not category or r.symbol in category.borrowable)]
    borrowed = dice.sample(lenders, min(len(lenders), dice.randint(0, 3)))
    share = Decimal(dice.randrange(5, 98)) / 100 / max(1, len(borrowed))
    return Wish(
        owner=owner,
        emode=emode,
        supplies={s: _amount(spec, s, usd) for s, usd in dollars.items()},
        idle=idle,
        debts={r.symbol: _amount(spec, r.symbol, capacity * share) for r in borrowed},
    )


def _amount(spec: WorldSpec, symbol: str, dollars: Decimal) -> int:
    return max(1, int(dollars / spec.price(symbol) * 10 ** spec.reserve(symbol).decimals))


# --- transactions ----------------------------------------------------------------------------------------------------


def _supply_for(world: World, crowd: Sequence[Wish]) -> None:
    """Supply on behalf of all, from Multicall3's own wallet."""
    payer, pool = world.addresses["multicall3"], world.pool.address
    orders = [(w.owner, s, amount) for w in crowd for s, amount in w.supplies.items()]
    calls = []
    for symbol in dict.fromkeys(s for _, s, _ in orders):
        token = world.token(symbol)
        needed = sum(amount for _, s, amount in orders if s == symbol)
        world.mint(symbol, payer, needed)
        calls.append((token.address, False, token.encode_abi("approve", [pool, needed])))
    for owner, symbol, amount in orders:
        calls.append((pool, True, world.pool.encode_abi("supply", [world.token(symbol).address, amount, owner, 0])))
    multicall = world.chain.at("Multicall3", payer)
    for i in range(0, len(calls), 60):
        world.chain.send(multicall.functions.aggregate3(calls[i : i + 60]), world.role("feeds"), gas=28_000_000)


def _pool(world: World, name: str, *args: Any) -> str:
    return str(world.pool.encode_abi(name, list(args)))


def _switch_off(world: World, symbol: str) -> str:
    return _pool(world, "setUserUseReserveAsCollateral", world.token(symbol).address, False)


def _borrow(world: World, symbol: str, amount: int, owner: str) -> str:
    return _pool(world, "borrow", world.token(symbol).address, amount, 2, 0, owner)


def _send(world: World, orders: Sequence[tuple[str, str]]) -> None:
    """Each sender's orders one batch after the other: anvil answers the requests of one batch side by side."""
    rounds: list[list[tuple[str, list[Any]]]] = []
    sent: dict[str, int] = {}
    for sender, data in orders:
        place = sent[sender] = sent.get(sender, -1) + 1
        rounds += [[]] if place == len(rounds) else []
        transaction = {"from": sender, "to": world.pool.address, "data": data, "gas": GAS}
        rounds[place].append(("eth_sendTransaction", [transaction]))
    for batch in rounds:
        _requests(world, batch)


def _requests(world: World, wanted: Sequence[tuple[str, list[Any]]]) -> None:
    if not wanted:
        return
    body = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p} for i, (m, p) in enumerate(wanted)]
    answers = _session.post(world.url, json=body, timeout=120).json()
    failed = [a for a in answers if "error" in a]
    assert not failed, failed[:3]
