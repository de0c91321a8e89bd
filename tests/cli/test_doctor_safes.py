"""What the doctor says of a Safe: how many of how many owners have to sign, and what to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from keeper.cli.doctor_findings import Finding, Level
from keeper.cli.doctor_safes import examine
from keeper.core.account import SafeState
from keeper.core.units import Address

SAFE = Address("0x" + "5" * 40)


def said(threshold: int, owners: int | None) -> list[Finding]:
    state = SafeState(7, threshold, True, None, version="1.4.1", owners=owners)
    signer: Any = SimpleNamespace(name="me", safe=SAFE)
    settings: Any = SimpleNamespace(positions=())
    return list(examine({SAFE: state}, settings, signer))


def test_the_threshold_and_the_owners_are_said() -> None:
    """One owner, one signature: nobody else has a say."""
    (found,) = said(1, 1)
    assert found.level is Level.OK
    assert "1 signature of 1 owner, next nonce 7" in found.text


def test_other_owners_who_sign_alone_are_named_with_what_to_do() -> None:
    """Each of them may use up the nonce that a rescue is made for."""
    fine, other = said(1, 3)
    assert "1 signature of 3 owners" in fine.text
    assert other.level is Level.WARNING
    assert "each of its 3 owners may move all of it alone" in other.text
    assert other.remedy


@pytest.mark.parametrize("owners", [3, None])
def test_a_threshold_above_one_fails_with_its_remedy(owners: int | None) -> None:
    """It is said how many of how many, and what to change; a Safe that does not say its owners has none counted."""
    (found,) = said(2, owners)
    assert found.level is Level.FAILING
    assert found.text.endswith("2 signatures of 3 owners" if owners else "2 signatures")
    assert "lower its threshold to 1" in str(found.remedy)
