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
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import requests
from click.testing import Result
from scenes import DOLLAR, ETHER, Scene
from typer.testing import CliRunner

from keeper.cli.main import app
from sandbox.aave_old.desk import OldAaveDesk
from sandbox.compound.desk import CometDesk
from sandbox.morpho.desk import MorphoDesk
from sandbox.venus.desk import VenusDesk

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]


@dataclass
class Held:
    """Who has what, and what each venue itself says of it."""

    scene: Scene
    morpho: MorphoDesk
    market: str
    comet: Any
    venus: VenusDesk
    old: OldAaveDesk

    @property
    def figures(self) -> dict[str, Decimal]:
        world, owner = self.scene.world, self.scene.owner
        return {
            "aave_v3": world.health_factor(owner),
            f"morpho_blue-{self.market[2:10]}": self.morpho.health(self.market, owner),
            "compound": self.comet.health(owner),
            "venus": self.venus.health(owner),
            "old": self.old.health(owner),
            "perp_v2": world.perp.margin_ratio(owner) * 100,
        }


@pytest.fixture
def held(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Held:
    """Seven positions of one owner: Aave's two revisions, Morpho Blue, Compound v3 and v2, Perp v2, GMX v2."""
    world, owner = scene.world, scene.owner
    morpho, venus = MorphoDesk(world), VenusDesk(world, {"WETH": ("0.75", "0.80"), "USDC": ("0.80", "0.85")})
    comet = CometDesk(world).create("USDC", WETH=("0.825", "0.895", "0.95"))
    market, old = morpho.create("WETH", "USDC"), OldAaveDesk(world)
    scene.open(debt={"USDC": 10_000 * DOLLAR}, keep_debt=True)
    old.open(owner, {"WETH": 10 * ETHER}, {"DAI": 10_900 * ETHER})
    morpho.open(market, owner, 10 * ETHER, 11_100 * DOLLAR)
    comet.open(owner, {"WETH": 10 * ETHER}, 11_600 * DOLLAR)
    venus.open(owner, {"WETH": 10 * ETHER}, {"USDC": 10_300 * DOLLAR})
    world.gmx.open(owner, 2_000 * DOLLAR, 6_000)
    world.perp.open(owner, 1_000 * DOLLAR, -1 * ETHER)
    file = scene.folder / "network.toml"
    world.network_toml(file)
    text = file.read_text() + morpho.table() + comet.table() + venus.table() + old.table()
    for symbol in ("WETH", "USDC"):
        head = f"[price_safety.assets.{symbol}]\n"
        text = text.replace(head, f'{head}feed = "{world.addresses["feeds"][symbol]}"\n')
    file.write_text(text)
    monkeypatch.chdir(scene.folder)
    monkeypatch.delenv("KEEPER_RPC_URL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(scene.folder / "state"))
    return Held(scene, morpho, market, comet, venus, old)


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
        yield requests.get(f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=20).text


def test_every_venue_is_found_by_flags_alone_rehearsed_and_shown_with_its_own_figure(held: Held) -> None:
    """init, check, doctor, a dry run and its page: no key, no question, nothing left out, nothing that would fail."""
    scene = held.scene
    found = keeper("init", scene.owner, "--rpc", scene.url, "--network", "network.toml")
    assert found.exit_code == 0, found.output
    names = [p["name"] for p in tomllib.loads(scene.config.read_text())["positions"]]
    assert set(names) == {*held.figures, "gmx_v2-eth-short"}
    for name in names:
        assert name in found.stdout
    assert found.stdout.count("rescues below ") == len(names)
    assert keeper("check").exit_code == 0
    doctor = keeper("doctor")
    assert doctor.exit_code == 0, doctor.output
    assert doctor.stdout.count(": would work at ") == len(names), doctor.stdout
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
        assert page.count("not measured") + page.count("unknown: prices of") >= len(names)
