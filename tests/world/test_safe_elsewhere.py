"""A Safe's positions in other markets, and several at once: each with nonces of its own, in one burst."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safe_scene import FLASH_RULE, SafeScene
from scenes import DOLLAR, ETHER

from sandbox.morpho.desk import MorphoDesk
from sandbox.safe.desk import SafeDesk
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]  # the first to ask compiles the vault
LENT = """
[[positions]]
name = "lent"
venue = "morpho_blue"
market = "{id}"
owner = "{owner}"
signer = "me"
"""


@pytest.fixture
def scene(world: World, tmp_path: Path) -> SafeScene:
    """A Safe with a position on Aave and one on Morpho Blue, both near liquidation."""
    desk, morpho = SafeDesk(world), MorphoDesk(world)
    desk.lend("USDC", 5_000_000)
    made = SafeScene(world, tmp_path, desk=desk, safe=desk.make(world.account(0).address))
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, made.safe, 100 * ETHER, 152_000 * DOLLAR)
    made.open({"WETH": 100 * ETHER}, {"USDC": 150_000 * DOLLAR}).crash("1922.89")
    made.rules = LENT.format(id=id_, owner=made.safe) + FLASH_RULE
    made.rules += FLASH_RULE.replace('"eth-loop"', '"lent"').replace('"protect"', '"protect lent"')
    made.write()
    network = made.folder / "network.toml"
    network.write_text(network.read_text() + morpho.table())
    return made


def rows(scene: SafeScene) -> dict[str, Any]:
    found = scene.keeper("once", "--json", "--live")
    return {row["name"]: row for row in json.loads(found.stdout)["positions"]}


def test_both_positions_of_a_safe_are_rescued_by_loans_at_once(scene: SafeScene) -> None:
    """Nonces n and n + 1 for the one, n + 2 and n + 3 for the other: the second is signed for what the first leaves."""
    found = rows(scene)
    for name in ("eth-loop", "lent"):
        assert found[name]["outcome"]["kind"] == "restored", (found[name]["decision"], found[name]["outcome"])
    assert (scene.nonce(), scene.safe_nonce()) == (2, 4)
    health = {row["name"]: float(row["figures"]["health_factor"]) for row in scene.data("status")["positions"]}
    assert health["eth-loop"] == pytest.approx(1.6, rel=3e-3)
    assert health["lent"] == pytest.approx(1.6, rel=3e-3)
    for symbol in ("WETH", "USDC"):
        token = scene.world.token(symbol)
        for taker in (scene.world.addresses["uniswap"]["swap_router_02"], scene.world.pool.address):
            assert token.functions.allowance(scene.safe, taker).call() == 0
