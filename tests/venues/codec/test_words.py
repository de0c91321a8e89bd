"""The short way to read an answer says what the general decoder says, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import given
from hypothesis import strategies as st

from keeper.venues.codec.abi import load
from keeper.venues.codec.words import plain_arguments, plain_words

KINDS = ["uint256", "uint128", "uint40", "uint8", "int256", "int24", "int56", "bool", "address"]
words = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**160).map(lambda n: n.to_bytes(32, "big")),
    st.sampled_from([bytes(32), bytes(31) + b"\1", b"\xff" * 32, b"\xff" * 31 + b"\x01", b"\x80" + bytes(31)]),
)


@given(st.lists(st.tuples(st.sampled_from(KINDS), words), min_size=1, max_size=8), st.booleans())
def test_the_short_way_is_the_general_way(outputs: list[tuple[str, bytes]], is_struct: bool) -> None:
    kinds: tuple[str, ...] = tuple(kind for kind, _ in outputs)
    kinds = (f"({','.join(kinds)})",) if is_struct else kinds
    plain = plain_words(kinds)
    assert plain is not None
    found = plain.read(b"".join(word for _, word in outputs))
    if found is not None:
        assert found == tuple(decode(kinds, b"".join(word for _, word in outputs)))
    else:
        with pytest.raises(DecodingError):
            decode(kinds, b"".join(word for _, word in outputs))


@pytest.mark.parametrize(
    "kinds", [("string",), ("uint256[]",), ("bytes",), ("(uint256,string)",), ("(uint8,(bool))",), ("(uint8)[]",), ()]
)
def test_what_is_no_single_word_is_left_to_the_general_way(kinds: tuple[str, ...]) -> None:
    assert plain_words(kinds) is None


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_another_length_is_left_to_the_general_way(size: int) -> None:
    plain: Any = plain_words(("uint256",))
    assert plain.read(bytes(size)) is None


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("address"), st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex())),
            st.tuples(st.just("uint256"), st.integers(0, 2**256 - 1)),
            st.tuples(st.just("uint8"), st.integers(0, 255)),
        ),
        max_size=5,
    )
)
def test_plain_arguments_are_the_general_calldata(given: list[tuple[str, Any]]) -> None:
    kinds, args = [kind for kind, _ in given], [arg for _, arg in given]
    assert plain_arguments(kinds, args) == encode(kinds, args)


@pytest.mark.parametrize(
    ("kinds", "args"),
    [
        (("uint8",), (256,)),
        (("uint256",), (-1,)),
        (("uint256",), (True,)),
        (("address",), ("0x12",)),
        (("bool",), (True,)),
        (("uint256",), ()),
        (("uint256",), (1, 2)),
    ],
)
def test_other_arguments_are_left_to_the_general_encoder(kinds: tuple[str, ...], args: tuple[Any, ...]) -> None:
    assert plain_arguments(kinds, args) is None


def test_calldata_of_one_address_is_the_general_calldata() -> None:
    function = load("erc20").balanceOf
    owner = "0xcA11bde05977b3631167028862bE2a173976CA11"
    assert function.encode(owner) == function.selector + encode(["address"], [owner])
