"""Secrets planted everywhere a keeper gets them from, and sought everywhere somebody else could read."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests
from eth_account import Account
from proxy import Answer, Request, RpcProxy, html
from scenes import Keeper, Scene
from test_page_beside import a_port

pytestmark = [pytest.mark.world, pytest.mark.slow]

PLANTED = {
    "keystore password": "Corr3ct-h0rse-battery",
    "token in a path": "9aa3d95b3bc440fa88ea12eaa4456161",
    "token in a query": "qqTokenInQuery7b1d5e",
    "basic-auth password": "b4sicAuthPassw0rd",
    "alarm token": "AAFsecretTokenOfTheOwnersPhone1234567",
    "dead man switch": "0a1b2c3d-dead-beef-aaaa-000000000001",
    "cloud key": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    "token of the page's control": "c0ntrolTokenOfThePage0123456789abcdef",
}
CRASHES = """
import asyncio, faulthandler, signal
faulthandler.enable()  # what a supervisor's SIGABRT leaves in the log
def crash(*_):
    def defect():
        raise RuntimeError("planted crash")
    asyncio.get_running_loop().call_soon(defect)
signal.signal(signal.SIGUSR1, crash)
"""


def without_simulation(request: Request) -> Answer | None:
    """A node as many are: rehearsals need a fork, and so a child process."""
    if request["method"] != "eth_simulateV1":
        return None
    error = {"code": -32601, "message": "the method eth_simulateV1 does not exist"}
    return 200, "application/json", json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()


@pytest.fixture
def planted(scene: Scene, proxy: RpcProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    """A keeper that got every secret there is."""
    (tmp_path / "sitecustomize.py").write_text(CRASHES)
    of = PLANTED
    bare = proxy.url.removeprefix("http://")
    url = f"http://me:{of['basic-auth password']}@{bare}/v3/{of['token in a path']}?key={of['token in a query']}"
    environment = {
        "PYTHONPATH": str(tmp_path),
        "KEEPER_RPC_URL": url,
        "KEEPER_HEARTBEAT_URL": f"http://127.0.0.1:9/{of['dead man switch']}",
        "AWS_SECRET_ACCESS_KEY": of["cloud key"],
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    scene.extra = f'[alerts]\nurls = ["tgram://123456789:{of["alarm token"]}/12345/"]\nrepeat = "1m"\n'
    scene.open()
    scene.write()
    key = scene.world.account(scene.signer_index).key
    (scene.folder / "keystore.json").write_text(json.dumps(Account.encrypt(key, of["keystore password"], iterations=2)))
    (scene.folder / "password").write_text(of["keystore password"])
    (scene.folder / "control").write_text(of["token of the page's control"])
    (scene.folder / "control").chmod(0o600)
    return scene


def secrets_of(scene: Scene) -> dict[str, str]:
    key = scene.world.account(scene.signer_index).key.hex().removeprefix("0x")
    return PLANTED | {"private key": key}


def assert_clean(scene: Scene, said: Mapping[str, str]) -> None:
    """None of the secrets is in any of the texts."""
    found = {
        f"{name} in {where}": text[max(0, at - 200) : at + 60]
        for where, text in said.items()
        for name, secret in secrets_of(scene).items()
        if (at := text.lower().find(secret.lower())) >= 0
    }
    assert found == {}


def family(pid: int) -> Iterator[tuple[str, str, str]]:
    """Each process under a process: what it is, its arguments, its environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                argv, environ = (
                    (folder / name).read_bytes().replace(b"\0", b" ").decode() for name in ("cmdline", "environ")
                )
                yield folder.name, argv, environ
                yield from family(int(folder.name))


def journal_of(scene: Scene) -> dict[str, str]:
    """The journal's files, byte for byte: what was deleted in them as well."""
    return {path.name: path.read_bytes().decode("latin-1") for path in scene.folder.glob("keeper.sqlite*")}


def served(at: str, who: Mapping[str, str], metrics: str) -> dict[str, str]:
    """The pages, every read of the interface, its description, and the metrics."""
    api = requests.get(f"{at}/api/openapi.json", headers=who, timeout=20)
    reads = [
        path for path, of in (api.json()["paths"] if api.ok else {}).items() if "get" in of and "stream" not in path
    ]
    found = {"openapi": api.text, "metrics": requests.get(metrics, timeout=20).text}
    for path in {"/", "/healthz", "/readyz", *reads}:
        filled = path.replace("{chain}", "sandbox").replace("{position}", "eth-loop").replace("{name}", "eth-loop")
        with contextlib.suppress(requests.exceptions.Timeout):
            answer = requests.get(
                f"{at}{filled}", params={"chain": "sandbox", "name": "eth-loop"}, headers=who, timeout=10
            )
            found[path] = answer.text + str(answer.headers)
    return found


def children_seen(keeper: Keeper, seconds: float) -> dict[str, str]:
    """Whatever the keeper starts within a time, once anvil was among it."""
    seen, until = dict[str, str](), time.monotonic() + seconds
    while time.monotonic() < until and not any("anvil" in text for text in seen.values()):
        for pid, argv, environ in family(keeper.process.pid):
            seen[f"child {pid}: {argv[:40]}"] = f"{argv}\n{environ}"
        time.sleep(0.005)
    return seen


def test_no_planted_secret_is_where_others_read(planted: Scene, proxy: RpcProxy) -> None:
    """Log, journal, page, interface, metrics, arguments, the fork's environment; failing nodes and alarms included."""
    port, metrics = a_port(), a_port()
    text = planted.config.read_text().replace("[daemon]", f"[daemon]\nmetrics_port = {metrics}")
    planted.config.write_text(text + f'[web]\nport = {port}\ncontrol_token_file = "control"\n')
    proxy.fault = without_simulation
    with planted.running("--web", "--dry-run") as keeper:
        keeper.wait_for('"block"')
        token = (planted.folder / "state" / "page-token").read_text().strip()
        planted.crash()
        children = children_seen(keeper, 60)
        assert any("anvil" in text for text in children.values()), children.keys()
        keeper.wait_for('"rehearsed"', 90)
        proxy.fault = html
        planted.world.mine()
        keeper.wait_for('"node_away"')
        keeper.wait_for('"alarm_failed"')
        proxy.fault = without_simulation
        at = f"http://127.0.0.1:{port}"
        pages = served(at, {"Authorization": f"Bearer {token}"}, f"http://127.0.0.1:{metrics}/metrics")
        assert "keeper_" in pages["metrics"]
        assert len(pages) > 6
        own = Path(f"/proc/{keeper.process.pid}/cmdline").read_bytes().decode().replace("\0", " ")
        assert keeper.stop(60) == 0
        said = children | pages | journal_of(planted) | {"arguments": own, "log": keeper.log}
    assert_clean(planted, said)


def test_no_planted_secret_is_in_what_a_crash_leaves(planted: Scene, proxy: RpcProxy) -> None:
    """A live keeper, its key open: a traceback of a defect, and every thread's stack when the watchdog aborts it."""
    with planted.running("--live") as keeper:
        keeper.wait_for('"block"')
        keeper.process.send_signal(signal.SIGUSR1)
        keeper.wait_for("planted crash")
        keeper.process.send_signal(signal.SIGABRT)
        keeper.process.wait(60)
        assert "Fatal Python error: Aborted" in keeper.log
        said = {"crash": keeper.log} | journal_of(planted)
    assert_clean(planted, said)


def test_no_planted_secret_is_said_by_a_command_that_fails(planted: Scene, proxy: RpcProxy) -> None:
    """A node that is away, a wrong password, a wrong settings file: each names what is wrong and shows no secret."""
    said = dict[str, str]()
    proxy.fault = html
    for command in ("status", "doctor", "check", "once"):
        found = planted.keeper(command)
        said[f"{command} with a node away"] = found.output + found.stderr
    proxy.fault = None
    (planted.folder / "password").write_text(PLANTED["keystore password"] + "x")
    found = planted.keeper("once", "--live")
    said["a wrong password"] = found.output + found.stderr
    text = planted.config.read_text()
    planted.config.write_text(text.replace("[alerts]", f'[alerts]\nnonsense = "{PLANTED["alarm token"][:4]}"'))
    found = planted.keeper("check", "--json")
    said["a wrong file"] = found.output + found.stderr
    assert all(said.values())
    assert_clean(planted, said)
    assert "KEEPER_RPC_URL" in os.environ
