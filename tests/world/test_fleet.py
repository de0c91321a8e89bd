"""A fleet on real contracts: each position judged at each block, few read in full, none that matters missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address
from proxy import RpcProxy

from bench.scene import write_settings
from keeper.core.lending.rules import LendingAssessment
from keeper.core.reasons import Reason
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.service.app import opened
from keeper.settings import load
from keeper.snapshot.reader import ALL_CLOSE
from keeper.snapshot.screening import IN_TURN, STAY
from sandbox.world import World

pytestmark = pytest.mark.world
COUNT = ALL_CLOSE + 2 * IN_TURN
RULE = """
[[rules]]
name = "tell-{i}"
position = "p{i}"
when = {{ health_factor_below = "1.5" }}
actions = ["alert"]
"""


def owner(i: int) -> str:
    return str(to_checksum_address(f"0x{0xF1EE7000 + i:040x}"))


@pytest.fixture
def fleet(world: World, proxy: RpcProxy, tmp_path: Path) -> Path:
    """Health factors around 3.3, except the last's of 1.7."""
    for i in range(COUNT):
        debt = 5000 if i < COUNT - 1 else 9700
        world.open_position(owner(i), collateral={"WETH": 10**19}, debt={"USDC": debt * 10**6})
    path = write_settings(tmp_path, world, [owner(i) for i in range(COUNT)], rpc_url=proxy.url)
    path.write_text(path.read_text() + "".join(RULE.format(i=i) for i in range(COUNT)))
    return path


@asynccontextmanager
async def engine(path: Path) -> AsyncIterator[Engine]:
    async with opened(load(path, {}), is_live=False) as parts:
        await parts.reader.blocks.check_chain()
        yield parts


async def test_all_are_judged_and_few_are_read_in_full(world: World, proxy: RpcProxy, fleet: Path) -> None:
    """One request a block; whoever is closely read agrees to the wei; everybody's turn comes."""
    async with engine(fleet) as parts:
        await cycle(parts, await parts.reader.blocks.head())
        await everything_found(parts)
        seen = set[str]()
        for _ in range(STAY * (COUNT // IN_TURN + 1)):
            world.mine()
            head = await parts.reader.blocks.head()
            proxy.forget()
            results = await cycle(parts, head)
            closely = {r.name for r in results}
            assert len(closely) <= 2 * IN_TURN
            assert closely.isdisjoint(parts.state.seen.afar)  # type: ignore[union-attr]
            assert closely | parts.state.seen.afar == set(parts.reader.positions)  # type: ignore[union-attr]
            assert all(isinstance(r.assessed, LendingAssessment) for r in results)
            seen |= closely
        assert seen == set(parts.reader.positions)
        proxy.forget()
        world.mine()
        await cycle(parts, await parts.reader.blocks.head())
        assert proxy.methods["eth_call"] == 1


async def everything_found(parts: Engine) -> None:
    async with asyncio.timeout(20):
        while len(parts.reader.known.accounts) < COUNT:  # noqa: ASYNC110 - found in the background
            await asyncio.sleep(0.01)


async def test_who_comes_near_is_judged_exactly_at_that_very_block(world: World, fleet: Path) -> None:
    """From far away past its trigger within one block: read in full at the same block, and told."""
    async with engine(fleet) as parts:
        await cycle(parts, await parts.reader.blocks.head())
        world.mine()
        await cycle(parts, await parts.reader.blocks.head())
        assert f"p{COUNT - 1}" in parts.state.seen.afar  # type: ignore[union-attr]
        world.set_price("WETH", world.price("WETH") * Decimal("0.8"))
        results = {r.name: r for r in await cycle(parts, await parts.reader.blocks.head())}
        judged = results[f"p{COUNT - 1}"]
        assert isinstance(judged.assessed, LendingAssessment)
        assert judged.assessed.figures.health_factor == world.account_data(owner(COUNT - 1)).health_factor
        assert judged.decision.reason is Reason.ALERT_ONLY  # type: ignore[union-attr]


async def test_an_oracle_that_fails_leaves_nobody_healthy(world: World, fleet: Path) -> None:
    """Every account reverts: all are unreadable, and none is asked in full for it."""
    async with engine(fleet) as parts:
        await cycle(parts, await parts.reader.blocks.head())
        code = world.rpc("eth_getCode", parts.reader.known.markets["aave_v3"].oracle, "latest")
        world.rpc("anvil_setCode", parts.reader.known.markets["aave_v3"].oracle, "0x60006000fd")
        world.mine()
        for _ in range(2):
            results = await cycle(parts, await parts.reader.blocks.head())
            assert len(results) == COUNT
            assert {r.decision.reason for r in results} == {Reason.POSITION_UNREADABLE}  # type: ignore[union-attr]
            world.mine()
        world.rpc("anvil_setCode", parts.reader.known.markets["aave_v3"].oracle, code)
        world.mine()
        results = await cycle(parts, await parts.reader.blocks.head())
        assert len(parts.state.seen.afar) + len(results) == COUNT  # type: ignore[union-attr]
        assert {r.decision.reason for r in results} <= {Reason.HEALTHY}  # type: ignore[union-attr]
