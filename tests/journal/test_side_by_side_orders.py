"""Command, page, bot and keeper change pauses and orders side by side: none takes another one's change back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from keeper.core.pauses import ABOUT, RULE, Pause, with_pause, without
from keeper.execution.wishes import wish, wish_key
from keeper.journal import JournalError, open_journal, orders

CHAIN = (31337, "local")
NOW = 1_800_000_000


async def test_pauses_asked_for_at_once_are_all_kept(address: str) -> None:
    """Eight processes pause something each, at the same moment."""
    async with await open_journal(address) as first:
        others = [await open_journal(address) for _ in range(7)]
        journals = [first, *others]

        async def pause(i: int, journal: Any) -> None:
            for j in range(3):
                new = Pause(RULE, f"rule {i}.{j}", NOW)
                await orders.change_pauses(journal.facts, CHAIN, lambda there, new=new: with_pause(there, new), NOW)  # type: ignore[misc]

        await asyncio.gather(*(pause(i, journal) for i, journal in enumerate(journals)))
        kept = {one.name for one in await orders.paused(first.facts, CHAIN, NOW)}
        assert kept == {f"rule {i}.{j}" for i in range(8) for j in range(3)}
        await asyncio.gather(
            *(
                orders.change_pauses(j.facts, CHAIN, lambda there, i=i: without(there, RULE, f"rule {i}.0"), NOW)  # type: ignore[misc]
                for i, j in enumerate(journals)
            )
        )
        assert len(await orders.paused(first.facts, CHAIN, NOW)) == 16
        for journal in others:
            await journal.close()


async def test_an_order_given_while_another_is_done_with_stays(address: str) -> None:
    """The keeper takes off what is done at the moment its owner orders more; what is ordered is paused with it."""
    async with await open_journal(address) as keeper, await open_journal(address) as command:
        for i in range(20):
            await orders.give_order(keeper.facts, CHAIN, (f"done {i}",), NOW)
            await asyncio.gather(
                orders.done_with(keeper.facts, CHAIN, (f"done {i}",)),
                orders.give_order(command.facts, CHAIN, (f"more {i}",), NOW),
            )
        assert set((await orders.ordered(keeper.facts, CHAIN)).positions) == {f"more {i}" for i in range(20)}
        held = {one.name for one in await orders.paused(keeper.facts, CHAIN, NOW) if one.kind == ABOUT}
        assert held == {f"{what} {i}" for what in ("done", "more") for i in range(20)}
        taken = await orders.take_back(command.facts, CHAIN)
        assert len(taken.positions) == 20
        assert (await orders.ordered(keeper.facts, CHAIN)).positions == ()


async def test_wishes_for_two_transactions_of_one_signer_are_both_kept(address: str) -> None:
    """Two calls of ``keeper tx`` in one second."""
    async with await open_journal(address) as one, await open_journal(address) as two:
        await asyncio.gather(
            *(wish(of.facts, 1, "0xme", i, "cancel") for of, i in ((one, 1), (two, 2), (one, 3), (two, 4)))
        )
        assert await one.facts.get(wish_key(1, "0xme")) == dict.fromkeys("1234", "cancel")


async def test_a_change_that_fails_leaves_all_as_it_was(address: str) -> None:
    """Several values change together or none does: a set is nothing that JSON can hold."""
    async with await open_journal(address) as journal:
        await journal.facts.set("a", 1)

        def breaks(_: dict[str, Any]) -> dict[str, Any]:
            return {"a": 2, "b": {1, 2}}

        with pytest.raises((JournalError, TypeError)):
            await journal.facts.change(["a", "b"], breaks)
        assert (await journal.facts.get("a"), await journal.facts.get("b")) == (1, None)
