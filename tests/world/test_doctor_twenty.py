"""``keeper doctor`` on set-ups that are broken, each in a way of its own: it names the fault, its remedy, and fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import proxy as faults
import pytest
from proxy import RpcProxy
from scenes import DOLLAR, Scene

from keeper.execution.lock import SignerLock

pytestmark = pytest.mark.world
WRONG = "0x000000000000000000000000000000000000dEaD"
PAYS = '["top_up", "repay"]'


def rules(scene: Scene, old: str, new: str) -> None:
    assert old in scene.rules
    scene.rules = scene.rules.replace(old, new)
    scene.write()


def settings(scene: Scene, old: str, new: str) -> None:
    text = scene.config.read_text()
    assert old in text
    scene.config.write_text(text.replace(old, new))


def network(scene: Scene, key: str, value: str) -> None:
    path = scene.folder / "network.toml"
    lines = [f"{key} = {value}" if line.startswith(f"{key} = ") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))


def empty_wallet(scene: Scene) -> None:
    """Nothing in the wallet, and a rule that may only pay."""
    for symbol in ("WETH", "USDC", "WBTC", "DAI", "wstETH", "LINK", "USDT"):
        try:
            token = scene.world.token(symbol)
        except KeyError:
            continue
        if held := token.functions.balanceOf(scene.signer).call():
            scene.world.chain.send(token.functions.transfer(scene.world.role("lp"), held), scene.signer)
    rules(scene, '["top_up", "repay", "deleverage"]', PAYS)


def fifty_a_day(scene: Scene) -> None:
    rules(scene, 'max_spend_per_day_usd = "20000"', 'max_spend_per_day_usd = "50"')


def poor(scene: Scene) -> None:
    scene.world.rpc("anvil_setBalance", scene.signer, hex(10**12))


def locked(scene: Scene) -> None:
    lock = SignerLock(scene.world.w3.eth.chain_id, scene.signer, scene.folder / "state")
    lock.acquire()
    scene.held = lock  # type: ignore[attr-defined]


def old_feed(scene: Scene) -> None:
    scene.world.make_stale("WETH", 3 * 86_400)


def guardian_who_would_sell(scene: Scene) -> None:
    scene.signer_index = 7
    rules(scene, '["top_up", "repay", "deleverage"]', '["deleverage"]')


def unwritable(scene: Scene) -> None:
    (scene.folder / "keeper.sqlite").write_text("this is no database, and longer than its heading")


@dataclass(frozen=True)
class Broken:
    """A way to break a set-up, and what is said of it: the topic's beginning, a level, words of text and remedy."""

    how: Callable[[Scene], object]
    topic: str
    words: str
    level: str = "failing"
    options: tuple[str, ...] = ()


WAYS = {
    "an empty wallet": Broken(empty_wallet, "rescue eth-loop/protect", "the signer's wallet holds none"),
    "no gas money": Broken(poor, "gas money of me", "send native currency"),
    "a keystore that is not there": Broken(
        lambda s: (s.folder / "keystore.json").unlink(), "key of me", "does not exist"
    ),
    "a wrong password": Broken(
        lambda s: (s.folder / "password").write_text("wrong"), "key of me", "the password does not open"
    ),
    "a keystore that others may read": Broken(
        lambda s: (s.folder / "keystore.json").chmod(0o644), "files of me", "chmod 600"
    ),
    "a password that others may read": Broken(
        lambda s: (s.folder / "password").chmod(0o640), "files of me", "mode 0640"
    ),
    "another account's key": Broken(
        lambda s: settings(s, f'address = "{s.signer}"', f'address = "{s.world.account(5).address}"'),
        "key of me",
        "holds the key of",
    ),
    "no slippage to speak of": Broken(
        lambda s: rules(s, "max_slippage_bps = 50", "max_slippage_bps = { usual = 1, worst = 1 }")
        or rules(s, '["top_up", "repay", "deleverage"]', '["deleverage"]'),
        "rescue eth-loop/protect",
        "max_slippage_bps",
    ),
    "a fee cap below the fee": Broken(
        lambda s: rules(s, 'max_fee_gwei = "200"', 'max_fee_gwei = "0.0001"'),
        "rescue eth-loop/protect",
        "max_fee_gwei",
    ),
    "a day's limit of fifty dollars": Broken(
        fifty_a_day, "rescue eth-loop/protect", "would fail at"
    ),
    "a guardian who would have to sell": Broken(
        guardian_who_would_sell, "rescue eth-loop/protect", "let the owner sign"
    ),
    "a feed that is three days old": Broken(old_feed, "price of WETH", "wait for the feed"),
    "a market that is paused": Broken(
        lambda s: s.world.pause("USDC"), "rescue eth-loop/protect", "your rescue would fail at"
    ),
    "a wrong lending address": Broken(
        lambda s: network(s, "pool_addresses_provider", f'"{WRONG}"'), "market", "is not one of this chain"
    ),
    "a wrong pool factory": Broken(
        lambda s: network(s, "factory", f'"{WRONG}"'), "market", "correct the address in the network file"
    ),
    "a rule that fires too late": Broken(
        lambda s: rules(s, "when = { health_factor_below = \"1.25\" }\nrestore = { health_factor = \"1.60\" }",
                        'when = { ltv_above = "0.90" }\nrestore = { ltv = "0.5" }'),
        "rule protect",
        "fires too late",
    ),
    "an asset that is not there": Broken(
        lambda s: rules(s, '{ health_factor_below = "1.25" }', '{ price_below = "1500", asset = "USDCC" }'),
        "rule protect",
        "did you mean 'USDC'?",
    ),
    "an owner who has nothing": Broken(
        lambda s: settings(s, f'owner = "{s.owner}"', f'owner = "{s.world.account(6).address}"'),
        "position eth-loop",
        "check `owner`",
    ),
    "a journal that is no journal": Broken(unwritable, "journal", "not a database"),
    "another keeper": Broken(locked, "another keeper for me", "would refuse to start", level="warning"),
    "an alarm that does not arrive": Broken(
        lambda s: settings(s, "[daemon]", '[alerts]\nurls = ["json://127.0.0.1:9/x"]\n[daemon]'),
        "alarm 1 of 1",
        "check the address",
        options=("--send-test",),
    ),
    "a clock that is a day off": Broken(
        lambda s: (s.world.warp(86_400), network(s, "follows_clock", "true")),
        "head",
        "NTP",
    ),
    "everything paused": Broken(lambda s: s.keeper("pause", "--all"), "paused", "keeper resume", level="warning"),
    "a sequencer that is down": Broken(
        lambda s: (s.world.set_sequencer(False), ), "chain", "down for"
    ),
}  # fmt: skip


@pytest.fixture
def settled(scene: Scene) -> Scene:
    return scene.open().write()


def found(scene: Scene, *options: str) -> list[dict[str, str]]:
    return list(json.loads(scene.keeper("doctor", "--json", *options).stdout))


@pytest.mark.parametrize("name", list(WAYS))
def test_a_broken_set_up_is_named_with_its_remedy(settled: Scene, name: str) -> None:
    """Each by its own line, at its own level; nothing else is wrong that was not broken, and nothing is a traceback."""
    way = WAYS[name]
    way.how(settled)
    lines = found(settled, *way.options)
    mine = [x for x in lines if x["topic"].startswith(way.topic) and x["level"] == way.level]
    assert mine, lines
    assert any(way.words in x["text"] + x["remedy"] for x in mine), mine
    assert all(x["remedy"] for x in lines if x["level"] != "ok"), lines
    code = settled.keeper("doctor", *way.options).exit_code
    assert code == (1 if any(x["level"] == "failing" for x in lines) else 0)
    assert way.level == "warning" or code == 1


def test_a_set_up_with_nothing_wrong_fails_nothing(settled: Scene) -> None:
    """And every rule was rehearsed at the price that fires it."""
    lines = found(settled)
    assert [x for x in lines if x["level"] == "failing"] == []
    (rescue,) = [x for x in lines if x["topic"] == "rescue eth-loop/protect"]
    assert "would work at WETH at " in rescue["text"]


def test_two_nodes_of_which_one_is_away(settled: Scene, proxy: RpcProxy) -> None:
    """By its name; the other is looked at all the same."""
    proxy.fault = faults.refuse
    settings(settled, f'rpc_url = "{settled.url}"\n',
             f'[[network.nodes]]\nurl = "{settled.url}"\n[[network.nodes]]\nurl = "{proxy.url}"\n')  # fmt: skip
    lines = found(settled)
    assert any(x["topic"].startswith("node ") and x["level"] == "failing" and x["remedy"] for x in lines)
    assert any(x["topic"] == "rescue eth-loop/protect" for x in lines)


def test_money_for_margin_is_looked_at_before_it_is_needed(settled: Scene) -> None:
    """A rule that may only top up, from a wallet that has a little: it helps in part, and says so."""
    empty_wallet(settled)
    settled.world.mint("USDC", settled.signer, 100 * DOLLAR)
    lines = found(settled)
    (rescue,) = [x for x in lines if x["topic"] == "rescue eth-loop/protect"]
    assert rescue["level"] == "warning"
    assert "would fall short at WETH at" in rescue["text"]
