"""A nonce is held against several nodes, the journal and the chain before anything is built on it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from fake_chain import GWEI, FakeBlocks
from hypothesis import given
from hypothesis import strategies as st
from test_lane import Rig, guidance, rig  # noqa: F401 - a fixture

from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.execution.course import SendFailedError
from keeper.execution.gaps import FILLERS_SHARE, MOST_FILLERS
from keeper.execution.nonces import Count, NonceFacts, believed
from keeper.execution.pricing import Demands

# --- pure ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "landed", "signed", "count"),
    [
        ([5], 5, 5, Count(5)),
        ([5], 5, 7, Count(5)),
        ([7], 5, 7, Count(7)),
        ([60], 5, 5, Count(5, 60)),
        ([5, 6], 5, 5, Count(5)),
        ([5, 60], 5, 5, Count(5)),
        ([4, 5], 5, 5, Count(5)),
        ([6, 6], 5, 5, Count(6)),
        ([5, 6, 6], 5, 5, Count(6)),
        ([5, 5, 60], 5, 5, Count(5)),
        ([523], 0, None, Count(523)),
        ([523, 524], 0, None, Count(523)),
        ([523, 523, 9000], 0, None, Count(523)),
    ],
)
def test_the_count_that_is_built_on(told: list[int], landed: int, signed: int | None, count: Count) -> None:
    """Within what we signed the highest; beyond it only what most say; a node alone is doubted."""
    assert believed(told, NonceFacts(landed, signed)) == count


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6), st.integers(0, 50), st.integers(0, 10**6))
def test_one_node_of_several_never_moves_the_count_beyond_what_others_say(
    honest: list[int], signed: int, lie: int
) -> None:
    """Whatever it tells."""
    found = believed([*honest, lie], NonceFacts(0, signed)).number
    assert found <= max(*honest, signed)


# --- through the lane ------------------------------------------------------------------------------------------------


def lie(rig: Rig, told: Any) -> Any:  # noqa: F811
    """Let the node tell another nonce, at every block, until the returned function is called."""
    original = rig.chain._eth_getTransactionCount
    rig.chain._eth_getTransactionCount = lambda account, at: hex(told(int(original(account, at), 16)))  # type: ignore[method-assign]

    def honest() -> None:
        rig.chain._eth_getTransactionCount = original  # type: ignore[method-assign]

    return honest


async def one_mined(rig: Rig) -> None:  # noqa: F811
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_nonce_told_too_high_by_a_node_alone_does_not_hold_a_rescue_up(rig: Rig, restarts: bool) -> None:  # noqa: F811
    """60 instead of 1: the journal knows better, the rescue goes out at 1 and no filler is signed."""
    await one_mined(rig)
    lie(rig, lambda _: 60)
    lane = rig.new_lane() if restarts else rig.lane
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    (receipt,) = await lane.send([rig.out("02")], guidance())
    assert receipt.succeeded
    assert [seen.nonce for seen in rig.chain.log] == [0, 1]


async def test_a_nonce_told_too_low_by_a_node_alone_is_not_used_twice(rig: Rig) -> None:  # noqa: F811
    """What was seen mined is mined still: its receipt says so."""
    await one_mined(rig)
    rig.chain.mine(5)
    for _ in range(2):
        await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3)
    lie(rig, lambda _: 0)
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:  # the node never shows that the new one is mined
        await rig.lane.send([rig.out("02")], replace(guidance(), give_up_s=40))
    assert failed.value.reason is Reason.NOT_MINED
    assert {seen.nonce for seen in rig.chain.log[1:]} == {1}


async def test_a_node_alone_that_denies_a_confirmed_transaction_twice_is_not_believed(rig: Rig) -> None:  # noqa: F811
    """It says nonce 0 and shows no receipt: the journal saw it confirmed, and a reorg would have reopened it."""
    await one_mined(rig)
    rig.chain.mine(5)
    for _ in range(2):
        await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3)
    assert await rig.states() == ["confirmed"]
    lie(rig, lambda _: 0)
    rig.chain._eth_getTransactionReceipt = lambda _: None  # type: ignore[method-assign]
    assert await rig.lane._dispatch.nonces.to_build_on() == Count(1)
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out("02")], replace(guidance(), give_up_s=40))
    assert {seen.nonce for seen in rig.chain.log if seen.data == "0x02"} == {1}, (
        "the first one's bytes may be said again"
    )


async def test_a_node_alone_that_lies_twice_upward_holds_up_no_longer_than_it_lies(rig: Rig) -> None:  # noqa: F811
    """It says 60 and refuses 1 as used: nobody can tell, and it is believed. Once it is honest the rescue goes at 1."""
    await one_mined(rig)
    honest = lie(rig, lambda _: 60)
    rig.chain.refuses = lambda seen: "nonce too low" if seen.nonce < 60 else None
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out("02")], replace(guidance(), give_up_s=40))
    honest()
    rig.chain.refuses = None
    with contextlib.suppress(SendFailedError):  # what it took for mined is reopened: the next block decides anew
        await rig.lane.send([rig.out("03")], guidance())
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out("03")], guidance())
    assert receipt.succeeded
    assert [seen.data for seen in rig.chain.mined_at(1)] == ["0x03"]


async def test_a_foreign_use_of_the_key_is_noticed_and_shown(rig: Rig) -> None:  # noqa: F811
    """The owner sent something by hand: a block shows it, so that the count is believed at once."""
    await one_mined(rig)
    rig.chain.mine_foreign(rig.me)
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out("02")], guidance())
    assert receipt.succeeded
    assert [seen.nonce for seen in rig.chain.log] == [0, 2]


async def test_a_foreign_use_that_nothing_shows_is_believed_once_a_node_refuses_for_it(rig: Rig) -> None:  # noqa: F811
    """Long ago, and state is pruned: one refusal, and the same plan goes out at the nonce that was told."""
    await one_mined(rig)
    rig.chain.mine_foreign(rig.me)
    rig.chain.hides_blocks = True
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out("02")], guidance())
    assert receipt.succeeded
    assert [seen.nonce for seen in rig.chain.log] == [0, 1, 2]
    assert [seen.data for seen in rig.chain.mined_at(2)] == ["0x02"]


@pytest.mark.slow
async def test_rows_far_above_expire_by_themselves(rig: Rig) -> None:  # noqa: F811
    """A new keeper is told 60 for some seconds; soon after the truth is back the rescue goes out, without a filler."""
    honest = lie(rig, lambda _: 60)
    rig.clock.at = [(3, honest)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance())
    assert failed.value.reason is Reason.STALE_STATE
    assert rig.clock.now <= 60
    assert await rig.states() == ["expired"]
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out("02")], guidance())
    assert receipt.succeeded
    assert [seen.data for seen in rig.chain.mined_at(0)] == ["0x02"]
    assert all(seen.data != "0x" for seen in rig.chain.log)


async def test_what_waits_above_a_wide_gap_is_given_up_at_a_start(rig: Rig) -> None:  # noqa: F811
    """No filler for it, however few nonces an owner could pay for."""
    await rig.lane._dispatch.sign(rig.out(), MOST_FILLERS + 1, await offer(rig))
    await rig.new_lane().reconcile()
    assert rig.chain.log == []
    assert await rig.states() == ["expired"]


async def offer(rig: Rig) -> Any:  # noqa: F811
    return await rig.lane._quote(None, (), Demands())


@pytest.mark.parametrize("tip", [GWEI, 200_000 * GWEI, 1_110_001 * GWEI])
async def test_fillers_are_few_and_cheap_whatever_a_node_tells(rig: Rig, tip: int) -> None:  # noqa: F811
    """200,000 gwei were paid for two of them, with caps of 200 and 500 set."""
    await rig.lane._dispatch.sign(rig.out(), 2, await offer(rig))
    rig.chain.tip = tip
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.new_lane().reconcile()
    fillers = [seen for seen in rig.chain.log if seen.data == "0x"]
    assert [seen.nonce for seen in fillers] == [0, 1]
    assert max(seen.tip for seen in fillers) <= 10 * GWEI
    assert sum(seen.max_fee * seen.gas for seen in fillers) <= rig.chain.balance // FILLERS_SHARE


async def test_fillers_that_would_cost_much_of_the_balance_are_not_signed(rig: Rig) -> None:  # noqa: F811
    """What waits above is given up instead: a rescue needs the money."""
    await rig.lane._dispatch.sign(rig.out(), 2, await offer(rig))
    rig.chain.balance = 120_000 * 11 * GWEI * 10
    await rig.new_lane().reconcile()
    assert rig.chain.log == []
    assert await rig.states() == ["expired"]


@pytest.mark.parametrize("tip", [50 * GWEI, 1_110_001 * GWEI])
async def test_a_cancellation_and_a_wish_by_hand_stay_within_every_bound(rig: Rig, tip: int) -> None:  # noqa: F811
    """23 ETH were paid for one self-transfer. Now the owner's cap and the built-in one bind, also without a rule."""
    rig.chain.tip = tip
    await rig.journal.facts.set(f"tx-wishes:31337:{rig.me}", {"1": "speed_up"})
    judged_at = await FakeBlocks(rig.chain).head()
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out()], replace(guidance(), give_up_s=40))
    rig.chain.nonces[rig.me] = 0
    await rig.lane.call_off(None, judged_at)
    assert rig.chain.log[-1].data == "0x"
    assert max(seen.max_fee for seen in rig.chain.log) <= 10 * rig.chain.base_fee
    capped = rig.new_lane(cap=Wei(25 * GWEI))
    rig.chain.pool.clear()
    with pytest.raises(SendFailedError):
        await capped.call_off(None, judged_at)
