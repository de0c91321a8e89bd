"""Rules of a burst on its way that no other test notices: what must be outbid, what is followed, what is given up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fake_chain import Seen
from test_lane import POLL_S, TIMINGS, Rig, guidance, rig

from keeper.chain.errors import NodeRefusedError
from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.execution.course import SendFailedError
from keeper.execution.dispatch import Dispatch, Heard
from keeper.execution.pricing import Demands, Offer

__all__ = ["rig"]


async def first_cap(rig: Rig) -> int:
    """What the first bytes of a plan offer."""
    offer = await rig.lane._quote(None, (), Demands())
    assert isinstance(offer, Offer)
    return offer.max_fee


def below(cap: int) -> Any:
    """A node that wants a cap, and names it."""
    words = f"max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1 baseFee: {cap}"
    return lambda seen: words if seen.max_fee < cap else None


async def test_what_no_node_has_need_not_be_outbid(rig: Rig) -> None:
    """The owner's cap leaves room for what is wanted, and not for the eighth that a replacement takes."""
    cap = await first_cap(rig)
    rig.chain.refuses = below(cap * 103 // 100)
    rig.clock.at = [(3, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out()], guidance(ceiling=cap * 106 // 100))
    assert receipt.succeeded


async def test_what_a_node_has_is_outbid_by_an_eighth_whatever_little_is_wanted(rig: Rig) -> None:
    """Else its pool refuses the new bytes as a replacement that pays too little."""
    cap = await first_cap(rig)

    def wants_more() -> None:
        rig.chain.refuses = below(cap * 102 // 100)

    rig.clock.at = [(10, wants_more), (16, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out()], guidance())
    first, *_, last = rig.chain.log
    assert receipt.succeeded
    assert last.max_fee * 8 >= first.max_fee * 9
    assert last.tip * 8 >= first.tip * 9
    assert len({seen.hash for seen in rig.chain.log}) == 2


async def test_a_burst_of_which_a_node_has_a_part_is_followed_though_the_rest_is_refused(rig: Rig) -> None:
    """What was taken may land: it is not given up with the part that can not."""

    def refused(seen: Seen) -> str | None:
        return "exceeds block gas limit" if seen.data == "0x02" else None

    rig.chain.refuses = refused
    rig.clock.at = [(30, rig.chain.mine)]
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out("01"), rig.out("02")], replace(guidance(), give_up_s=60))
    assert (await rig.states())[0] == "mined"


@pytest.mark.parametrize("closes", [False, True], ids=["stays", "closes_for_a_while"])
async def test_a_gap_below_is_waited_for_as_long_as_two_repeats_and_then_given_up(rig: Rig, *, closes: bool) -> None:
    """Counted from when it was last seen to open: a node that lags for a moment ends no plan."""
    offer = await rig.lane._quote(None, (), Demands())
    assert isinstance(offer, Offer)
    row = await rig.lane._dispatch.sign(rig.out(), 2, offer)
    told = {"nonce": 0}
    rig.chain._eth_getTransactionCount = lambda *_: hex(told["nonce"])  # type: ignore[method-assign]
    wait_s = 2 * TIMINGS.rebroadcast_s
    if closes:
        rig.clock.at = [(12, lambda: told.update(nonce=2)), (20, lambda: told.update(nonce=0))]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane._flight.follow((row,), guidance())
    assert failed.value.reason is Reason.STALE_STATE
    begun = 20 if closes else 0
    assert begun + wait_s <= rig.clock.now <= begun + wait_s + 2 * POLL_S
    assert await rig.states() == ["expired"]


async def test_bytes_that_a_node_has_already_count_as_taken(rig: Rig) -> None:
    """Whoever hands them over: nothing is refused, nothing is bid for."""
    refusal = NodeRefusedError("a", "eth_sendRawTransaction", -32000, "already known", None)

    async def wire(_: int, __: str) -> None:
        raise refusal

    mine = rig.lane._dispatch
    other = Dispatch(mine.node, 31337, rig.journal, mine.signer, wire, mine.holder)
    offer = await rig.lane._quote(None, (), Demands())
    assert isinstance(offer, Offer)
    row = await other.sign(rig.out(), 0, offer)
    assert await other.broadcast(row) is Heard.TAKEN
    (kept,) = await rig.journal.transactions.of_decision(rig.decision)
    assert kept.state == "pending"
    assert kept.attempts[-1].last_error is None


async def test_the_same_offer_again_is_the_same_bytes_and_no_second_attempt(rig: Rig) -> None:
    """What is signed twice alike is one thing: the journal has it once, and nothing fails."""
    offer = await rig.lane._quote(None, (), Demands())
    assert isinstance(offer, Offer)
    row = await rig.lane._dispatch.sign(rig.out(), 0, offer)
    again = await rig.lane._dispatch.resign(row, offer)
    assert [one.hash for one in again.attempts] == [one.hash for one in row.attempts]
    higher = Offer(**{**{f: getattr(offer, f) for f in offer.__dataclass_fields__}, "max_fee": Wei(offer.max_fee + 1)})
    assert len((await rig.lane._dispatch.resign(row, higher)).attempts) == 2
