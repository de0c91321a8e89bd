"""A journal of years costs an acting block no more than one of a day, and no state that fails fills it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, event, text

from bench.journal import NOW, fill, questions, writes
from keeper.journal import Entry, Journal, open_journal
from keeper.journal.decisions import PRUNED_AT_ONCE
from keeper.journal.migrate import config
from keeper.journal.past import Recollection
from keeper.journal.store import Store, connect
from tests.journal.conftest import NOON, SIGNER, Clock, attempt, decision, transaction

TABLES = ("decisions", "transactions", "attempts", "facts")


@contextmanager
def statements(journal: Journal) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that goes to the database meanwhile."""
    seen = list[tuple[str, Any]]()

    def note(_c: object, _u: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append((statement, parameters))

    event.listen(journal.store.engine, "before_cursor_execute", note)
    yield seen
    event.remove(journal.store.engine, "before_cursor_execute", note)


async def scans(journal: Journal, asked: list[tuple[str, Any]]) -> list[str]:
    """Which of them read a whole table, by SQLite's own plan."""
    plans = [x for x in await plans_of(journal, asked) if x.startswith("SCAN ") and x.split()[1].strip(":") in TABLES]
    return [x for x in plans if "ix_decisions_open" not in x]  # the index of what is open holds nothing else


async def plans_of(journal: Journal, asked: list[tuple[str, Any]]) -> list[str]:
    """How SQLite goes about each statement, a line for each step."""
    found = list[str]()
    async with journal.store.reading("explain") as connection:

        def explain(sync: Connection) -> None:
            for statement, parameters in asked:
                if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
                    rows = sync.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                    found.extend(f"{row[3]}: {statement}" for row in rows)

        await connection.do(explain)
    return found


@pytest.fixture
async def sqlite(tmp_path: Path, clock: Clock) -> Any:
    async with await open_journal(str(tmp_path / "j.db"), clock=clock) as opened:
        yield opened


async def acting_block(journal: Journal) -> None:
    """All that one block of a live keeper asks and writes, from the rule's past to the outcome."""
    of, rows = journal.decisions, journal.transactions
    await Recollection(journal, "live").of("eth-loop", "protect", 1, NOON + 100, 3600)
    await rows.spent_usd(1, since_timestamp=NOON, signer=SIGNER)
    await rows.highest_nonce(1, SIGNER)
    await rows.unfinished(1, SIGNER)
    await rows.unfinished(1, SIGNER, {"mined"})
    entry = Entry(decision(block_timestamp=NOON + 100))
    (row,) = await journal.bursts.add(entry, [(transaction(0, nonce=10**7), attempt(10**7))])
    await rows.mark_broadcast(row.attempts[0].hash)
    await rows.at_nonce(1, SIGNER, row.nonce)
    await rows.settle(row.id, "mined", block_number=7)
    await rows.of_decision(entry.id or 0)
    await of.record_outcome(entry.id or 0, "restored", {"reason": "restored"})
    held = await of.record_hold(decision(kind="hold", block_timestamp=NOON + 101))
    await of.get(held)
    failed = await of.record(decision(block_timestamp=NOON + 102))
    await of.record_outcome(failed, "failed", {"reason": "stale_state"})
    await of.last("eth-loop")
    await of.last("eth-loop", "protect")
    await of.recent(50)
    await of.recent(50, "eth-loop")
    await of.unresolved()
    await rows.recent(50)
    await journal.facts.get("a")
    await journal.facts.set("a", {"b": 1})


async def test_no_question_of_an_acting_block_reads_a_whole_table(sqlite: Journal) -> None:
    """SQLite's own plan says so for each of them; so does forgetting old holds."""
    with statements(sqlite) as asked:
        await acting_block(sqlite)
        await sqlite.decisions.prune(1)
    assert len(asked) > 25
    assert await scans(sqlite, asked) == []


async def test_the_check_sees_a_scan(sqlite: Journal) -> None:
    """Else it would prove nothing."""
    with statements(sqlite) as asked:
        async with sqlite.store.reading("scan") as connection:
            await connection.read(text("SELECT count(*) FROM decisions WHERE summary = 'x'"))
    assert len(await scans(sqlite, asked)) == 1


async def test_what_grows_with_the_years_is_found_by_its_own_index(sqlite: Journal) -> None:
    """A search by an index that nearly every row matches is a scan by another name."""
    wanted = {
        "ix_decisions_open": sqlite.decisions.unresolved(),
        "ix_decisions_outcome": sqlite.decisions.last_restored_at("eth-loop", "protect"),
        "ix_decisions_outcome ": sqlite.decisions.failed_since("eth-loop", "protect", NOON),
        "ix_transactions_state": sqlite.transactions.unfinished(1, SIGNER),
        "ix_transactions_spent": sqlite.transactions.spent_usd(1, since_timestamp=NOON, signer=SIGNER, rule="protect"),
        "ix_transactions_state ": sqlite.transactions.highest_nonce(1, SIGNER),
        "ix_transactions_state  ": sqlite.transactions.highest_nonce(1, SIGNER, landed=True),
        "ix_transactions_lane": sqlite.transactions.at_nonce(1, SIGNER, 7),
        "ix_transactions_spent ": sqlite.transactions.gas_paid(1, "eth-loop", NOON),
        "ix_decisions_outcome  ": sqlite.decisions.price_moved_since("eth-loop", "protect", NOON),
        "ix_decisions_outcome   ": sqlite.decisions.prices_of_last_restored("eth-loop", "protect"),
        "ix_decisions_done": failed_once(sqlite),
    }
    for index, question in wanted.items():
        with statements(sqlite) as asked:
            await question
        plans = [
            line for line in await plans_of(sqlite, asked) if "attempts" not in line and "decision_id=?" not in line
        ]
        assert any(index.strip() in line for line in plans), (index, plans)
        assert not any("TEMP B-TREE" in line for line in plans), (index, plans)


async def failed_once(journal: Journal) -> None:
    """A plan that fails before anything is signed looks for one before it that failed alike."""
    made = await journal.decisions.record(decision(block_timestamp=NOON + 102))
    await journal.decisions.record_outcome(made, "failed", {"reason": "stale_state"})


async def everything(journal: Journal) -> None:
    """What no acting block asks: a start, a command of the owner, a reorg, a replacement, a price's past."""
    of, rows = journal.decisions, journal.transactions
    made = await of.record(decision(block_timestamp=NOON + 200))
    await of.written(Entry(decision(block_timestamp=NOON + 201)))
    await journal.bursts.warm_up(Entry(decision()), [(transaction(0, nonce=10**7 + 5), attempt(10**7 + 5))])
    first = await rows.add_signed(transaction(made, nonce=10**7 + 6), attempt(10**7 + 6))
    await rows.add_attempt(first, attempt(10**7 + 7), 200_000)
    await rows.mark_refused(attempt(10**7 + 7).hash, "no")
    await rows.replace_signed(first, transaction(made, nonce=10**7 + 6), attempt(10**7 + 8))
    await rows.own_of([attempt(10**7 + 8).hash])
    await of.price_moved_since("eth-loop", "protect", NOON)
    await of.recent(50, "eth-loop", 3)
    await journal.facts.set("a", None)
    await journal.prices.replace(1, "0xfeed", NOON, [])
    await journal.prices.since(1, "0xfeed", NOON)
    await journal.prices.forget_before(1, NOON)
    await journal.views.write("1:ethereum:live", {"block": 1}, NOON, {"loop": 10**18, "other": 2 * 10**18})
    await journal.decisions.done("loop", NOON, 5)
    await journal.facts.change(["a", "b"], lambda there: there)
    await journal.views.newest("1:ethereum:live")
    await journal.views.since("1:ethereum:live", "loop", NOON)
    await journal.views.prune(1)


async def test_every_statement_of_the_journal_is_looked_at_and_none_reads_a_whole_table(sqlite: Journal) -> None:
    """Whatever a repository can be asked, by its public methods: a new one has to be asked here."""
    used, methods = set[str](), dict[str, Any]()
    repositories = {type(getattr(sqlite, field.name)) for field in fields(sqlite)} - {Store, tuple}
    with statements(sqlite) as asked, pytest.MonkeyPatch.context() as patch:
        for kind in repositories:
            for name, method in vars(kind).items():
                if iscoroutinefunction(method) and not name.startswith("_"):
                    methods[f"{kind.__name__}.{name}"] = method
                    patch.setattr(kind, name, noted(method, used, f"{kind.__name__}.{name}"))
        await acting_block(sqlite)
        await everything(sqlite)
        await sqlite.decisions.prune(1)
    assert set(methods) - used == set()
    assert await scans(sqlite, asked) == []


def noted(method: Any, used: set[str], name: str) -> Any:
    """The same, and its name is remembered."""

    async def asked(*args: Any, **named: Any) -> Any:
        used.add(name)
        return await method(*args, **named)

    return asked


MANY, FEW = 40_000, 400
MOST_STEPS = 12_000
"""Steps of SQLite's machine: some for each row that is given back, and none for the years before."""


async def steps_of(journal: Journal, ask: Callable[[], Awaitable[Any]]) -> int:
    """How much work a question is, in hundreds of SQLite's own steps: the machine's speed has no say."""
    counted = 0

    def step() -> None:
        nonlocal counted
        counted += 1

    def watch(connection: Any, *_: object) -> None:
        connection.set_progress_handler(step, 100)

    event.listen(journal.store.engine, "checkout", watch)
    try:
        await ask()
    finally:
        event.remove(journal.store.engine, "checkout", watch)
    return 100 * counted


async def test_no_question_grows_with_the_years(tmp_path: Path) -> None:
    """An index that nearly every row matches is no help, and SQLite's plan does not show it: its work is counted."""
    found = dict[int, dict[str, int]]()
    for rows in (FEW, MANY):
        async with await open_journal(str(tmp_path / f"{rows}.db"), clock=lambda: NOW) as journal:
            async with journal.store.writing("fill") as connection:
                await connection.do(fill, rows)
            asked = questions(journal) | writes(journal)
            found[rows] = {name: await steps_of(journal, ask) for name, ask in asked.items()}
    grown = {name: (found[FEW][name], steps) for name, steps in found[MANY].items() if steps > MOST_STEPS}
    assert {name: of for name, of in grown.items() if not name.startswith(A_DAYS_WORK)} == {}


A_DAYS_WORK = ("spent", "gas paid")
"""What adds up a day, or a danger: so much was done in it."""


# --- states that fail ------------------------------------------------------------------------------------------------


async def test_a_state_that_fails_block_after_block_is_one_row_and_a_count(journal: Journal) -> None:
    """The row says what came of the newest try, and how often it was so."""
    for i in range(50):
        written = await journal.decisions.record(decision(block_number=100 + i, block_timestamp=NOON + i))
        await journal.decisions.record_outcome(written, "failed", {"reason": "fee_limit", "detail": f"try {i}"})
    (only,) = await journal.decisions.recent(100)
    assert (only.block_number, only.repeats, only.outcome) == (100, 49, {"reason": "fee_limit", "detail": "try 49"})


SIGN: Callable[[Journal, int], Awaitable[Any]] = lambda journal, id_: journal.transactions.add_signed(  # noqa: E731
    transaction(id_), attempt(1)
)


@pytest.mark.parametrize("signed", ["first", "second"])
async def test_what_was_signed_for_keeps_its_row(journal: Journal, signed: str) -> None:
    """Its transactions name it, and limits and tries count it."""
    for which in ("first", "second"):
        written = await journal.decisions.record(decision())
        if which == signed:
            await SIGN(journal, written)
        await journal.decisions.record_outcome(written, "failed", {"reason": "reverted"})
    assert [d.repeats for d in await journal.decisions.recent(100)] == [0, 0]


@pytest.mark.parametrize(
    "other", [{"position": "b"}, {"rule": "b"}, {"rule": None}, {"mode": "dry_run"}, {"kind": "upkeep"}]
)
async def test_another_state_has_its_own_row(journal: Journal, other: dict[str, Any]) -> None:
    """Of another position, rule, mode or kind."""
    for changes in ({}, other):
        written = await journal.decisions.record(decision(**changes))
        await journal.decisions.record_outcome(written, "failed", {"reason": "fee_limit"})
    assert len(await journal.decisions.recent(100)) == 2


async def test_another_reason_has_its_own_row(journal: Journal) -> None:
    """And is counted there when it comes back after another, unless something was signed since."""
    for reason in ("fee_limit", "stale_state", "fee_limit", "stale_state"):
        written = await journal.decisions.record(decision())
        await journal.decisions.record_outcome(written, "failed", {"reason": reason})
    assert [d.repeats for d in await journal.decisions.recent(100)] == [1, 1]
    await SIGN(journal, await journal.decisions.record(decision()))
    written = await journal.decisions.record(decision())
    await journal.decisions.record_outcome(written, "failed", {"reason": "fee_limit"})
    assert len(await journal.decisions.recent(100)) == 4


HOLD: dict[str, Any] = {"kind": "hold", "reason": "healthy", "plan": None, "rehearsal": None}


@pytest.mark.slow
async def test_a_hold_that_comes_and_goes_is_a_row_a_day_and_a_count(journal: Journal) -> None:
    """A month of a state that flaps by the minute: the journal stays small, and says how often it came."""
    days, a_day = 30, 40
    for i in range(days * a_day):
        at = {"block_number": i, "block_timestamp": NOON + i * 86_400 // a_day}
        reason = ("healthy", "price_stale", "figures_disagree")[i % 3]
        await journal.decisions.record_hold(decision(**HOLD | at | {"reason": reason, "summary": f"{reason} {i}"}))
    rows = await journal.decisions.recent(10_000)
    assert len(rows) <= 3 * (days + 1)
    assert sum(1 + row.repeats for row in rows) == days * a_day
    assert rows[0].summary != rows[-1].summary


@pytest.mark.parametrize(
    "other",
    [{"position": "b"}, {"rule": "b"}, {"rule": None}, {"mode": "dry_run"}, {"kind": "danger"}, {"reason": "b"}],
)
async def test_another_hold_has_its_own_row(journal: Journal, other: dict[str, Any]) -> None:
    """Of another position, rule, mode, kind or reason."""
    ids = [await journal.decisions.record_hold(decision(**HOLD | changes)) for changes in ({}, other, {}, other)]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


async def test_a_hold_after_something_was_done_has_its_own_row(journal: Journal) -> None:
    """The story of a rescue reads in its order: before it, the rescue, after it."""
    first = await journal.decisions.record_hold(decision(**HOLD))
    await journal.decisions.record(decision(kind="act"))
    second = await journal.decisions.record_hold(decision(**HOLD))
    assert first != second
    assert len(await journal.decisions.recent(10)) == 3


async def test_forgetting_goes_in_parts_and_to_the_end(sqlite: Journal, clock: Clock) -> None:
    """More than one part's worth is forgotten at once all the same."""

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO decisions "
            "(chain_id, block_number, block_hash, block_timestamp, position, mode, kind, reason, summary, inputs, "
            "alternatives, created_at) SELECT 1, i, '0x', i, 'p', 'live', 'hold', 'r', 's', '{}', '[]', ? FROM n",
            (2 * PRUNED_AT_ONCE + 5, NOON),
        )

    async with sqlite.store.writing("fill") as connection:
        await connection.do(fill)
    clock.now += 3 * 86_400
    assert await sqlite.decisions.prune(1) == 2 * PRUNED_AT_ONCE + 5
    assert await sqlite.decisions.recent(10) == ()


async def test_a_journal_of_the_first_schema_keeps_its_spends(address: str, clock: Clock) -> None:
    """What was spent before the keeper was renewed counts against the day's limit afterwards."""
    store = connect(address, clock, 5)
    async with store.writing("be as before") as connection:

        def old(sync: Connection) -> None:
            settings = config()
            settings.attributes["connection"] = sync
            command.upgrade(settings, "0001")
            sync.execute(
                text(
                    "INSERT INTO decisions (id, chain_id, block_number, block_hash, block_timestamp, position, rule, "
                    "mode, kind, reason, summary, inputs, alternatives, created_at) VALUES (1, 1, 1, '0x', :at, "
                    "'eth-loop', 'protect', 'live', 'act', 'r', 's', '{}', '[]', 1)"
                ),
                {"at": NOON},
            )
            sync.execute(
                text(
                    'INSERT INTO transactions (id, decision_id, step, chain_id, signer, nonce, "to", value, data, '
                    "purpose, spend_usd, state, gas_limit, created_at, updated_at) VALUES "
                    "(1, 1, 0, 1, :signer, 0, '0x', '0', '0x', 'p', '77', 'confirmed', 1, 1, 1)"
                ),
                {"signer": SIGNER},
            )

        await connection.do(old)
    await store.close()
    async with await open_journal(address, clock=clock) as journal:
        assert await journal.transactions.spent_usd(1, since_timestamp=NOON) == 77
        assert await journal.transactions.spent_usd(1, since_timestamp=NOON + 1) == 0
        (row,) = await journal.transactions.of_decision(1)
        assert row.decided_at == NOON
