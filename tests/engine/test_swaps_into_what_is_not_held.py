"""A swap into an asset that the position does not hold yet: doubts about that asset's price bind it as any other's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import BLOCK, NOW, at, holding, position, rule, wad
from paper import Paper, engine_on, holding_dollars, next_block

from keeper.core.breaker import BreakerTerms
from keeper.core.decide import Hold
from keeper.core.lending.actions import SWAP_COLLATERAL, SWAP_DEBT
from keeper.core.lending.share_metrics import BAND, COLLATERAL_SHARE, DEBT_SHARE
from keeper.core.metrics import Subject, Target, Trigger
from keeper.core.scales import Beyond
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Bps
from keeper.engine.cycle import cycle
from keeper.engine.result import Result

TERMS = BreakerTerms(Bps(1_000), 300, 1_800)


def swapping(is_debt: bool) -> Any:
    """Half of the ether into DAI, or half of the USDC that is owed: the position has no DAI before."""
    metric, symbol = (DEBT_SHARE, "USDC") if is_debt else (COLLATERAL_SHARE, "WETH")
    of = Subject(symbol)
    return replace(
        rule(actions=(SWAP_DEBT if is_debt else SWAP_COLLATERAL,)),
        trigger=Trigger(metric, Beyond.ABOVE, wad("0.60"), of),
        target=Target(metric, wad("0.50"), of, BAND),
        into=("DAI",),
    )


def portfolio(**dai: Any) -> LendingPosition:
    found = position(holding("WETH", 80), holding("USDC", 0, 50_000), holding("DAI"))
    held = tuple(replace(h, price=replace(h.price, **dai)) if h.asset == at("DAI") else h for h in found.holdings)
    return replace(found, holdings=held)


async def played(is_debt: bool, *seen: LendingPosition, breaker: BreakerTerms | None = None) -> tuple[Paper, Result]:
    paper = Paper({"loop": seen[0]}, holding_dollars("0"))
    engine = engine_on(paper, swapping(is_debt), breaker=breaker)
    (result,) = await cycle(engine, BLOCK)
    for then in seen[1:]:
        paper.positions["loop"], paper.block = then, next_block(paper.block)
        paper.rehearsed.clear()
        (result,) = await cycle(engine, paper.block)
    return paper, result


@pytest.mark.parametrize("is_debt", [False, True], ids=["swap_collateral", "swap_debt"])
async def test_without_a_doubt_it_is_swapped(is_debt: bool) -> None:
    """So that what follows is for the doubt alone."""
    paper, _ = await played(is_debt, portfolio())
    assert paper.rehearsed


@pytest.mark.parametrize("is_debt", [False, True], ids=["swap_collateral", "swap_debt"])
@pytest.mark.parametrize("dai", [{"updated_at": NOW - 10**6}, {"updated_at": None}], ids=["stale", "age unknown"])
async def test_no_swap_on_a_price_in_doubt(is_debt: bool, dai: dict[str, Any]) -> None:
    """Nothing is rehearsed, and the hold names the asset."""
    paper, result = await played(is_debt, portfolio(**dai))
    assert not paper.rehearsed
    assert any("DAI" in hold.detail for hold in (result.decision, *result.holds) if isinstance(hold, Hold))


@pytest.mark.parametrize("is_debt", [False, True], ids=["swap_collateral", "swap_debt"])
async def test_no_swap_into_what_has_just_moved_too_far(is_debt: bool) -> None:
    """The circuit breaker watches what may be swapped into, held or not."""
    usual = portfolio()
    price = next(h.price.answer for h in usual.holdings if h.asset == at("DAI"))
    broken = portfolio(answer=price * 8 // 10)
    paper, result = await played(is_debt, usual, broken, breaker=TERMS)
    assert not paper.rehearsed
    assert any("DAI" in hold.detail for hold in (result.decision, *result.holds) if isinstance(hold, Hold))
