"""``keeper doctor`` on more set-ups that are broken: machine, files, node, chain and market."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

import proxy as faults
import pytest
from proxy import RpcProxy
from scenes import Scene
from test_doctor_twenty import found, network, rules, settings

pytestmark = pytest.mark.world
WRONG = "0x000000000000000000000000000000000000dEaD"


def of_tomorrow(scene: Scene) -> None:
    """A journal that a later version has written to."""
    scene.keeper("once")
    with sqlite3.connect(scene.folder / "keeper.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def waiting(scene: Scene) -> None:
    """A transaction of the account that the pool holds and no block takes."""
    world = scene.world
    world.rpc("evm_setAutomine", False)
    world.rpc("eth_sendTransaction", {"from": scene.signer, "to": scene.signer, "value": "0x1"})


def half_a_keystore(scene: Scene) -> None:
    path = scene.folder / "keystore.json"
    path.write_text(path.read_text()[:80])


def a_folder_for_a_key(scene: Scene) -> None:
    (scene.folder / "keystore.json").unlink()
    (scene.folder / "keystore.json").mkdir()


def behind_by(seconds: int) -> Callable[[Scene], object]:
    """A chain that follows the clock, whose newest block is so old; less than none: ahead."""

    def broken(scene: Scene) -> None:
        network(scene, "follows_clock", "true")
        scene.world.rpc("evm_setNextBlockTimestamp", int(time.time()) - seconds) if seconds < 0 else None
        scene.world.rpc("evm_mine")
        now = int(scene.world.w3.eth.get_block("latest")["timestamp"])
        scene.patched.setattr("keeper.cli.doctor_nodes.time.time", lambda: now + seconds)  # type: ignore[attr-defined]

    return broken


def pool_drained(scene: Scene) -> None:
    """What one would sell through is gone: only a sale could help."""
    rules(scene, '["top_up", "repay", "deleverage"]', '["deleverage"]')
    network(scene, "swap_router_02", f'"{WRONG}"')


def fallen(scene: Scene) -> None:
    scene.world.set_price("WETH", "1560")
    scene.world.align_pools()
    scene.world.warp(600)
    scene.world.refresh_feeds()


@dataclass(frozen=True)
class Broken:
    """A way to break a set-up, and what is said of it."""

    how: Callable[[Scene], object]
    topic: str
    words: str
    level: str = "failing"
    options: tuple[str, ...] = ()


WAYS = {
    "a clock ahead by 90 s": Broken(behind_by(90), "head", "NTP", level="warning"),
    "a clock behind by 90 s": Broken(behind_by(-90), "clock", "NTP"),
    "a node that stands still": Broken(behind_by(3_600), "head", "whether the node is behind"),
    "half a keystore": Broken(half_a_keystore, "key of me", "correct what the line names"),
    "a folder in the key's place": Broken(a_folder_for_a_key, "key of me", "correct what the line names"),
    "a password with a second line": Broken(
        lambda s: (s.folder / "password").write_text("pw\nand more\n"), "key of me", "one line"
    ),
    "a state folder that is a file": Broken(
        lambda s: (settings(s, 'state_dir = "state"', 'state_dir = "taken"'), (s.folder / "taken").write_text("")),
        "another keeper for me",
        "name a folder",
    ),
    "a journal of a later version": Broken(of_tomorrow, "journal", "newer"),
    "a journal where nothing can be": Broken(
        lambda s: settings(s, "[daemon]", '[journal]\nurl = "/proc/nowhere/keeper.sqlite"\n[daemon]'),
        "journal",
        "[journal] url",
    ),
    "a transaction that waits": Broken(waiting, "account of me", "keeper tx", level="warning"),
    "a heartbeat that nobody hears": Broken(
        lambda s: settings(s, "[daemon]", '[alerts]\nheartbeat_url = "http://127.0.0.1:9/x"\n[daemon]'),
        "heartbeat",
        "heartbeat_url",
        options=("--send-test",),
    ),
    "a wrong batch reader": Broken(lambda s: network(s, "multicall3", f'"{WRONG}"'), "", "multicall3"),
    "a wrong exchange": Broken(pool_drained, "rescue eth-loop/protect", "would fail"),
    "a frozen market": Broken(
        lambda s: (s.world.freeze("WETH"), rules(s, '["top_up", "repay", "deleverage"]', '["top_up"]')),
        "rescue eth-loop/protect",
        "would fail",
    ),
    "a market of another name": Broken(
        lambda s: settings(s, 'venue = "aave_v3"', 'venue = "aave_v3"\nmarket = "prime"'), "", "prime"
    ),
    "a rule that fires now, and would fail": Broken(
        lambda s: (fallen(s), rules(s, 'max_spend_per_day_usd = "20000"', 'max_spend_per_day_usd = "1"')),
        "rescue eth-loop/protect",
        "at today's prices",
    ),
    "no rule at all": Broken(
        lambda s: s.config.write_text(s.config.read_text().replace(s.rules, "")),
        "rules of eth-loop",
        "nobody would hear",
        level="warning",
    ),
}  # fmt: skip


@pytest.fixture
def settled(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene.patched = monkeypatch  # type: ignore[attr-defined]
    return scene.open().write()


@pytest.mark.parametrize("name", list(WAYS))
def test_a_broken_set_up_is_named_with_its_remedy(settled: Scene, name: str) -> None:
    """By a line at its level with a remedy, or, where the settings cannot be meant, in one line and exit 2."""
    way = WAYS[name]
    way.how(settled)
    result = settled.keeper("doctor", "--json", *way.options)
    if result.exit_code == 2:
        assert way.words in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) <= 2
        return
    lines = json.loads(result.stdout)
    mine = [x for x in lines if x["topic"].startswith(way.topic) and x["level"] == way.level]
    assert any(way.words in x["text"] + " " + x["remedy"] for x in mine), [x for x in lines if x["level"] != "ok"]
    assert all(x["remedy"] for x in lines if x["level"] != "ok"), lines
    assert result.exit_code == (1 if any(x["level"] == "failing" for x in lines) else 0)


NODES = {
    "a page of HTML": (faults.html, "names"),
    "an answer that is no JSON-RPC": (lambda _: (200, "application/json", b'{"hello": 1}'), ""),
    "payment required": (faults.status(402), ""),
    "too many requests": (faults.status(429), ""),
    "an empty answer": (lambda _: (200, "application/json", b""), ""),
    "no history": (faults.failing("eth_getBalance", -32000, "missing trie node"), ""),
    "no logs": (faults.failing("eth_getLogs", -32005, "query returned more than 10000 results"), ""),
}


@pytest.mark.parametrize("name", list(NODES))
def test_a_broken_node_is_named_with_its_remedy(settled: Scene, proxy: RpcProxy, name: str) -> None:
    """By its own line, and exit 1: what it said, what is lost with it, and what to do."""
    settings(settled, settled.url, proxy.url)
    proxy.fault = NODES[name][0]
    result = settled.keeper("doctor", "--json")
    lines = json.loads(result.stdout)
    mine = [x for x in lines if x["topic"].startswith(("node ", "history of ")) and x["level"] != "ok"]
    assert mine, lines
    assert all(x["remedy"] for x in lines if x["level"] != "ok")
    assert result.exit_code == (1 if any(x["level"] == "failing" for x in lines) else 0)
    assert not any(len(x["text"]) > 400 or "<html" in x["text"] for x in lines)


def test_a_slow_node_is_named(settled: Scene, proxy: RpcProxy) -> None:
    """Slower than its chain's blocks come, or than half the time that is granted: it is one block behind for ever."""
    settings(settled, settled.url, proxy.url)
    proxy.fault = faults.hang(1.2)
    lines = found(settled)
    assert [
        x for x in lines if x["topic"].startswith("node ") and x["level"] == "warning" and "answers in" in x["text"]
    ]
