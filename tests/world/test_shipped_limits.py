"""What ships sets no fixed limit to gas: it follows the stake, on real contracts, live."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scenes import DOLLAR, ETHER, Scene
from test_rescues import gas_at

pytestmark = pytest.mark.world

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "keeper.example.toml"
GWEI = 400
"""What gas cost in the crash of May 2021, for hours."""
OWN_LIMITS = {'max_spend_per_tx_usd = "10000"': "", 'max_spend_per_day_usd = "20000"': 'max_spend_per_day_usd = "2e6"'}
"""An owner of a million sets spending limits of a million's size."""


@pytest.fixture
def million(scene: Scene) -> Scene:
    """600 ether against 780,000 dollars at health 1.21, a guardian with 250 ether, and gas as dear as in a crash."""
    scene.signer_index = 1
    scene.open({"WETH": 600 * ETHER}, {"USDC": 780_000 * DOLLAR}).crash("1890")
    scene.world.mint("WETH", scene.signer, 250 * ETHER)
    gas_at(scene, GWEI, blocks=10)
    assert 1.20 < scene.health() < 1.22
    return scene


def shipped(scene: Scene, changes: dict[str, str]) -> None:
    """The settings that ship, with this owner's accounts and files, and what else the owner wrote."""
    scene.write()
    text = EXAMPLE.read_text()
    own = {
        'file = "ethereum"': 'file = "network.toml"',
        'rpc_url = "http://127.0.0.1:8545"': f'rpc_url = "{scene.url}"',
        '"0x70997970C51812dc3A010C7d01b50e0d17dc79C8"': f'"{scene.signer}"',
        '"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"  # or a name': f'"{scene.owner}"  # or a name',
        'keystore = "guardian.json"': 'keystore = "keystore.json"',
        'password_file = "guardian.password"': 'password_file = "password"',
        '# state_dir = "state"  #': 'state_dir = "state"  #',
    }
    for old, new in (own | changes).items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    scene.config.write_text(text)


def test_a_big_position_is_rescued_at_400_gwei_with_the_limits_that_ship(million: Scene) -> None:
    """With the means in its guardian's wallet nothing but the stake says what gas may cost."""
    shipped(million, OWN_LIMITS)
    code, row = million.once("--live")
    assert row["outcome"], row["decision"]
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert million.health() > 1.59
    assert paid_gwei(million) > GWEI * 0.8


def test_within_the_spending_limits_of_the_example_it_is_helped_as_far_as_they_go(million: Scene) -> None:
    """10,000 dollars at once are little for a million, and still go in; that it is not enough is said."""
    shipped(million, {})
    before = million.health()
    code, row = million.once("--live")
    assert row["outcome"], row["decision"]
    assert row["outcome"]["kind"] == "partial", row["outcome"]
    assert code == 3, "still in danger"
    assert million.health() > before + 0.01


@pytest.mark.parametrize("where", ["rule", "safety"])
def test_a_fixed_limit_binds_and_check_says_what_it_could_cost(million: Scene, where: str) -> None:
    """The owner's explicit choice: nothing is sent, the reason names it, and `keeper check` warned of it."""
    here = {
        "rule": {'# max_fee_gwei = "500"           #': 'max_fee_gwei = "200"           #'},
        "safety": {'# max_fee_gwei = "500"            #': 'max_fee_gwei = "200"            #'},
    }[where]
    shipped(million, OWN_LIMITS | here)
    said = " ".join(million.keeper("check").stdout.split())
    assert "max_fee_gwei is fixed at 200.000 gwei" in said
    assert re.search(r"5,000 to 10,000 dollars of every 100,000 dollars of debt", said), said
    nonce = million.nonce()
    code, row = million.once("--live")
    assert (code, row["decision"]["reason"]) == (3, "fee_limit"), row
    assert "200.000 gwei" in row["decision"]["detail"]
    assert million.nonce() == nonce


def paid_gwei(scene: Scene) -> float:
    """What the newest transaction of the signer paid for each gas."""
    for number in range(scene.world.w3.eth.block_number, 0, -1):
        block = scene.world.w3.eth.get_block(number, full_transactions=True)
        mine = [t for t in block["transactions"] if t["from"] == scene.signer]  # type: ignore[index]
        if mine:
            receipt = scene.world.w3.eth.get_transaction_receipt(mine[-1]["hash"])  # type: ignore[index]
            return float(receipt["effectiveGasPrice"]) / 1e9
    raise AssertionError("nothing was sent")
