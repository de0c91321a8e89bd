"""A signer that acts for a Safe: whose wallet counts, who pays, and what cannot be, with the field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keeper import resources
from keeper.settings import Settings
from keeper.settings.notes import notes
from keeper.snapshot.safes import safes_of

Load = Callable[..., Settings]
Faults = Callable[..., list[str]]
SAFE, KEY = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ACTS = ('keystore = "hot.json"', f'keystore = "hot.json"\nsafe = "{SAFE}"')
OTHER = """
[[signers]]
name = "other"
address = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
"""


def test_the_safe_owns_and_pays_and_its_owner_sends(load_text: Load) -> None:
    """So it is no guardian: it may sell."""
    found = load_text(ACTS)
    (position,) = found.positions
    assert (position.owner, position.spender, position.sender) == (SAFE, SAFE, KEY)
    (safe,) = safes_of(found.network, found.positions)
    assert (safe.address, safe.owner, safe.multi_send) == (SAFE, KEY, found.network.multi_send)
    assert not any("a guardian signs" in note for note in notes(found))


def test_settings_without_a_safe_are_what_they_were(load_text: Load) -> None:
    """A signer acts for itself."""
    found = load_text()
    assert found.signers[0].account == KEY
    assert safes_of(found.network, found.positions) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("[[positions]]", f'{OTHER}safe = "{SAFE}"\n[[positions]]')], "two signers act for one Safe"),
        ([(ACTS[1], f"{ACTS[1]}\nbatch = true")], "signers[0].batch (in 'hot'): a Safe makes one transaction"),
        ([(f'safe = "{SAFE}"', f'safe = "{KEY}"')], "is the signer itself"),
        (
            [("[[positions]]", OTHER.replace("0x90F79bf6EB2c4f870365E785982E1f101E93b906", SAFE) + "[[positions]]")],
            "is declared as a signer's address as well",
        ),
    ],
)
def test_what_cannot_be_is_said_with_its_place(faults: Faults, changes: list[tuple[str, str]], words: str) -> None:
    """Before any node is asked."""
    said = faults(ACTS, *changes)
    assert any(words in line for line in said), said
    assert all(line.startswith("signers[") for line in said)


def test_a_network_without_the_contract_is_said(faults: Faults, tmp_path: Path) -> None:
    """Several calls of a Safe go through it."""
    text = (resources.folder("networks") / "ethereum.toml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("multi_send_call_only")]
    (tmp_path / "own.toml").write_text("\n".join(lines), encoding="utf-8")
    (said,) = faults(ACTS, ('file = "ethereum"', 'file = "own.toml"'))
    assert "signers[0].safe (in 'hot'): the network file has no multi_send_call_only" in said


def test_a_perpetual_position_of_a_safe_is_refused_by_name(faults: Faults) -> None:
    """Until it is kept: watch it without a signer."""
    perp = '[[positions]]\nname = "short"\nvenue = "perp_v2"\nowner = "' + SAFE + '"\nsigner = "hot"\n\n[[rules]]'
    said = faults(ACTS, ('file = "ethereum"', 'file = "optimism"'), ("[[rules]]", perp))
    assert any("perpetual positions of a Safe are not kept yet" in line for line in said), said
