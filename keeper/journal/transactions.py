"""What was signed for a decision: one row is one intent at one nonce, with every set of bytes signed for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, insert, select, union_all, update
from sqlalchemy.exc import IntegrityError

from keeper.journal.decisions import Mode
from keeper.journal.desk import Session
from keeper.journal.errors import JournalError, NonceTakenError, NoSuchRowError
from keeper.journal.schema import attempts, decisions, transactions
from keeper.journal.signed import (
    LANDED,
    UNDECIDED,
    UNFINISHED,
    Attempt,
    NewAttempt,
    NewTransaction,
    State,
    Transaction,
)
from keeper.journal.store import Store

_DECIDED_AT = select(decisions.c.block_timestamp).where(decisions.c.id == bindparam("decided_by")).scalar_subquery()
_INSERT = insert(transactions).values(decided_at=_DECIDED_AT).returning(transactions.c.id)
_INSERT_ATTEMPT = insert(attempts).returning(attempts.c.id)

CALM_S = 6 * 3600
"""Seconds of chain time without a plan after which a danger is over."""
LONGEST_DANGER_S = 7 * 86_400
"""No further back than this does one danger reach."""
MOST_ASKED = 500
"""Hashes that are looked up at once."""


@dataclass(frozen=True, slots=True)
class Transactions:
    """The nonce lanes of every signer."""

    store: Store

    async def add_signed(self, transaction: NewTransaction, attempt: NewAttempt) -> int:
        """Write a transaction with its first signed bytes in one durable commit; call it before the wire.

        Returns the transaction's id. Raises NonceTakenError when another intent lives at the nonce, JournalError.
        """
        async with self.store.writing("add a signed transaction") as connection:
            return (await connection.do(self.insert, transaction, attempt, None))[0]

    async def replace_signed(self, replaced_id: int, transaction: NewTransaction, attempt: NewAttempt) -> int:
        """Give a nonce to another intent (a new plan, a cancellation) in one durable commit.

        The earlier row stays as ``replaced``: its bytes may still be the ones that land. Returns the new id. Raises
        NonceTakenError, NoSuchRowError when it is not unfinished any more, JournalError.
        """
        async with self.store.writing("replace a transaction") as connection:
            row = {"state": "replaced", "updated_at": self.store.clock()}
            unfinished = and_(transactions.c.id == replaced_id, transactions.c.state.in_(UNFINISHED))
            if not await connection.change(update(transactions).where(unfinished).values(row)):
                raise NoSuchRowError("replace a transaction", f"unfinished transaction {replaced_id}")
            return (await connection.do(self.insert, transaction, attempt, replaced_id))[0]

    async def add_attempt(self, transaction_id: int, attempt: NewAttempt, gas_limit: int | None = None) -> int:
        """Write further signed bytes of the same intent, with other fees or more gas; call it before the wire.

        Returns the attempt's id. Raises JournalError.
        """
        async with self.store.writing("add an attempt") as connection:
            if gas_limit is not None:
                row = {"gas_limit": gas_limit, "updated_at": self.store.clock()}
                await connection.change(update(transactions).where(transactions.c.id == transaction_id).values(row))
            return await connection.do(self._insert_attempt, transaction_id, attempt)

    async def mark_broadcast(self, transaction_hash: str) -> None:
        """A node took these bytes: a signed transaction is pending from here on.

        Raises NoSuchRowError, JournalError.
        """
        now = self.store.clock()
        async with self.store.writing("mark a broadcast") as connection:
            row = {"broadcast_at": func.coalesce(attempts.c.broadcast_at, now), "last_error": None}
            owner = await self._update_attempt(connection, transaction_hash, row)
            signed = and_(transactions.c.id == owner, transactions.c.state == "signed")
            await connection.change(update(transactions).where(signed).values(state="pending", updated_at=now))

    async def mark_refused(self, transaction_hash: str, error: str) -> None:
        """No node took these bytes; they may be sent again. Raises NoSuchRowError, JournalError."""
        async with self.store.writing("mark a refusal") as connection:
            await self._update_attempt(connection, transaction_hash, {"last_error": error})

    async def settle(
        self,
        transaction_id: int,
        state: State,
        *,
        block_number: int | None = None,
        block_hash: str | None = None,
        gas_used: int | None = None,
        effective_gas_price: int | None = None,
        error: str | None = None,
    ) -> None:
        """Write where a transaction stands now; what is left out is cleared, as after a reorg.

        When it turns out that the bytes of a replaced intent landed, settle its replacement first: two intents
        cannot both hold the nonce. Raises NonceTakenError, NoSuchRowError, JournalError.
        """
        row = {
            "state": state,
            "block_number": block_number,
            "block_hash": block_hash,
            "gas_used": gas_used,
            "effective_gas_price": effective_gas_price,
            "error": error,
            "updated_at": self.store.clock(),
        }
        here = transactions.c.id == transaction_id
        async with self.store.writing("settle a transaction") as connection:
            lane = select(transactions.c.chain_id, transactions.c.signer, transactions.c.nonce).where(here)
            found = (await connection.read(lane)).one_or_none()
            if found is None:
                raise NoSuchRowError("settle a transaction", f"transaction {transaction_id}")
            try:
                await connection.change(update(transactions).where(here).values(row))
            except IntegrityError as clash:
                raise NonceTakenError(*found) from clash

    async def unfinished(
        self, chain_id: int, signer: str, states: Collection[State] = UNFINISHED, nonces: range | None = None
    ) -> tuple[Transaction, ...]:
        """What has been signed and is not settled, by nonce, to be taken up again at a start. Raises JournalError."""
        matching = and_(of_signer(chain_id, signer), transactions.c.state.in_(states))
        if nonces is not None:
            matching = and_(matching, transactions.c.nonce >= nonces.start, transactions.c.nonce < nonces.stop)
        return await self._read(matching)

    async def at_nonce(self, chain_id: int, signer: str, nonce: int) -> tuple[Transaction, ...]:
        """Every intent that was ever at a nonce: a receipt is sought for the hashes of all. Raises JournalError."""
        return await self._read(and_(of_signer(chain_id, signer), transactions.c.nonce == nonce))

    async def own_of(self, hashes: Collection[str]) -> frozenset[str]:
        """Return which of these hashes were signed here. Raises JournalError."""
        wanted = sorted(hashes)[:MOST_ASKED]
        if not wanted:
            return frozenset()
        async with self.store.reading("read whose transactions these are") as connection:
            found = await connection.read(select(attempts.c.hash).where(attempts.c.hash.in_(wanted)))
            return frozenset(str(x) for x in found.scalars())

    async def of_decision(self, decision_id: int) -> tuple[Transaction, ...]:
        """What was signed for a decision, by nonce. Raises JournalError."""
        return await self._read(transactions.c.decision_id == decision_id)

    async def recent(self, limit: int) -> tuple[Transaction, ...]:
        """The newest ones, newest first. Raises JournalError."""
        newest = select(transactions.c.id).where(transactions.c.id > 0).order_by(transactions.c.id.desc()).limit(limit)
        found = await self._read(transactions.c.id.in_(newest))
        return tuple(sorted(found, key=lambda transaction: transaction.id, reverse=True))

    async def highest_nonce(
        self, chain_id: int, signer: str, *, landed: bool = False, confirmed: bool = False
    ) -> int | None:
        """The highest nonce that was signed for and not given back, or ``landed``, or ``confirmed``.

        Raises JournalError.
        """
        seen = {"confirmed"} if confirmed else {*LANDED, "reverted"}
        counts = sorted(seen if landed or confirmed else {*get_args(State)} - {"planned", "expired"})
        # the end of each state's own stretch of the index: a lane may end in many nonces that were all given up
        each = [
            select(func.max(transactions.c.nonce).label("nonce")).where(
                of_signer(chain_id, signer), transactions.c.state == state
            )
            for state in counts
        ]
        async with self.store.reading("read the highest nonce") as connection:
            found = (await connection.read(union_all(*each))).scalars().all()
        return max((int(nonce) for nonce in found if nonce is not None), default=None)

    async def gas_paid(self, chain_id: int, position: str, now: int, mode: Mode = "live") -> int:
        """What gas has cost a position since its danger began, in wei: all that was mined, what reverted too.

        A danger is a run of plans no two of which are ``CALM_S`` apart, and that came so near to ``now``. Raises
        JournalError.
        """
        columns = (transactions.c.decided_at, transactions.c.gas_used, transactions.c.effective_gas_price)
        query = select(*columns).join_from(transactions, decisions)
        query = query.where(
            transactions.c.chain_id == chain_id,
            decisions.c.position == position,
            decisions.c.mode == mode,
            transactions.c.gas_used.is_not(None),
        )
        paid, last, upper, longest = 0, now, None, now - LONGEST_DANGER_S
        async with self.store.reading("add up what gas cost") as connection:
            while upper is None or upper > longest:
                # no two plans of one such stretch are further apart than belongs to one danger
                lower = max(last - CALM_S, longest)
                stretch = query.where(transactions.c.decided_at >= lower)
                if upper is not None:
                    stretch = stretch.where(transactions.c.decided_at < upper)
                rows = (await connection.read(stretch)).all()
                if not rows:
                    break
                paid += sum(used * (price or 0) for _, used, price in rows)
                last, upper = min(last, *(timestamp for timestamp, *_ in rows)), lower
        return paid

    async def spent_usd(
        self,
        chain_id: int,
        *,
        since_timestamp: int,
        signer: str | None = None,
        rule: str | None = None,
        mode: Mode = "live",
    ) -> int:
        """What decisions of blocks since ``since_timestamp`` spent or may yet spend, USD with 8 decimals.

        Whatever is signed counts until it is known not to land, so a limit survives a restart; of several intents
        at one nonce the dearest counts until one has landed. Raises JournalError.
        """
        columns = (transactions.c.signer, transactions.c.nonce, transactions.c.state, transactions.c.spend_usd)
        query = select(decisions.c.rule, *columns).join_from(transactions, decisions)
        query = query.where(
            transactions.c.chain_id == chain_id,
            transactions.c.decided_at >= since_timestamp,
            decisions.c.mode == mode,
        )
        if signer is not None:
            query = query.where(transactions.c.signer == signer)
        async with self.store.reading("add up what was spent") as connection:
            rows = (await connection.read(query)).all()
        lanes: dict[tuple[str, int], list[tuple[str | None, State, int]]] = defaultdict(list)
        for its_rule, its_signer, nonce, state, spend in rows:
            lanes[its_signer, nonce].append((its_rule, state, spend))
        return sum(may_be_spent(intents, rule) for intents in lanes.values())

    def insert(
        self, connection: Connection, transaction: NewTransaction, attempt: NewAttempt, replaces: int | None
    ) -> tuple[int, int]:
        """Insert both within a transaction under way; return the id of each. Raises NonceTakenError, NoSuchRowError."""
        now = self.store.clock()
        row = {**asdict(transaction), "replaces": replaces, "state": "signed", "created_at": now, "updated_at": now}
        row["decided_by"] = transaction.decision_id
        try:
            written = connection.execute(_INSERT, row)
        except IntegrityError as clash:
            if is_foreign_key(clash):
                raise NoSuchRowError("add a signed transaction", f"decision {transaction.decision_id}") from clash
            raise NonceTakenError(transaction.chain_id, transaction.signer, transaction.nonce) from clash
        transaction_id = int(written.scalar_one())
        return transaction_id, self._insert_attempt(connection, transaction_id, attempt)

    def _insert_attempt(self, connection: Connection, transaction_id: int, attempt: NewAttempt) -> int:
        row = {**asdict(attempt), "transaction_id": transaction_id, "signed_at": self.store.clock()}
        try:
            written = connection.execute(_INSERT_ATTEMPT, row)
        except IntegrityError as clash:
            if is_foreign_key(clash):
                raise NoSuchRowError("add an attempt", f"transaction {transaction_id}") from clash
            remedy = "Send the bytes that are already there."
            raise JournalError("add an attempt", f"{attempt.hash} is already in it", remedy) from clash
        return int(written.scalar_one())

    async def _update_attempt(self, connection: Session, transaction_hash: str, row: dict[str, Any]) -> int:
        here = attempts.c.hash == transaction_hash
        written = update(attempts).where(here).values(row).returning(attempts.c.transaction_id)
        owner = (await connection.read(written)).scalar_one_or_none()
        if owner is None:
            raise NoSuchRowError("mark an attempt", f"attempt {transaction_hash}")
        return int(owner)

    async def _read(self, matching: ColumnElement[bool]) -> tuple[Transaction, ...]:
        # put in order here: asked for it, a database takes the index that has the order, and reads the whole lane
        ours = select(transactions).where(matching)
        theirs = select(attempts).join(transactions).where(matching)
        async with self.store.reading("read transactions") as connection:
            found = (await connection.read(ours)).mappings().all()
            rows = sorted(found, key=lambda row: (row["nonce"], row["id"]))
            signed: dict[int, list[Attempt]] = defaultdict(list)
            bytes_ = (await connection.read(theirs)).mappings().all()
            for row in sorted(bytes_, key=lambda row: int(row["id"])):
                signed[row["transaction_id"]].append(Attempt(**row))
        return tuple(Transaction(**row, attempts=tuple(signed[row["id"]])) for row in rows)


def of_signer(chain_id: int, signer: str) -> ColumnElement[bool]:
    """One nonce lane."""
    return and_(transactions.c.chain_id == chain_id, transactions.c.signer == signer)


def may_be_spent(intents: Iterable[tuple[str | None, State, int]], rule: str | None) -> int:
    """What the intents ``(rule, state, spend)`` at one nonce cost at most under ``rule`` (None: under any).

    Once one of them has landed or reverted the nonce is used up and the others cost nothing.
    """
    everything = list(intents)
    decided = [intent for intent in everything if intent[1] in LANDED or intent[1] == "reverted"]
    open_still = decided or [intent for intent in everything if intent[1] in UNDECIDED]
    costs = (spend for its_rule, state, spend in open_still if state != "reverted" and rule in {None, its_rule})
    return max(costs, default=0)


def is_foreign_key(clash: IntegrityError) -> bool:
    """Whether the row that was pointed to is missing, rather than a unique value taken."""
    return "foreign key" in str(clash.orig).lower()
