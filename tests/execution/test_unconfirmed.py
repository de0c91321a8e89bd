"""A plan under way that nobody can confirm: nothing more is bid for it, it is not lost, and its owner hears of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fake_chain import GWEI
from test_lane import Rig, guidance, rig  # noqa: F401 - a fixture

from keeper.chain.errors import NodeAwayError
from keeper.core.reasons import Reason
from keeper.core.units import Wei
from keeper.engine.lending import recheck as lending_recheck
from keeper.engine.lending.recheck import lending_look
from keeper.engine.perp.recheck import perp_look
from keeper.execution.recheck import Keep, Unsure, Verdict

AWAY = NodeAwayError("n", "eth_call", "down")
Look = Callable[[bool], Awaitable[Verdict]]


def unsure_until(rig: Rig, seconds: float, *, raises: bool) -> tuple[Look, list[float]]:  # noqa: F811
    asked = list[float]()

    async def look(_: bool) -> Verdict:
        asked.append(rig.clock.now)
        if rig.clock.now >= seconds:
            return Keep(Wei(90 * GWEI))
        if raises:
            raise AWAY
        return Unsure(Reason.NODES_DISAGREE)

    return look, asked


@pytest.mark.slow
@pytest.mark.parametrize("raises", [True, False])
async def test_nothing_more_is_bid_while_nobody_can_confirm_the_plan(rig: Rig, raises: bool) -> None:  # noqa: F811
    """The same bytes are said again in their time; what was signed stays all that was signed."""
    look, asked = unsure_until(rig, 1e9, raises=raises)
    rig.lane = rig.new_lane(poll_s=1.0)
    rig.clock.at = [(200, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out()], guidance(ceiling=90 * GWEI, reconsider=look))
    assert receipt.succeeded
    assert len({seen.hash for seen in rig.chain.log}) == 1
    assert len(rig.chain.log) >= 200 // 12 - 2, "a pool that forgets it must hear of it again"
    assert len(asked) > 100, "it is looked at again with every poll"


async def test_once_it_can_be_confirmed_more_is_bid_at_once(rig: Rig) -> None:  # noqa: F811
    """Not only a whole bump later."""
    look, _ = unsure_until(rig, 100, raises=True)

    def boom() -> None:
        rig.chain.base_fee = 40 * GWEI

    rig.clock.at = [(3, boom), (104, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance(ceiling=25 * GWEI, reconsider=look))
    assert rig.chain.log[-1].max_fee > 40 * GWEI


async def test_a_refusal_that_wants_more_is_not_answered_while_nobody_can_confirm(rig: Rig) -> None:  # noqa: F811
    """A node that wants a higher fee late gets none for a plan that nobody can confirm."""
    look, _ = unsure_until(rig, 1e9, raises=False)
    text = f"max fee per gas less than block base fee: maxFeePerGas: 1 baseFee: {60 * GWEI}"
    rig.chain.refuses = lambda seen: text if len(rig.chain.log) > 1 and seen.max_fee < 60 * GWEI else None
    rig.clock.at = [(150, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance(ceiling=90 * GWEI, reconsider=look))
    assert len({seen.hash for seen in rig.chain.log}) == 1


class Told:
    def __init__(self) -> None:
        self.alarms = list[tuple[str, str, str]]()

    def raise_alarm(self, key: str, title: str, body: str, **more: str) -> None:
        self.alarms.append((key, title, body))


async def test_the_owner_hears_that_a_plan_waits_unconfirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the owner can do; a lending plan and a perpetual one alike."""

    async def away(*_: Any) -> Any:
        raise AWAY

    monkeypatch.setattr(lending_recheck, "look_again", away)
    told = Told()
    engine: Any = SimpleNamespace(observer=told, reader=SimpleNamespace(head=away, snapshot=away))
    intent = SimpleNamespace(position="eth-loop", rule=None)
    sent: Any = SimpleNamespace(plan=SimpleNamespace(intent=intent, spend=0, is_upkeep=False), ceiling=None)
    for look in (lending_look(engine, sent), perp_look(engine, sent)):
        assert isinstance(await look(False), Unsure)
        assert await look(True) == Keep(None), "what was begun is finished"
    assert len(told.alarms) == 2
    for key, title, body in told.alarms:
        assert key == "unconfirmed:eth-loop"
        assert Reason.UNCONFIRMED.short in title
        assert "keeper tx speed-up" in body
        assert "does not answer" in body
