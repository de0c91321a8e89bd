"""What the owner hears on the real path: alert rules on the way to liquidation, changes from outside, restarts."""

from __future__ import annotations

import json
import time

import pytest
from scenes import DOLLAR, ETHER, Keeper, Scene

pytestmark = pytest.mark.world

ALERTS = "\n".join(
    f"""
[[rules]]
name = "{name}"
position = "eth-loop"
when = {{ health_factor_below = "{bound}" }}
actions = ["alert"]
"""
    for name, bound in (("high", "1.70"), ("low", "1.40"), ("last", "1.10"))
)
GUARDED = """
[[rules]]
name = "protect"
position = "eth-loop"
when = { health_factor_below = "1.80" }
restore = { health_factor = "1.90" }
actions = ["deleverage"]
cooldown = "1h"
[[rules]]
name = "watch"
position = "eth-loop"
when = { health_factor_below = "1.75" }
actions = ["alert"]
"""


def alarms(text: str) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "alarm"]


def titles(text: str) -> list[str]:
    return [alarm["title"] for alarm in alarms(text)]


def fall_to(scene: Scene, keeper: Keeper, price: str) -> None:
    scene.world.set_price("WETH", price)
    scene.world.mine()
    number = scene.world.w3.eth.block_number
    keeper.wait_for(f'"number": {number}')


def liquidate(scene: Scene, dollars: int) -> str:
    """Another account pays a part of the debt and takes collateral for it."""
    world, who = scene.world, scene.world.role("liquidator")
    world.mint("USDC", who, dollars)
    tokens = world.addresses["tokens"]
    world.chain.send(world.token("USDC").functions.approve(world.pool.address, dollars), who)
    call = world.pool.functions.liquidationCall(tokens["WETH"], tokens["USDC"], scene.owner, dollars, False)
    return str(world.chain.send(call, who)["transactionHash"].to_0x_hex())


def test_every_alert_rule_is_heard_on_the_way_to_liquidation_and_so_is_the_liquidation(scene: Scene) -> None:
    """Health 1.65, 1.38, 1.09, 0.97, then a liquidator comes: five alarms at least, each with its own words."""
    scene.rules = ALERTS
    scene.open({"WETH": 10 * ETHER}, {"USDC": 10_000 * DOLLAR})
    with scene.running() as keeper:
        keeper.wait_for('"block"')
        for price in ("1990", "1665", "1315", "1170"):
            fall_to(scene, keeper, price)
        hash_ = liquidate(scene, 4_000 * DOLLAR)
        keeper.wait_for("was liquidated")
        scene.world.mine()
        keeper.wait_for(f'"number": {scene.world.w3.eth.block_number}')
        heard = alarms(keeper.log)
    said = [alarm["title"] for alarm in heard]
    for rule in ("high", "low", "last"):
        assert any(f"(rule {rule})" in title for title in said), said
    assert any(title.startswith("Worse:") and "0.97" in title for title in said), said
    (taken,) = [alarm for alarm in heard if "was liquidated" in alarm["title"]]
    assert hash_ in taken["body"]
    assert "WETH taken for 4,000 USDC of debt" in taken["body"]
    rows = [row for row in scene.data("journal") if row["reason"] == "liquidated"]
    assert len(rows) == 1
    assert len(said) <= 9, said


def test_a_rescue_and_an_alert_are_both_heard_and_so_is_a_fall_during_the_cooldown(scene: Scene) -> None:
    """The rescue helps, the price falls on: the alert rule and the rescue held back are told, once each."""
    scene.rules = GUARDED
    scene.open({"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR}).crash("1850")
    with scene.running("--live") as keeper:
        keeper.wait_for("rule protect helped")
        scene.world.withdraw(scene.owner, "WETH", ETHER * 88 // 100)  # health 1.717, no new low of prices: it holds
        for _ in range(5):
            scene.world.mine()
            keeper.wait_for(f'"number": {scene.world.w3.eth.block_number}')
        said = titles(keeper.log)
    assert 1 <= sum("(rule watch)" in title for title in said) <= 2, said  # twice where it was over in between
    assert sum("fires again during its cooldown" in title for title in said) == 1, said
    helped = next(alarm for alarm in alarms(keeper.log) if "rule protect helped" in alarm["title"])
    for words in ("Rule protect: health factor", "Sold", "WETH for", "USDC", "Debt $9,000.00 → $7,", "transactions"):
        assert words in helped["body"], helped["body"]


def test_what_the_owner_did_is_noticed_once_and_what_the_keeper_did_is_not(scene: Scene) -> None:
    """By the market's own events, over restarts: a rescue of ours is nobody else's, a withdrawal is."""
    scene.open().crash()
    found = scene.keeper("once", "--live", "--json")
    assert "not by this keeper" not in found.stderr
    assert "not by this keeper" not in scene.keeper("once", "--live", "--json").stderr
    scene.world.withdraw(scene.owner, "WETH", ETHER // 10)
    told = titles(scene.keeper("once", "--live", "--json").stderr)
    assert [t for t in told if "eth-loop was changed, and not by this keeper" in t], told
    again = scene.keeper("once", "--live", "--json")
    assert not titles(again.stderr), again.stderr
    (row,) = [row for row in scene.data("journal") if row["reason"] == "changed_outside"]
    assert "0.1 WETH withdrawn" in row["summary"]


def test_a_position_closed_by_its_owner_is_told_once_and_is_no_mistake_in_the_settings(scene: Scene) -> None:
    """Where it was open before, nothing left is closed."""
    scene.open(keep_debt=True)
    scene.keeper("once", "--json")
    scene.world.mint("USDC", scene.owner, 1_000 * DOLLAR)
    scene.world.repay(scene.owner, "USDC")
    scene.world.withdraw(scene.owner, "WETH")
    found = scene.keeper("once", "--json")
    assert [t for t in titles(found.stderr) if "was closed, and not by this keeper" in t], found.stderr
    assert found.exit_code == 0
    again = scene.keeper("once", "--json")
    assert not titles(again.stderr)
    assert json.loads(again.stdout)["positions"][0]["decision"]["reason"] == "closed"


def test_a_restart_does_not_ring_again_for_what_was_told(scene: Scene) -> None:
    """What the owner heard is in the journal."""
    scene.rules = ALERTS
    scene.open({"WETH": 10 * ETHER}, {"USDC": 10_000 * DOLLAR}).crash("1900")
    assert len(titles(scene.keeper("once", "--json").stderr)) == 1
    assert titles(scene.keeper("once", "--json").stderr) == []


def test_quiet_blocks_are_no_lines(scene: Scene) -> None:
    """The first block, and then nothing that is not new."""
    scene.open({"WETH": 10 * ETHER}, {"USDC": 5_000 * DOLLAR})
    with scene.running(verbose=False) as keeper:
        keeper.wait_for('"block"')
        for _ in range(60):
            scene.world.mine()
            time.sleep(0.1)
        assert keeper.stop() == 0
        lines = [json.loads(line) for line in keeper.log.splitlines() if line.startswith("{")]
    assert sum(line["event"] == "block" for line in lines) == 1, lines
