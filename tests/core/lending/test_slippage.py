"""What a sale may lose: from the oracle's price, wider as liquidation nears, never more than liquidation would cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import at, holding, intent, loop, position, quoted, rule, state, terms, wad
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.lending import actions
from keeper.core.lending.moves import Swap
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.rules import LendingIntent
from keeper.core.lending.slippage import Slippage, nearness, slippage_of
from keeper.core.pace import Drift, Pace
from keeper.core.rules import Limits
from keeper.core.units import BPS, WAD, Bps, Wad

WETH, USDC = position(holding("WETH"), holding("USDC")).holdings
SELL = rule(actions=[actions.DELEVERAGE])


def bound(dollars: str, *, usual: int = 50, worst: int | None = None, bonus: int = 10_500, fall: int = 0) -> int:
    """What the sale of a loop may lose that owes so many dollars."""
    limits = Limits(Bps(usual), worst_slippage=None if worst is None else Bps(worst))
    wanted = intent(loop(dollars=dollars), replace(SELL, limits=limits))
    drifts = {at("WETH"): Drift(Bps(fall), Bps(0))}
    assessed = replace(wanted.assessment, drifts=drifts)
    return slippage_of(wanted.rule, assessed).of(replace(WETH, penalty=Wad(max(0, bonus - BPS) * WAD // BPS)), USDC)


def test_far_from_liquidation_the_owners_usual_holds() -> None:
    """Where a rule begins to fire at 1.25 there is no hurry."""
    assert bound("13300", worst=300) in (50, 51, 52, 53)


def test_the_bound_widens_from_usual_to_worst_as_liquidation_nears() -> None:
    """Health 1.186, 1.107, 1.037, 1.0."""
    found = [bound(dollars, worst=300) for dollars in ("14000", "15000", "16000", "16600")]
    assert found == sorted(found)
    assert found[0] < 130
    assert found[-1] == 300


def test_a_bare_number_derives_the_worst_from_it() -> None:
    """Ten times the usual at the edge; the settings of before need no new line."""
    assert bound("16600", bonus=12_000) == 500
    assert bound("16600", usual=500, bonus=20_000) == 2_000


@pytest.mark.parametrize("bonus", [10_100, 10_050, 10_010])
def test_no_sale_may_cost_more_than_liquidation_would(bonus: int) -> None:
    """Where the liquidator's bonus is one per cent, so is the worst; the owner's usual is his own word."""
    assert bound("16600", worst=300, bonus=bonus) == max(50, bonus - BPS)


@pytest.mark.parametrize(("fall", "expected"), [(0, 100), (50, 150), (100, 200), (500, 600), (900, 500)])
def test_against_the_price_of_now_liquidation_costs_a_block_of_the_fall_as_well(fall: int, expected: int) -> None:
    """Staked ether, a bonus of 1 %, that loses 1 % a block: within the bonus alone no sale would ever be mined."""
    assert bound("16600", bonus=10_100, fall=fall) == expected


def test_a_price_that_falls_is_allowed_for_until_the_sale_is_mined() -> None:
    """Half a per cent a block, two blocks: a hundred basis points more, and the worst all the same."""
    still, falling = bound("14000", worst=300), bound("14000", worst=300, fall=50)
    assert falling == still + 100
    assert bound("14000", worst=300, fall=500) == 300


@pytest.mark.parametrize(("fall", "dollars"), [(200, "15000"), (400, "15000"), (400, "14000")])
def test_what_ships_follows_a_price_that_falls_by_four_per_cent_a_block(fall: int, dollars: str) -> None:
    """Wherever health is: a block of the fall, the pool's fee, and half a per cent for the sale's own size."""
    assert bound(dollars, fall=fall) >= fall + 5 + 50


@pytest.mark.parametrize("fall", [200, 400, 500])
def test_a_worst_left_out_is_counted_from_the_price_that_the_fall_leaves(fall: int) -> None:
    """A small position sells last, behind others in its block: the pool has more than the fall behind it by then.

    What the owner wrote himself is his word, from the price of now. Never more than liquidation would cost.
    """
    assert bound("15000", bonus=12_000, fall=fall) == 500 + fall
    assert bound("15000", bonus=12_000, fall=fall, worst=500) == 500
    assert bound("15000", bonus=10_500, fall=fall) == 500 + fall
    assert bound("15000", bonus=10_300, fall=fall) == 300 + fall


def test_a_debt_that_rises_is_allowed_for_as_well() -> None:
    """What is bought gets dearer."""
    slippage = Slippage(Bps(50), Bps(80), Bps(300), {at("USDC"): Drift(Bps(0), Bps(30))})
    assert slippage.of(WETH, USDC) == 140
    assert slippage.of(USDC, WETH) == 80


def test_each_plan_that_the_price_outran_brings_the_next_half_of_the_way_to_the_worst() -> None:
    """Wherever health is, and never past it."""
    limits = Limits(Bps(50), worst_slippage=Bps(300))
    found = intent(loop(dollars="13300"), replace(SELL, limits=limits))
    bounds = [slippage_of(found.rule, found.assessment, n).of(WETH, USDC) for n in (0, 1, 2, 3, 200)]
    assert bounds[0] < 60
    assert bounds[1:] == [175, 238, 269, 300]


def test_a_boost_never_widens() -> None:
    """Nothing is at stake."""
    of = loop(dollars="8000")
    boost = rule("2.40", "1.90", [actions.LEVERAGE_UP])
    wanted = LendingIntent(intent(of).assessment, boost, boost.target, (), (), None)  # type: ignore[arg-type]
    assessed = replace(wanted.assessment, drifts={at("WETH"): Drift(Bps(500), Bps(500))})
    assert slippage_of(boost, assessed).of(USDC, WETH) == 50


@given(
    st.integers(1, 2000),
    st.integers(1, 2000),
    st.integers(1, 5000),
    st.integers(10_000, 12_000),
    st.integers(0, 2 * WAD),
)
def test_the_bound_lies_between_the_owners_usual_and_worst(
    usual: int, worst: int, fall: int, bonus: int, health: int
) -> None:
    """Whatever the market does."""
    limits = Limits(Bps(usual), worst_slippage=Bps(worst))
    near = nearness(Wad(health), wad("1.25"))
    assert 0 <= near <= WAD
    widened = Bps(usual + (limits.worst - usual) * near // WAD)
    slippage = Slippage(Bps(usual), widened, limits.worst, {at("WETH"): Drift(Bps(fall), Bps(fall))})
    found = slippage.of(replace(WETH, penalty=Wad(max(0, bonus - BPS) * WAD // BPS)), USDC)
    assert usual <= found <= max(usual, min(limits.worst, bonus - BPS + fall))


def plan_at(cost_bps: int, fall: int = 0, dollars: str = "14000") -> Plan:
    wanted = intent(loop(dollars=dollars), SELL)
    wanted = replace(wanted, assessment=replace(wanted.assessment, drifts={at("WETH"): Drift(Bps(fall), Bps(0))}))
    now = state(wanted)
    found = plans(wanted, now, quoted(wanted, now, terms(), cost_bps), {})
    assert isinstance(found, tuple), found
    return found[0]


@pytest.mark.parametrize("cost_bps", [-300, -50, 10, 40])
def test_what_a_swap_may_give_depends_on_the_oracle_and_not_on_what_the_pool_asks(cost_bps: int) -> None:
    """A pool that pays better now may have caught up by the time the sale is mined: its price of now is no bound."""
    swap = next(s.move for s in plan_at(cost_bps).steps if isinstance(s.move, Swap))
    wanted = intent(loop(dollars="14000"), SELL)
    allowed = slippage_of(SELL, wanted.assessment).of(WETH, USDC)
    at_oracle = swap.bought * 10**12 // 2000
    assert at_oracle * (BPS + allowed - 1) // BPS <= swap.sold <= at_oracle * (BPS + allowed) // BPS + 10**9


@pytest.mark.parametrize("speed", [20, 50, 100])
def test_a_sale_survives_a_fall_of_the_speed_that_is_measured(speed: int) -> None:
    """Decided at a price, mined two blocks later at the pool's price of then: within what the swap may give."""
    plan = plan_at(10, fall=speed)
    swap = next(s.move for s in plan.steps if isinstance(s.move, Swap))
    then = 2000 * (BPS - speed) ** 2 // BPS**2
    asked = swap.bought * 10**12 * (BPS + 10) // BPS // then
    assert asked <= swap.sold


def test_a_swap_says_what_it_leaves_over_where_the_pool_pays_more() -> None:
    """So that no later call can be paid out of it."""
    plan = plan_at(-300)
    step = next(s for s in plan.steps if isinstance(s.move, Swap))
    assert isinstance(step.move, Swap)
    at_pool = step.move.bought * 10**12 // 2000 * 9_700 // BPS
    assert abs(step.left_over - (step.move.sold - at_pool)) <= 10**9


# --- how fast prices move --------------------------------------------------------------------------------------------


def seen(*prices: int, first: int = 100, every: int = 1) -> Drift:
    pace = Pace()
    for i, price in enumerate(prices):
        pace.saw(first + i * every, {at("WETH"): price})
    return pace.drifts()[at("WETH")]


def test_a_steady_fall_is_told_by_the_block() -> None:
    """One per cent a block, also where blocks were missed."""
    assert seen(10_000, 9_900, 9_801).down in (99, 100)
    assert seen(10_000, 9_801, every=2).down in (99, 100)
    assert seen(10_000, 9_900, 9_801).up == 0


def test_one_step_of_an_oracle_is_half_a_speed() -> None:
    """Oracles answer in steps; a step after silence is no fall of that much a block yet."""
    assert seen(10_000, 10_000, 9_950).down == 25


def test_what_a_reorg_took_is_forgotten() -> None:
    """A height counts once, and nothing above it."""
    pace = Pace()
    for number, price in ((100, 10_000), (101, 5_000), (101, 10_000)):
        pace.saw(number, {at("WETH"): price})
    assert pace.drifts()[at("WETH")].down == 0


def test_old_moves_are_forgotten() -> None:
    """What happened before the last blocks says nothing of the next."""
    assert seen(20_000, *[10_000] * 8).down == 0


def test_nothing_seen_is_no_speed() -> None:
    """The first block of a run."""
    assert Pace().drifts() == {}
    assert seen(10_000) == Drift(Bps(0), Bps(0))
