"""Exposure limits in the story of a block: no leverage is added beyond one, rescues go on, the owner hears of it."""

from __future__ import annotations

from core_builders import BLOCK, above, loop, rule, wad
from paper import Paper, engine_on, holding_dollars

from keeper.core.decide import Hold
from keeper.core.exposure import ExposureLimits
from keeper.core.lending import actions
from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.reasons import Reason
from keeper.core.units import USD, Usd
from keeper.engine.cycle import cycle

BOOST = rule(actions=(actions.LEVERAGE_UP,), to="1.90", trigger=above(HEALTH_FACTOR, wad("2.40")))
TIGHT, WIDE = (ExposureLimits(chain=Usd(amount * USD)) for amount in (1_000, 10**9))


async def test_beyond_a_limit_no_leverage_is_added_and_the_owner_hears_of_it() -> None:
    """The boost holds with its reason; within the limit it goes on."""
    paper = Paper({"loop": loop("10", "4000")}, holding_dollars())
    engine = engine_on(paper, BOOST, exposure=TIGHT)
    (result,) = await cycle(engine, BLOCK)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.EXPOSURE_LIMIT
    assert "Exposure is beyond its limit" in engine.observer.alarms
    (other,) = await cycle(engine_on(paper, BOOST, exposure=WIDE), BLOCK)
    assert not isinstance(other.decision, Hold) or other.decision.reason is not Reason.EXPOSURE_LIMIT


async def test_a_rescue_is_never_held_back() -> None:
    """It makes the exposure smaller, or costs the owner less than a liquidation."""
    paper = Paper({"loop": loop("10", "14000")}, holding_dollars())
    (result,) = await cycle(engine_on(paper, rule(), exposure=TIGHT), BLOCK)
    assert result.prepared is not None


async def test_a_boost_that_would_pass_a_limit_is_refused_before_it_is_planned() -> None:
    """20,000 dollars of ether against 4,000; a health of 1.90 takes about 8,400 more: within 30,000, beyond 25,000."""
    for most, is_held in ((30_000, False), (25_000, True)):
        paper = Paper({"loop": loop("10", "4000")}, holding_dollars())
        engine = engine_on(paper, BOOST, exposure=ExposureLimits(chain=Usd(most * USD)))
        (result,) = await cycle(engine, BLOCK)
        held = isinstance(result.decision, Hold) and result.decision.reason is Reason.EXPOSURE_LIMIT
        assert held is is_held
        if is_held:
            assert isinstance(result.decision, Hold)
            assert "at its target: on this chain: $2" in result.decision.detail
            assert result.prepared is None
        assert "Exposure is beyond its limit" not in engine.observer.alarms, "it is not: it would be"


async def test_a_boost_to_more_leverage_in_all_than_allowed_is_refused() -> None:
    """28,400 over the 16,000 that are the owner's own is just below 1.8."""
    for most, is_held in (("1.8", False), ("1.5", True)):
        paper = Paper({"loop": loop("10", "4000")}, holding_dollars())
        (result,) = await cycle(engine_on(paper, BOOST, exposure=ExposureLimits(leverage=wad(most))), BLOCK)
        assert (isinstance(result.decision, Hold) and result.decision.reason is Reason.EXPOSURE_LIMIT) is is_held
