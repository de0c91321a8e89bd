"""Every lending venue of the registry is known to every command, because commands read ports: one test for all of them.

Perpetual venues have tests of their own: test_perps_kept, test_gmx_kept, test_first_hour.
"""

from __future__ import annotations

import json
import time
import tomllib
from dataclasses import replace
from decimal import Decimal

import pytest
import requests
from armed_stage import AT_ONCE, staged
from market_scene import PLACES, Loan, keep
from scenes import Scene
from test_page_beside import a_port, network_of
from typer.testing import CliRunner

from keeper.cli.main import app
from keeper.core.family import Family
from keeper.venues.registry import VENUES

FINE, BEGIN, HOURS = 0, 1_700_000_000, 24 * 12
pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]


@pytest.fixture(params=PLACES)
def loan(request: pytest.FixtureRequest, scene: Scene) -> Loan:
    """Ten ether against dollars, somewhat below 1.25."""
    found = PLACES[request.param](scene)
    scene.crash("1890")
    return found


def test_no_lending_venue_of_the_registry_is_left_out() -> None:
    """Whoever adds one adds its loan here."""
    assert {name.split()[0] for name in PLACES} == {key for key, v in VENUES.items() if v.family is Family.LENDING}


def test_every_command_knows_it(scene: Scene, loan: Loan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status, explain, doctor, risk, back-test, page and init: its health as its own judge says it, and its name."""
    keep(scene, loan)
    health = loan.health()
    (row,) = scene.data("status")["positions"]
    told = Decimal(row["figures"]["health_factor"])
    assert told == pytest.approx(health, rel=Decimal("1e-6"))
    short = str(told)[:5]
    for command in (("status",), ("explain", "lent"), ("risk",)):
        found = scene.keeper(*command)
        assert found.exit_code == FINE, (command, found.output)
        assert "lent" in found.output, command
        assert short in found.output, (command, short, found.output)
    doctor = scene.keeper("doctor")
    assert "lent" in doctor.output
    assert "could not be read" not in doctor.output, doctor.output
    in_the_back_test(scene)
    on_the_page(scene, told)
    found_by_init(scene, loan, monkeypatch)


def in_the_back_test(scene: Scene) -> None:
    """Its own rule, played by its own venue's liquidations."""
    bars = [(BEGIN + h * 3600, 2000 - (3 * (h - 200) if h > 200 else 0)) for h in range(HOURS)]
    file = scene.folder / "weth.csv"
    file.write_text("timestamp,open,high,low,close\n" + "".join(f"{at}{f',{p}' * 4}\n" for at, p in bars))
    asked = ["backtest", "--prices", f"WETH={file}", "-c", str(scene.config), "-p", "lent", "--health", "1.3", "--json"]
    played = CliRunner().invoke(app, asked)
    assert played.exit_code == FINE, played.output
    ways = json.loads(played.stdout)
    assert "protect" in json.dumps(ways), played.output


def on_the_page(scene: Scene, health: Decimal) -> None:
    """The card and the position's own page, of a keeper that runs."""
    port = a_port()
    scene.config.write_text(scene.config.read_text() + f"\n[web]\nport = {port}\n")
    with scene.running("--web") as keeper:
        keeper.wait_for('"block"')
        who = {"Authorization": f"Bearer {(scene.folder / 'state' / 'page-token').read_text().strip()}"}
        at = f"http://127.0.0.1:{port}"
        chain, until = network_of(at, who), time.monotonic() + 60
        while time.monotonic() < until:
            glance = requests.get(f"{at}/api/glance", params={"chain": chain}, headers=who, timeout=20).json()
            if glance["view"] and all(subject["seen"] for subject in glance["view"]["subjects"]):
                break
            time.sleep(0.3)
        shown = scene.keeper("watch", "--once")
        assert (shown.exit_code, "lent" in shown.stdout) == (FINE, True), shown.output
        (subject,) = glance["view"]["subjects"]
        assert Decimal(subject["seen"]["figures"]["health_factor"]) == pytest.approx(health, rel=Decimal("1e-4"))
        for path, params in (("", {}), ("/position", {"chain": chain, "name": "lent"})):
            page = requests.get(at + path, params=params, headers=who, timeout=20).text
            assert str(health)[:4] in page or f"{health:.2f}" in page, (path, page)
            assert "lent" in page


def found_by_init(scene: Scene, loan: Loan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer's account is found with its market, and the settings that are written work."""
    scene.config.unlink()
    monkeypatch.chdir(scene.folder)
    monkeypatch.delenv("KEEPER_RPC_URL", raising=False)
    runner = CliRunner()
    found = runner.invoke(app, ["init", scene.owner, "--rpc", scene.url, "--network", "network.toml"])
    assert found.exit_code == 0, found.output
    (position,) = tomllib.loads(scene.config.read_text())["positions"]
    assert (position["venue"], position.get("market")) == (loan.venue, loan.market)
    again = runner.invoke(app, ["status", "-c", str(scene.config)])
    assert again.exit_code == 0, again.output
    assert position["name"] in again.output


async def test_a_rescue_is_made_ready_for_a_price_that_has_not_come(scene: Scene, loan: Loan) -> None:
    """Figures that move by themselves from block to block (an index, an oracle's answer) leave it as it was."""
    health = loan.health()
    keep(scene, replace(loan), below=str(round(health - Decimal("0.005"), 4)))
    async with staged(scene) as stage:
        await stage.look()
        stage.arming.begin(stage.last)
        await stage.arming.settled()
        assert stage.engine.state.armed.get("lent"), "nothing was made ready"
        stage.come("1880")
        assert (await stage.how()).startswith(AT_ONCE), stage.why
    assert loan.health() > Decimal("1.5")
