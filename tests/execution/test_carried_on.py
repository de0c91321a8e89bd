"""After a kill half way: the rule whose plan moved money fires until its target is met, whatever kind it is of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import rule
from perp_builders import hedge_rule, perp_rule
from test_lane import Rig, guidance, rig  # noqa: F401 - a fixture

from keeper.core.carry_on import until_target
from keeper.execution.dispatch import Outgoing
from keeper.execution.recovery import CarryOn
from keeper.journal.decisions import OutcomeKind

LENDING = replace(rule(), name="r", position="p")
PERP = replace(perp_rule(), name="r", position="p")
BOOK = replace(hedge_rule(), name="r", position="p")
KINDS: list[tuple[Any, Any]] = [(LENDING, until_target), (PERP, until_target), (BOOK, until_target)]


async def killed(rig: Rig, spend: int = 5, end: OutcomeKind | None = None) -> None:  # noqa: F811
    """A part of a plan is mined, and nothing more is heard of it."""
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    await rig.lane.send([Outgoing(rig.out().call, rig.decision, 0, spend, 300_000)], guidance())
    if end is not None:
        await rig.journal.decisions.record_outcome(rig.decision, end, {})


@pytest.mark.parametrize(("of", "until"), KINDS)
async def test_a_plan_that_was_cut_short_is_carried_on(rig: Rig, of: Any, until: Any) -> None:  # noqa: F811
    """Until its position needs nothing, or its cooldown is over."""
    await killed(rig)
    carried = CarryOn(rig.journal, (of,), until)
    assert await carried.cut_short(2) == (until(of),) != (of,)
    assert carried.at_rest({"another"}) == (until(of),)
    assert carried.at_rest({"p"}) == (of,)
    assert await CarryOn(rig.journal, (of,), until).cut_short(2 + of.cooldown_s) == (of,)


@pytest.mark.parametrize(("of", "until"), KINDS)
@pytest.mark.parametrize("end", ["restored", "partial", "cancelled"])
async def test_what_came_to_its_end_is_not(rig: Rig, of: Any, until: Any, end: OutcomeKind) -> None:  # noqa: F811
    """A plan that ended, whatever its end, is done with."""
    await killed(rig, end=end)
    assert await CarryOn(rig.journal, (of,), until).cut_short(2) == (of,)


@pytest.mark.parametrize(("of", "until"), KINDS)
async def test_what_moved_no_money_is_not(rig: Rig, of: Any, until: Any) -> None:  # noqa: F811
    """An approval alone leaves the position where it was, and its trigger as good as ever."""
    await killed(rig, spend=0)
    assert await CarryOn(rig.journal, (of,), until).cut_short(2) == (of,)
