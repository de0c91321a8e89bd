"""A whole live run with every kind of failure, at its most talkative: no key, password, token or signed bytes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import proxy as faults
import pytest
from proxy import Answer, Request, RpcProxy
from scenes import PASSWORD, Keeper, Scene

pytestmark = [pytest.mark.world, pytest.mark.slow]

NODE_KEY, ALARM_TOKEN = "9aa3d95b3bc440fa88ea12eaa4456161", "AAFsecretTokenOfTheOwnersPhone1234567"
BASIC = "n0deUserPassw0rd"
FAILURES = {401: "unauthorized", 429: "too many requests", 503: "unavailable"}


def quoting(request: Request, code: int) -> Answer:
    """A node that says back all it was asked, and by which address."""
    said = f"project {NODE_KEY} of {BASIC} at /v3/{NODE_KEY}: cannot do {json.dumps(request['params'])}"
    body = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": said, "data": said}}
    return code, "application/json", json.dumps(body).encode()


def troubles(proxy: RpcProxy) -> Iterator[faults.Fault]:
    """One after the other; sends are refused in words that hold what was signed."""
    yield faults.html
    yield faults.refuse
    for code in (*FAILURES, 200):
        yield lambda request, code=code: quoting(request, code)  # type: ignore[misc]
    refused = ("eth_sendRawTransaction", "eth_simulateV1", "eth_getTransactionReceipt", "eth_feeHistory")
    for method in refused:
        yield lambda request, method=method: (  # type: ignore[misc]
            quoting(request, 200) if request["method"] == method else None
        )


def everything(keeper: Keeper, scene: Scene) -> str:
    """What the run left where others may read: its log, and the words in its journal."""
    with sqlite3.connect(scene.folder / "keeper.sqlite") as journal:
        rows = journal.execute("select * from decisions").fetchall() + journal.execute("select * from facts").fetchall()
    return keeper.log + "\n".join(map(str, rows))


def test_no_secret_is_in_the_longest_log(scene: Scene, proxy: RpcProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that quote our requests and our address, alarms that do not go out, a locked journal, asyncio's own log."""
    for name, value in {
        "PYTHONASYNCIODEBUG": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # so that chats are out of reach at once
    }.items():
        monkeypatch.setenv(name, value)
    scene.url = proxy.url.replace("http://", f"http://me:{BASIC}@") + f"/v3/{NODE_KEY}?apikey={NODE_KEY}"
    urls = f'"tgram://123456789:{ALARM_TOKEN}/12345/", "json://me:{ALARM_TOKEN}@127.0.0.1:9/{ALARM_TOKEN}"'
    scene.extra = f'[alerts]\nurls = [{urls}]\nrepeat = "1m"\n'
    scene.open()
    scene.write()
    with scene.running("--live") as keeper:
        keeper.wait_for('"block"')
        for number, trouble in enumerate(troubles(proxy)):
            proxy.fault = trouble
            scene.crash(str(1890 - 10 * number))
            scene.world.mine(2)
            held = keeper.log.count("\n")
            keeper.wait_for("\n", count=held + 1, seconds=20)
        with sqlite3.connect(scene.folder / "keeper.sqlite", timeout=10, isolation_level=None) as journal:
            journal.execute("BEGIN IMMEDIATE")
            proxy.fault = None
            scene.world.mine(2)
            journal.execute("ROLLBACK")
        keeper.wait_for("concluded")
        assert keeper.stop(60) == 0, keeper.log[-3000:]
    said = everything(keeper, scene)
    with sqlite3.connect(scene.folder / "keeper.sqlite") as journal:
        raws = [raw for (raw,) in journal.execute("select raw from attempts")]
    key = scene.world.account(scene.signer_index).key.hex().removeprefix("0x")
    assert raws
    assert "alarm_failed" in said, "the alarms had a chance to say their addresses"
    secrets = {"node key": NODE_KEY, "node password": BASIC, "alarm token": ALARM_TOKEN, "private key": key}
    secrets |= {f"signed bytes {i}": raw[-128:] for i, raw in enumerate(raws)}
    found = {name: said[max(0, at - 300) : at + 100] for name, s in secrets.items() if (at := said.find(s)) >= 0}
    assert found == {}
    assert PASSWORD not in said.split()
