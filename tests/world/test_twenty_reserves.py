"""An account that uses twenty reserves at once: figures to the wei, one read, and a rescue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from armed_stage import staged
from proxy import RpcProxy
from scenes import DOLLAR, ETHER, Scene

from keeper.core.lending.rules import LendingAssessment
from keeper.core.reasons import Reason
from sandbox.spec import DEFAULT, Pool, Reserve, WorldSpec
from sandbox.world import World

pytestmark = pytest.mark.world

PAYERS = tuple(f"C{i:02}" for i in range(9))
LENT = tuple(f"D{i:02}" for i in range(9))
RULE = """
[[rules]]
name = "protect"
position = "eth-loop"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.40" }
actions = ["repay", "deleverage"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 100
max_spend_per_day_usd = "100000"
"""


def spec() -> WorldSpec:
    """WETH and USDC, nine tokens that are pledged and nine that are owed, of 6 to 18 decimals."""
    known = tuple(r for r in DEFAULT.reserves if r.symbol in ("WETH", "USDC"))
    rate = (8000, 0, 400, 6000)
    pledged = tuple(
        Reserve(name, 6 + i, f"{3 + i}", 6000 + 50 * i, 7000 + 50 * i, 10500, 1000, rate, 1_000_000)
        for i, name in enumerate(PAYERS)
    )
    owed = tuple(
        Reserve(name, 18 - i, f"{1 + i}.5", 0, 0, 0, 1000, rate, 1_000_000, heartbeat_s=86_400 + i)
        for i, name in enumerate(LENT)
    )
    pools = tuple(Pool(name, "WETH", 3000, 3_000_000) for name in PAYERS)
    pools += tuple(Pool(name, "USDC", 3000, 3_000_000) for name in LENT)
    pools += (Pool("WETH", "USDC", 500, 20_000_000),)
    return WorldSpec(known + pledged + owed, pools)


@pytest.fixture(scope="module")
def wide() -> Iterator[World]:
    with World.build(spec()) as world:
        yield world


@pytest.fixture
def full(wide: World, tmp_path: Path) -> Iterator[Scene]:
    """Ten collaterals, ten debts, health about 1.35."""
    snapshot = wide.snapshot()
    scene = Scene(wide, tmp_path, rules=RULE)
    collateral = {"WETH": 10 * ETHER} | {name: 200 * 10 ** (6 + i) for i, name in enumerate(PAYERS)}
    debts = {"USDC": 13_100 * DOLLAR} | {name: 120 * 10 ** (18 - i) for i, name in enumerate(LENT)}
    wide.open_position(scene.owner, collateral, debts)
    for name, amount in debts.items():
        away = wide.token(name).functions.transfer(wide.role("lp"), amount)
        wide.chain.send(away, scene.owner)
    scene.write()
    yield scene
    wide.revert(snapshot)


async def test_figures_of_twenty_reserves_are_the_protocols_to_the_wei(full: Scene) -> None:
    """Twenty balances, twenty prices, twenty indices: one read a block finds them all."""
    with RpcProxy(full.world.url) as proxy:
        full.url = proxy.url
        full.write()
        async with staged(full, is_live=False) as stage:
            await stage.look()
            full.world.warp(3600)
            full.world.refresh_feeds()
            await stage.look()
            proxy.forget()
            full.world.mine()
            seen = await stage.look()
            assert proxy.methods["eth_call"] == 1, proxy.methods
    assessed = seen.assessed
    assert isinstance(assessed, LendingAssessment), seen
    assert len(assessed.position.held) == 20
    assert assessed.figures.health_factor == full.world.account_data(full.owner).health_factor
    assert all(hold.reason is not Reason.FIGURES_DISAGREE for hold in seen.holds)


@pytest.mark.parametrize("batch", [True, False], ids=["batch", "calls"])
def test_twenty_reserves_are_rescued(full: Scene, batch: bool) -> None:
    """The largest debt is repaid out of the largest collateral; nothing else is touched without need."""
    if batch:
        full.config.write_text(full.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    full.crash("1700")
    assert full.health() < 1.25
    before = {name: full.world.supplied(name, full.owner) for name in PAYERS}
    code, row = full.once("--live")
    assert code == 0, row
    assert row["outcome"]["kind"] == "restored", row["outcome"]
    assert 1.39 < full.health() < 1.45
    assert all(full.world.supplied(name, full.owner) >= amount for name, amount in before.items())
