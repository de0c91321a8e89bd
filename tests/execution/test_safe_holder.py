"""What a lane knows of a Safe: which of its nonces a signature was shown for, over a restart, and how that ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from test_lane import Rig, guidance, rig  # noqa: F401 - the fixture
from test_through_safe import SAFE, sign

from keeper.execution.carriers import Use
from keeper.execution.holders import OfSafe, OwnKey
from keeper.execution.through_safe import nonces_used
from keeper.venues.contracts.safe import encode_by_owner


class Node:
    """A chain where the Safe is at a nonce."""

    def __init__(self, nonce: int) -> None:
        self.nonce, self.asked = nonce, 0

    async def request(self, method: str, *params: Any) -> str:
        self.asked += 1
        assert method == "eth_call"
        assert params[0]["to"] == SAFE.address
        return "0x" + self.nonce.to_bytes(32, "big").hex()


class Facts(dict[str, Any]):
    """What outlives a keeper."""

    async def get(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
        return dict.get(self, key, default)

    async def set(self, key: str, value: Any) -> None:
        self[key] = value


def holder(nonce: int = 7, facts: Facts | None = None) -> OfSafe:
    return OfSafe(Node(nonce), Facts() if facts is None else facts, SAFE, sign)  # type: ignore[arg-type]


async def test_what_is_shown_is_written_down_and_taken_up_after_a_restart() -> None:
    """The highest alone: what is good for it is dead once the Safe is past it, and so is all below."""
    facts = Facts()
    first = holder(facts=facts)
    await first.expose([None, Use(7, None), Use(8, 9)])
    await first.expose([Use(5, 6)])
    assert facts == {f"safe:31337:{SAFE.address}": {"nonce": 9}}
    later = holder(facts=facts)
    await later.recall()
    assert later.exposed == first.exposed == 9
    await later.expose([Use(10, 11)])
    assert later.exposed == 11
    assert facts == {f"safe:31337:{SAFE.address}": {"nonce": 11}}


async def test_nothing_is_written_for_a_plan_without_a_signature() -> None:
    """Sent by the owner himself, it leaves nothing that would be good for anybody."""
    facts = Facts()
    await holder(facts=facts).expose([Use(7, None)])
    assert facts == {}


async def test_a_signature_is_dead_once_the_safe_is_past_its_nonce() -> None:
    """And not before: at the very nonce it could be run."""
    for nonce, is_alive in ((7, True), (8, True), (9, False)):
        one = holder(nonce)
        await one.expose([Use(7, 8)])
        assert await one.is_exposed() is is_alive, nonce
    assert not await holder().is_exposed()


async def test_a_cancellation_uses_up_all_that_was_shown_and_is_known_as_one() -> None:
    """Signed for its nonces; where nothing was shown, a transfer of nothing does."""
    one = holder(7)
    plain = await one.ending("cancel: all")
    assert (plain.to, plain.data) == (SAFE.owner, b"")
    await one.expose([Use(7, 8)])
    call = await one.ending("cancel: all")
    assert (call.to, nonces_used(SAFE, [call])) == (SAFE.address, 1), "the other is signed, and not waited for"
    assert SAFE.unsealed not in call.data
    row: Any = _Row(call.to, "0x" + call.data.hex())
    assert one.is_ending(row)
    assert one.is_ending(_Row(SAFE.owner, "0x"))  # type: ignore[arg-type]
    other = encode_by_owner(SAFE, [replace(call, to=SAFE.owner, data=b"")], "pays")
    assert not one.is_ending(_Row(SAFE.address, "0x" + other.data.hex()))  # type: ignore[arg-type]


async def test_a_nonce_that_another_used_is_said() -> None:
    """By the first of what would be sent."""
    assert await holder(7).moved([None, Use(7, 8)]) is None
    assert "nonce 9 is next, the plan was made for 7" in str(await holder(9).moved([Use(7, 8)]))
    assert await holder(9).moved([None]) is None


class _Row:
    """A row of the journal, as far as it matters."""

    def __init__(self, to: str, data: str) -> None:
        self.signer, self.to, self.data, self.value, self.id = SAFE.owner, to, data, 0, 1


async def test_a_key_of_its_own_shows_nothing_and_ends_by_a_transfer_of_nothing() -> None:
    """As it was before there were Safes."""
    one = OwnKey(SAFE.owner)
    await one.expose([Use(1, 2)])
    assert one.exposed is None
    assert not await one.is_exposed()
    call = await one.ending("cancel: x")
    assert (call.to, call.data, call.value) == (SAFE.owner, b"", 0)
    assert await one.moved([Use(1, 2)]) is None


async def test_what_was_shown_is_written_down_before_the_bytes_are_signed(rig: Rig) -> None:  # noqa: F811
    """A full disk in between leaves a note too many, never one too few."""
    facts, lane = Facts(), rig.lane
    one = holder(7, facts)
    lane.holder = lane._dispatch.holder = one
    rig.clock.at = [(3, rig.chain.mine)]
    seen: list[Any] = []
    signed = lane._dispatch._signed

    def watch(*args: Any) -> Any:
        seen.append(dict(facts))
        return signed(*args)

    lane._dispatch._signed = watch  # type: ignore[method-assign]
    await lane.send([replace(rig.out("01"), use=Use(7, 8))], guidance())
    assert seen == [{f"safe:31337:{SAFE.address}": {"nonce": 8}}]


async def test_a_quiet_block_asks_nothing_once_it_is_dead() -> None:
    """One question, until something is shown anew or the chain has another history."""
    node = Node(9)
    one = OfSafe(node, Facts(), SAFE, sign)  # type: ignore[arg-type]
    assert not await one.is_exposed()
    assert node.asked == 0
    await one.expose([Use(7, 8)])
    for _ in range(3):
        assert not await one.is_exposed()
    assert node.asked == 1
    one.doubt()
    node.nonce = 8
    assert await one.is_exposed(), "a reorg took back what had used it up"
    node.nonce = 9
    assert not await one.is_exposed()
    await one.expose([Use(7, 8)])
    node.nonce = 7
    assert await one.is_exposed(), "the same nonce was shown once more"
