"""What cost nothing on one history may cost something on the next: a day's limit and the owner hear of it."""

from __future__ import annotations

import pytest
from fake_chain import FakeBlocks
from test_lane import Rig, guidance, rig  # noqa: F401 - a fixture

from keeper.core.reasons import Reason
from keeper.execution.course import SendFailedError


async def spent(rig: Rig) -> int:  # noqa: F811
    return await rig.journal.transactions.spent_usd(31337, since_timestamp=0)


async def tended(rig: Rig, *, is_reorg: bool) -> None:  # noqa: F811
    await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3, is_reorg=is_reorg)


async def reverted(rig: Rig) -> str:  # noqa: F811
    """A call that reverts on chain; its hash."""
    rig.chain.reverting.add("0x01")
    rig.clock.at = [(2, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance())
    assert failed.value.reason is Reason.REVERTED
    return next(iter(rig.chain.mined))


@pytest.mark.parametrize("is_reorg", [False, True])
async def test_what_reverted_and_succeeds_on_another_history_counts_as_spent(rig: Rig, is_reorg: bool) -> None:  # noqa: F811
    """The same bytes in another block of that height: seen while fresh, whether a reorg was noticed or not."""
    hash_ = await reverted(rig)
    await tended(rig, is_reorg=False)
    assert (await rig.states(), await spent(rig)) == (["reverted"], 0)
    rig.chain.mined[hash_] = (rig.chain.number, True)
    await tended(rig, is_reorg=is_reorg)
    assert (await rig.states(), await spent(rig)) == (["mined"], 5)
    assert [row.nonce for row in rig.lane.take_found()] == [0]


async def test_what_reverted_long_ago_is_looked_at_again_after_a_deep_reorg(rig: Rig) -> None:  # noqa: F811
    """However many blocks went by."""
    hash_ = await reverted(rig)
    for _ in range(10):
        rig.chain.mine()
        await tended(rig, is_reorg=False)
    rig.chain.mined[hash_] = (rig.chain.number, True)
    await tended(rig, is_reorg=True)
    assert (await rig.states(), await spent(rig)) == (["mined"], 5)


async def test_what_another_program_outran_counts_once_a_reorg_lets_it_land(rig: Rig) -> None:  # noqa: F811
    """The owner used the nonce by hand; on the next history our bytes were first."""
    rig.clock.at = [(2, lambda: rig.chain.mine_foreign(rig.me))]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance())
    assert failed.value.reason is Reason.NONCE_TAKEN
    await tended(rig, is_reorg=False)
    assert (await rig.states(), await spent(rig)) == (["expired"], 0)
    ours = rig.chain.log[0]
    rig.chain.used = [(rig.chain.number, rig.me, 0, ours.hash)]
    rig.chain.mined[ours.hash] = (rig.chain.number, True)
    await tended(rig, is_reorg=True)
    assert (await rig.states(), await spent(rig)) == (["mined"], 5)
    assert [row.nonce for row in rig.lane.take_found()] == [0]


async def test_what_cost_nothing_is_asked_for_no_longer_once_it_is_final(rig: Rig) -> None:  # noqa: F811
    """A quiet block asks the node nothing for it."""
    await reverted(rig)
    for _ in range(4):
        rig.chain.mine()
        await tended(rig, is_reorg=False)
    rig.chain.is_away = True
    await tended_away(rig)


async def tended_away(rig: Rig) -> None:  # noqa: F811
    rig.chain.is_away = False
    head = await FakeBlocks(rig.chain).head()
    rig.chain.is_away = True
    assert await rig.lane.tend(head, 3) == ()
