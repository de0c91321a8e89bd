"""Rescue funds that earn: redeemed with the payment, on OpenZeppelin's real vault and Aave's real supplies."""

from __future__ import annotations

from typing import Any

import pytest
from scenes import DOLLAR, ETHER, RULE, Scene

pytestmark = pytest.mark.world

REPAYS = RULE.replace('"top_up", "repay", "deleverage"', '"repay"').replace('"20000"', '"200000"')
TOPS_UP = REPAYS.replace('"repay"', '"top_up"')


def vault(scene: Scene, symbol: str, holder: str, amount: int) -> Any:
    """A vault that a holder put everything he had of an asset into; a tenth was earned since."""
    world = scene.world
    token = world.token(symbol)
    found = world.chain.deploy("SavingsVault", token.address, sender=world.role("admin"))
    world.mint(symbol, holder, amount)
    with world.acting_as(holder):
        world.chain.send(token.functions.approve(found.address, amount), holder)
        world.chain.send(found.functions.deposit(amount, holder), holder)
    world.mint(symbol, found.address, amount // 10)
    return found


def saved_in(scene: Scene, *tokens: str, batch: bool = False) -> Scene:
    scene.write()
    listed = ", ".join(f'"{token}"' for token in tokens)
    more = f'name = "me"\nsavings = [{listed}]' + ("\nbatch = true" if batch else "")
    scene.config.write_text(scene.config.read_text().replace('name = "me"', more, 1))
    return scene


@pytest.mark.parametrize("batch", [True, False], ids=["one transaction", "one burst"])
def test_a_debt_is_repaid_out_of_a_vault(scene: Scene, batch: bool) -> None:
    """Shares are worth what redeeming gives now, earnings included; exactly what is paid is redeemed."""
    scene.rules = REPAYS
    scene.open().crash()
    shares = vault(scene, "USDC", scene.owner, 9_000 * DOLLAR)
    saved_in(scene, shares.address, batch=batch)
    before, blocks = scene.nonce(), scene.world.w3.eth.block_number
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert scene.world.balance("USDC", scene.owner) < 2
    paid = 13_000 * DOLLAR - scene.world.debt("USDC", scene.owner)
    left = shares.functions.maxWithdraw(scene.owner).call()
    assert left == pytest.approx(9_900 * DOLLAR - paid, abs=10)
    assert scene.nonce() - before == (2 if batch else 3), "a batch carries its delegation"
    assert scene.world.w3.eth.block_number - blocks <= (1 if batch else 3)


def test_the_wallet_pays_first_and_savings_what_it_lacks(scene: Scene) -> None:
    """Collateral topped up from both."""
    scene.rules = TOPS_UP
    scene.open().crash()
    scene.world.mint("WETH", scene.owner, ETHER)
    shares = vault(scene, "WETH", scene.owner, 20 * ETHER)
    with scene.world.acting_as(scene.owner):
        scene.world.mint("WETH", scene.owner, ETHER)
    saved_in(scene, shares.address)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert scene.world.balance("WETH", scene.owner) < 2
    assert shares.functions.maxWithdraw(scene.owner).call() < 22 * ETHER


def test_a_guardian_pays_out_of_its_own_supply_in_the_same_market(scene: Scene) -> None:
    """Another account's aTokens: it withdraws what is its own, and can do nothing else."""
    scene.rules, scene.signer_index = REPAYS, 3
    scene.open().crash()
    world = scene.world
    world.open_position(scene.signer, {"USDC": 9_000 * DOLLAR}, {})
    saved_in(scene, world.addresses["a_tokens"]["USDC"])
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.health() == pytest.approx(1.6, rel=2e-3)
    assert world.supplied("USDC", scene.signer) < 9_000 * DOLLAR
    assert world.balance("USDC", scene.signer) < 2


def test_the_position_s_own_collateral_is_no_saving(scene: Scene) -> None:
    """Its owner names it by mistake: it is left alone, and why is said."""
    scene.rules = TOPS_UP
    scene.open().crash()
    saved_in(scene, scene.world.addresses["a_tokens"]["WETH"])
    before = scene.nonce()
    code, _ = scene.once("--live")
    assert code == 3
    assert scene.nonce() == before
    assert "is the position's own collateral" in scene.keeper("doctor").stdout + scene.keeper("doctor").stderr


def test_a_vault_that_lets_nothing_out_is_no_money(scene: Scene) -> None:
    """What redeeming gives now is nothing: it is not counted, and the owner hears that the wallet is empty."""
    scene.rules = REPAYS
    scene.open().crash()
    shares = vault(scene, "USDC", scene.owner, 9_000 * DOLLAR)
    saved_in(scene, shares.address)
    world = scene.world
    world.rpc("anvil_impersonateAccount", shares.address)
    world.rpc("anvil_setBalance", shares.address, hex(ETHER))
    held = world.balance("USDC", shares.address)
    world.chain.send(world.token("USDC").functions.transfer(world.role("lp"), held), shares.address)
    code, row = scene.once("--live")
    assert code == 3
    assert row["decision"]["reason"] == "wallet_empty", row["decision"]


def test_a_dry_run_says_what_would_be_redeemed(scene: Scene) -> None:
    """As a step of its own, before the payment."""
    scene.rules = REPAYS
    scene.open().crash()
    saved_in(scene, vault(scene, "USDC", scene.owner, 9_000 * DOLLAR).address)
    said = " ".join(scene.keeper("explain", "eth-loop").stdout.split())
    assert said.index("redeem savings") < said.index("repay USDC", said.index("redeem savings")), said
