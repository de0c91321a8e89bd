"""A journal that an earlier keeper wrote: a real one of the hedge demo of 2026-11-20, cut down to what differs in kind.

In it are a loan rescued, a book brought back to its delta, margin added, a rescue held, and one cut short by a kill.
"""

import io
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from keeper.cli import show_journal
from keeper.journal import Journal, open_journal
from keeper.journal.migrate import revisions

OLD = Path(__file__).parent / "old" / "of_2026_11_20.sql"
CHAIN = 31337
LOAN, BOOK, CUT_SHORT, SHORT = 7, 12, 16, 22
BEFORE_ALL = 1_750_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as database:
        database.executescript(OLD.read_text())
    return path


@pytest.fixture
async def old(file: Path) -> AsyncIterator[Journal]:
    async with await open_journal(str(file)) as journal:
        yield journal


def rows(file: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(file) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM decisions ORDER BY id")]


async def test_it_is_brought_up_to_date_and_nothing_in_it_changes(file: Path) -> None:
    """Every column of before holds what it held; what is new says nothing that was not so."""
    before = rows(file)
    async with await open_journal(str(file)):
        pass
    after = rows(file)
    assert [{key: row[key] for key in before[0]} for row in after] == before
    assert {row["repeats"] for row in after} == {0}
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone()[0] == max(revisions())


async def test_its_owner_reads_every_line_of_it(old: Journal) -> None:
    """What ``keeper journal`` prints of it is whole: loans, perpetuals and books."""
    console = Console(file=io.StringIO(), width=200)
    await show_journal.journal(console, old, 50, None, as_json=False)
    text = console.file.getvalue()  # type: ignore[attr-defined] - a StringIO
    for said in ("sell WETH to repay USDC", "buy 2.7871 ETH on short", "add USDC margin 1783.389465", "twin-loop"):
        assert said in text


async def test_what_was_spent_then_still_counts(old: Journal) -> None:
    """Limits of the day count what an earlier keeper moved, of each rule and of all."""
    spent = [await old.transactions.spent_usd(CHAIN, since_timestamp=BEFORE_ALL, rule=r) for r in ("protect", "delta")]
    in_all = await old.transactions.spent_usd(CHAIN, since_timestamp=BEFORE_ALL)
    assert spent == [590415310907 + 290764906978, 595864442545]
    assert in_all == sum(spent) + 178338946500


async def test_a_rest_that_began_then_is_kept(old: Journal) -> None:
    """Cooldowns are counted from what an earlier keeper did."""
    assert await old.decisions.last_restored_at("eth-loop", "protect") == 1750013067
    assert await old.decisions.last_restored_at("short", "margin") == 1750016257


async def test_what_a_kill_left_behind_is_found(old: Journal) -> None:
    """A plan cut short under the earlier keeper is seen to by this one: its transaction is followed."""
    assert [d.id for d in await old.decisions.unresolved()] == [CUT_SHORT]
    (left,) = await old.transactions.unfinished(CHAIN, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
    assert (left.decision_id, left.nonce, len(left.attempts)) == (CUT_SHORT, 10, 1)


async def test_sizes_remembered_then_are_remembered(old: Journal) -> None:
    """A short that was liquidated while the keeper was being exchanged is noticed."""
    assert await old.facts.get("sizes:31337:live:short") == {"ETH": "-6568952354249338317"}
