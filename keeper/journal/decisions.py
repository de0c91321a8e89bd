"""What was decided at a block, why, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, insert, select, text, update

from keeper.journal.errors import NoSuchRowError
from keeper.journal.schema import IS_DONE, IS_OPEN, decisions, transactions
from keeper.journal.store import Store

Mode = Literal["dry_run", "live"]
Kind = Literal["hold", "act", "upkeep", "alert", "danger"]
Doing = Literal["act", "upkeep"]
"""What a rule does, and what is done for it at other times: its resting orders placed, changed and taken back."""
OutcomeKind = Literal["restored", "partial", "failed", "cancelled", "rehearsed", "in_flight"]
Json = Mapping[str, Any] | Sequence[Any]

SECONDS_A_DAY = 86_400
PRICE_MOVED = "price_moved"
MOST_FAILURES = 200
"""Failed plans that are looked at for what they failed of, the newest ones."""
COMES_BACK = 32
"""The newest decisions of a position among which one that comes back is sought."""
PRUNED_AT_ONCE = 2000
"""Holds forgotten in one commit."""
NO_FAULT_OF_THE_PLAN = (
    PRICE_MOVED,
    "position_changed",
    "interrupted",
    "journal_away",
    "node_away",
    "nonce_taken",
    "not_mined",
    "stale_state",
    "fee_limit",
    "no_gas_money",
    "outbid",
    "pool_full",
    "receipt_missing",
)
"""Reasons for which a plan failed that say nothing of its calls."""
SIGNED = exists().where(transactions.c.decision_id == decisions.c.id, transactions.c.state != "planned")
"""Whether anything was signed for the decision."""
BOUND = exists().where(transactions.c.decision_id == decisions.c.id)
IS_BOUND = BOUND.label("is_bound")
"""Whether any transaction belongs to the decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDecision:
    """A decision about one position at one block. Amounts inside the JSON are text; times are seconds since 1970."""

    chain_id: int
    block_number: int
    block_hash: str
    block_timestamp: int
    position: str
    rule: str | None
    mode: Mode
    kind: Kind
    reason: str
    summary: str
    inputs: Json
    alternatives: Json = ()
    plan: Json | None = None
    rehearsal: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(NewDecision):
    """A decision as the journal holds it, with its outcome once there is one."""

    id: int
    outcome: Json | None
    outcome_kind: OutcomeKind | None
    created_at: int
    repeats: int = 0
    """How often it came back: holds, and plans that failed in the same way unsigned, counted and not written again."""


@dataclass(slots=True)
class Entry:
    """A decision on its way into the journal: alone, or in one commit with the first bytes signed for it."""

    decision: NewDecision
    id: int | None = None
    """None until it is written."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions of every position, in the order they were made."""

    store: Store

    async def record(self, decision: NewDecision) -> int:
        """Write a decision and return its id. Raises JournalError."""
        async with self.store.writing("record a decision") as connection:
            return await connection.do(insert_decision, decision, self.store.clock())

    async def record_hold(self, decision: NewDecision) -> int:
        """Write a hold and return its id: one that comes back within a day is counted where it was written.

        A state that comes and goes would fill the journal with rows that say the same. Raises JournalError.
        """
        async with self.store.writing("record a hold") as connection:
            return await connection.do(_count_or_insert, decision, self.store.clock())

    async def written(self, entry: Entry) -> int:
        """Write an entry unless it is written, and return its id. Raises JournalError."""
        if entry.id is None:
            entry.id = await self.record(entry.decision)
        return entry.id

    async def record_outcome(self, decision_id: int, kind: OutcomeKind, outcome: Json) -> None:
        """Write what came of a decision, over what was known before. Raises JournalError, NoSuchRowError."""
        row = {"outcome_kind": kind, "outcome": outcome}
        async with self.store.writing("record an outcome") as connection:
            changed = await connection.change(update(decisions).where(decisions.c.id == decision_id).values(row))
            if not changed:
                raise NoSuchRowError("record an outcome", f"decision {decision_id}")
            if kind == "failed":
                await connection.do(_count_if_repeated, decision_id, outcome)

    async def get(self, decision_id: int) -> Decision | None:
        """One decision by id. Raises JournalError."""
        found = await self._read(select(decisions).where(decisions.c.id == decision_id))
        return next(iter(found), None)

    async def last(self, position: str, rule: str | None = None) -> Decision | None:
        """The newest decision about a position; without a rule, of any. Raises JournalError."""
        found = await self._read(newest(about(position, rule)).limit(1))
        return next(iter(found), None)

    async def recent(
        self, limit: int, position: str | None = None, since_id: int | None = None
    ) -> tuple[Decision, ...]:
        """The newest first; with ``since_id`` what came after it, oldest first, so a follower misses none.

        Raises JournalError.
        """
        matching = about(position, None)
        if since_id is None:
            return await self._read(newest(matching).limit(limit))
        after = select(decisions).where(matching, decisions.c.id > since_id).order_by(decisions.c.id)
        return await self._read(after.limit(limit))

    async def done(self, position: str, since: int, limit: int) -> tuple[Decision, ...]:
        """What was to be done about a position, written since then, newest first, however many holds there are.

        Raises JournalError.
        """
        matching = and_(about(position, None), text(IS_DONE), decisions.c.created_at >= since)
        return await self._read(newest(matching).limit(limit))

    async def unresolved(self) -> tuple[Decision, ...]:
        """Live decisions that signed something whose outcome is not known yet, oldest first: a start begins here.

        Raises JournalError.
        """
        matching = and_(text(IS_OPEN), SIGNED)
        return await self._read(select(decisions).where(matching).order_by(decisions.c.id))

    async def last_restored_at(self, position: str, rule: str, mode: Mode = "live", doing: Doing = "act") -> int | None:
        """Block timestamp of the newest decision that reached its target; a cooldown counts from it.

        Live: restored on chain. Dry run: rehearsed. What failed or helped only in part starts no cooldown: the
        position still needs help. Nor does upkeep, for the rule has done nothing yet. Raises JournalError.
        """
        reached = decisions.c.outcome_kind == ("restored" if mode == "live" else "rehearsed")
        matching = and_(about(position, rule), decisions.c.mode == mode, decisions.c.kind == doing, reached)
        async with self.store.reading("read when a rule was last met") as connection:
            found = await connection.scalar(select(func.max(decisions.c.block_timestamp)).where(matching))
            return None if found is None else int(found)

    async def prices_of_last_restored(self, position: str, rule: str, mode: Mode = "live") -> dict[str, int]:
        """The prices on which the newest decision that reached its target was made.

        Of a lending position 10^-8 by asset, of a perpetual one the marks in the venue's own unit by market. Empty
        where there is none, or what was written of it has no prices. Raises JournalError.
        """
        reached = decisions.c.outcome_kind == ("restored" if mode == "live" else "rehearsed")
        matching = and_(about(position, rule), decisions.c.mode == mode, decisions.c.kind == "act", reached)
        # by the block's time, as their index has it: by id, all holds of the rule are looked through
        by_time = (decisions.c.block_timestamp.desc(), decisions.c.id.desc())
        found = await self._read(select(decisions).where(matching).order_by(*by_time).limit(1))
        try:
            return prices_written(found[0].inputs["position"]) if found else {}  # type: ignore[call-overload]
        except (KeyError, TypeError, ValueError, ArithmeticError):
            return {}

    async def failed_since(self, position: str, rule: str, timestamp: int, doing: Doing = "act") -> int:
        """How many live plans of a rule failed on chain, at block time ``timestamp`` or later; upkeep counts apart.

        One that was stopped, outrun or kept from the chain may well work the next time, and is not counted.

        Raises JournalError.
        """
        made = await self._endings(position, rule, timestamp, doing, "failed")
        return sum((outcome or {}).get("reason") not in NO_FAULT_OF_THE_PLAN for outcome in made)

    async def price_moved_since(self, position: str, rule: str, timestamp: int) -> int:
        """How many live plans of a rule the price refused or cut short, at block time ``timestamp`` or later.

        Raises JournalError.
        """
        ways = [(doing, kind) for doing in DONE for kind in SHORT]
        made = [x for doing, kind in ways for x in await self._endings(position, rule, timestamp, doing, kind)]
        return sum((outcome or {}).get("reason") == PRICE_MOVED for outcome in made)

    async def _endings(self, position: str, rule: str, timestamp: int, doing: str, kind: str) -> Sequence[Any]:
        """Return the outcomes of what was signed for and ended so; one kind at a time, as their index has them."""
        ended = and_(decisions.c.mode == "live", decisions.c.kind == doing, decisions.c.outcome_kind == kind, SIGNED)
        matching = and_(about(position, rule), ended, decisions.c.block_timestamp >= timestamp)
        newest_first = decisions.c.block_timestamp.desc()
        query = select(decisions.c.outcome).where(matching).order_by(newest_first).limit(MOST_FAILURES)
        async with self.store.reading("read how plans ended") as connection:
            return (await connection.read(query)).scalars().all()

    async def prune(self, days: int) -> int:
        """Forget holds older than this many days, never one that has transactions; return how many.

        A part at a time, so that a block which must write waits for one part at most. Raises JournalError.
        """
        oldest, forgotten = self.store.clock() - days * SECONDS_A_DAY, 0
        old_holds = and_(decisions.c.kind == "hold", decisions.c.created_at < oldest, ~BOUND)
        some = select(decisions.c.id).where(old_holds).limit(PRUNED_AT_ONCE)
        part = delete(decisions).where(decisions.c.id.in_(some))
        while True:
            async with self.store.writing("forget old holds") as connection:
                count = await connection.change(part)
            forgotten += count
            if count < PRUNED_AT_ONCE:
                return forgotten

    async def _read(self, query: Select[Any]) -> tuple[Decision, ...]:
        async with self.store.reading("read decisions") as connection:
            return tuple(Decision(**row) for row in (await connection.read(query)).mappings())


def prices_written(position: Mapping[str, Any]) -> dict[str, int]:
    """Return what was written of a position's prices; raises what a row of another shape makes it raise."""
    if "legs" in position:
        return {str(leg["address"]): int(leg["mark_price"]) for leg in position["legs"]}
    return {str(b["asset"]): int(Decimal(b["price_usd"]).scaleb(8)) for b in position["balances"]}


_INSERT = insert(decisions).returning(decisions.c.id)
"""One statement for all, so that it is compiled once and for all."""


def insert_decision(connection: Connection, decision: NewDecision, now: int) -> int:
    """Insert a decision within a transaction under way, and return its id."""
    row = {f.name: getattr(decision, f.name) for f in fields(NewDecision)}
    written = connection.execute(_INSERT, row | {"created_at": now})
    return int(written.scalar_one())


def _count_or_insert(connection: Connection, decision: NewDecision, now: int) -> int:
    """Count a hold where it was written within a day, and nothing was done since; else insert it."""
    columns = (decisions.c.id, decisions.c.rule, decisions.c.mode, decisions.c.kind, decisions.c.reason)
    newest_first = newest(about(decision.position, None)).with_only_columns(*columns, decisions.c.block_timestamp)
    for row in connection.execute(newest_first.limit(COMES_BACK)):
        if row.kind in DONE:
            break
        is_same = tuple(row[1:5]) == (decision.rule, decision.mode, decision.kind, decision.reason)
        if is_same and 0 <= decision.block_timestamp - row.block_timestamp < SECONDS_A_DAY:
            again = {"repeats": decisions.c.repeats + 1, "summary": decision.summary}
            connection.execute(update(decisions).where(decisions.c.id == row.id).values(again))
            return int(row.id)
    return insert_decision(connection, decision, now)


DONE = ("act", "upkeep")
"""Kinds of decisions to do something."""
SHORT = ("failed", "partial")
"""How plans end that the price outran: at once, or after what was done stands."""


def _count_if_repeated(connection: Connection, decision_id: int, outcome: Json) -> None:
    """Where a plan failed in the same way within a day, and nothing was signed since: count it there, drop this row.

    A state that fails block after block, or in two ways by turns, would fill the journal with rows that say the same.
    """
    this = connection.execute(select(*_SAME, IS_BOUND, *_WHEN).where(decisions.c.id == decision_id)).one()
    if this.is_bound:
        return
    before = and_(decisions.c.position == this.position, decisions.c.rule == this.rule, decisions.c.id < decision_id)
    columns = (decisions.c.id, decisions.c.outcome, *_SAME, IS_BOUND, *_WHEN)
    newest_before = select(*columns).where(before, text(IS_DONE)).order_by(decisions.c.id.desc())
    for found in connection.execute(newest_before.limit(COMES_BACK)):
        if found.is_bound:
            return
        is_same = tuple(found[2:7]) == tuple(this[:5]) and reason_of(found.outcome) == reason_of(outcome)
        if is_same and 0 <= this.block_timestamp - found.block_timestamp < SECONDS_A_DAY:
            connection.execute(delete(decisions).where(decisions.c.id == decision_id))
            again = {"repeats": decisions.c.repeats + 1, "outcome": outcome}
            connection.execute(update(decisions).where(decisions.c.id == found.id).values(again))
            return


_SAME = (decisions.c.position, decisions.c.rule, decisions.c.mode, decisions.c.kind, decisions.c.outcome_kind)
_WHEN = (decisions.c.block_timestamp,)


def reason_of(outcome: Json | None) -> Any:
    """Return the reason an outcome gives; None where it gives none."""
    return outcome.get("reason") if isinstance(outcome, Mapping) else None


def about(position: str | None, rule: str | None) -> ColumnElement[bool]:
    """Decisions about this position and under this rule; None matches every one."""
    named = decisions.c.position == position if position is not None else decisions.c.id > 0
    return and_(named, decisions.c.rule == rule) if rule is not None else named


def newest(matching: ColumnElement[bool]) -> Select[Any]:
    """What matches, newest first."""
    return select(decisions).where(matching).order_by(decisions.c.id.desc())
