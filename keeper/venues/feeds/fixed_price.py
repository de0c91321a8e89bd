"""A price source that always answers the same: twenty lines of EVM code, put in a real one's place in rehearsals."""

from __future__ import annotations

from keeper.venues.codec.abi import load

_FEED = load("chainlink_feed")
DECIMALS = 8
_WORD = 32


def price_source(answer: int) -> bytes:
    """Return the runtime code of a source that answers ``latestAnswer`` with a price (8 decimals).

    It knows ``decimals`` and ``latestRoundData`` too (round 1, of the block's own time); whatever else it is asked,
    it answers the price. It needs no storage, and no opcode younger than Constantinople.
    """
    price = b"\x7f" + answer.to_bytes(_WORD, "big", signed=True)  # PUSH32
    selector = bytes.fromhex("60003560e01c")  # CALLDATALOAD(0) >> 224
    simple = price + _store(0) + _return(1)
    places = 2 * len(_jump_if(b"\0" * 4, 0))
    at_decimals = len(selector) + places + len(simple)
    decimals = b"\x5b" + bytes([0x60, DECIMALS]) + _store(0) + _return(1)
    at_round = at_decimals + len(decimals)
    one, time = b"\x60\x01", b"\x42"
    words = (one, price, time, time, one)
    latest_round = b"\x5b" + b"".join(word + _store(i) for i, word in enumerate(words)) + _return(5)
    jumps = _jump_if(_FEED.decimals.selector, at_decimals) + _jump_if(_FEED.latestRoundData.selector, at_round)
    return selector + jumps + simple + decimals + latest_round


def _jump_if(selector: bytes, at: int) -> bytes:
    """DUP1, PUSH4 selector, EQ, PUSH1 at, JUMPI."""
    return b"\x80\x63" + selector + b"\x14\x60" + bytes([at]) + b"\x57"


def _store(word: int) -> bytes:
    """PUSH1 offset, MSTORE."""
    return bytes([0x60, word * _WORD, 0x52])


def _return(words: int) -> bytes:
    """PUSH1 size, PUSH1 0, RETURN."""
    return bytes([0x60, words * _WORD, 0x60, 0x00, 0xF3])
