"""A chain on which the keeper knows GMX v2 and nothing else: no lending market, no exchange but to price gas by."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from scenes import Scene
from test_gmx_kept import kept, made, opened, rule

from sandbox.gmx_actors import GmxKeeper

pytestmark = pytest.mark.world

LOAN = re.compile(r"\[\[positions\]\]\nname = \"eth-loop\"\n.*?signer = \"me\"\n", re.DOTALL)


def alone(scene: Scene, *, drops: tuple[str, ...] = ("aave_v3", "uniswap_v3"), **network: str) -> Scene:
    """Settings with the short alone, and a network file without the tables of ``drops``."""
    kept(opened(scene), rule('"reduce"')).write()
    scene.config.write_text(LOAN.sub("", scene.config.read_text()))
    file = scene.folder / "network.toml"
    text = file.read_text()
    for table in drops:
        text = re.sub(rf"\[{table}(\.\w+)?\]\n(?:.+\n)*", "", text)
    for old, new in network.items():
        text = text.replace(old, new)
    file.write_text(text)
    return scene


def run(scene: Scene, *command: str) -> Any:
    found = scene.keeper(*command, "--json")
    assert found.exit_code in (0, 3), found.stderr + found.stdout
    return json.loads(found.stdout)


def test_a_short_is_kept_where_there_is_no_lending_market(scene: Scene) -> None:
    """Checked, looked at, rehearsed in dry run, then reduced by an order; gas is priced by the venue's own oracle."""
    alone(scene)
    assert [p["name"] for p in run(scene, "check")["positions"]] == ["short"]
    (row,) = run(scene, "status")["positions"]
    assert (row["name"], row["readable"]) == ("short", True)
    scene.world.set_price("WETH", "2400")
    with GmxKeeper(scene.world, poll_s=0.05):
        (row,) = run(scene, "once")["positions"]
        assert made(row)[0] == "rehearsed", row
        (row,) = run(scene, "once", "--live")["positions"]
    assert made(row) == ("restored", "restored"), row
