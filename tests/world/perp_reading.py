"""The keeper's reading of perp accounts, and its calls made real: what the tests of Perp v2 share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from keeper.chain.blocks import Blocks
from keeper.chain.client import Node
from keeper.core.perp.moves import PerpMove, TradeQuote
from keeper.core.perp.position import PerpPosition
from keeper.core.units import Address
from keeper.venues.contracts import multicall3
from keeper.venues.perp_v2 import calls as perp_v2_calls
from keeper.venues.perp_v2 import markets as perp_v2
from keeper.venues.perp_v2 import position as perp_v2_account
from keeper.venues.perp_v2 import quotes as perp_v2_quotes
from keeper.venues.perp_v2.markets import PerpV2Deployment, PerpV2Scope
from keeper.venues.ports import joined
from sandbox.errors import RevertedError
from sandbox.spec import PerpMarket, Pool, Reserve, WorldSpec
from sandbox.world import World

T = TypeVar("T")
LATER = 2**40

TWO_MARKETS = WorldSpec(
    reserves=(
        Reserve("WETH", 18, "2000", 8050, 8300, 10500, supply=1000),
        Reserve("WBTC", 8, "60000", 7300, 7800, 10500, supply=100),
        Reserve("USDC", 6, "1", 7500, 7800, 10450, supply=1_000_000),
    ),
    pools=(Pool("WETH", "USDC", 500, 1_000_000),),
    perps=(PerpMarket(), PerpMarket("BTC", "WBTC", fee=500, insurance_share=200_000)),
)


@dataclass(frozen=True)
class Seen:
    """What the keeper finds at the latest block: exchange, one scope and one position per owner."""

    deployment: PerpV2Deployment
    scopes: dict[str, PerpV2Scope]
    positions: dict[str, PerpPosition]


def see(world: World, owners: Sequence[str], known: dict[str, PerpV2Scope] | None = None) -> Seen:
    """Discover and read, every market of the world named; all positions in one call at one block.

    `known` are scopes found before, used as they are.
    """

    async def seeing(blocks: Blocks) -> Seen:
        head = await blocks.head()
        house = Address(world.addresses["perp"]["clearing_house"])
        deployment = await blocks.discover(head, perp_v2.discover_deployment(house))
        named = [Address(desk.base) for desk in world.perps.values()]
        scopes = known or {
            o: await blocks.discover(head, perp_v2.discover_scope(deployment, Address(o), named)) for o in owners
        }
        probes = [perp_v2_account.position_probe(deployment, s, s.owner, head) for s in scopes.values()]
        found = await blocks.read(head, joined(probes))
        return Seen(deployment, scopes, dict(zip(owners, found, strict=True)))

    return _with_blocks(world, seeing)


def quote(world: World, seen: Seen, owner: str, size: int, underlying: str = "ETH") -> TradeQuote | None:
    """What a trade would cost at the latest block."""
    market = seen.scopes[owner].market(Address(world.perps[underlying].base))
    quoter = Address(world.addresses["uniswap"]["quoter_v2"])
    probe = perp_v2_quotes.trade_probe(seen.deployment, market, Address(owner), size, quoter)

    async def quoting(blocks: Blocks) -> TradeQuote | None:
        return await blocks.read(await blocks.head(), probe)

    return _with_blocks(world, quoting)


def carry_out(world: World, seen: Seen, owner: str, *moves: PerpMove, signer: str | None = None) -> None:
    """Encode and mine each move. Raises RevertedError."""
    signer = signer or owner
    for move in moves:
        call = perp_v2_calls.encode_move(seen.deployment, seen.scopes[owner], move, Address(signer), LATER)
        order = {"from": signer, "to": call.to, "data": "0x" + call.data.hex(), "gas": hex(6_000_000)}
        world.chain.wait(world.rpc("eth_sendTransaction", order), call.purpose)


def shake(world: World, owners: Sequence[str], dice: random.Random, rounds: int) -> None:
    """Random prices, gaps between market and index, hours in between, and random trades that may be refused."""
    for _ in range(rounds):
        for desk in world.perps.values():
            start = world.price(desk.market["feed_of"])
            world.set_price(desk.market["feed_of"], (start * dice.randrange(93, 108) / 100).quantize(start))
            if dice.random() < 0.7:
                desk.align()
        world.warp(dice.randrange(1, 5000))
        for owner in owners:
            desk = dice.choice(list(world.perps.values()))
            dollars = dice.randrange(1, 4000) * 10**18
            size = int(dollars / desk.index_price()) * dice.choice((-1, 1)) + dice.randrange(-999, 999)
            held, whim = desk.size(owner), dice.random()
            if held and whim < 0.2:  # all but a few wei: less than 10 count as none
                size = dice.choice((-2, -1, 1, 2, 15)) - held
            try:
                desk.close(owner) if whim > 0.9 else desk.trade(owner, size)
            except RevertedError:
                continue


def _with_blocks(world: World, reading: Callable[[Blocks], Awaitable[T]]) -> T:
    async def run() -> T:
        node = Node(world.url, timeout_s=60)
        try:
            return await reading(Blocks(node, world.addresses["chain_id"], multicall3.ADDRESS))
        finally:
            await node.close()

    return asyncio.run(run())
