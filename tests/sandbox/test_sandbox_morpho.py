"""Morpho Blue in the sandbox is the real contract: it lends, accrues, refuses and liquidates as it does anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.morpho.desk import MorphoDesk
from sandbox.world import World

pytestmark = pytest.mark.world
ETHER, DOLLAR = 10**18, 10**6


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start() as running:
        yield running


def test_an_account_is_opened_accrues_and_is_liquidated(world: World) -> None:
    """Ten ether against dollars in a market of 86 %: interest by its rate model, a liquidation when the feed falls."""
    morpho, owner = MorphoDesk(world), world.account(0).address
    id_ = morpho.create("WETH", "USDC", lltv="0.86", fee="0.1")
    morpho.open(id_, owner, 10 * ETHER, 15_000 * DOLLAR)
    assert morpho.oracles[id_].functions.price().call() == 2000 * 10 ** (36 + 6 - 18)
    assert morpho.position(id_, owner)[2] == 10 * ETHER
    assert float(morpho.health(id_, owner)) == pytest.approx(17_200 / 15_000, rel=1e-6)
    world.warp(180 * 86_400)
    world.refresh_feeds()
    assert morpho.debt(id_, owner) > 15_000 * DOLLAR
    world.set_price("WETH", "1700")
    assert morpho.health(id_, owner) < 1
    morpho.liquidate(id_, owner, seized=ETHER)
    assert morpho.position(id_, owner)[2] == 9 * ETHER
