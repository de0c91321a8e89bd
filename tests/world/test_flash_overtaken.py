"""A liquidator is first in the block that was to have our one transaction: it is undone whole, and decided anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes import DOLLAR, ETHER, Scene
from test_flash_worlds import safe_scene
from test_overtaken import Loan, overtaken

from keeper.core.reasons import Reason
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]

LARGE = Loan({"WETH": 400 * ETHER}, {"USDC": 520_000 * DOLLAR}, "WETH", "1610", "1550", "WETH")
STAKED = Loan({"wstETH": 10 * ETHER}, {"WETH": 86 * ETHER // 10}, "wstETH", "1870", "1790", "wstETH", 1)


@pytest.fixture(params=["plain", "safe"])
def scene(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Scene:
    """A key's own account with Morpho's lender, or a Safe with Balancer's vault."""
    return safe_scene(world, tmp_path) if request.param == "safe" else Scene(world, tmp_path, lends=True)


@pytest.mark.parametrize(("loan", "target"), [(LARGE, "1.30"), (LARGE, "1.60"), (STAKED, "1.30")])
async def test_what_a_liquidator_took_before_us_is_not_sold_again(scene: Scene, loan: Loan, target: str) -> None:
    """Nothing is sold in that block, it counts as no try, and what is asked for now is decided from what is left."""
    async with overtaken(scene, loan, batch=False, target=target) as seen:
        await seen.stage.look()
        assert seen.stage.engine.state.in_flight
        await seen.sent()
        await seen.block(loan.gone, liquidates=True)
        assert len(seen.market.seizures) == 1
        left = {s: scene.world.supplied(s, scene.owner) for s in loan.collateral}
        owed = {s: scene.world.debt(s, scene.owner) for s in loan.debt}
        await seen.ended()
        first = (await seen.rows())[0]
        for _ in range(4):
            await seen.stage.look()
            await seen.ended()
        found, tries = await seen.rows(), await seen.tries()
    assert first == ("failed", Reason.POSITION_CHANGED.code), (found, left, owed)
    assert tries == (0, 0)
    assert found[-1][0] in ("restored", "partial"), found
    assert 1.2 < scene.health() < float(target) * 1.04, found
