"""An authorization of a batch that was called off does not stay good for strangers."""

from dataclasses import replace

import pytest
from test_lane import Rig, guidance, rig  # noqa: F401 - the fixture

from keeper.chain.fees import Fees
from keeper.core.reasons import Reason
from keeper.core.units import Address, Wei
from keeper.execution.course import SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.lane import USE_UP
from keeper.execution.recheck import Drop
from keeper.execution.signer import delegate_in

DELEGATE = Address("0x4Cd241E8d1510e30b2076397afc7508Ae59C66c9")


def batch(rig: Rig) -> Outgoing:  # noqa: F811
    return replace(rig.out("aa", gas=300_000), delegate=DELEGATE)


async def call_off(rig: Rig) -> None:  # noqa: F811
    """A delegating batch that is not mined, and cancelled at its nonce when nobody needs it any more."""

    async def drop(_: bool) -> Drop:
        return Drop(Reason.HEALTHY)

    rig.chain.base_fee *= 50
    rig.clock.at = [(50, lambda: setattr(rig.chain, "base_fee", 10**10)), (60, rig.chain.mine)]
    with pytest.raises(SendFailedError):
        await rig.lane.send([batch(rig)], replace(guidance(None, drop)))
    assert delegate_in(rig.chain.log[0].raw) == DELEGATE
    assert rig.chain.nonces[rig.me] == 1


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_the_nonce_of_a_called_off_delegation_is_used_up(rig: Rig, is_restarted: bool) -> None:  # noqa: F811
    """One transfer of nothing at the nonce the authorization names, and no more; a restart forgets nothing."""
    await call_off(rig)
    lane = rig.new_lane() if is_restarted else rig.lane
    granted = await lane.unused_grant()
    assert granted is not None
    await lane.use_up(granted, None)
    assert await lane.unused_grant() is None  # one is on its way
    rig.chain.mine()
    last = rig.chain.log[-1]
    assert (last.nonce, last.to, last.data) == (1, rig.me.lower(), "0x")
    assert rig.chain.mined_at(1)
    await lane.tend(await lane._blocks.head(), 1)
    assert await lane.unused_grant() is None
    rows = await rig.journal.transactions.of_decision(rig.decision)
    assert [r.purpose for r in rows if r.nonce == 1] == [USE_UP]


async def test_using_it_up_keeps_to_the_fee_limit(rig: Rig) -> None:  # noqa: F811
    """It is no rescue: the owner's cap binds, and it is tried again at the next block."""
    await call_off(rig)
    granted = await rig.lane.unused_grant()
    assert granted is not None
    with pytest.raises(SendFailedError):
        await rig.lane.use_up(granted, Wei(1))
    assert await rig.lane.unused_grant() == granted


async def test_nothing_is_used_up_where_nothing_was_granted(rig: Rig) -> None:  # noqa: F811
    """Neither after an ordinary plan nor while the batch may still land; and the node is asked once only."""
    rig.clock.at = [(3, rig.chain.mine)]
    await rig.lane.send([rig.out("01")], guidance())
    await rig.lane.tend(await rig.lane._blocks.head(), 1)
    assert await rig.lane.unused_grant() is None
    rig.chain.is_away = True
    assert await rig.lane.unused_grant() is None
    rig.chain.is_away = False
    row = await rig.lane._dispatch.sign(batch(rig), 1, Fees(Wei(10**11), Wei(10**9)))
    assert row.state == "signed"
    assert await rig.new_lane().unused_grant() is None


async def test_a_batch_that_landed_leaves_nothing(rig: Rig) -> None:  # noqa: F811
    """Its authorization moved the account's nonce on by one more."""

    def mine() -> None:
        rig.chain.mine()
        rig.chain.nonces[rig.me] += 1

    rig.clock.at = [(3, mine)]
    await rig.lane.send([batch(rig)], guidance())
    await rig.lane.tend(await rig.lane._blocks.head(), 1)
    assert await rig.new_lane().unused_grant() is None
