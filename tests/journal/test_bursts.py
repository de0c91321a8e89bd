"""A decision and its signed bytes are one commit; what was read before a write counts for nothing after it."""

from __future__ import annotations

import asyncio

import pytest

from keeper.journal import Entry, Journal, NonceTakenError
from keeper.journal.past import KEPT_S, Recollection
from tests.journal.conftest import attempt, decision, transaction


async def test_a_decision_and_its_bytes_are_written_together(journal: Journal) -> None:
    """What comes back is what a reader finds."""
    entry = Entry(decision())
    rows = await journal.bursts.add(entry, [(transaction(0, n), attempt(n)) for n in (4, 5)])
    assert entry.id is not None
    assert rows == await journal.transactions.of_decision(entry.id)


async def test_a_nonce_that_is_taken_leaves_nothing_behind(journal: Journal) -> None:
    """Neither the decision nor the calls before the one that clashed."""
    await journal.bursts.add(Entry(decision()), [(transaction(0, 5), attempt(10))])
    entry = Entry(decision())
    with pytest.raises(NonceTakenError):
        await journal.bursts.add(entry, [(transaction(0, n), attempt(n)) for n in (4, 5)])
    assert entry.id is None
    assert len(await journal.decisions.recent(9)) == 1
    assert len(await journal.transactions.recent(9)) == 1


async def test_a_past_is_kept_until_something_is_written(journal: Journal) -> None:
    """The same object while the journal stands still; read anew after any write, and when it is old."""
    past = Recollection(journal, "live")

    async def at(now: int) -> object:
        return await past.of("p", "r", 1, now, 600)

    first = await at(1000)
    assert await at(1000 + KEPT_S) is first
    assert await at(1001 + KEPT_S) is not first
    second = await at(1001 + KEPT_S)
    await journal.decisions.record(decision())
    assert await at(1001 + KEPT_S) is not second


async def test_the_tally_moves_before_and_after_a_write(journal: Journal) -> None:
    """Whoever read while a write was under way is told so."""
    before = journal.tally
    writing = asyncio.create_task(journal.decisions.record(decision()))
    while journal.tally == before:  # noqa: ASYNC110 - there is nothing to wait on
        await asyncio.sleep(0)
    meanwhile = journal.tally
    await writing
    assert before < meanwhile < journal.tally
