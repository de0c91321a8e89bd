"""What nodes write as text is read strictly: no sign, no blank, no number without end."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.venues.codec.abi import revert_reason
from keeper.venues.codec.quantities import LARGEST, MOST_WEI, hash32, octets, plain, quantity, shown

NONSENSE = [
    "-0x5", "+0x5", " 0x5", "0x5 ", "0x", "5", "0x_5", "0x5_0", "0x-5", "0X5", "0x5g", "", "0x" + "1" * 65, "٥", "0x٥",
    None, 5, True, 5.0, [], {}, ["0x5"],
]  # fmt: skip


@pytest.mark.parametrize("value", NONSENSE)
def test_what_is_no_quantity_is_refused(value: object) -> None:
    """A nonce of "-0x5" is believed by ``int(…, 16)``."""
    with pytest.raises(ValueError, match=r"quantity|more"):
        quantity(value)


def test_a_quantity_has_a_bound() -> None:
    """Of the journal's integers by default; of money a larger one."""
    assert quantity(hex(LARGEST)) == LARGEST
    assert quantity("0x0007") == 7
    with pytest.raises(ValueError, match="more than can be"):
        quantity(hex(LARGEST + 1))
    assert quantity(hex(MOST_WEI), MOST_WEI) == MOST_WEI
    with pytest.raises(ValueError, match="more than can be"):
        quantity("0x2", 1)


@pytest.mark.parametrize("value", ["0x1", "1234", "0x 12", "0x12 34", "0xgg", None, 7, b"0x12", ["0x12"], "0x12\n"])
def test_what_is_not_bytes_is_refused(value: object) -> None:
    """``bytes.fromhex`` skips blanks."""
    with pytest.raises(ValueError, match=r"not bytes|non-hexadecimal"):
        octets(value)
    assert octets("0x") == b""
    assert octets("0x12aB") == b"\x12\xab"


@pytest.mark.parametrize("value", ["0x12", "0x" + "g" * 64, "a" * 66, None, 5, "0x" + "1" * 64 + "\n"])
def test_what_is_no_hash_is_refused(value: object) -> None:
    """Of 32 bytes, in small letters whatever the node wrote."""
    with pytest.raises(ValueError, match="not a hash"):
        hash32(value)
    assert hash32("0x" + "aB" * 32) == "0x" + "ab" * 32


def test_what_others_say_is_short_and_printable() -> None:
    """Nodes, contracts and tokens may say anything: a terminal obeys none of it."""
    said = "\x1b]0;owned\x07\u202e" + "x" * 10_000
    for text in (plain(said), shown(said), shown({"a": said}), shown([said] * 9)):
        assert text.isprintable()
        assert len(text) <= 600
    data = keccak(text="Error(string)")[:4] + encode(("string",), (said,))
    assert revert_reason(data).isprintable()
    assert len(revert_reason(data)) <= 600


def test_text_that_is_no_utf8_is_an_error_and_no_crash() -> None:
    """A token's symbol, a revert's text."""
    text = encode(("bytes",), (b"\xff\xfe",))
    assert revert_reason(keccak(text="Error(string)")[:4] + text).startswith("0x08c379a0")
