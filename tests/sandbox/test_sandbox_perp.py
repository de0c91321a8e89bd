"""The perp exchange of the world: what a test or the demo may count on."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.actors import PerpArbitrageur, PerpLiquidator
from sandbox.bars import Point
from sandbox.errors import RevertedError, SandboxError
from sandbox.replay import Replay
from sandbox.spec import Pool, Reserve, WorldSpec
from sandbox.world import World

ETHER, DOLLAR = 10**18, 10**6


def test_an_account_is_opened_closed_and_paid_out(world: World) -> None:
    """By real calls of its owner; only fees are gone."""
    owner = world.account(3).address
    world.perp.open(owner, 1000 * DOLLAR, -2 * ETHER)
    assert world.perp.size(owner) == -2 * ETHER
    assert Decimal("0.24") < world.perp.margin_ratio(owner) < Decimal("0.26")
    world.perp.close(owner)
    world.perp.withdraw(owner, world.perp.free_collateral(owner))
    assert 990 * DOLLAR < world.balance("USDC", owner) < 1000 * DOLLAR


def test_the_index_is_the_feed_and_the_market_goes_where_it_is_told(world: World) -> None:
    """At once for the index; as far as a block may, block after block, for the market; the mark follows in its time."""
    world.set_price("WETH", 2600)
    assert world.perp.index_price() == 2600
    assert abs(world.perp.market_price() - 2000) < 1
    world.perp.align()
    assert abs(world.perp.market_price() - 2600) < Decimal("0.01")
    assert world.perp.mark_price() < 2600
    world.warp(3600)
    assert abs(world.perp.mark_price() - 2600) < 1


def test_a_long_fall_leaves_its_prices_readable(world: World) -> None:
    """Days without a trade, price after price: averages stay averages (Curie's need an update at every answer)."""
    for price in (1900, 1500, 1100, 700):
        world.set_price("WETH", price)
        world.warp(30_000)
        average = world.chain.at("BaseToken", world.perp.base).functions.getIndexPrice(900).call()
        assert average == price * ETHER
        assert world.perp.mark_price() > 0


def test_only_the_unhealthy_can_be_liquidated(world: World) -> None:
    """The contract refuses; in one call the desk tells who it would not refuse."""
    owner = world.account(3).address
    world.perp.open(owner, 500 * DOLLAR, 2 * ETHER)
    assert world.perp.liquidatable([owner]) == []
    with pytest.raises(RevertedError, match="CH_EAV"):
        world.perp.liquidate(owner)
    world.set_price("WETH", 1750)
    world.perp.align()
    world.warp(3600)
    assert world.perp.liquidatable([owner]) == [owner]
    assert world.perp.liquidated(world.perp.liquidate(owner)) > 0


def test_a_replay_has_its_arbitrageur_and_its_liquidations(world: World) -> None:
    """A crash and a rally, two hours in a few blocks: market at the index in the end, one short and one long gone."""
    long, short = world.account(3).address, world.account(4).address
    world.perp.open(long, 500 * DOLLAR, 2 * ETHER)
    world.perp.open(short, 500 * DOLLAR, -2 * ETHER)
    path = [(0, 2000), (1800, 1700), (3600, 1700), (5400, 2500), (7200, 2500)]
    points = [Point(seconds, Decimal(price)) for seconds, price in path]
    with PerpArbitrageur(world), PerpLiquidator(world, [long, short]) as liquidator:
        Replay(world, points, speed=7200).run()
    gone = {owner for owner in (long, short) for action in liquidator.actions if owner in action.text}
    assert gone == {long, short}
    assert abs(world.perp.market_price() / world.perp.index_price() - 1) < Decimal("0.02")


@pytest.mark.slow
def test_a_world_without_one_says_so(tmp_path: Path) -> None:
    """No desk, no table in the network file."""
    reserves = (Reserve("WETH", 18, "2000", 8000, 8300, 10500, supply=100), Reserve("USDC", 6, "1", 7500, 7800, 10450))
    with World.build(WorldSpec(reserves, (Pool("WETH", "USDC", 500, 10_000),))) as plain:
        assert "perp_v2" not in tomllib.loads(plain.network_toml(tmp_path / "network.toml").read_text())
        with pytest.raises(SandboxError, match="no perp exchange"):
            _ = plain.perp


def test_the_network_file_names_house_and_markets(world: World, tmp_path: Path) -> None:
    """One address and the markets by underlying; the index may grow as old as its feed."""
    found = tomllib.loads(world.network_toml(tmp_path / "network.toml").read_text())
    assert found["perp_v2"]["clearing_house"] == world.addresses["perp"]["clearing_house"]
    assert found["perp_v2"]["markets"] == {"ETH": world.perp.base}
    assert found["price_safety"]["assets"]["ETH"]["heartbeat"] == "1h"
