"""What an owner reads of the distance to liquidation, against the market itself."""

from __future__ import annotations

import pytest
from scenes import BITCOIN, DOLLAR, Scene

pytestmark = pytest.mark.world


def test_a_debt_that_rises_is_shown_as_the_risk_it_is(scene: Scene) -> None:
    """100,000 USDC supplied, 0.7 WBTC owed: at the price that is told health is one, and not before."""
    scene.open({"USDC": 100_000 * DOLLAR}, {"WBTC": BITCOIN * 7 // 10})
    (position,) = scene.data("status")["positions"]
    (bitcoin,) = [b for b in position["balances"] if b["symbol"] == "WBTC"]
    (dollars,) = [b for b in position["balances"] if b["symbol"] == "USDC"]
    assert (bitcoin["liquidation_when"], dollars["liquidation_when"]) == ("rises", "falls")
    price, told = float(bitcoin["price_usd"]), float(bitcoin["liquidation_price_usd"])
    assert told / price - 1 == pytest.approx(float(bitcoin["liquidation_move"]), rel=1e-4)
    assert told / price == pytest.approx(scene.health(), rel=1e-3)
    least = position["liquidates"]["least_move"]
    assert (least["symbol"], least["when"]) == ("USDC", "falls")
    health = scene.health()
    assert float(position["liquidates"]["all_at_once"]) == pytest.approx((health - 1) / (health + 1), rel=1e-3)
    text = " ".join(scene.keeper("explain", "eth-loop").stdout.split())
    assert f"(+{float(bitcoin['liquidation_move']) * 100:.1f} %)" in text
    assert "USDC falls by" in " ".join(scene.keeper("status").stdout.split())
    scene.world.set_price("WBTC", f"{told * 0.9999:.2f}")
    assert scene.health() >= 1
    scene.world.set_price("WBTC", f"{told * 1.0001:.2f}")
    assert scene.health() < 1
