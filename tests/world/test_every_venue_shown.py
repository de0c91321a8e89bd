"""A newcomer with a position at every venue: found by flags alone, and each card has the venue's own figure.

The page knows none of them: it shows what ports say.
"""

from __future__ import annotations

import re
import socket
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
import requests
from click.testing import Result
from scenes import Scene
from typer.testing import CliRunner

from keeper.cli.main import app
from sandbox.every_venue import EveryVenue
from sandbox.past import give_past

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]


@pytest.fixture
def held(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> EveryVenue:
    """All of them, and a newcomer in an empty folder."""
    found = EveryVenue.opened(scene.world, scene.owner)
    found.network_toml(scene.folder / "network.toml")
    monkeypatch.chdir(scene.folder)
    monkeypatch.delenv("KEEPER_RPC_URL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(scene.folder / "state"))
    return found


def keeper(*words: str) -> Result:
    found = CliRunner().invoke(app, list(words))
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


@contextmanager
def page_of(scene: Scene) -> Iterator[str]:
    """The page of a dry run, as it is once a block was judged."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with scene.config.open("a") as file:
        file.write(f"[web]\nport = {port}\n[daemon]\nstate_dir = 'state'\npoll = '0.1s'\n")
    with scene.running("--web") as running:
        running.wait_for('"block"')
        token = (scene.folder / "state" / "page-token").read_text().strip()
        until = time.monotonic() + 30
        while requests.get(f"http://127.0.0.1:{port}/readyz", timeout=20).status_code != 200:
            assert time.monotonic() < until, running.log
            time.sleep(0.2)
        who = {"Authorization": f"Bearer {token}"}
        while "within 24 h" not in (page := requests.get(f"http://127.0.0.1:{port}", headers=who, timeout=20).text):
            assert time.monotonic() < until, page  # how prices moved is measured beside the blocks
            scene.world.mine()
            time.sleep(0.5)
        yield page


def test_every_venue_is_found_by_flags_alone_rehearsed_and_shown_with_its_own_figure(
    scene: Scene, held: EveryVenue
) -> None:
    """init, check, doctor, a dry run and its page: no key, no question, nothing left out, nothing that would fail."""
    give_past(scene.world, 0.01)
    found = keeper("init", scene.owner, "--rpc", scene.url, "--network", "network.toml")
    assert found.exit_code == 0, found.output
    names = [p["name"] for p in tomllib.loads(scene.config.read_text())["positions"]]
    assert set(names) == {*held.figures, "gmx_v2-eth-short"}
    for name in names:
        assert name in found.stdout
    assert found.stdout.count("rescues below ") == len(names)
    assert found.stdout.count("Its prices move about ") >= len(names) - 1  # of the old market's DAI there is no past
    assert keeper("check").exit_code == 0
    doctor = keeper("doctor")
    assert doctor.exit_code == 0, doctor.output
    assert doctor.stdout.count(": would work if there were a signer, at ") == len(names), doctor.stdout
    with page_of(scene) as page:
        cards = re.findall(r'<article class="card (\w+)">(.*?)</article>', page, re.DOTALL)
        by_name = {name: body for _, body in cards for name in names if f">{name}</a>" in body}
        assert set(by_name) == set(names), page
        for name, figure in held.figures.items():
            (shown,) = re.findall(r'<p class="figure"><b>([\d.,]+)', by_name[name])
            assert abs(Decimal(shown) - figure) < Decimal("0.02"), (name, shown, figure)
            assert "rises by" in by_name[name] or "falls by" in by_name[name]
            assert f"{name}-rescue at " in by_name[name]
        (shown,) = re.findall(r'<p class="figure"><b>([\d.,]+)', by_name["gmx_v2-eth-short"])
        assert 30 < Decimal(shown) < 35  # 2,000 of margin on 6,000, less what closing costs
        assert "ETH rises by" in by_name["gmx_v2-eth-short"]
        for name in (*held.figures, "gmx_v2-eth-short"):
            assert "within 24 h" in by_name[name] or name == "old", by_name[name]
