"""A symbol is no identity: two reserves of one symbol, bridged and native, on real contracts."""

from __future__ import annotations

import asyncio
import json

import pytest
from armed_stage import staged
from scenes import RULE, Scene

from keeper.core.decide import Hold
from keeper.core.reasons import Reason
from sandbox.world import World

pytestmark = pytest.mark.world
BAD_SETTINGS = 2


def rename(world: World, symbol: str, called: str) -> str:
    """Let a token call itself otherwise; return its address. A short string is stored with twice its length."""

    def stored(text: str) -> str:
        return "0x" + (text.encode().ljust(31, b"\0") + bytes([2 * len(text)])).hex()

    token = world.addresses["tokens"][symbol]
    for slot in range(64):
        if world.rpc("eth_getStorageAt", token, hex(slot), "latest") == stored(symbol):
            world.rpc("anvil_setStorageAt", token, "0x" + slot.to_bytes(32, "big").hex(), stored(called))
    assert world.token(symbol).functions.symbol().call() == called
    return str(token)


def watching(asset: str) -> str:
    return RULE.replace('{ health_factor_below = "1.25" }', f'{{ price_below = "0.90", asset = "{asset}" }}')


@pytest.fixture
def two(scene: Scene) -> tuple[Scene, str, str]:
    """DAI calls itself USDC as well."""
    return scene.open(), str(scene.world.addresses["tokens"]["USDC"]), rename(scene.world, "DAI", "USDC")


@pytest.mark.parametrize("command", [("status",), ("once",), ("run",), ("explain", "eth-loop"), ("doctor",)])
def test_a_symbol_that_means_two_assets_is_refused_at_the_start_with_both_addresses(
    two: tuple[Scene, str, str], command: tuple[str, ...]
) -> None:
    """In a rule: exit code 2, the place, both addresses, and the remedy."""
    scene, one, other = two
    scene.rules = watching("USDC")
    found = scene.keeper(*command)
    said = " ".join((found.stdout + found.stderr).split())
    assert found.exit_code == BAD_SETTINGS, said
    assert "rule 'protect' of 'eth-loop': when.asset" in said
    assert one in said
    assert other in said
    assert "write the address" in said


def test_a_symbol_in_the_network_file_is_refused_likewise(two: tuple[Scene, str, str]) -> None:
    """A heartbeat that would hold for both."""
    scene, one, other = two
    scene.write()
    network = scene.folder / "network.toml"
    text = network.read_text()
    assert "[price_safety.assets.USDC]" in text
    found = scene.keeper("once")
    said = " ".join((found.stdout + found.stderr).split())
    assert found.exit_code == BAD_SETTINGS, said
    assert "price_safety.assets.usdc" in said.lower()
    assert one in said
    assert other in said


def test_an_address_says_which_in_rules_and_in_the_network_file(two: tuple[Scene, str, str]) -> None:
    """It is decided, on the price of the one that is meant, and both are shown with their addresses."""
    scene, one, other = two
    scene.rules = watching(other.lower())
    scene.write()
    network = scene.folder / "network.toml"
    text = network.read_text().replace("price_safety.assets.USDC]", f'price_safety.assets."{one}"]')
    network.write_text(text.replace("price_safety.assets.DAI]", f'price_safety.assets."{other}"]'))
    (position,) = scene.data("status")["positions"]
    (verdict,) = position["rules"]
    assert verdict["doubt"] is None
    assert float(verdict["measured"]) == pytest.approx(1.0, rel=0.01)
    assert {b["symbol"] for b in position["balances"]} == {"WETH", f"USDC ({one})"}
    scene.world.set_price("DAI", "0.85")
    (row,) = json.loads(scene.keeper("once", "--json").stdout)["positions"]
    assert row["decision"]["reason"] if row["decision"]["kind"] == "hold" else row["plan"]
    (position,) = scene.data("status")["positions"]
    assert [r["fired"] for r in position["rules"]] == [True]


async def test_a_symbol_that_begins_to_mean_two_while_the_keeper_runs_is_loud(scene: Scene) -> None:
    """No start is there to refuse: the rule cannot be judged, and both addresses are told."""
    scene.rules = watching("USDC")
    scene.open().write()
    async with staged(scene) as stage:
        assert (await stage.look()).decision.reason is Reason.HEALTHY  # type: ignore[union-attr]
        other = rename(scene.world, "DAI", "USDC")
        stage.engine.reader.forget()
        for _ in range(3):  # found out anew off the path
            await stage.look()
            await asyncio.sleep(0.2)
            scene.world.mine()
        held = (await stage.look()).decision
    assert isinstance(held, Hold)
    assert held.reason is Reason.RULE_UNDECIDABLE
    assert not held.is_quiet
    assert other in held.detail
    assert str(scene.world.addresses["tokens"]["USDC"]) in held.detail
