"""What is left pending is followed to its end, however fast blocks come and whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from fake_chain import FakeBlocks
from test_lane import Rig, guidance, rig

from keeper.execution.course import SendFailedError
from keeper.journal import JournalError

__all__ = ["rig"]
LATENCY_S = 0.02
BLOCK_S = 0.01
"""Far less than it takes to look at all rows, one request after the other."""


async def passed(seconds: float) -> None:
    """Let real time pass: the rig's clock is its own."""
    loop = asyncio.get_running_loop()
    waiting = loop.create_future()
    loop.call_later(seconds, waiting.set_result, None)
    await waiting


def slow_down(rig: Rig) -> None:
    """Let each request take its time."""
    answer = rig.chain.request

    async def late(method: str, *params: Any) -> Any:
        await passed(LATENCY_S)
        return await answer(method, *params)

    rig.chain.request = late  # type: ignore[method-assign]


async def left_and_landed(rig: Rig, calls: int) -> None:
    """Calls are signed, sent and given up; then they land, and nobody has looked."""
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out(f"{n:02x}") for n in range(1, calls + 1)], replace(guidance(), give_up_s=1))
    rig.chain.mine()
    assert await rig.states() == ["pending"] * calls


async def one_block(rig: Rig) -> None:
    """What the daemon does with a signer at each block where no position needs anything."""
    rig.chain.mine()
    head = await FakeBlocks(rig.chain).head()
    await rig.lane.tend(head, 3)
    await rig.lane.call_off(None, head)
    if not await rig.lane.is_clear():
        rig.lane.follow_leftovers()


async def test_blocks_faster_than_a_look_do_not_keep_what_is_pending_from_its_end(rig: Rig) -> None:
    """Nobody needs it any more, but it has begun to land: looking whether it may be called off interrupts nobody."""
    await left_and_landed(rig, 3)
    slow_down(rig)
    for _ in range(60):
        await one_block(rig)
        await passed(BLOCK_S)
        if set(await rig.states()) == {"confirmed"}:
            return
    raise AssertionError(await rig.states())


async def test_what_landed_while_it_was_followed_is_confirmed_though_its_follower_was_stopped(rig: Rig) -> None:
    """A plan took the lane in between: what was seen mined is seen through to finality all the same."""
    await left_and_landed(rig, 2)
    await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3)
    rows = await rig.lane.leftovers()
    for row in rows:
        await rig.lane._dispatch.look(row)  # its follower saw it, and was stopped before it could say so
    rig.chain.mine(5)
    await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3)
    assert await rig.states() == ["confirmed", "confirmed"]


async def test_that_what_is_pending_cannot_be_followed_is_no_secret(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that fails is heard of, once each time; one that was stopped has not failed."""
    await left_and_landed(rig, 1)

    async def refuse(*_: Any) -> None:
        raise JournalError("be written", "database is locked", "end the other program")

    monkeypatch.setattr(type(rig.lane._dispatch), "look", refuse)
    rig.lane.follow_leftovers()
    while rig.lane._leftovers and not rig.lane._leftovers.done():
        await passed(0.01)
    await passed(0)
    assert "locked" in str(rig.lane.take_trouble())
    assert rig.lane.take_trouble() is None
    monkeypatch.undo()
    rig.lane.follow_leftovers()
    await rig.lane.close()
    assert rig.lane.take_trouble() is None
