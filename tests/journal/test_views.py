"""What a running keeper sees is there for another process, and how its figures went: thinned, a dip never lost."""

from __future__ import annotations

from pathlib import Path

from keeper.journal import open_journal
from keeper.journal.views import DAY_S, Glimpse, scope_of

NOW = 1_800_000_000
LIVE = scope_of(1, "ethereum", "live")


async def test_the_newest_view_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """Of each mode by itself: a dry run beside a live keeper says nothing of it."""
    async with await open_journal(str(tmp_path / "j.db"), clock=lambda: NOW) as journal:
        assert await journal.views.newest(LIVE) is None
        await journal.views.write(LIVE, {"block": {"number": 1}}, NOW, {})
        await journal.views.write(LIVE, {"block": {"number": 2}}, NOW + 10, {"loop": 5})
        await journal.views.write(scope_of(1, "ethereum", "dry_run"), {"block": {"number": 9}}, NOW + 10, {"loop": 6})
        assert await journal.views.newest(LIVE) == ({"block": {"number": 2}}, NOW + 10)
        assert await journal.views.since(LIVE, "loop", NOW) == (Glimpse(NOW + 10, 5),)


async def test_writing_a_view_makes_no_block_read_its_past_anew(tmp_path: Path) -> None:
    """What a block remembers of its rules holds as long as nothing was decided or sent."""
    async with await open_journal(str(tmp_path / "j.db"), clock=lambda: NOW) as journal:
        before = journal.tally
        await journal.views.write(LIVE, {}, NOW, {"loop": 5})
        assert journal.tally == before


async def test_two_samples_of_one_second_are_one(tmp_path: Path) -> None:
    """A keeper that was started anew writes over, and is not refused."""
    async with await open_journal(str(tmp_path / "j.db"), clock=lambda: NOW) as journal:
        await journal.views.write(LIVE, {}, NOW, {"loop": 5})
        await journal.views.write(LIVE, {}, NOW, {"loop": 4})
        assert await journal.views.since(LIVE, "loop", 0) == (Glimpse(NOW, 4),)


async def test_old_samples_are_thinned_to_their_lowest_and_forgotten_at_last(tmp_path: Path) -> None:
    """A minute of danger a week ago is still to be seen."""
    async with await open_journal(str(tmp_path / "j.db"), clock=lambda: NOW) as journal:
        begin = NOW - 4 * DAY_S - (NOW - 4 * DAY_S) % 600
        for minute, value in enumerate([30, 11, 12, 30, 30, 30, 30, 30, 30, 30, 29]):
            await journal.views.write(LIVE, {}, begin + 60 * minute, {"loop": value, "other": 7})
        await journal.views.write(LIVE, {}, NOW - 60, {"loop": 40})
        await journal.views.write(LIVE, {}, NOW - 91 * DAY_S, {"loop": 50})
        await journal.views.prune(90)
        await journal.views.prune(90)  # what is thinned stays
        kept = [(begin + 60, 11), (begin + 600, 29), (NOW - 60, 40)]
        assert await journal.views.since(LIVE, "loop", 0) == tuple(Glimpse(*one) for one in kept)
        assert len(await journal.views.since(LIVE, "other", 0)) == 2


async def test_a_fact_written_makes_nothing_stale_that_was_made_ready(tmp_path: Path) -> None:
    """A daily summary noted down between two blocks must not cost the plan that waits for the second."""
    async with await open_journal(str(tmp_path / "j.db"), clock=lambda: NOW) as journal:
        before = journal.tally
        await journal.facts.set("summary", NOW)
        assert await journal.facts.get("summary") == NOW
        assert journal.tally == before
