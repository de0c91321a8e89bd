"""What a staked or stable asset stands for is read with everything else at the block, from real contracts."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

import pytest
from scenes import ETHER, Scene

pytestmark = pytest.mark.world


def judged(scene: Scene, **assets: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    """What assets stand for by the journal's last decision, and what ``status`` says."""
    scene.write()
    network = scene.folder / "network.toml"
    text = network.read_text()
    for symbol, stated in assets.items():
        keys = "".join(f'{key} = "{value}"\n' for key, value in stated.items())
        header = f"[price_safety.assets.{symbol}]\n"
        text = text.replace(header, header + keys) if header in text else f"{text}\n{header}{keys}"
    network.write_text(text)
    scene.keeper("once")
    found = scene.keeper("status")
    with sqlite3.connect(next(scene.folder.rglob("*.sqlite"))) as journal:
        (inputs,) = journal.execute("select inputs from decisions order by id desc limit 1").fetchone()
    stands_for: list[dict[str, Any]] = json.loads(inputs)["stands_for"]
    return stands_for, re.sub(r"\s+", " ", found.stdout + found.stderr)


def test_a_staked_asset_s_rate_and_worth_are_read(scene: Scene) -> None:
    """Aave's own ratio adapter says for how much ether wstETH stands; the oracle what that costs."""
    scene.open({"wstETH": 10 * ETHER})
    source = scene.world.addresses["sources"]["wstETH"]
    (found,), _ = judged(scene, wstETH={"backed_by": "WETH", "rate": source})
    ratio = scene.world.chain.at("RatioAdapter", source).functions.RATIO().call()
    assert int(found["rate"].replace(".", "")) == ratio
    assert float(found["worth"]) == pytest.approx(ratio / 10**18 * float(scene.world.price("WETH")), rel=1e-9)


def test_a_stable_asset_stands_for_dollars(scene: Scene) -> None:
    """No rate: one for one."""
    scene.open()
    found, _ = judged(scene, USDC={"backed_by": "USD"})
    assert [(x["of"], float(x["rate"]), float(x["worth"])) for x in found] == [("USD", 1.0, 1.0)]


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"backed_by": "WETH", "rate": "0x00000000000000000000000000000000000000aa"}, "gives no rate"),
        ({"backed_by": "NOTHING"}, "NOTHING is no asset of a market here"),
    ],
)
def test_what_is_wrong_with_it_is_said_and_blinds_nothing(scene: Scene, stated: dict[str, str], said: str) -> None:
    """The position is judged all the same; what the asset stands for is unknown."""
    scene.open({"wstETH": 10 * ETHER})
    found, printed = judged(scene, wstETH=stated)
    assert found == []
    assert said in printed
    assert "price_safety.assets.wstETH" in printed


def test_a_rate_of_nothing_is_refused_with_the_remedy(scene: Scene) -> None:
    """Exit code 2, the field, and what to write."""
    scene.write()
    network = scene.folder / "network.toml"
    network.write_text(network.read_text() + f'\n[price_safety.assets.X]\nrate = "{scene.owner}"\n')
    found = scene.keeper("check")
    said = re.sub(r"\s+", " ", found.stdout + found.stderr)
    assert found.exit_code == 2, said
    assert "backed_by" in said
