"""Plans of one signer that go out together: one burst of consecutive nonces, in the order they were decided.

A lane carries one burst at a time. Whoever has something to send waits here; when everybody who is expected has come
or has nothing more to send, all that wait go out as one, and each hears what became of its own part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from keeper.chain.accounts import Receipt
from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.execution.course import Guidance, PlanChangedError, SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.recheck import Change, Drop, Keep, Unsure, Verdict
from keeper.execution.tx_state import TxState
from keeper.journal import Entry, Transaction

Fly = Callable[[Sequence[Outgoing], Guidance], Awaitable[tuple[Receipt, ...]]]
"""Carries one burst to its end."""
Rows = Callable[[int], Awaitable[tuple[Transaction, ...]]]
"""What was signed for a decision, by nonce."""
Write = Callable[[Entry], Awaitable[int]]
"""Writes a decision down, unless it is written, and returns its id."""
USUAL_TIP = 2 * 10**9
"""Wei per gas: where a plan's limit leaves no room for that above twice the base fee, gas is dear and it goes alone."""
PATIENCE_S = 2.0
"""How long whoever went out together waits for one another's next round: one may have nothing more to send."""
MOST_TOGETHER = 12
"""Plans in one burst: nodes keep few transactions of one account."""


@dataclass(slots=True)
class Boarded:
    """What one plan sends now."""

    outgoing: tuple[Outgoing, ...]
    guidance: Guidance
    done: asyncio.Future[tuple[Receipt, ...]]
    task: asyncio.Task[Any] | None

    @property
    def decision_id(self) -> int:
        """The decision all of it was signed for."""
        return self.outgoing[0].decision_id


@dataclass(slots=True)
class Convoy:
    """Whoever sends through one lane."""

    fly: Fly
    rows: Rows
    write: Write
    _waiting: list[Boarded] = field(default_factory=list)
    _expected: set[asyncio.Task[Any]] = field(default_factory=set)
    _is_held: bool = False
    _carrying: asyncio.Task[None] | None = None
    _aboard: list[Boarded] = field(default_factory=list)

    def hold(self) -> None:
        """Let nothing new go out until ``release``: more is being decided at this block."""
        self._is_held = True

    def release(self) -> None:
        """All is decided that will be at this block."""
        self._is_held = False
        self._depart()

    def expect(self, task: asyncio.Task[Any]) -> None:
        """Wait for what a task will send, or for its end, before anything new goes out."""
        self._expected.add(task)
        task.add_done_callback(self._ended)

    async def send(self, outgoing: Sequence[Outgoing], guidance: Guidance) -> tuple[Receipt, ...]:
        """Send, with whatever else is ready by then; return the receipts of what was asked for. Raises as the lane."""
        task = asyncio.current_task()
        part = Boarded(tuple(outgoing), guidance, asyncio.get_running_loop().create_future(), task)
        self._waiting.append(part)
        if task is not None:
            self._expected.discard(task)
        self._depart()
        try:
            return await part.done
        except asyncio.CancelledError:
            self._abandon(part)
            raise

    # --- departing ---------------------------------------------------------------------------------------------------

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._expected.discard(task)
        self._depart()

    @property
    def is_carrying(self) -> bool:
        """Whether a burst is on its way."""
        return self._carrying is not None and not self._carrying.done()

    def _depart(self) -> None:
        if self._waiting and not (self.is_carrying or self._is_held or self._expected):
            self._carrying = asyncio.create_task(self._carry())
            self._carrying.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        for part in self._aboard:
            if not part.done.done():  # a defect of ours: whoever waits must hear of it
                part.done.set_exception(error) if error else part.done.cancel()
        self._depart()

    def _abandon(self, part: Boarded) -> None:
        """Nobody waits for a part any more; what nobody at all waits for is not carried on."""
        if part in self._waiting:
            self._waiting.remove(part)
        elif self._carrying is not None and all(p.done.done() for p in self._aboard):
            self._carrying.cancel()

    async def _carry(self) -> None:
        self._aboard = parts = self._chosen()
        self._waiting = [part for part in self._waiting if part not in parts]
        if len(parts) == 1:
            await self._alone(parts[0])
        else:
            await self._together(parts)

    def _chosen(self) -> list[Boarded]:
        """Return what goes out now: the first that waits, and what is of its block and need not wait for gas."""
        first = self._waiting[0]
        return [first, *(p for p in self._waiting[1:] if _may_join(first, p))][:MOST_TOGETHER]

    async def _alone(self, part: Boarded) -> None:
        try:
            receipts = await self.fly(part.outgoing, part.guidance)
        except Exception as error:  # noqa: BLE001 - handed on as it is
            _fail(part, error)
        else:
            _succeed(part, receipts)

    async def _together(self, parts: list[Boarded]) -> None:
        try:
            for part in parts:
                if part.guidance.entry is not None:
                    id_ = await self.write(part.guidance.entry)
                    part.outgoing = tuple(replace(item, decision_id=id_) for item in part.outgoing)
            burst = [item for part in parts for item in part.outgoing]
            receipts = await self.fly(burst, self._guidance(parts))
        except Exception as error:  # noqa: BLE001 - each hears what became of its own part
            await self._end(parts, error)
            return
        for part in parts:
            _succeed(part, receipts[: len(part.outgoing)])
            receipts = receipts[len(part.outgoing) :]
            self._expect_again(part)

    async def _end(self, parts: Sequence[Boarded], error: Exception) -> None:
        """Hand each plan its own end: the receipts of what landed, its own failure, or what befell all."""
        for part in parts:
            try:
                landed = await self._landed(part)
            except Exception:  # noqa: BLE001 - a journal that cannot be read says nothing; the first error stands
                landed = None
            if isinstance(landed, SendFailedError):
                _fail(part, landed)
            elif landed is not None:
                _succeed(part, landed)
            else:
                _fail(part, error)
            self._expect_again(part)

    async def _landed(self, part: Boarded) -> tuple[Receipt, ...] | SendFailedError | None:
        """Return the receipts of a part that landed as a whole, that it reverted, or None where it did not land."""
        if not part.decision_id:
            return None
        steps = {item.step for item in part.outgoing}
        rows = {row.step: row for row in await self.rows(part.decision_id) if row.step in steps and row.block_hash}
        reverted = next((row for row in rows.values() if row.state == TxState.REVERTED.value), None)
        if reverted is not None:
            detail = f"{reverted.purpose} ({reverted.attempts[-1].hash})"
            return SendFailedError(Reason.REVERTED, detail, (reverted, _receipt(reverted, succeeded=False)))
        if rows.keys() != steps or not all(TxState(row.state).has_landed for row in rows.values()):
            return None
        return tuple(_receipt(rows[item.step]) for item in part.outgoing)

    def _expect_again(self, part: Boarded) -> None:
        """Whoever went out together goes on together: the next round of one waits for that of the other."""
        task = part.task
        if task is not None and not task.done():
            self._expected.add(task)
            asyncio.get_running_loop().call_later(PATIENCE_S, self._ended, task)

    # --- deciding anew -----------------------------------------------------------------------------------------------

    def _guidance(self, parts: Sequence[Boarded]) -> Guidance:
        """Return what holds for all: the lowest limit, and one second look at each that is still on its way."""
        first = parts[0].guidance

        async def reconsider(_: bool) -> Verdict:
            return await self._reconsidered(parts)

        return replace(first, entry=None, ceiling=_lowest([p.guidance.ceiling for p in parts]), reconsider=reconsider)

    async def _reconsidered(self, parts: Sequence[Boarded]) -> Verdict:
        """Ask for each plan that has not landed whether it is still right.

        One that is not makes all others be decided anew with it, for they share nonces; what landed has landed. Where
        nobody can confirm one of them no more is offered for any.
        """
        said = list[Verdict]()
        for part in parts:
            if part.guidance.reconsider is not None and await self._landed(part) is None:
                said.append(await part.guidance.reconsider(False))
        unsure = next((one for one in said if isinstance(one, Unsure)), None)
        if unsure is not None:
            return unsure
        keeps = [one for one in said if isinstance(one, Keep)]
        drops = [one for one in said if isinstance(one, Drop)]
        if len(keeps) == len(said):
            limits = [one.ceiling for one in keeps] or [p.guidance.ceiling for p in parts]
            return Keep(_lowest(limits))
        return drops[0] if len(drops) == len(parts) else Change()


def _may_join(first: Boarded, other: Boarded) -> bool:
    a, b = first.guidance, other.guidance
    if a.continues != b.continues or a.cancel_ceiling != b.cancel_ceiling:
        return False
    if any(item.delegate for item in (*first.outgoing, *other.outgoing)):
        return False  # the authorisation uses up a nonce of its own
    if a.decided_at is None or b.decided_at is None:
        return a.decided_at is b.decided_at
    wanted = 2 * a.decided_at.base_fee + USUAL_TIP
    return a.decided_at.hash == b.decided_at.hash and (b.ceiling is None or b.ceiling >= wanted)


def _lowest(ceilings: Sequence[Wei | None]) -> Wei | None:
    return min((c for c in ceilings if c is not None), default=None)


def _receipt(row: Transaction, *, succeeded: bool = True) -> Receipt:
    """Return the receipt of a mined row, as the journal has it."""
    return Receipt(
        hash=row.attempts[-1].hash,
        succeeded=succeeded,
        block_number=row.block_number or 0,
        block_hash=row.block_hash or "",
        gas_used=row.gas_used or 0,
        gas_price=Wei(row.effective_gas_price or 0),
    )


def _succeed(part: Boarded, receipts: tuple[Receipt, ...]) -> None:
    if not part.done.done():
        part.done.set_result(receipts)


def _fail(part: Boarded, error: Exception) -> None:
    if part.done.done():
        return
    # one error is not raised in several tasks: each gets its own
    match error:
        case PlanChangedError():
            part.done.set_exception(PlanChangedError(error.pending))
        case SendFailedError():
            part.done.set_exception(SendFailedError(error.reason, error.detail, error.reverted))
        case _:
            part.done.set_exception(error)
