"""What a plan cut short took out comes back: however it ended, and though the first tries come to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import BLOCK, NOW, at, loop
from fake_chain import FakeBlocks
from test_lane import TIMINGS, Rig, guidance, rig  # noqa: F401 - a fixture
from test_policy import VENUES
from test_policy_bundles import APPROVE, FLASH, SOLD
from test_policy_bundles import POSITION as BUNDLED
from test_policy_bundles import VENUES as WITH_LENDER

from keeper.core.lending.moves import Move, Withdraw
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Address, Amount, Wad
from keeper.execution.carriers import Plain
from keeper.execution.course import SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.encoding import encode_moves
from keeper.execution.executor import Executor
from keeper.execution.lending_errand import LendingParts
from keeper.execution.outcome import Outcome
from keeper.execution.recovery import TRIES, Aftermath
from keeper.execution.settlement import Immediate
from keeper.journal.decisions import OutcomeKind
from keeper.observe.observer import Observer

TAKEN = 10**18
WETH = at("WETH")


class Rescue:
    """A plan of which one withdrawal was mined, and what sees to its end."""

    def __init__(self, rig: Rig) -> None:  # noqa: F811
        self.rig, self.wallet = rig, TAKEN
        self.observer = Observer("live", None, 3600)
        self.aftermath = Aftermath(rig.journal, self.observer, {"p": rig.lane.signer.address}, None)

        async def read(_: str, __: int | None) -> LendingPosition:
            return replace(loop("10", "13000"), owner=rig.lane.signer.address)

        async def held(_: object, assets: Sequence[Address]) -> dict[Address, Amount]:
            return {asset: Amount(self.wallet) for asset in assets}

        desk: Any = LendingParts(rig.lane, lambda _: VENUES, read, held, None, Wad(0))
        self.executor = Executor(rig.lane, None, desk, desk)

    async def take_out(self, end: OutcomeKind) -> None:
        owner = self.rig.lane.signer.address
        call = VENUES.market.encode(Withdraw(WETH, Amount(TAKEN)), replace(loop("10", "13000"), owner=owner), owner)
        self.rig.clock.at = [(self.rig.clock.now + 2, self.rig.chain.mine)]
        await self.rig.lane.send([Outgoing(call, self.rig.decision, 2, 5, 300_000)], guidance())
        await self.rig.journal.decisions.record_outcome(self.rig.decision, end, {})

    async def returned(self) -> bool:
        (decision,) = await self.aftermath.cut_short(self.rig.lane.signer.address, 1)
        return await self.aftermath.bring_back(decision, self.executor)

    @property
    def supplied(self) -> list[str]:
        data = [seen.data for hash_ in self.rig.chain.mined for seen in self.rig.chain.log if seen.hash == hash_]
        return [d for d in data if d.startswith("0x617ba037")]


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_what_was_taken_out_is_returned_however_the_plan_ended(rig: Rig, end: OutcomeKind) -> None:  # noqa: F811
    """A plan that gave way to another was called off, and a part of it can have been mined before."""
    rescue = Rescue(rig)
    await rescue.take_out(end)
    assert await rescue.executor.lending.left_outside(rig.decision, "loop")
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    assert await rescue.returned()
    (supply,) = rescue.supplied
    assert f"{TAKEN:064x}" in supply
    assert not await rescue.executor.lending.left_outside(rig.decision, "loop")


class Sale:
    """A plan in one burst: an approval, a withdrawal, and a sale of what comes out, which reverts."""

    settlement = Immediate()
    block = BLOCK

    def __init__(self, rescue: Rescue) -> None:
        self.rescue = rescue
        self.warrant = SimpleNamespace(decision_id=rescue.rig.decision, ceiling=None, entry=None, balance=10**20)

    def check(self) -> None:
        pass

    def bursts(self) -> Iterator[list[Outgoing]]:
        on, owner = self.rescue.rig, self.rescue.rig.lane.signer.address
        out = VENUES.market.encode(Withdraw(WETH, Amount(TAKEN)), replace(loop("10", "13000"), owner=owner), owner)
        yield [on.out("02"), Outgoing(out, on.decision, 1, 5, 300_000), on.out("04")]

    def rests(self, burst: object) -> bool:
        return False

    async def ended(self, kind: OutcomeKind, reason: Reason, detail: str, hashes: tuple[str, ...]) -> Outcome:
        return Outcome(kind, reason, detail, None, hashes)

    async def put_back(self) -> None:
        self.rescue.rig.clock.at = [(self.rescue.rig.clock.now + 2, self.rescue.rig.chain.mine)]
        await self.rescue.executor.lending.bring_back(self.warrant.decision_id, "loop", None)


@pytest.mark.parametrize("reason", [Reason.NONCE_TAKEN, Reason.REVERTED])
async def test_what_a_plan_took_out_is_back_before_it_ends(rig: Rig, reason: Reason) -> None:  # noqa: F811
    """However it fell short: what is decided next, maybe at once, is decided on all there is."""
    rescue = Rescue(rig)
    rig.chain.reverting.add("0x04")
    first = (lambda: rig.chain.mine_foreign(rig.me)) if reason is Reason.NONCE_TAKEN else rig.chain.mine
    rig.clock.at = [(2, first), (3, rig.chain.mine)]
    errand: Any = Sale(rescue)
    outcome = await rescue.executor.execute(errand)
    assert (outcome.kind, outcome.reason) == ("failed", reason)
    (supply,) = rescue.supplied
    assert f"{TAKEN:064x}" in supply


async def test_nothing_is_returned_while_a_part_of_the_plan_may_land(rig: Rig) -> None:  # noqa: F811
    """It might sell what is on its way back: the next start, or block, sees to it."""
    rescue = Rescue(rig)
    called = list[bool]()

    async def put_back() -> None:
        called.append(True)

    errand: Any = Sale(rescue)
    errand.put_back = put_back
    rig.lane._flight._timings = replace(TIMINGS, give_up_s=40)
    outcome = await rescue.executor.execute(errand)
    assert outcome.reason is Reason.NOT_MINED
    assert called == []


@pytest.mark.parametrize("restarts", [False, True], ids=["its_own_flight", "after_a_restart"])
async def test_what_waits_for_ever_is_called_off_and_what_it_took_out_comes_back(rig: Rig, *, restarts: bool) -> None:  # noqa: F811
    """The withdrawal was mined, the sale after it never is: the collateral does not wait outside with it."""
    rescue = Rescue(rig)
    needless, calls = {"p"}, next(Sale(rescue).bursts())

    def mine_the_first_two() -> None:
        held = rig.chain.pool.pop((rig.me, 2))
        rig.chain.mine()
        rig.chain.pool[rig.me, 2] = held

    rig.clock.at = [(rig.clock.now + 2, mine_the_first_two)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send(calls, replace(guidance(), give_up_s=20))
    assert failed.value.reason is Reason.NOT_MINED
    if restarts:
        rig.lane = rig.new_lane()
        rig.lane._flight._timings = replace(TIMINGS, give_up_s=40)
        rescue.executor = replace(
            rescue.executor, lane=rig.lane, lending=replace(rescue.executor.lending, lane=rig.lane)
        )
        head = await FakeBlocks(rig.chain).head()
        await rescue.aftermath.call_off(rescue.executor, needless, head)
        assert await rig.states() == ["mined", "mined", "pending"]  # it was said again a moment ago only
        rig.lane.follow_leftovers()
        assert rig.lane._leftovers
        await asyncio.wait([rig.lane._leftovers])
    await rescue.aftermath.call_off(rescue.executor, needless, await FakeBlocks(rig.chain).head())
    rig.chain.mine()
    await rig.lane.reconcile()
    assert await rig.lane.is_clear()
    assert [seen.data for seen in rig.chain.mined_at(2)] == ["0x"]
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    await rig.journal.decisions.record_outcome(rig.decision, "failed", {})
    assert await rescue.returned()
    (supply,) = rescue.supplied
    assert f"{TAKEN:064x}" in supply


async def test_no_more_is_returned_than_arrived(rig: Rig) -> None:  # noqa: F811
    """A token that takes a fee on each transfer: what is left of it secures the position again."""
    rescue = Rescue(rig)
    await rescue.take_out("failed")
    rescue.wallet = TAKEN * 99 // 100
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    assert await rescue.returned()
    (supply,) = rescue.supplied
    assert f"{rescue.wallet:064x}" in supply


async def test_what_the_wallet_no_longer_has_is_not_returned(rig: Rig) -> None:  # noqa: F811
    """Another plan used it since: nothing is signed."""
    rescue = Rescue(rig)
    await rescue.take_out("failed")
    rescue.wallet = 0
    assert await rescue.returned()
    assert not rescue.supplied


async def test_a_return_that_another_use_of_the_key_prevents_is_tried_again(rig: Rig) -> None:  # noqa: F811
    """It is not done with, and nobody is alarmed, until it was tried a few times; then it is returned once."""
    rescue = Rescue(rig)
    await rescue.take_out("failed")
    for _ in range(TRIES - 1):
        rig.clock.at = [(rig.clock.now + 2, lambda: rig.chain.mine_foreign(rig.me))]
        rig.clock.at += [(rig.clock.now + 4, lambda: rig.chain.mine_foreign(rig.me))]
        rig.clock.at += [(rig.clock.now + 6, lambda: rig.chain.mine_foreign(rig.me))]
        assert not await rescue.returned()
    assert not rescue.observer.voice.known.keys_of("")
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    assert await rescue.returned()
    assert len(rescue.supplied) == 1


async def test_a_return_that_never_works_is_told_and_given_up(rig: Rig) -> None:  # noqa: F811
    """It stands in nobody's way for ever, and not in silence."""
    rescue = Rescue(rig)
    await rescue.take_out("failed")

    async def refuses(*_: Any) -> int:
        raise SendFailedError(Reason.FEE_LIMIT, "no offer")

    stand_in: Any = SimpleNamespace(lending=SimpleNamespace(bring_back=refuses), lane=rig.lane)
    (decision,) = await rescue.aftermath.cut_short(rig.lane.signer.address, 1)
    tried = [await rescue.aftermath.bring_back(decision, stand_in) for _ in range(TRIES)]
    assert tried == [False] * (TRIES - 1) + [True]
    assert rescue.observer.voice.known.keys_of("") == [f"outside:{rig.decision}"]


@pytest.mark.parametrize(
    ("kind", "gave_way", "may"),
    [("restored", False, False), ("restored", True, True), ("cancelled", False, True), ("failed", False, True)],
)
def test_a_plan_that_went_out_for_another_hides_no_rest_of_it(kind: OutcomeKind, gave_way: bool, may: bool) -> None:
    """The end of a danger well met says nothing of what the plan before left outside."""
    outcome = Outcome(kind, Reason.RESTORED, "", None, (), gave_way)
    assert outcome.may_have_left_something is may


class Lent(Rescue):
    """A plan by a loan of one transaction, of which only the approval was mined."""

    def __init__(self, rig: Rig) -> None:  # noqa: F811
        super().__init__(rig)

        async def read(_: str, __: int | None) -> LendingPosition:
            return replace(BUNDLED, owner=rig.lane.signer.address)

        desk: Any = LendingParts(rig.lane, lambda _: WITH_LENDER, read, self.executor.lending.read_held, None, Wad(0))
        self.executor = Executor(rig.lane, None, desk, desk)

    async def send(self, *moves: Move) -> None:
        on, owner = self.rig, self.rig.lane.signer.address
        made = encode_moves(moves, WITH_LENDER, replace(BUNDLED, owner=owner), Plain(owner), NOW + 600)
        on.clock.at = [(on.clock.now + 2, on.chain.mine)]
        await on.lane.send([Outgoing(c, on.decision, i, 5, 900_000) for i, c in enumerate(made)], guidance())
        await on.journal.decisions.record_outcome(on.decision, "failed", {})

    @property
    def approvals(self) -> list[int]:
        """What the adapter was approved for, one after the other."""
        data = [seen.data for hash_ in self.rig.chain.mined for seen in self.rig.chain.log if seen.hash == hash_]
        return [int(d[-64:], 16) for d in data if d.startswith("0x095ea7b3")]


async def test_a_lender_s_approval_that_nothing_took_is_taken_back(rig: Rig) -> None:  # noqa: F811
    """The bundle was dropped, or the keeper was killed before it: by the journal, once, whoever asks for it."""
    rescue = Lent(rig)
    await rescue.send(APPROVE)
    assert await rescue.executor.lending.left_outside(rig.decision, "loop")
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    assert await rescue.returned()
    assert rescue.approvals == [SOLD, 0]
    assert not await rescue.executor.lending.left_outside(rig.decision, "loop")


async def test_an_approval_that_the_bundle_took_needs_no_taking_back(rig: Rig) -> None:  # noqa: F811
    """It pulls just what it was approved for."""
    rescue = Lent(rig)
    await rescue.send(APPROVE, FLASH)
    assert not await rescue.executor.lending.left_outside(rig.decision, "loop")


async def test_an_approval_is_taken_back_without_a_wait_for_it(rig: Rig) -> None:  # noqa: F811
    """Blocks are judged after it: it is left to who follows what is pending, not called off, and a plan replaces it."""
    rescue = Lent(rig)
    await rescue.send(APPROVE)
    signer, began = rig.lane.signer.address, rig.clock.now

    async def read(probe: Any) -> tuple[Amount, ...]:
        return tuple(Amount(SOLD) for _ in probe.reads)

    rescue.aftermath.spenders = {decision.position: signer for decision in await rig.journal.decisions.recent(5)}
    assert not await rescue.aftermath.tidy(signer, rescue.executor, 1, read, 0.0)
    assert rig.clock.now == began
    (row,) = await rig.lane.leftovers()
    assert int(row.data[-64:], 16) == 0
    assert not rig.lane.is_stuck
    await rescue.aftermath.call_off(rescue.executor, set(rescue.aftermath.spenders), BLOCK)
    assert await rig.lane.leftovers() == (row,)
