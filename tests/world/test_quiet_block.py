"""What a block costs on which nothing is to be done: counted at a proxy, with the daemon itself running."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from eth_utils.address import to_checksum_address

from bench.proxy import Proxy
from bench.scene import write_settings
from keeper.engine.engine import Engine
from keeper.service.app import opened
from keeper.service.daemon import Daemon
from keeper.settings import load
from sandbox.compound.desk import CometDesk
from sandbox.morpho.desk import MorphoDesk
from sandbox.venus.desk import VenusDesk
from sandbox.world import World

pytestmark = pytest.mark.world


PERPS = """
[[positions]]
name = "short"
venue = "perp_v2"
owner = "{owner}"
[[positions]]
name = "gmx-short"
venue = "gmx_v2"
owner = "{owner}"
market = "ETH"
collateral = "USDC"
side = "short"
[[books]]
name = "eth"
positions = ["p0"]
hedge = ["short", "gmx-short"]
[[rules]]
name = "delta"
book = "eth"
when = {{ delta_outside = {{ underlying = "ETH", band = "5" }} }}
actions = ["alert"]
[[rules]]
name = "trail"
position = "short"
when = {{ trailing_stop = "0.5" }}
actions = ["alert"]
"""

LOAN = """
[[positions]]
name = "{name}"
venue = "{venue}"
market = "{market}"
owner = "{owner}"
"""
ETHER, DOLLAR = 10**18, 10**6


@pytest.fixture(scope="module")
def passing(running: World) -> Iterator[Proxy]:
    with Proxy(running.url) as proxy:
        yield proxy


def crowd(world: World, count: int) -> list[str]:
    owners = [world.account(0).address, *(to_checksum_address(f"0x{0xABC000 + i:040x}") for i in range(count - 1))]
    for owner in owners:
        world.open_position(owner, collateral={"WETH": 10**19}, debt={"USDC": 5000 * 10**6})
    return owners


@asynccontextmanager
async def daemon(path: Path) -> AsyncIterator[Engine]:
    structlog.reset_defaults()  # a command of another test may have sent the log elsewhere
    settings = load(path, {})
    async with opened(settings, is_live=False) as engine:
        keeper = Daemon(engine, settings)
        running = asyncio.create_task(keeper.run())
        yield engine
        keeper.stop()
        await running


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a metric knows no event
            await asyncio.sleep(0.005)


def judged(engine: Engine) -> float:
    return engine.observer.registry.get_sample_value("keeper_block") or 0


async def counted(world: World, engine: Engine, proxy: Proxy, blocks: int) -> Counter[str]:
    """All requests of some blocks, mined one after the other, from the second that the daemon saw."""
    for warming in (True, False):
        for _ in range(1 if warming else blocks):
            world.mine()
            number = world.w3.eth.block_number
            await until(lambda: judged(engine) == number)  # noqa: B023 - awaited at once
        if warming:
            await until(lambda: engine.reader.blocks.are_told)
            proxy.seen()
    return proxy.seen()


@pytest.mark.parametrize("count", [1, 10, 50])
async def test_over_websocket_a_quiet_block_costs_one_request(
    world: World, passing: Proxy, tmp_path: Path, count: int
) -> None:
    """The head is pushed; everything else is one eth_call, however many positions."""
    path = write_settings(tmp_path, world, crowd(world, count), rpc_url=passing.ws_url)
    async with daemon(path) as engine:
        await until(lambda: judged(engine) > 0)
        assert await counted(world, engine, passing, 5) == {"eth_call": 5}


async def test_perpetual_positions_and_a_book_join_the_one_request(
    world: World, passing: Proxy, tmp_path: Path
) -> None:
    """A loop, a short at each of two venues, and the book they make."""
    (owner,) = crowd(world, 1)
    world.perp.open(owner, 12_000 * 10**6, -(10**19))
    world.gmx.open(owner, 2_000 * 10**6, 4_000)
    path = write_settings(tmp_path, world, [owner], rpc_url=passing.ws_url)
    with path.open("a") as file:
        file.write(PERPS.format(owner=owner))
    async with daemon(path) as engine:
        await until(lambda: judged(engine) > 0)
        assert await counted(world, engine, passing, 5) == {"eth_call": 5}
        assert engine.observer.registry.get_sample_value("keeper_delta", {"book": "eth"}) == pytest.approx(-2, abs=0.01)


async def test_loans_at_four_protocols_join_the_one_request(world: World, passing: Proxy, tmp_path: Path) -> None:
    """Interest is no change: not even where a debt shows no share of it, as at Venus, is anything asked for events."""
    (owner,) = crowd(world, 1)
    morpho, venus = MorphoDesk(world), VenusDesk(world, {"WETH": ("0.75", "0.80"), "USDC": ("0.80", "0.85")})
    comet, id_ = CometDesk(world).create("USDC", WETH=("0.825", "0.895", "0.95")), morpho.create("WETH", "USDC")
    morpho.open(id_, owner, 10 * ETHER, 9_000 * DOLLAR)
    comet.open(owner, {"WETH": 10 * ETHER}, 9_000 * DOLLAR)
    venus.open(owner, {"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR})
    path = write_settings(tmp_path, world, [owner], rpc_url=passing.ws_url)
    places = (("blue", "morpho_blue", id_), ("comet", "compound_v3", "compound"), ("venus", "compound_v2", "venus"))
    with path.open("a") as file:
        file.write("".join(LOAN.format(name=n, venue=v, market=m, owner=owner) for n, v, m in places))
    network = tmp_path / "network.toml"
    text = network.read_text() + morpho.table() + comet.table() + venus.table()
    for symbol in ("WETH", "USDC"):
        head, feed = f"[price_safety.assets.{symbol}]\n", world.addresses["feeds"][symbol]
        text = text.replace(head, f'{head}feed = "{feed}"\n')
    network.write_text(text)
    async with daemon(path) as engine:
        await until(lambda: judged(engine) > 0)
        owed = venus.snapshot(owner, "USDC")[1]
        assert await counted(world, engine, passing, 5) == {"eth_call": 5}
        venus.touch()
        assert venus.snapshot(owner, "USDC")[1] > owed, "interest was due in these blocks"


async def test_over_http_it_costs_one_read_and_the_polls(world: World, passing: Proxy, tmp_path: Path) -> None:
    """Nothing but the head is asked more often than once a block."""
    path = write_settings(tmp_path, world, crowd(world, 10), rpc_url=passing.url)
    async with daemon(path) as engine:
        await until(lambda: judged(engine) > 0)
        passing.seen()
        for _ in range(3):
            world.mine()
            number = world.w3.eth.block_number
            await until(lambda: judged(engine) == number)  # noqa: B023 - awaited at once
        seen = passing.seen()
    assert seen.keys() == {"eth_call", "eth_getBlockByNumber"}
    assert seen["eth_call"] == 3


async def test_a_node_without_subscriptions_is_polled(world: World, tmp_path: Path) -> None:
    """And so is one whose connection is lost: the keeper goes on over the next."""
    with Proxy(world.url) as proxy:
        path = write_settings(tmp_path, world, crowd(world, 1), rpc_url=proxy.ws_url)
        path.write_text(path.read_text() + '\n[daemon]\npoll = "0.1s"\n')
        async with daemon(path) as engine:
            await until(lambda: engine.reader.blocks.are_told and judged(engine) > 0)
            proxy.hang_up()
            world.mine()
            number = world.w3.eth.block_number
            await until(lambda: judged(engine) == number)
            await until(lambda: engine.reader.blocks.are_told)
            world.mine()
            await until(lambda: judged(engine) == number + 1)
