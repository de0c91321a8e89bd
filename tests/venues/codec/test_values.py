"""Values to bytes and back, held against eth-abi: the same bytes, the same values, the same refusals."""

from __future__ import annotations

from typing import Any

import eth_abi
import pytest
from eth_abi.exceptions import DecodingError as TheirDecodingError
from eth_abi.exceptions import EncodingError as TheirEncodingError
from eth_utils.address import to_checksum_address as their_checksum
from eth_utils.crypto import keccak as their_keccak
from hypothesis import given
from hypothesis import strategies as st

from keeper.venues.codec.hashes import keccak, to_checksum_address
from keeper.venues.codec.values import DecodingError, EncodingError, decode, encode

WORDS = ("uint8", "uint24", "uint256", "int24", "int192", "int256", "bool", "address", "bytes4", "bytes32")
KINDS = st.recursive(
    st.sampled_from((*WORDS, "bytes", "string")),
    lambda inner: st.one_of(
        inner.map(lambda kind: f"{kind}[]"),
        st.tuples(inner, st.integers(1, 3)).map(lambda made: f"{made[0]}[{made[1]}]"),
        st.lists(inner, min_size=1, max_size=4).map(lambda kinds: f"({','.join(kinds)})"),
    ),
    max_leaves=6,
)


def values(kind: str) -> st.SearchStrategy[Any]:
    """Values of a type, by eth-abi's own reading of it."""
    parsed = eth_abi.grammar.parse(kind)
    if parsed.arrlist:
        (size,) = parsed.arrlist[-1] or (None,)
        least, most = (0, 3) if size is None else (size, size)
        return st.lists(values(parsed.item_type.to_type_str()), min_size=least, max_size=most).map(tuple)
    if hasattr(parsed, "components"):
        return st.tuples(*(values(part.to_type_str()) for part in parsed.components))
    match parsed.base:
        case "uint":
            return st.integers(0, 2**parsed.sub - 1)
        case "int":
            return st.integers(-(2 ** (parsed.sub - 1)), 2 ** (parsed.sub - 1) - 1)
        case "bool":
            return st.booleans()
        case "address":
            return st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex())
        case "bytes" if parsed.sub:
            return st.binary(min_size=parsed.sub, max_size=parsed.sub)
        case "bytes":
            return st.binary(max_size=70)
    return st.text(max_size=40)


@st.composite
def typed(draw: st.DrawFn) -> tuple[list[str], list[Any]]:
    kinds = draw(st.lists(KINDS, max_size=4))
    return kinds, [draw(values(kind)) for kind in kinds]


@given(typed())
def test_the_bytes_are_those_of_eth_abi_and_come_back_as_the_values(of: tuple[list[str], list[Any]]) -> None:
    """Every type, nested as deep as contracts nest them."""
    kinds, given_values = of
    octets = encode(kinds, given_values)
    assert octets == eth_abi.encode(kinds, given_values)
    assert decode(kinds, octets) == eth_abi.decode(kinds, octets) == tuple(given_values)


@given(typed(), st.data())
def test_bytes_that_were_tampered_with_are_read_as_eth_abi_reads_them_or_refused(
    of: tuple[list[str], list[Any]], data: st.DataObject
) -> None:
    """A value that we take is theirs to the last field, and what they refuse we refuse.

    Where one place is pointed to twice, or into the head, they may be the more lenient.
    """
    kinds, given_values = of
    octets = bytearray(encode(kinds, given_values))
    for _ in range(data.draw(st.integers(1, 3)) if octets else 0):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(octets[: data.draw(st.integers(0, len(octets)))]) if data.draw(st.booleans()) else bytes(octets)
    try:
        ours = decode(kinds, cut)
    except (DecodingError, UnicodeDecodeError):
        return
    assert ours == eth_abi.decode(kinds, cut)


@given(st.sampled_from(WORDS), st.binary(min_size=32, max_size=32))
def test_a_word_is_refused_where_eth_abi_refuses_it(kind: str, word: bytes) -> None:
    """A number above its type, padding that is not zero: no more lenient, and no stricter."""
    try:
        theirs = eth_abi.decode([kind], word)
    except TheirDecodingError:
        with pytest.raises(DecodingError):
            decode([kind], word)
        return
    assert decode([kind], word) == theirs


WRONG = [
    ("uint8", 256),
    ("uint256", -1),
    ("uint256", 2**256),
    ("uint256", True),
    ("uint256", "1"),
    ("uint256", 1.0),
    ("int24", 2**23),
    ("int24", -(2**23) - 1),
    ("bool", 1),
    ("address", "0x00"),
    ("address", 5),
    ("bytes4", b"12345"),
    ("bytes4", "1234"),
    ("bytes", "text"),
    ("string", b"bytes"),
    ("uint8[]", 5),
    ("uint8[2]", (1,)),
    ("(uint8,uint8)", (1,)),
    ("bytes[]", b"12"),
]


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_a_value_that_does_not_fit_its_type_is_not_written(kind: str, value: object) -> None:
    """Nor by eth-abi: a wrong number never becomes calldata."""
    with pytest.raises((TheirEncodingError, TypeError)):
        eth_abi.encode([kind], [value])
    with pytest.raises(EncodingError):
        encode([kind], [value])


def test_another_number_of_values_is_not_written() -> None:
    """One left out is no zero."""
    with pytest.raises(EncodingError):
        encode(["uint8", "uint8"], [1])


def test_a_type_that_is_not_known_is_no_guess() -> None:
    """Fixed-point numbers, functions, and what was misspelt."""
    for kind in ("fixed128x18", "function", "uint256x", "", "bytes[", "mapping(uint8,uint8)"):
        with pytest.raises(ValueError, match="no type that is known"):
            encode([kind], [1])


def test_what_stands_in_two_places_at_once_is_refused() -> None:
    """A thousand parts that are all the same kilobyte would become a megabyte, and a megabyte a gigabyte."""
    once = encode(["bytes"], [bytes(1024)])[32:]
    many = (1000).to_bytes(32, "big") + (32 * 1000).to_bytes(32, "big") * 1000 + once
    octets = (32).to_bytes(32, "big") + many
    assert len(eth_abi.decode(["bytes[]"], octets)[0]) == 1000
    with pytest.raises(DecodingError):
        decode(["bytes[]"], octets)


def test_a_length_beyond_the_bytes_is_refused_at_once() -> None:
    """Whatever it says: nothing is set aside for items that are not there."""
    for count in (2**255, 2**64, 10**9):
        with pytest.raises(DecodingError):
            decode(["uint256[]"], (32).to_bytes(32, "big") + count.to_bytes(32, "big") + bytes(64))
        with pytest.raises(DecodingError):
            decode(["bytes"], (32).to_bytes(32, "big") + count.to_bytes(32, "big") + bytes(64))


@given(st.binary(min_size=20, max_size=20), st.text(max_size=50))
def test_hashes_and_checksums_are_those_of_eth_utils(raw: bytes, text: str) -> None:
    """Keccak-256 of bytes and texts, and addresses by EIP-55 however they are written."""
    assert (keccak(raw), keccak(text=text)) == (their_keccak(raw), their_keccak(text=text))
    wanted = their_checksum(raw)
    for written in (raw, wanted, wanted.lower(), wanted.upper().replace("X", "x"), wanted[2:]):
        assert to_checksum_address(written) == wanted
    for wrong in (raw[1:], wanted[:-1], wanted + "0", "0x" + "g" * 40):
        with pytest.raises(ValueError, match="not an address"):
            to_checksum_address(wrong)
