"""A signer that hangs on real contracts: whoever it signs for waits, and nobody else; a rescue goes before the rest."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenes import ETHER, Keeper, Scene
from test_approvals_left import cut_short, standing

sys.path.insert(0, str(Path(__file__).parents[1] / "execution"))

from signing_stand import SigningStand

pytestmark = pytest.mark.world
HANGS_S = 60.0


@pytest.fixture
def asleep(scene: Scene) -> Iterator[tuple[SigningStand, Scene]]:
    """What a dead plan of the first account approved is still there, and who signs for it is asked from now on.

    A second account, whose key is at hand, stands beside it under the same keeper.
    """
    other = Scene(scene.world, scene.folder / "other", owner_index=1, signer_index=1)
    other.folder.mkdir()
    scene.open({"WETH": 10 * ETHER}).write()
    other.open({"WETH": 10 * ETHER}, keep_debt=True).write()  # it can repay: one call, whatever pools say
    cut_short(scene)
    assert standing(scene), "the scene is what it should be"
    scene.crash("2400")  # nothing is wrong by then
    with SigningStand(scene.world.account(0).key.hex()) as stand:
        text = scene.config.read_text()
        text = text.replace('keystore = "keystore.json"\npassword_file = "password"', f'remote = "{stand.url}"')
        second = f"""
[[signers]]
name = "other"
address = "{other.signer}"
keystore = "other/keystore.json"
password_file = "other/password"
[[positions]]
name = "second"
venue = "aave_v3"
owner = "{other.owner}"
signer = "other"
{scene.rules.replace("eth-loop", "second").replace('"protect"', '"protect-second"')}
"""
        scene.config.write_text(text.replace("[daemon]", second + "[daemon]"))
        yield stand, other


def asked(stand: SigningStand, keeper: Keeper) -> None:
    """Wait until it was asked for a signature."""
    until = time.monotonic() + 40
    while not any(method == "eth_signTransaction" for method, _ in stand.asked):
        assert time.monotonic() < until, keeper.log
        time.sleep(0.05)


def test_a_signer_that_hangs_over_tidying_keeps_no_other_account_from_its_rescue(
    scene: Scene, asleep: tuple[SigningStand, Scene]
) -> None:
    """It hangs over an approval; the account beside it is rescued meanwhile, and the owner hears who is asleep."""
    stand, other = asleep
    stand.delay_s = HANGS_S
    with scene.running("--live") as keeper:
        scene.world.mine()
        asked(stand, keeper)
        began = time.monotonic()
        scene.crash("1922.89")
        keeper.wait_for('"kind": "restored"', 30)
        took_s = time.monotonic() - began
        log = keeper.wait_for("A transaction waits for its signature", 30)
    assert took_s < 15, "the signer is given 20 s"
    assert other.health() > 1.59
    assert '"position": "second"' in log
    assert scene.signer in log


def test_a_rescue_goes_before_what_a_sleeping_signer_was_asked_beside_it(
    scene: Scene, asleep: tuple[SigningStand, Scene]
) -> None:
    """It sleeps over an approval that is to be taken back; the price falls: it is asked for the rescue, and signs."""
    stand, _ = asleep
    stand.delay_s = HANGS_S
    with scene.running("--live") as keeper:
        scene.world.mine()
        asked(stand, keeper)
        stand.delay_s, before = 0.0, len(stand.asked)
        began = time.monotonic()
        scene.crash("1700")
        assert scene.health() < 1.25
        while scene.health() < 1.25:
            assert time.monotonic() - began < HANGS_S / 2, keeper.log
            time.sleep(0.1)
    assert len(stand.asked) > before
