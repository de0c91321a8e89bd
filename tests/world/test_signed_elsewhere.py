"""A rescue signed by a remote signer on real contracts: done by an honest one, nothing sent by one that lies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenes import DOLLAR, Scene

sys.path.insert(0, str(Path(__file__).parents[1] / "execution"))

from signing_stand import SigningStand

pytestmark = pytest.mark.world
FINE, IN_DANGER = 0, 3


@pytest.fixture
def stand(scene: Scene) -> Iterator[SigningStand]:
    """The owner's key is with somebody else, and no keystore is named."""
    with SigningStand(scene.world.account(0).key.hex()) as found:
        scene.open(debt={"USDC": 13_000 * DOLLAR}, keep_debt=True)
        scene.write()
        text = scene.config.read_text().replace(
            'keystore = "keystore.json"\npassword_file = "password"', f'remote = "{found.url}"'
        )
        scene.config.write_text(text)
        yield found


def test_a_rescue_is_signed_by_a_remote_signer(scene: Scene, stand: SigningStand) -> None:
    """Asked once for each transaction and for nothing else; the doctor says that it answers, and for whom."""
    lines = scene.keeper("doctor").stdout
    assert "answers, and signs for" in lines
    scene.crash()
    before = scene.nonce()
    code, row = scene.once("--live")
    assert code == FINE, row
    signed = [params for method, params in stand.asked if method == "eth_signTransaction"]
    assert len(signed) == scene.nonce() - before > 0
    assert scene.health() > 1.59


def test_nothing_is_sent_that_a_remote_signer_made_of_its_own(scene: Scene, stand: SigningStand) -> None:
    """It signs a transfer to itself in the place of the rescue: refused by name, no nonce is used."""
    thief = scene.world.account(5).address
    stand.alter = lambda fields: fields.update({"to": thief, "value": 10**18, "data": "0x"})
    scene.crash()
    before, held = scene.nonce(), scene.world.w3.eth.get_balance(thief)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["reason"]) == (IN_DANGER, "signed_otherwise")
    assert (scene.nonce(), scene.world.w3.eth.get_balance(thief)) == (before, held)


def test_a_signer_that_is_away_fails_the_plan_and_the_next_block_tries_again(scene: Scene, stand: SigningStand) -> None:
    """Said with its reason; when it is back, the position is rescued."""
    stand.error = {"code": -32000, "message": "signing key is locked"}
    scene.crash()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["reason"]) == (IN_DANGER, "signer_refused")
    assert "signing key is locked" in row["outcome"]["detail"]
    stand.error = None
    scene.world.mine()
    code, row = scene.once("--live")
    assert code == FINE, row
    assert scene.health() > 1.59
