"""A squeeze by funding on the real Perp v2: of two equal shorts the kept one lives, the other is liquidated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("perp_v2")]

RULES = """
[[positions]]
name = "short"
venue = "perp_v2"
owner = "{owner}"
signer = "me"
market = "ETH"

[[rules]]
name = "margin"
position = "short"
when = {{ margin_ratio_below = "0.10" }}
restore = {{ margin_ratio = "0.16" }}
actions = [{actions}]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 200
max_spend_per_day_usd = "20000"
"""


@pytest.mark.parametrize("actions", ['"reduce"', '"add_margin"', '"add_margin", "reduce"'])
def test_the_kept_short_outlives_a_squeeze_by_funding(scene: Scene, actions: str) -> None:
    """The market stays below the index, so the short pays 10 % a day while no price moves against it."""
    world, desk = scene.world, scene.world.perp
    other = world.account(5).address
    for owner in (scene.owner, other):
        desk.open(owner, 900 * DOLLAR, -3 * ETHER)
    world.mint("USDC", scene.owner, 200 * DOLLAR)
    scene.rules = RULES.format(owner=scene.owner, actions=actions)
    world.set_price("WETH", 2300)
    gone_after = 0
    for hours in range(2, 25, 2):
        world.warp(7200)
        world.refresh_feeds()
        row = _once(scene)
        assert not desk.liquidatable([scene.owner]), (hours, row)
        if desk.liquidatable([other]):
            desk.liquidate(other)
            gone_after = gone_after or hours
    assert 8 <= gone_after <= 24
    assert abs(desk.size(other)) < 3 * ETHER
    assert desk.margin_ratio(scene.owner) > 0.0625
    if "reduce" in actions:
        assert -3 * ETHER < desk.size(scene.owner) < 0, "a part was bought back, the rest lives"


def test_a_market_above_the_index_is_no_place_to_buy_back(scene: Scene) -> None:
    """The same gap on the other side: closing a short would cost more than the index says, so it is held."""
    world, desk = scene.world, scene.world.perp
    desk.open(scene.owner, 900 * DOLLAR, -3 * ETHER)
    scene.rules = RULES.format(owner=scene.owner, actions='"reduce"').replace('"0.10"', '"0.15"').replace("0.16", "0.2")
    world.set_price("WETH", 1860)
    world.warp(60)
    row = _once(scene)
    assert row["decision"]["reason"] == "price_deviates", row
    assert desk.size(scene.owner) == -3 * ETHER


def _once(scene: Scene) -> dict[str, Any]:
    found = scene.keeper("once", "--json", "--live")
    rows = json.loads(found.stdout)["positions"]
    row: dict[str, Any] = next(r for r in rows if r["name"] == "short")
    return row


BOOK = """
[[positions]]
name = "short"
venue = "perp_v2"
owner = "{owner}"
signer = "me"
market = "ETH"

[[books]]
name = "eth"
positions = ["eth-loop"]
hedge = ["short"]

[[rules]]
name = "delta"
book = "eth"
when = {{ delta_outside = {{ underlying = "ETH", band = "0.5" }} }}
restore = {{ delta = "0" }}
actions = ["hedge"]
min_trade = "0.05"
[rules.limits]
max_slippage_bps = 150
"""


@pytest.mark.parametrize(("market", "is_traded"), [(2180, True), (1840, False)])
def test_a_book_is_hedged_across_a_gap_only_where_it_gains(scene: Scene, market: int, is_traded: bool) -> None:
    """An empty hedge is to be sold short: above the index it is, below it is held and told."""
    desk = scene.world.perp
    scene.open()
    desk.open(scene.owner, 12_000 * DOLLAR, 0)
    scene.rules = BOOK.format(owner=scene.owner)
    desk.set_market_price(market)
    scene.world.warp(1900)
    scene.world.refresh_feeds()
    rows = json.loads(scene.keeper("once", "--json", "--live").stdout)["positions"]
    book = next(row for row in rows if row["name"] == "eth")
    if is_traded:
        assert book["outcome"]["kind"] == "restored", book
        assert desk.size(scene.owner) == pytest.approx(-10 * ETHER, rel=1e-3)
    else:
        assert book["decision"]["reason"] == "price_deviates", book
        assert desk.size(scene.owner) == 0
