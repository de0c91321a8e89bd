"""The circuit breaker and perpetual positions: nothing is traded for the pause, margin and alerts go on."""

from __future__ import annotations

import pytest
from core_builders import BLOCK
from paper import Paper, engine_on, next_block
from perp_builders import perp_rule
from test_cycle_perps import CALM, SQUEEZED, dollars

from keeper.core.breaker import BreakerTerms
from keeper.core.decide import Hold
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import closed
from keeper.core.perp.rules import PerpIntent, PerpRule
from keeper.core.reasons import Reason
from keeper.core.units import Bps
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine

TERMS = BreakerTerms(Bps(1_000), 300, 1_800)
REDUCE = perp_rule(actions=(perp_actions.REDUCE,))
STOP = perp_rule(perp_metrics.STOP_LOSS, "2200", closed(), (perp_actions.CLOSE,))


async def squeezed(*rules: PerpRule, breaker: BreakerTerms | None = TERMS) -> tuple[Paper, Engine]:
    """A short at rest, and then a rally of 18 % within a block."""
    on = Paper({"short": CALM}, dollars())
    engine = engine_on(on, perp_rules=rules, breaker=breaker)
    await cycle(engine, BLOCK)
    on.positions["short"], on.block = SQUEEZED, next_block()
    return on, engine


@pytest.mark.parametrize("rule", [REDUCE, STOP], ids=["reduce", "close"])
async def test_nothing_is_traded_and_the_owner_hears_why(rule: PerpRule) -> None:
    """Neither a part nor the whole; after the pause, at the same price, it is."""
    on, engine = await squeezed(rule)
    (result,) = await cycle(engine, on.block)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.BREAKER_TRIPPED
    assert not on.rehearsed
    assert "ETH: the circuit breaker holds trades back" in engine.observer.alarms
    on.block = next_block(on.block, timestamp=on.block.timestamp + TERMS.pause_s)
    (again,) = await cycle(engine, on.block)
    assert isinstance(again.decision, PerpIntent), again.decision


async def test_margin_is_added_all_the_same() -> None:
    """It is the wallet's money, and no trade: also where the rule may trade too."""
    on, engine = await squeezed(perp_rule())
    (result,) = await cycle(engine, on.block)
    assert result.prepared is not None, result.decision
    assert "margin" in result.prepared.plan.label
    assert len(on.rehearsed) == 1


async def test_an_alert_is_heard() -> None:
    """A rule without actions says what it saw."""
    on, engine = await squeezed(perp_rule(name="watch", to=None, actions=()))
    (result,) = await cycle(engine, on.block)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.ALERT_ONLY


async def test_without_one_it_trades() -> None:
    """The owner has to ask for it."""
    on, engine = await squeezed(REDUCE, breaker=None)
    (result,) = await cycle(engine, on.block)
    assert isinstance(result.decision, PerpIntent)
