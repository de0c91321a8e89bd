"""Laid out by hand for speed, and so held against a general encoder."""

from __future__ import annotations

import contextlib

import pytest
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.core.units import Address
from keeper.venues.contracts import multicall3
from keeper.venues.contracts.multicall3 import BadAnswerError
from keeper.venues.ports import Read

addresses = st.binary(min_size=20, max_size=20).map(lambda b: Address("0x" + b.hex()))
reads = st.lists(st.builds(Read, addresses, st.binary(max_size=100)), max_size=8)
results = st.lists(st.tuples(st.booleans(), st.binary(max_size=100)), max_size=8)


@settings(deadline=None)
@given(reads)
def test_the_calldata_is_what_a_general_encoder_makes(asked: list[Read]) -> None:
    """Byte for byte, every call allowed to fail."""
    by_library = abi_encode(["(address,bool,bytes)[]"], [[(r.to, True, r.data) for r in asked]])
    data = multicall3.encode(asked)
    assert data[:4].hex() == "82ad56cb"
    assert data[4:] == by_library
    assert len(abi_decode(["(address,bool,bytes)[]"], data[4:])[0]) == len(asked)


@settings(deadline=None)
@given(results)
def test_every_answer_comes_back_in_its_place(given_back: list[tuple[bool, bytes]]) -> None:
    """A failed call, and one that nobody answered, is None and never zero."""
    data = abi_encode(["(bool,bytes)[]"], [given_back])
    expected = [body if succeeded and body else None for succeeded, body in given_back]
    assert multicall3.decode(data, len(given_back)) == expected


@settings(deadline=None)
@given(results.filter(lambda r: any(body for _, body in r)), st.data())
def test_truncated_bytes_raise_or_lose_only_padding(given_back: list[tuple[bool, bytes]], data: st.DataObject) -> None:
    """Cut anywhere: an error, unless only the padding of the last answer is gone. Never another answer."""
    whole = abi_encode(["(bool,bytes)[]"], [given_back])
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = multicall3.decode(cut, len(given_back))
    except BadAnswerError:
        return
    assert found == multicall3.decode(whole, len(given_back))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_answers_raises(count: int) -> None:
    """Two were given."""
    data = abi_encode(["(bool,bytes)[]"], [[(True, b"a"), (True, b"b")]])
    with pytest.raises(BadAnswerError):
        multicall3.decode(data, count)


@pytest.mark.parametrize("data", [b"", b"\0" * 31, b"\xff" * 64, b"\xff" * 320, b"<html></html>"])
def test_nonsense_raises(data: bytes) -> None:
    """Whatever a broken node returns."""
    with pytest.raises(BadAnswerError):
        multicall3.decode(data, 1)


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(1, 4))
def test_any_bytes_decode_or_raise_the_one_error(data: bytes, count: int) -> None:
    """No other exception comes out of it."""
    with contextlib.suppress(BadAnswerError):
        assert len(multicall3.decode(data, count)) == count


@settings(deadline=None)
@given(results, results)
def test_a_layout_reads_what_is_there_whatever_came_before(
    first: list[tuple[bool, bytes]], other: list[tuple[bool, bytes]]
) -> None:
    """The same shape again and again, other contents, another shape, and the first once more: as read one by one."""
    count = len(first)
    other = (other + first)[:count]
    swapped = [(not succeeded, bytes(reversed(body))) for succeeded, body in first]
    layout = multicall3.Layout(count)
    for said in (first, first, first, swapped, other, first, other, other, other, swapped):
        data = abi_encode(["(bool,bytes)[]"], [said])
        assert layout.read(data) == list(multicall3.outcomes(data, count)) == said


@settings(deadline=None)
@given(results.filter(bool), st.data())
def test_a_layout_never_reads_more_than_is_proven(given_back: list[tuple[bool, bytes]], data: st.DataObject) -> None:
    """Bytes changed anywhere, or cut: what it reads is what the one by one reading does, errors included."""
    layout, whole = multicall3.Layout(len(given_back)), abi_encode(["(bool,bytes)[]"], [given_back])
    for _ in range(3):
        layout.read(whole)
    at, changed = data.draw(st.integers(0, len(whole) - 1)), bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    for odd in (bytes(changed), whole[:at], whole + b"\0"):
        with contextlib.suppress(BadAnswerError):
            expected = list(multicall3.outcomes(odd, len(given_back)))
            assert layout.read(odd) == expected
            continue
        with pytest.raises(BadAnswerError):
            layout.read(odd)
