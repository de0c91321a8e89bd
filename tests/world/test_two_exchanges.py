"""Two tables of one perpetual venue on one chain: each position is read, judged and traded at its own."""

from __future__ import annotations

import json

import pytest
from scenes import DOLLAR, ETHER, Scene
from second_exchange import named, second_desk, table
from test_perps_kept import squeeze

from sandbox.spec import PerpMarket

pytestmark = pytest.mark.world

POSITION = """
[[positions]]
name = "{name}"
venue = "perp_v2"
table = "{table}"
owner = "{owner}"
signer = "me"
market = "ETH"

[[rules]]
name = "margin-{name}"
position = "{name}"
when = {{ margin_ratio_below = "0.15" }}
restore = {{ margin_ratio = "0.25" }}
actions = ["reduce"]
[rules.limits]
max_slippage_bps = 150
max_spend_per_day_usd = "20000"
"""


def test_each_position_is_kept_at_its_own_exchange(scene: Scene) -> None:
    """Same owner, same market's name: the short of one is squeezed and reduced, that of the other is left alone."""
    first, second = scene.world.perp, second_desk(scene.world, PerpMarket())
    assert first.addresses["clearing_house"] != second.addresses["clearing_house"]
    first.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    second.open(scene.owner, 9_000 * DOLLAR, -2 * ETHER)
    rules = "".join(POSITION.format(name=n, table=n, owner=scene.owner) for n in ("near", "far"))
    named(scene, rules, table("near", first) + table("far", second), drops=("perp_v2",))
    rows = {row["name"]: row for row in scene.data("status")["positions"]}
    for name, desk in (("near", first), ("far", second)):
        assert rows[name]["readable"], rows[name]
        ratio = float(rows[name]["figures"]["margin_ratio"])
        assert ratio == pytest.approx(float(desk.margin_ratio(scene.owner)), abs=1e-6)
    squeeze(scene.world, "2400")
    second.align()
    before = second.size(scene.owner)
    done = {row["name"]: row for row in json.loads(scene.keeper("once", "--json", "--live").stdout)["positions"]}
    assert done["near"]["outcome"]["kind"] == "restored", done["near"]
    assert done["far"]["decision"]["reason"] == "healthy", done["far"]
    assert float(first.margin_ratio(scene.owner)) >= 0.25
    assert second.size(scene.owner) == before
