"""Names of ENS: written in many ways, hashed in one; what is not sure to be one name is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ens.abis import ENS

from keeper.core.units import Address
from keeper.venues.contracts.ens import address_probe, normalised, resolver_probe
from keeper.venues.ports import ReadFailedError

A = Address("0x" + "11" * 20)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Vitalik.ETH", "vitalik.eth"),
        ("my-loop.name.eth", "my-loop.name.eth"),
        ("\U0001f98a\ufe0f.eth", "\U0001f98a.eth"),
        ("n\u0303.eth", "\xf1.eth"),
        ("0xabc.eth", "0xabc.eth"),
    ],
)
def test_ways_to_write_a_name_are_one_name(written: str, name: str) -> None:
    """Letters, emoji with and without their selector, composed and decomposed (ENSIP-15)."""
    assert normalised(written) == name


@pytest.mark.parametrize(
    "written",
    ["name.eth.", ".eth", "a..eth", "a b.eth", "v\u0456talik.eth", "\u0440\u0430\u0443\u0440\u0430l.eth",
     "\u0430\u0430\u0430.eth", "na\u200dme.eth", "xn--a.eth", "a_b.eth", "", "eth", "x" * 300 + ".eth", "\ud800.eth",
     "name\u3002eth", "a\x00.eth", "a\u202eb.eth"],
)  # fmt: skip
def test_what_may_be_taken_for_another_name_is_refused(written: str) -> None:
    """Look-alikes, empty parts, blanks and what is not seen: with a reason, in one line."""
    with pytest.raises(ValueError, match=r"\S") as refused:
        normalised(written)
    assert "\n" not in str(refused.value)


def test_the_reads_are_those_of_ens() -> None:
    """Selector and node, by EIP-137: held against web3's own interface and a name hashed by others."""
    hashed = "ee6c4522aab0003e8d14cd40a6af439055fd2577951148c14b6cea9a53475835"
    assert resolver_probe(A, "vitalik.eth").reads[0].data.hex() == "0178b8bf" + hashed
    assert address_probe(A, "vitalik.eth").reads[0].data.hex() == "3b3b57de" + hashed
    assert any(e["name"] == "resolver" and [i["type"] for i in e["inputs"]] == ["bytes32"] for e in ENS)


def test_no_address_is_nobody_and_no_answer_is_no_registry() -> None:
    """Zero never becomes an account."""
    probe = address_probe(A, "a.eth")
    assert probe.decode([bytes(32)]) is None
    assert probe.decode([bytes(12) + bytes.fromhex(A[2:])]) == A
    for answer in (None, b"", b"\xff" * 32, bytes(31)):
        with pytest.raises(ReadFailedError):
            probe.decode([answer])


@pytest.mark.slow
def test_what_comes_with_web3_leaves_the_recursion_limit_alone() -> None:
    """Whoever has a name loads part of web3; a deep answer must still end in an error, not in the process."""
    code = "import sys; from keeper.venues.contracts.ens import normalised; normalised('a.eth'); "
    code += "print(sys.getrecursionlimit(), 'eth_account' in sys.modules, 'web3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1000", "False", "False"]
