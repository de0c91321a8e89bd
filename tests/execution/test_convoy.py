"""Plans of one signer that go out together: joined in one burst, each told what became of its own part."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from keeper.chain.accounts import Receipt
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.execution.convoy import Convoy
from keeper.execution.course import Guidance, PlanChangedError, SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.recheck import Change, Drop, Keep, Unsure, Verdict
from keeper.journal import Transaction
from keeper.venues.ports import Call

GWEI = 10**9
BLOCK = BlockRef(1, 100, "0xaa", "0xbb", 1200, Wei(10 * GWEI))
GUIDANCE = Guidance(Wei(100 * GWEI), None, decided_at=BLOCK)


def part(decision: int, count: int = 1) -> list[Outgoing]:
    call = Call(Address("0x" + "11" * 20), b"", Wei(0), "supply")
    return [Outgoing(call, decision, step, 0, 100_000) for step in range(count)]


def receipt(item: Outgoing) -> Receipt:
    return Receipt(f"{item.decision_id}:{item.step}", True, 101, "0xcc", 21_000, Wei(GWEI))


@dataclass
class Sea:
    """Carries bursts, and keeps what it carried; ``error`` befalls the next one."""

    carried: list[tuple[list[int], Guidance]] = field(default_factory=list)
    error: Exception | None = None
    states: dict[int, str] = field(default_factory=dict)
    gate: asyncio.Event | None = None

    async def fly(self, outgoing: Sequence[Outgoing], guidance: Guidance) -> tuple[Receipt, ...]:
        self.carried.append(([item.decision_id for item in outgoing], guidance))
        if self.gate is not None:
            await self.gate.wait()
        error, self.error = self.error, None
        if error is not None:
            raise error
        return tuple(receipt(item) for item in outgoing)

    async def rows(self, decision: int) -> tuple[Transaction, ...]:
        state = self.states.get(decision)
        return () if state is None else (_row(decision, state),)

    async def write(self, _: object) -> int:
        raise AssertionError("these entries are written")

    @property
    def convoy(self) -> Convoy:
        return Convoy(self.fly, self.rows, self.write)


def _row(decision: int, state: str) -> Transaction:
    return Transaction(
        decision_id=decision, step=0, chain_id=1, signer="0x", nonce=decision, to="0x", value=0, data="0x",
        purpose="supply", spend_usd=0, gas_limit=1, id=decision, replaces=None, state=state,  # type: ignore[arg-type]
        block_number=101, block_hash="0xcc", gas_used=1, effective_gas_price=1, error=None, created_at=0, updated_at=0,
        attempts=(_Attempt(f"{decision}:0"),),  # type: ignore[arg-type]
    )  # fmt: skip


@dataclass(frozen=True)
class _Attempt:
    hash: str


async def together(convoy: Convoy, *sends: tuple[list[Outgoing], Guidance]) -> list[object]:
    """All of them decided at one block."""
    convoy.hold()
    tasks = [asyncio.create_task(convoy.send(*one)) for one in sends]
    for task in tasks:
        convoy.expect(task)
    convoy.release()
    return list(await asyncio.gather(*tasks, return_exceptions=True))


async def test_what_is_decided_together_goes_out_as_one_burst_in_its_order() -> None:
    """The first decided has the lowest nonces; each gets the receipts of its own."""
    sea = Sea()
    found = await together(sea.convoy, (part(1, 2), GUIDANCE), (part(2), GUIDANCE))
    assert [decisions for decisions, _ in sea.carried] == [[1, 1, 2]]
    assert [[r.hash for r in one] for one in found] == [["1:0", "1:1"], ["2:0"]]  # type: ignore[attr-defined]


async def test_nothing_goes_out_while_somebody_is_expected() -> None:
    """Who was decided at the same block and is still at it is waited for; who ends without sending is not."""
    sea, never = Sea(), asyncio.Event()
    convoy = sea.convoy
    idle = asyncio.create_task(never.wait())
    convoy.expect(idle)
    first = asyncio.create_task(convoy.send(part(1), GUIDANCE))
    await asyncio.sleep(0.01)
    assert not sea.carried
    never.set()
    await first
    assert len(sea.carried) == 1


async def test_a_revert_is_told_to_whom_it_befell() -> None:
    """The others' transactions landed: they go on to verify."""
    sea = Sea(error=SendFailedError(Reason.REVERTED, "supply (1:0)"), states={1: "reverted", 2: "mined"})
    first, second = await together(sea.convoy, (part(1), GUIDANCE), (part(2), GUIDANCE))
    assert isinstance(first, SendFailedError)
    assert first.reason is Reason.REVERTED
    assert [r.hash for r in second] == ["2:0"]  # type: ignore[attr-defined]


async def test_what_befell_all_is_told_to_all() -> None:
    """Nothing landed: each has an error of its own to raise."""
    sea = Sea(error=SendFailedError(Reason.NOT_MINED, "still pending"))
    found = await together(sea.convoy, (part(1), GUIDANCE), (part(2), GUIDANCE))
    assert [one.reason for one in found] == [Reason.NOT_MINED] * 2  # type: ignore[attr-defined]
    assert found[0] is not found[1]


async def test_dear_gas_lets_the_dearest_go_alone() -> None:
    """A limit of fees that would hold the others back is not shared: it goes out afterwards."""
    sea = Sea()
    low = replace(GUIDANCE, ceiling=Wei(15 * GWEI))
    await together(sea.convoy, (part(1), GUIDANCE), (part(2), low), (part(3), GUIDANCE))
    assert [decisions for decisions, _ in sea.carried] == [[1, 3], [2]]


async def test_another_block_or_a_delegation_goes_apart() -> None:
    """A state that moved on is another decision's; an authorisation uses up a nonce of its own."""
    later = replace(GUIDANCE, decided_at=replace(BLOCK, number=101, hash="0xdd"))
    sea = Sea()
    await together(sea.convoy, (part(1), GUIDANCE), (part(2), later))
    assert [decisions for decisions, _ in sea.carried] == [[1], [2]]
    delegating = [replace(item, delegate=Address("0x" + "22" * 20)) for item in part(1)]
    sea = Sea()
    await together(sea.convoy, (delegating, GUIDANCE), (part(2), GUIDANCE))
    assert [decisions for decisions, _ in sea.carried] == [[1], [2]]


@pytest.mark.parametrize(
    ("verdicts", "landed", "wanted"),
    [
        ([Keep(Wei(9)), Keep(Wei(7))], {}, Keep(Wei(7))),
        ([Keep(Wei(9)), Change()], {}, Change()),
        ([Keep(Wei(9)), Drop(Reason.HEALTHY)], {}, Change()),
        ([Drop(Reason.HEALTHY), Drop(Reason.HEALTHY)], {}, Drop(Reason.HEALTHY)),
        ([Keep(Wei(9)), Change()], {1: "reverted"}, Change()),
        ([Change(), Keep(Wei(7))], {1: "mined"}, Keep(Wei(7))),
        ([Keep(Wei(9)), Unsure(Reason.NODE_AWAY)], {}, Unsure(Reason.NODE_AWAY)),
    ],
)
async def test_a_second_look_looks_at_each_that_is_still_on_its_way(
    verdicts: list[Verdict], landed: dict[int, str], wanted: object
) -> None:
    """One that is no longer right makes all that share its nonces be decided anew; also after an earlier one failed."""

    def asking(answer: Verdict) -> Guidance:
        async def reconsider(_: bool) -> Verdict:
            return answer

        return replace(GUIDANCE, reconsider=reconsider)

    sea = Sea(gate=asyncio.Event(), states=landed)
    sends = [(part(i), asking(answer)) for i, answer in enumerate(verdicts, 1)]
    whole = asyncio.create_task(together(sea.convoy, *sends))
    await asyncio.sleep(0.01)
    ((_, guidance),) = sea.carried
    assert guidance.reconsider is not None
    assert await guidance.reconsider(False) == wanted
    assert sea.gate is not None
    sea.gate.set()
    await whole


async def test_a_changed_plan_is_changed_for_all_and_they_go_out_again_together() -> None:
    """Their pending transactions are replaced at the same nonces, in one burst again."""
    sea = Sea(error=PlanChangedError(()))
    convoy = sea.convoy

    async def plan(decision: int) -> tuple[Receipt, ...]:
        try:
            return await convoy.send(part(decision), GUIDANCE)
        except PlanChangedError:
            return await convoy.send(part(decision + 10), GUIDANCE)

    convoy.hold()
    tasks = [asyncio.create_task(plan(decision)) for decision in (1, 2)]
    for task in tasks:
        convoy.expect(task)
    convoy.release()
    await asyncio.gather(*tasks)
    assert [decisions for decisions, _ in sea.carried] == [[1, 2], [11, 12]]
