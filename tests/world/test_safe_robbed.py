"""Somebody who wants a Safe's keeper to lose money: tokens that call in the middle, and another owner's next nonce."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from lying_token import Liar, liar
from proxy import RpcProxy
from safe_scene import SafeScene
from test_attacked import net_worth
from test_safe_called_back import Sends, can_run, inner_half

from sandbox.errors import RevertedError
from sandbox.safe.desk import GAS, NOBODY, SafeDesk
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(600)]
STOLEN = 10**6


@pytest.fixture
def scene(world: World, proxy: RpcProxy, tmp_path: Path) -> SafeScene:
    """A Safe of two owners near liquidation, and a vault with money."""
    desk = SafeDesk(world)
    desk.lend("USDC", 5_000_000)
    safe = desk.make(world.account(0).address, world.account(1).address)
    made = SafeScene(world, tmp_path, url=proxy.url, desk=desk, safe=safe)
    return made.open().crash("1922.89")  # type: ignore[return-value]


def thief(scene: SafeScene) -> str:
    return str(scene.world.account(8).address)


def takes_of_the_open_vault(it: Liar, scene: SafeScene) -> None:
    """Whoever is called while a session is open may ask the vault for money: it is owed by the session."""
    token = scene.world.token("USDC").address
    it.calls(scene.desk.vault.address, scene.desk.vault.encode_abi("sendTo", [token, thief(scene), STOLEN]))


def books_our_payment(it: Liar, scene: SafeScene) -> None:
    """What is paid back is counted by somebody else first."""
    token = scene.world.token("USDC").address
    it.calls(scene.desk.vault.address, scene.desk.vault.encode_abi("settle", [token, 0]))


def opens_one_within(it: Liar, scene: SafeScene) -> None:
    it.calls(scene.desk.vault.address, scene.desk.vault.encode_abi("unlock", [b""]))


def takes_a_fee(it: Liar, scene: SafeScene) -> None:
    del scene
    it.takes(100)


@pytest.mark.parametrize("symbol", ["USDC", "WETH"])
@pytest.mark.parametrize("lie", [takes_of_the_open_vault, books_our_payment, opens_one_within, takes_a_fee])
def test_a_token_that_lies_takes_nothing_from_a_safe(
    scene: SafeScene, lie: Callable[[Liar, SafeScene], None], symbol: str
) -> None:
    """What is sent helps, or nothing is sent and the reason is named; nothing stays in the vault or with the thief."""
    it = liar(scene, symbol)
    lie(it, scene)
    keys, before, worth = scene.nonce(), scene.health(), net_worth(scene)
    vault = {s: scene.world.balance(s, scene.desk.vault.address) - scene.desk.reserves(s) for s in ("USDC", "WETH")}
    code, row = scene.once("--live")
    if scene.nonce() == keys:
        assert code == 3, row
        assert row["decision"]["detail"], row
    else:
        assert scene.health() > before, row
    assert sum(scene.world.balance(s, thief(scene)) for s in vault) == 0
    assert net_worth(scene) >= worth * 0.985, row
    assert {s: scene.world.balance(s, scene.desk.vault.address) - scene.desk.reserves(s) for s in vault} == vault


def test_an_owner_s_transaction_for_the_nonce_after_next_neither_comes_between_nor_counts_later(
    scene: SafeScene, proxy: RpcProxy
) -> None:
    """Signed by hand for n + 1, and in a stranger's hands: too early before the rescue, void after it."""
    world, desk, token = scene.world, scene.desk, scene.world.token("WETH")
    contract, pay = desk.at(scene.safe), bytes.fromhex(token.encode_abi("approve", [thief(scene), STOLEN])[2:])
    head = [token.address, 0, pay, 0, 0, 0, 0, NOBODY, NOBODY]
    digest = contract.functions.getTransactionHash(*head, scene.safe_nonce() + 1).call()
    signature = Account.from_key(world.account(1).key).unsafe_sign_hash(digest).signature
    made = contract.functions.execTransaction(*head, signature)
    with pytest.raises(RevertedError):
        world.chain.send(made, thief(scene), GAS)
    proxy.around = sends = Sends()
    nonce = scene.safe_nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.safe_nonce() == nonce + 2
    with pytest.raises(RevertedError):
        world.chain.send(made, thief(scene), GAS)
    assert not can_run(scene, inner_half(world, sends.raw[0]))
    assert token.functions.allowance(scene.safe, thief(scene)).call() == 0
