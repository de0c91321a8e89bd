"""Several chains in one process: each judged in its own time, whatever becomes of another."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.scene import write_settings
from keeper.cli.main import app
from sandbox.world import World

pytestmark = pytest.mark.world
BAD_SETTINGS = 2


@pytest.fixture
def other() -> Iterator[World]:
    with World.start() as running:
        yield running


def settle(world: World, folder: Path, name: str, url: str | None = None) -> Path:
    """One position in a world, and its keeper's files in a folder of their own."""
    owner = world.account(0).address
    world.open_position(owner, collateral={"WETH": 10**19}, debt={"USDC": 5000 * 10**6})
    (folder / name).mkdir()
    path = write_settings(folder / name, world, [owner], rpc_url=url or world.url.replace("http", "ws"))
    network = folder / name / "network.toml"
    lines = network.read_text().splitlines()
    network.write_text("\n".join(f'name = "{name}"' if x.startswith("name = ") else x for x in lines))
    path.write_text(path.read_text() + '\n[daemon]\npoll = "0.1s"\nrpc_timeout = "2s"\n')
    return path


class Running:
    """``keeper run`` on several files, and what it says of blocks."""

    def __init__(self, log: Path, *configs: Path) -> None:
        self.log = log
        options = [option for config in configs for option in ("--config", str(config))]
        with log.open("w") as out:
            command = [sys.executable, "-m", "keeper", "run", "--verbose", *options]
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=dict(os.environ))

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(x) for x in self.log.read_text().splitlines() if x.startswith("{")]

    def judged(self, network: str) -> int:
        return max(
            (int(str(x["number"])) for x in self.lines() if (x["event"], x.get("network")) == ("block", network)),
            default=0,
        )

    def until(self, what: str, network: str, number: int = 0) -> None:
        give_up = time.monotonic() + 20
        while not any(x["event"] == what and x.get("network") == network for x in self.lines()) or (
            number and self.judged(network) < number
        ):
            assert time.monotonic() < give_up, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def test_one_chain_s_outage_does_not_hold_up_another(world: World, other: World, tmp_path: Path) -> None:
    """While one node is away the other chain's blocks are judged, and told apart on every line."""
    keeper = Running(tmp_path / "log", settle(world, tmp_path, "north"), settle(other, tmp_path, "south"))
    try:
        keeper.until("block", "north")
        keeper.until("block", "south")
        other.stop()
        keeper.until("node_away", "south")
        for _ in range(3):
            world.mine()
            keeper.until("block", "north", world.w3.eth.block_number)
        assert keeper.stop() == 0
        ended = [x["network"] for x in keeper.lines() if x["event"] == "stopped"]
        assert sorted(map(str, ended)) == ["north", "south"]
    finally:
        keeper.process.kill()


def test_a_chain_that_cannot_be_kept_leaves_the_others_alone(world: World, other: World, tmp_path: Path) -> None:
    """A node on another chain than its file says: told loudly, raised at the end."""
    wrong = settle(other, tmp_path, "south")
    network = wrong.parent / "network.toml"
    network.write_text(network.read_text().replace("chain_id = 31337", "chain_id = 31338"))
    keeper = Running(tmp_path / "log", settle(world, tmp_path, "north"), wrong)
    try:
        keeper.until("left", "south")
        world.mine()
        keeper.until("block", "north", world.w3.eth.block_number)
        assert keeper.stop() == BAD_SETTINGS
    finally:
        keeper.process.kill()


def test_every_file_s_faults_are_told_before_anything_begins(world: World, tmp_path: Path) -> None:
    good, bad = settle(world, tmp_path, "north"), tmp_path / "bad.toml"
    bad.write_text("nonsense = 1\n")
    found = CliRunner().invoke(app, ["check", "-c", str(bad), "-c", str(good)])
    assert found.exit_code == BAD_SETTINGS
    assert "bad.toml" in found.stderr
    found = CliRunner().invoke(app, ["check", "-c", str(good), "-c", str(good)])
    assert found.exit_code == BAD_SETTINGS
    assert "each chain needs its own" in " ".join(found.stderr.split())


def test_status_and_once_go_through_them_all(world: World, other: World, tmp_path: Path) -> None:
    """One that is away is told of; the other is shown all the same."""
    north, south = settle(world, tmp_path, "north"), settle(other, tmp_path, "south")
    for command in ("status", "once"):
        found = CliRunner().invoke(app, [command, "-c", str(north), "-c", str(south)])
        assert found.exit_code == 0, found.output
        assert found.stdout.count("p0") >= 2
    other.stop()
    found = CliRunner().invoke(app, ["status", "-c", str(south), "-c", str(north)])
    assert found.exit_code == 1
    assert "north" in found.stdout


def test_the_risk_of_two_chains_is_one_report(world: World, other: World, tmp_path: Path) -> None:
    """Both read live; ether is one price on both, so one fall takes both: no sum. Each chain's wallet is its own."""
    configs = [settle(at, tmp_path, name, at.url) for at, name in ((world, "north"), (other, "south"))]
    files = list[str]()
    end = min(world.now, other.now)
    for coin, price, size in (("WETH", 2_000, 0.012), ("USDC", 1, 0.0002)):
        rows = [
            f"{end - k * 3_600},{p},{p},{p},{p}"
            for k in range(720, 0, -1)
            for p in (f"{price * math.exp(size * (math.sin(0.7 * k) + math.sin(1.9 * k))):.8f}",)
        ]
        (tmp_path / f"{coin}.csv").write_text("\n".join(("timestamp,open,high,low,close", *rows)))
        files += ["--prices", f"{coin}={tmp_path / f'{coin}.csv'}"]
    options = [option for config in configs for option in ("--config", str(config))]
    found = CliRunner().invoke(app, ["risk", *options, *files, "--json"])
    assert found.exit_code == 0, found.output
    made = json.loads(found.stdout)
    north, south = made["report"]["positions"]
    assert [p["name"].partition("/")[0] for p in (north, south)] == ["north", "south"]
    assert len({made["inputs"]["drivers"][h["asset"]] for p in (north, south) for h in p["holdings"]}) == 2
    for i, both in enumerate(made["report"]["together"]):
        each = north["probability"][i]["paths"]["probability"]
        assert both["any"] == pytest.approx(each, abs=1e-6), "two loans of one price fall in the same hour"
        assert both["all"] == pytest.approx(each, abs=1e-6)
        assert both["sum_of_each"] == pytest.approx(2 * each, abs=1e-6)
    together = made["plans"]["everything"]["everything but dollars −40 %"]
    assert set(together) == {north["name"], south["name"]}
    (tmp_path / "report.json").write_text(found.stdout)
    again = CliRunner().invoke(app, ["risk", "--reproduce", str(tmp_path / "report.json")])
    assert again.exit_code == 0, again.output
