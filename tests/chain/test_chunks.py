"""How reads are split into calls, and what is learnt from a node that says no."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.chunks import Bundle, Caps, is_too_big, laid_out
from keeper.chain.errors import NodeRefusedError, TooBigError
from keeper.core.units import Address
from keeper.venues.contracts import multicall3
from keeper.venues.ports import Read

TO = Address("0x" + "11" * 20)


def read(i: int, gas: int = 20_000) -> Read:
    return Read(TO, i.to_bytes(36, "big"), gas)


def caps(reads: int = 1000, gas: int = 10**9, size: int = 10**9) -> Caps:
    return Caps(reads, gas, size)


@given(
    st.lists(st.integers(1, 10**6), max_size=60),
    st.integers(1, 20),
    st.integers(1, 3 * 10**6),
    st.integers(1, 20_000),
)
def test_every_read_is_asked_once_in_its_order_within_the_caps(
    gases: list[int], most: int, gas: int, size: int
) -> None:
    reads = [read(i, g) for i, g in enumerate(gases)]
    parts = list(caps(most, gas, size).split(reads))
    assert [r for part in parts for r in part] == reads
    assert all(part for part in parts)
    assert all(len(part) <= most for part in parts)
    assert all(len(part) == 1 or sum(r.gas for r in part) <= gas for part in parts)
    assert all(len(part) == 1 or 2 * sum(len(r.data) for r in part) <= size for part in parts)


def test_calldata_is_laid_out_once_while_the_caps_stay() -> None:
    bundle, limits = Bundle([read(i) for i in range(100)]), caps()
    (first,) = bundle.chunks(limits, TO)
    assert bundle.chunks(limits, TO)[0] is first
    limits.refused(first)
    parts = bundle.chunks(limits, TO)
    assert [len(p.reads) for p in parts] == [50, 50]
    assert bundle.chunks(limits, TO)[0] is parts[0]


def test_calldata_is_what_multicall3_takes() -> None:
    chunk = laid_out([read(1), read(2)], TO)
    proofs = (multicall3.timestamp().read(TO), multicall3.chain_id().read(TO))
    assert chunk.data == "0x" + multicall3.encode((*proofs, read(1), read(2))).hex()


def test_what_was_refused_is_never_asked_for_at_once_again_until_relaxed() -> None:
    limits = caps(gas=40 * 20_000)
    (chunk, *_) = Bundle([read(i) for i in range(40)]).chunks(limits, TO)
    limits.refused(chunk)
    assert max(len(p) for p in limits.split([read(i) for i in range(400)])) == 20
    for _ in range(5):
        limits.relax()
    assert max(len(p) for p in limits.split([read(i) for i in range(400)])) == 40


def test_half_of_what_a_node_grants_is_planned_with() -> None:
    limits = caps(gas=10**9)
    limits.granted = 400_000
    assert max(len(p) for p in limits.split([read(i) for i in range(100)])) == 10
    assert limits.is_ample(laid_out([read(i) for i in range(5)], TO))
    assert not limits.is_ample(laid_out([read(i) for i in range(6)], TO))


def test_without_knowing_what_is_granted_no_call_is_ample() -> None:
    assert not caps().is_ample(laid_out([read(1)], TO))


def test_nodes_say_too_much_in_many_ways() -> None:
    for text in (
        "out of gas",
        "EVM error: OutOfGas",
        "gas required exceeds allowance (50000000)",
        "execution aborted (timeout = 5s)",
        "Response size is larger than 150MB limit, too large",
        "intrinsic gas too low",
    ):
        assert is_too_big(NodeRefusedError("n", "eth_call", -32000, text, None)), text
    assert is_too_big(TooBigError("n", "eth_call", 413, "", None))
    for text in ("header not found", "limit exceeded", "internal error", "rate limit", "method not found"):
        assert not is_too_big(NodeRefusedError("n", "eth_call", -32000, text, None)), text
