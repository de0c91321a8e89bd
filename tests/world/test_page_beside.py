"""The page beside a daemon on a real chain: every block at once, the rescue on it; a slow browser delays nothing."""

from __future__ import annotations

import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

import proxy as faults
import pytest
import requests
from proxy import RpcProxy
from scenes import Keeper, Scene

pytestmark = pytest.mark.world


def a_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def kept(scene: Scene, *options: str) -> Iterator[tuple[Keeper, str, dict[str, str]]]:
    """A keeper with its page; yields where it is and what lets in."""
    port = a_port()
    scene.extra += f"[web]\nport = {port}\n"
    scene.open()
    scene.write()
    with scene.running("--web", *options) as keeper:
        keeper.wait_for('"block"')
        token = (scene.folder / "state" / "page-token").read_text().strip()
        assert token not in keeper.log
        at, until = f"http://127.0.0.1:{port}", time.monotonic() + 20
        while requests.get(f"{at}/readyz", timeout=20).status_code != 200 and time.monotonic() < until:
            time.sleep(0.2)
        yield keeper, at, {"Authorization": f"Bearer {token}"}


def network_of(at: str, who: dict[str, str]) -> str:
    return str(requests.get(f"{at}/api/chains", headers=who, timeout=20).json()[0]["chain"])


def test_a_rescue_is_seen_on_the_page_and_in_the_terminal(scene: Scene) -> None:
    """Before it, while it lasts and after it: the same figures as the chain's, the plan, its transactions."""
    with kept(scene, "--live") as (keeper, at, who):
        page = requests.get(at, headers=who, timeout=20).text
        assert 'class="mark live"' in page
        assert "no rule asks for anything" in page
        assert stat.S_IMODE((scene.folder / "state" / "page-token").stat().st_mode) == 0o600
        scene.crash()
        keeper.wait_for('"concluded"', 90)
        name, until = network_of(at, who), time.monotonic() + 30
        while time.monotonic() < until:
            found = requests.get(f"{at}/api/glance", params={"chain": name}, headers=who, timeout=20).json()
            health = float(found["view"]["subjects"][0]["seen"]["figures"]["health_factor"])
            if health > 1.59 and found["transactions"] and found["transactions"][0]["state"] in ("mined", "confirmed"):
                break
            time.sleep(0.3)
        assert health == pytest.approx(scene.health(), abs=0.01)
        assert any(d["outcome_kind"] == "restored" for d in found["decisions"])
        page = requests.get(f"{at}/position", params={"chain": name, "name": "eth-loop"}, headers=who, timeout=20).text
        assert 'class="deed done"' in page
        shown = scene.keeper("watch", "--once")
        assert (shown.exit_code, "LIVE" in shown.stdout, "restored" in shown.stdout) == (0, True, True)
        assert keeper.stop() == 0
    assert "Traceback" not in keeper.log


def test_when_its_node_dies_page_and_terminal_say_with_the_alarm_that_the_keeper_is_blind(
    scene: Scene, proxy: RpcProxy
) -> None:
    """Not minutes later: with the head's age and the node's state; and they say so no more once it is back."""
    scene.url = proxy.url
    with kept(scene) as (keeper, at, who):
        died, proxy.fault = time.monotonic(), faults.refuse
        keeper.wait_for("The node does not answer", 20)
        rang = time.monotonic()
        while requests.get(f"{at}/readyz", timeout=20).json()[0]["state"] != "blind" and rang > time.monotonic() - 20:
            time.sleep(0.1)
        assert time.monotonic() - rang < 3
        assert time.monotonic() - died < 15
        page = requests.get(at, headers=who, timeout=20).text
        assert "<strong>BLIND</strong>" in page
        assert "the keeper is blind: nothing is watched or rescued. The node does not answer" in page
        assert "<td>fine</td>" not in page  # "failed 3 times in a row", "set aside: failing"
        assert 'class="mark dry_run"' not in page
        shown = scene.keeper("watch", "--once")
        assert (shown.exit_code, "BLIND" in shown.stdout, "DRY RUN" in shown.stdout) == (1, True, False)
        assert scene.keeper("status").exit_code == 1
        proxy.fault, until = None, time.monotonic() + 30
        while requests.get(f"{at}/readyz", timeout=20).status_code != 200 and time.monotonic() < until:
            scene.world.warp(12)
            time.sleep(0.3)
        assert requests.get(f"{at}/readyz", timeout=20).json()[0]["state"] == "dry_run"
        shown = scene.keeper("status")
        assert (shown.exit_code, "keeper: DRY RUN" in shown.stdout) == (0, True)


def test_a_browser_that_reads_nothing_delays_no_block_and_no_end(scene: Scene) -> None:
    """Lines that are opened and never read: blocks are judged as before, and SIGTERM ends it in order."""
    with kept(scene) as (keeper, at, who):
        host, port = at.removeprefix("http://").split(":")
        hangers = list[socket.socket]()
        for _ in range(20):
            one = socket.create_connection((host, int(port)))
            ask = f"GET /events HTTP/1.1\r\nHost: {host}\r\nAuthorization: {who['Authorization']}\r\n\r\n"
            one.sendall(ask.encode())
            hangers.append(one)
        for _ in range(10):  # and some that never finish asking
            one = socket.create_connection((host, int(port)))
            one.sendall(b"GET / HTTP/1.1\r\nHost: ")
            hangers.append(one)
        before = keeper.log.count('"event": "block"')
        for _ in range(10):
            scene.world.warp(12)
            time.sleep(0.2)
        keeper.wait_for('"event": "block"', 20, count=before + 5)
        assert requests.get(f"{at}/healthz", timeout=20).status_code == 200
        began = time.monotonic()
        assert keeper.stop(20) == 0
        assert time.monotonic() - began < 15
        for one in hangers:
            one.close()
    assert "Traceback" not in keeper.log


def test_the_page_by_itself_shows_what_the_journal_has(scene: Scene) -> None:
    """`keeper web` in another process asks no node: what a dry run wrote is there."""
    scene.open()
    scene.write()
    with scene.running() as keeper:
        keeper.wait_for('"block"')
        until = time.monotonic() + 20
        while scene.keeper("watch", "--once").exit_code and time.monotonic() < until:
            time.sleep(0.3)
        shown = scene.keeper("watch", "--once")
        assert keeper.stop() == 0
    assert (shown.exit_code, "DRY RUN" in shown.stdout, "eth-loop" in shown.stdout) == (0, True, True)
