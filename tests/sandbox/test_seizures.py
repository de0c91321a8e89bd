"""What a liquidation cost its owner: the liquidator's part and the protocol's, on the real contracts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.demo_scene import read_liquidations
from sandbox.seizures import seizures
from sandbox.uniswap import MAX
from sandbox.world import World

pytestmark = pytest.mark.world


@pytest.mark.parametrize("share", [0, 1000, 2500])
def test_what_the_protocol_took_is_lost_to_liquidators_as_well(world: World, share: int) -> None:
    """5 % of what was repaid goes, whoever gets it: with a share for the protocol the owner loses no less."""
    owner, liquidator = world.account(0).address, world.account(1).address
    world.configure("setLiquidationProtocolFee", world.addresses["tokens"]["WETH"], share)
    world.open_position(owner, {"WETH": 10 * 10**18}, {"USDC": 14_000 * 10**6})
    world.set_price("WETH", "1650")
    world.mint("USDC", liquidator, 14_000 * 10**6)
    first = world.w3.eth.block_number
    with world.acting_as(liquidator):
        world.chain.send(world.token("USDC").functions.approve(world.pool.address, MAX), liquidator)
        tokens = world.addresses["tokens"]
        call = world.pool.functions.liquidationCall(tokens["WETH"], tokens["USDC"], owner, MAX, False)
        receipt = world.chain.send(call, liquidator)
    (one,) = seizures(world, receipt["logs"])
    assert (one.protocol > 0) == (share > 0)
    assert one.protocol == pytest.approx((one.taken + one.protocol) * 5 / 105 * share / 10_000, rel=1e-3)
    (lost,) = read_liquidations(world, first)
    repaid = Decimal(one.repaid).scaleb(-6)
    assert float(lost.penalty_usd) == pytest.approx(float(repaid * 5 / 100), rel=1e-3)
