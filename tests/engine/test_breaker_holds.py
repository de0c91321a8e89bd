"""The circuit breaker in the story of a block: sales and boosts wait, the wallet helps, the owner hears of it."""

from __future__ import annotations

from dataclasses import replace

from core_builders import BLOCK, at, loop, rule
from paper import Paper, engine_on, holding_dollars, next_block

from keeper.core.breaker import BreakerTerms
from keeper.core.decide import Hold
from keeper.core.lending.actions.deleverage import DELEVERAGE
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Bps, Wei
from keeper.engine.cycle import cycle

TERMS = BreakerTerms(Bps(1_000), 300, 1_800)


def priced(position: LendingPosition, share: float) -> LendingPosition:
    """The loan with its ether at a share of its price, and the protocol's figures of that."""
    held = tuple(
        replace(h, price=replace(h.price, answer=int(h.price.answer * share))) if h.asset == at("WETH") else h
        for h in position.holdings
    )
    return replace(position, holdings=held, reported=position.model.figures(held))


SAFE = loop("10", "9000")
SELL = rule(actions=(DELEVERAGE,))


async def test_after_a_fast_fall_nothing_is_sold_and_the_owner_hears_why() -> None:
    """The rule fires and holds with the breaker's reason; later, at the same price, it sells."""
    paper = Paper({"loop": SAFE}, replace(holding_dollars("0"), native=Wei(10**18)))
    engine = engine_on(paper, SELL, breaker=TERMS)
    await cycle(engine, BLOCK)
    paper.positions["loop"] = priced(SAFE, 0.62)
    fallen = next_block()
    paper.block = fallen
    (result,) = await cycle(engine, fallen)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.BREAKER_TRIPPED
    assert not paper.rehearsed
    assert any("circuit breaker" in title for title in engine.observer.alarms)
    later = next_block(fallen, timestamp=fallen.timestamp + TERMS.pause_s)
    paper.block = later
    (again,) = await cycle(engine, later)
    assert not isinstance(again.decision, Hold), again.decision


async def test_a_repayment_goes_on() -> None:
    """From the wallet: no price of it could be wrong."""
    paper = Paper({"loop": SAFE}, holding_dollars("50000"))
    engine = engine_on(paper, rule(), breaker=TERMS)
    await cycle(engine, BLOCK)
    paper.positions["loop"] = priced(SAFE, 0.62)
    paper.block = next_block()
    (result,) = await cycle(engine, paper.block)
    assert result.prepared is not None
    assert "repay" in result.prepared.plan.label or "top up" in result.prepared.plan.label


async def test_a_restart_does_not_end_the_pause() -> None:
    """It is written down, and taken up by whoever starts next."""
    paper = Paper({"loop": SAFE}, replace(holding_dollars("0"), native=Wei(10**18)))
    engine = engine_on(paper, SELL, breaker=TERMS)
    await cycle(engine, BLOCK)
    paper.positions["loop"] = priced(SAFE, 0.62)
    paper.block = next_block()
    await cycle(engine, paper.block)
    again = engine_on(paper, SELL, breaker=TERMS)
    again.journal.kept = engine.journal.kept  # type: ignore[attr-defined]
    paper.block = next_block(paper.block)
    (result,) = await cycle(again, paper.block)
    assert isinstance(result.decision, Hold)
    assert result.decision.reason is Reason.BREAKER_TRIPPED


async def test_without_one_everything_is_as_before() -> None:
    """The owner has to ask for it."""
    paper = Paper({"loop": SAFE}, replace(holding_dollars("0"), native=Wei(10**18)))
    engine = engine_on(paper, SELL)
    await cycle(engine, BLOCK)
    paper.positions["loop"] = priced(SAFE, 0.62)
    paper.block = next_block()
    (result,) = await cycle(engine, paper.block)
    assert not isinstance(result.decision, Hold), result.decision
