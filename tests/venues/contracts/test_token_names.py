"""A token calls itself what it likes; nothing of that reaches a terminal, a journal or an alarm as it is."""

import pytest
from eth_abi.abi import encode

from keeper.core.units import Address
from keeper.venues.contracts.erc20 import LONGEST_SYMBOL, symbol_of

ASSET = Address("0x" + "ab" * 20)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (encode(("string",), ("WETH",)), "WETH"),
        (encode(("string",), ("",)), "0xababab"),
        (encode(("string",), ("\n\x1b[2J",)), "[2J"),
        (encode(("string",), ("U\x00S\u202eD",)), "U S D"),
        (encode(("bytes",), (b"\xff\xfe",)), "0xababab"),
        (b"MKR" + bytes(29), "MKR"),
        (b"\x1b[2J" + bytes(28), "[2J"),
        (b"", "0xababab"),
        (None, "0xababab"),
        (b"\x00" * 31, "0xababab"),
    ],
)
def test_a_symbol_is_one_short_line(answer: bytes | None, shown: str) -> None:
    """Control characters and directions of writing are no letters; what cannot be read is called by its address."""
    assert symbol_of(answer, ASSET) == shown


def test_a_symbol_without_end_is_cut() -> None:
    """A hundred thousand letters would be in every line of the log."""
    assert len(symbol_of(encode(("string",), ("x" * 100_000,)), ASSET)) == LONGEST_SYMBOL
