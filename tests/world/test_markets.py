"""Several lending markets on one chain, and none at all: a network file names what there is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene

from sandbox.aave import Market, deploy_market
from sandbox.spec import DEFAULT
from sandbox.world import World

pytestmark = pytest.mark.world

PROTECT = """
[[rules]]
name = "protect {name}"
position = "{name}"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["repay", "deleverage"]
[rules.limits]
max_slippage_bps = 100
"""
IN_SPARK = """
[[positions]]
name = "in spark"
venue = "aave_v3"
market = "spark"
owner = "{owner}"
signer = "me"
"""
SHORT = """
[[positions]]
name = "short"
venue = "perp_v2"
owner = "{owner}"
signer = "me"
market = "ETH"

[[rules]]
name = "margin"
position = "short"
when = {{ margin_ratio_below = "0.15" }}
restore = {{ margin_ratio = "0.25" }}
actions = ["reduce"]
[rules.limits]
max_slippage_bps = 150
"""


@dataclass
class Second:
    """Another market of the same protocol on the same chain, of the same tokens and feeds."""

    world: World
    market: Market

    def open(self, owner: str, ether: int, dollars: int) -> None:
        """Supply ether and borrow dollars here; what was borrowed leaves the wallet."""
        world, pool = self.world, self.market.pool
        lp, send = world.role("lp"), world.chain.send
        for symbol, who, amount in (("USDC", lp, 10**7 * DOLLAR), ("WETH", owner, ether)):
            world.mint(symbol, who, amount)
            send(world.token(symbol).functions.approve(pool.address, amount), who)
            send(pool.functions.supply(world.addresses["tokens"][symbol], amount, who, 0), who)
        send(pool.functions.borrow(world.addresses["tokens"]["USDC"], dollars, 2, 0, owner), owner)
        send(world.token("USDC").functions.transfer(lp, dollars), owner)

    def health(self, owner: str) -> float:
        """The market's own word."""
        return float(self.market.pool.functions.getUserAccountData(owner).call()[5] / 10**18)


@pytest.fixture
def second(world: World) -> Second:
    at, admin = world.addresses, world.role("admin")
    return Second(world, deploy_market(world.chain, DEFAULT, admin, at["tokens"], at["sources"], at["sequencer_feed"]))


def two_markets(scene: Scene, second: Second) -> Scene:
    """The scene's settings with a position in each of two markets, and a rule for each."""
    in_spark = IN_SPARK.format(owner=scene.owner)
    scene.rules = in_spark + PROTECT.format(name="eth-loop") + PROTECT.format(name="in spark")
    scene.write()
    file = scene.folder / "network.toml"
    table = f'\n[markets.spark]\nvenue = "aave_v3"\npool_addresses_provider = "{second.market.provider.address}"\n'
    file.write_text(file.read_text() + table)
    return scene


def once(scene: Scene, *options: str) -> dict[str, Any]:
    found = scene.keeper("once", "--json", *options)
    return {row["name"]: row for row in json.loads(found.stdout)["positions"]}


def test_a_position_is_read_in_the_market_it_names(scene: Scene, second: Second) -> None:
    """One owner, two markets: each health factor is its own market's."""
    scene.open({"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR})
    second.open(scene.owner, 10 * ETHER, 12_000 * DOLLAR)
    rows = {row["name"]: row for row in two_markets(scene, second).data("status")["positions"]}
    seen = {name: float(row["figures"]["health_factor"]) for name, row in rows.items()}
    assert seen["eth-loop"] == pytest.approx(scene.health(), rel=1e-6)
    assert seen["in spark"] == pytest.approx(second.health(scene.owner), rel=1e-6)
    assert seen["eth-loop"] > seen["in spark"] + 0.2


def test_a_rescue_goes_to_the_market_of_its_position(scene: Scene, second: Second) -> None:
    """The one in danger is sold and repaid in its own pool; the other is not touched."""
    scene.open({"WETH": 10 * ETHER}, {"USDC": 5_000 * DOLLAR})
    second.open(scene.owner, 10 * ETHER, 13_000 * DOLLAR)
    before = scene.world.debt("USDC", scene.owner)
    scene.crash()
    assert second.health(scene.owner) < 1.25
    rows = once(two_markets(scene, second), "--live")
    assert rows["in spark"]["outcome"]["kind"] == "restored", rows["in spark"]
    assert rows["eth-loop"]["decision"]["reason"] == "healthy"
    assert second.health(scene.owner) == pytest.approx(1.6, abs=0.02)
    assert scene.world.debt("USDC", scene.owner) >= before


def without_lending(scene: Scene, rules: str) -> Scene:
    """Settings whose network file names no lending market, and that have no position in one."""
    scene.rules = rules
    scene.write()
    file = scene.folder / "network.toml"
    file.write_text(re.sub(r"\n\[aave_v3\]\n[^\[]*", "\n", file.read_text()))
    text = scene.config.read_text()
    scene.config.write_text(re.sub(r'\[\[positions\]\]\nname = "eth-loop"\n[^\[]*', "", text, count=1))
    return scene


def test_a_network_without_a_lending_market_keeps_perpetuals(scene: Scene) -> None:
    """Nothing is asked of Aave; what gas costs in dollars is told by the exchange's own oracle."""
    world, desk = scene.world, scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -4 * ETHER)
    without_lending(scene, SHORT.format(owner=scene.owner))
    quiet = once(scene, "--live")
    assert quiet["short"]["decision"]["reason"] == "healthy", quiet
    world.set_price("WETH", "2330")
    world.perp.align()
    world.warp(1800)
    world.refresh_feeds()
    rows = once(scene, "--live")
    assert rows["short"]["outcome"]["kind"] in ("restored", "partial"), rows
    assert "aave" not in scene.keeper("doctor").stdout.lower()


def test_a_lending_position_without_a_market_is_told_and_stands_in_nobodys_way(scene: Scene) -> None:
    """`keeper check` names the table that is missing."""
    scene.write()
    file = scene.folder / "network.toml"
    file.write_text(re.sub(r"\n\[aave_v3\]\n[^\[]*", "\n", file.read_text()))
    said = scene.keeper("check").stderr + scene.keeper("check").stdout
    assert "position 'eth-loop': the network file of sandbox has no [aave_v3]" in said
