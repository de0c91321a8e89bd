"""A receipt that is late is no verdict: absence proves nothing, a block does, and until then the spend counts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fake_chain import FakeBlocks
from test_lane import Rig, guidance, rig  # noqa: F401 - a fixture

from keeper.core.reasons import Reason
from keeper.execution.course import SendFailedError
from keeper.execution.recovery import Aftermath
from keeper.observe.observer import Observer

BRIEFLY = replace(guidance(), give_up_s=60)


async def spent(rig: Rig) -> int:  # noqa: F811
    return await rig.journal.transactions.spent_usd(31337, since_timestamp=0)


def hide(rig: Rig, *, transactions: bool = False, blocks: bool = False) -> None:  # noqa: F811
    rig.chain.hides_receipts = True
    rig.chain.hides_transactions, rig.chain.hides_blocks = transactions, blocks


def show(rig: Rig) -> None:  # noqa: F811
    rig.chain.hides_receipts = rig.chain.hides_transactions = rig.chain.hides_blocks = False


@pytest.mark.parametrize("late_s", [6, 12, 90])
@pytest.mark.parametrize(("transactions", "blocks"), [(False, False), (True, False), (True, True)])
async def test_a_receipt_that_comes_late_is_waited_for(
    rig: Rig,  # noqa: F811
    late_s: int,
    transactions: bool,
    blocks: bool,
) -> None:
    """However long, and whatever else the node hides: no other program is blamed, and the outcome is the true one."""
    hide(rig, transactions=transactions, blocks=blocks)
    rig.clock.at = [(2, rig.chain.mine), (2 + late_s, lambda: show(rig))]
    (receipt,) = await rig.lane.send([rig.out()], guidance())
    assert receipt.succeeded
    assert await rig.states() == ["mined"]
    assert len({seen.hash for seen in rig.chain.log}) == 1, "no bid is made for a nonce that is used"


async def test_what_nobody_shows_ends_unseen_and_counts_as_spent(rig: Rig) -> None:  # noqa: F811
    """The day's limit holds while receipts are missing."""
    hide(rig, transactions=True, blocks=True)
    rig.clock.at = [(2, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], BRIEFLY)
    assert failed.value.reason is Reason.RECEIPT_MISSING
    assert await rig.states() == ["unseen"]
    assert await spent(rig) == 5


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_outcome_is_restored_when_the_receipt_appears(rig: Rig, restarts: bool) -> None:  # noqa: F811
    """A block later or a day, in the same run or after a restart."""
    hide(rig, transactions=True, blocks=True)
    rig.clock.at = [(2, rig.chain.mine)]
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out()], BRIEFLY)
    lane = rig.new_lane() if restarts else rig.lane
    await lane.tend(await FakeBlocks(rig.chain).head(), 3)
    assert await rig.states() == ["unseen"]
    show(rig)
    await lane.tend(await FakeBlocks(rig.chain).head(), 3)
    assert await rig.states() == ["mined"]
    assert [row.nonce for row in lane.take_found()] == [0]
    assert await spent(rig) == 5


async def test_only_a_block_shows_that_another_program_used_the_nonce(rig: Rig) -> None:  # noqa: F811
    """Then the plan is disproved: its spend is free again, and it is decided anew."""
    rig.clock.at = [(2, lambda: rig.chain.mine_foreign(rig.me))]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance())
    assert failed.value.reason is Reason.NONCE_TAKEN
    assert await rig.states() == ["expired"]
    assert await spent(rig) == 0


async def test_a_foreign_use_that_is_shown_later_frees_the_spend_later(rig: Rig) -> None:  # noqa: F811
    """Until then it counts."""
    hide(rig, blocks=True)
    rig.clock.at = [(2, lambda: rig.chain.mine_foreign(rig.me))]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], BRIEFLY)
    assert failed.value.reason is Reason.RECEIPT_MISSING
    assert await spent(rig) == 5
    show(rig)
    await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3)
    assert await rig.states() == ["expired"]
    assert await spent(rig) == 0


async def test_what_is_unseen_stands_in_nobodys_way(rig: Rig) -> None:  # noqa: F811
    """The next plan takes the next nonce."""
    hide(rig, transactions=True, blocks=True)
    rig.clock.at = [(2, rig.chain.mine)]
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out()], BRIEFLY)
    show(rig)
    rig.clock.at = [(rig.clock.now + 3, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out("02")], guidance())
    assert receipt.succeeded
    assert [seen.data for seen in rig.chain.mined_at(1)] == ["0x02"]


async def test_a_receipt_that_a_node_lost_again_is_not_a_reorg(rig: Rig) -> None:  # noqa: F811
    """The nonce is used still: nothing is sent again for it."""
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())
    said = len(rig.chain.log)
    hide(rig)
    assert await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3) == ()
    assert len(rig.chain.log) == said
    assert await spent(rig) == 5
    show(rig)
    await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3)
    assert await rig.states() == ["mined"]


@pytest.mark.parametrize(("is_healthy", "kind"), [(True, "restored"), (False, "partial")])
async def test_a_plan_taken_for_failed_is_told_to_have_landed(rig: Rig, is_healthy: bool, kind: str) -> None:  # noqa: F811
    """Its outcome is written over: restored where the position needs nothing now, else partial."""
    hide(rig, transactions=True, blocks=True)
    rig.clock.at = [(2, rig.chain.mine)]
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out()], BRIEFLY)
    await rig.journal.decisions.record_outcome(rig.decision, "failed", {"reason": "receipt_missing"})
    show(rig)
    lane = rig.new_lane()
    await lane.tend(await FakeBlocks(rig.chain).head(), 3)
    observer = Observer("live", None, 3600)
    aftermath = Aftermath(rig.journal, observer, {}, None)
    executor: Any = SimpleNamespace(lane=lane)
    await aftermath.found(executor, {"p"} if is_healthy else set())
    decision = await rig.journal.decisions.get(rig.decision)
    assert decision is not None
    assert decision.outcome_kind == kind


@pytest.mark.parametrize("keeps", [3, 10, 100, None])
async def test_a_foreign_use_is_shown_by_a_node_that_keeps_few_states(rig: Rig, keeps: int | None) -> None:  # noqa: F811
    """What is sought is a few blocks old: a node that forgot older ones can show it."""
    hide(rig, blocks=True)
    rig.clock.at = [(2, lambda: rig.chain.mine_foreign(rig.me))]
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out()], BRIEFLY)
    show(rig)
    rig.chain.keeps = keeps
    rig.chain.mine()
    await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3)
    assert await rig.states() == ["expired"]
