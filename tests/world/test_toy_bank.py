"""A venue added as one package and one line of the registry is kept like any other, on its own real contract."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene
from toy_bank.contract import Bank

from keeper.core.family import Family
from keeper.venues.registry import VENUES, Key, Venue

pytestmark = pytest.mark.world
TOY = Venue("toy_bank", Family.LENDING, (Key("bank"),), may_name=("market",), package="toy_bank")
POSITION = """
[[positions]]
name = "in the bank"
venue = "toy_bank"
owner = "{owner}"
signer = "me"

[[rules]]
name = "protect"
position = "in the bank"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["top_up", "repay", "deleverage"]
[rules.limits]
max_slippage_bps = 100
"""


@pytest.fixture
def bank(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Bank:
    """The scene's owner, with an account in the bank and none elsewhere."""
    monkeypatch.setitem(VENUES, "toy_bank", TOY)  # type: ignore[arg-type]  # the registry is read-only to the program
    bank = Bank(scene.world)
    scene.rules = POSITION.format(owner=scene.owner)
    scene.write()
    file = scene.folder / "network.toml"
    file.write_text(file.read_text() + f'\n[markets.toy]\nvenue = "toy_bank"\nbank = "{bank.address}"\n')
    text = scene.config.read_text()
    begin, end = text.index("[[positions]]"), text.index('[[positions]]\nname = "in the bank"')
    scene.config.write_text(text[:begin] + text[end:])
    return bank


def once(scene: Scene, *options: str) -> dict[str, Any]:
    (row,) = json.loads(scene.keeper("once", "--json", *options).stdout)["positions"]
    return dict(row)


def test_its_figures_are_the_contract_s_own(scene: Scene, bank: Bank) -> None:
    """To the wei, before the program acts on anything."""
    bank.open(scene.owner, 10 * ETHER, 9_876_543_210)
    (row,) = scene.data("status")["positions"]
    _, _, health = bank.account(scene.owner)
    assert int(Decimal(row["figures"]["health_factor"]) * ETHER) == health


def test_it_is_sold_out_of_danger(scene: Scene, bank: Bank) -> None:
    """Withdraw, swap and repay in rounds: its own calls, through the one gate, to the target, and nothing left over."""
    bank.open(scene.owner, 10 * ETHER, 12_300 * DOLLAR)
    scene.crash("1890")
    assert bank.account(scene.owner)[2] < 1.25 * ETHER
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    supplied, owed, health = bank.account(scene.owner)
    assert health == pytest.approx(1.6 * ETHER, rel=0.01)
    assert supplied < 10 * ETHER
    assert owed < 12_300 * DOLLAR
    assert scene.world.token("WETH").functions.allowance(scene.owner, bank.address).call() == 0
    assert scene.world.token("USDC").functions.allowance(scene.owner, bank.address).call() == 0


def test_it_is_topped_up_from_the_wallet(scene: Scene, bank: Bank) -> None:
    """What the wallet holds pays for it: nothing is sold."""
    scene.config.write_text(scene.config.read_text().replace('"repay", "deleverage"]', '"repay"]'))
    bank.open(scene.owner, 10 * ETHER, 12_300 * DOLLAR)
    scene.world.mint("WETH", scene.owner, 20 * ETHER)
    scene.crash("1890")
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert bank.account(scene.owner)[0] > 10 * ETHER
    assert bank.account(scene.owner)[1] == 12_300 * DOLLAR


def test_what_another_did_to_it_is_reported(scene: Scene, bank: Bank) -> None:
    """A liquidation, by the bank's own event."""
    bank.open(scene.owner, 10 * ETHER, 12_300 * DOLLAR)
    once(scene)
    world, who = scene.world, scene.world.role("liquidator")
    world.set_price("WETH", "1500")
    world.mint("USDC", who, 20_000 * DOLLAR)
    world.chain.send(world.token("USDC").functions.approve(bank.address, 20_000 * DOLLAR), who)
    world.chain.send(bank.contract.functions.liquidate(scene.owner), who)
    found = scene.keeper("once")
    assert "was liquidated" in found.stdout + found.stderr


def test_an_address_that_is_no_bank_blinds_its_position_with_the_remedy(scene: Scene, bank: Bank) -> None:
    """The place in the network file is named."""
    file = scene.folder / "network.toml"
    file.write_text(file.read_text().replace(bank.address, scene.world.addresses["tokens"]["WETH"]))
    found = scene.keeper("once")
    said = " ".join((found.stdout + found.stderr).split())
    assert "markets.toy.bank" in said
    assert "correct it" in said
