"""A plan made ready goes out only as what was rehearsed: any state, any prices, any plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import (
    BLOCK,
    at,
    below,
    entry_of,
    holding,
    intent,
    loop,
    position,
    quoted,
    rule,
    safety,
    state,
    terms,
    units,
    wad,
    wallet,
)
from core_strategies import DELEVERAGE, REPAY, TOP_UP, worlds
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keeper.core.ancestry import Lineage
from keeper.core.armed.accrual import Answered
from keeper.core.armed.bounds import Bounds, OutOfBoundsError, price_bounds
from keeper.core.armed.loan_bounds import project
from keeper.core.armed.loan_prices import (
    LOANS,
    at_prices,
    carried_on,
    is_as_foretold,
    is_same_account,
    quotes_at,
    scenarios,
)
from keeper.core.armed.scenarios import PPM, fires_at, rungs
from keeper.core.lending import figures as lending
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import PRICE
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.quotes import Quote, Quotes
from keeper.core.lending.rules import LendingIntent
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import assess
from keeper.core.snapshot import LendingPosition
from keeper.core.units import BPS, Address, Amount, Bps
from keeper.venues.aave_v3.model import RAY, YEAR_S, AaveModel, Arithmetic, Ray

FLOOR = safety().health_floor


def prices(of: LendingPosition, **factors: int) -> dict[Address, int]:
    """The prices of a position, some multiplied by basis points."""
    found = {h.asset: h.price.answer for h in of.holdings}
    return found | {at(symbol): found[at(symbol)] * bps // BPS for symbol, bps in factors.items()}


def seen_at(now: LendingIntent, where: dict[Address, int]) -> LendingIntent:
    """The same intent on the same account at other prices."""
    there = at_prices(now.assessment.position, where)
    assessed = assess(LENDING, there, (now.rule,), ())
    return replace(now, assessment=assessed)  # type: ignore[arg-type]


def bounds(of: LendingPosition, rung: dict[Address, int] | None = None, step: int = 12) -> Bounds[LendingPosition]:
    return Bounds(BLOCK, of, price_bounds(prices(of), rung or prices(of), Bps(step)))


# --- any plan --------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(worlds(), st.integers(9_000, 10_500), st.integers(9_900, 10_100))
def test_what_fits_keeps_its_promise_on_the_fresh_state(world: Any, eth: int, dollar: int) -> None:
    """Whatever the prices came to: the figures are those of the moves on the fresh account, and meet the promise."""
    wanted, now, on, approved = world
    found = plans(wanted, now, on, approved)
    assume(isinstance(found, tuple))
    where = prices(wanted.assessment.position, WETH=eth, USDC=dollar)
    for plan in found:
        armed = bounds(wanted.assessment.position, where)
        try:
            figures = project(plan, armed, seen_at(wanted, where), now.wallet, FLOOR)
        except OutOfBoundsError:
            continue
        assert plan.postcondition.is_met(figures)
        for holding_ in wanted.assessment.position.holdings:
            low, high = armed.prices[holding_.asset]
            assert low <= where[holding_.asset] <= high


@settings(max_examples=150)
@given(worlds())
def test_a_plan_fits_the_very_state_it_was_made_on(world: Any) -> None:
    """Nothing moved: the projection is the plan's own, or better where the plan left room for interest."""
    wanted, now, on, approved = world
    found = plans(wanted, now, on, approved)
    assume(isinstance(found, tuple))
    for plan in found:
        figures = project(plan, bounds(wanted.assessment.position), wanted, now.wallet, on.safety.health_floor)
        assert figures.health_factor >= plan.projected.health_factor


# --- one plan, and what was not as it was ----------------------------------------------------------------------------


def made(actions: Any = (DELEVERAGE,), of: LendingPosition | None = None) -> tuple[Plan, LendingIntent]:
    wanted = intent(of or loop(), rule(actions=actions))
    now = state(wanted, wallet(USDC=20_000, WETH=3))
    found = plans(wanted, now, quoted(wanted, now, terms()), {})
    assert isinstance(found, tuple)
    return found[0], wanted


def changed(of: LendingIntent, index: int, **reserve: Any) -> LendingIntent:
    """The same intent with something of one reserve changed."""
    holdings = of.assessment.position.holdings
    there = position(*(entry_of(h, **(reserve if i == index else {})) for i, h in enumerate(holdings)))
    return replace(of, assessment=assess(LENDING, there, (of.rule,), ()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"supply_index": Ray(RAY + RAY // 500)},
        {"supply_index": Ray(RAY - 1)},
        {"liquidation_threshold": Bps(8299)},
        {"is_paused": True},
        {"is_frozen": True},
        {"supply_cap": 5},
        {"liquidity": Amount(10)},
    ],
)
def test_a_reserve_that_is_not_what_it_was_is_out_of_bounds(change: dict[str, Any]) -> None:
    """Settings, flags, liquidity; and an index that moved by more than interest, or back."""
    plan, wanted = made()
    with pytest.raises(OutOfBoundsError):
        project(plan, bounds(wanted.assessment.position), changed(wanted, 0, **change), wallet(), FLOOR)


def test_interest_of_a_few_blocks_is_in_bounds() -> None:
    """The plan aims a hair past its target for that."""
    plan, wanted = made()
    later = changed(wanted, 1, debt_index=Ray(RAY + RAY // 10**7))
    project(plan, bounds(wanted.assessment.position), later, wallet(), FLOOR)


def test_more_interest_than_the_plan_aimed_past_is_out_of_bounds() -> None:
    """The promise would not be kept."""
    plan, wanted = made()
    later = changed(wanted, 1, debt_index=Ray(RAY + RAY // 1001))
    with pytest.raises(OutOfBoundsError, match="health factor"):
        project(plan, bounds(wanted.assessment.position), later, wallet(), FLOOR)


@pytest.mark.parametrize("held", [loop(eth="10.000000000000000001"), loop(dollars="14000.000001")])
def test_an_account_that_was_touched_is_out_of_bounds(held: LendingPosition) -> None:
    """By one smallest unit."""
    plan, wanted = made()
    touched = intent(held, wanted.rule)
    with pytest.raises(OutOfBoundsError, match="is not what it was"):
        project(plan, bounds(wanted.assessment.position), touched, wallet(), FLOOR)


def test_another_rule_limit_or_target_is_out_of_bounds() -> None:
    """What the owner allows is part of what was rehearsed."""
    plan, wanted = made()
    for other in (replace(wanted.rule, cooldown_s=1), rule(to="1.70", actions=(DELEVERAGE,))):
        with pytest.raises(OutOfBoundsError, match="is not the one"):
            project(plan, bounds(wanted.assessment.position), intent(loop(), other), wallet(), FLOOR)


def test_a_doubt_forbids_an_armed_sale_and_no_payment() -> None:
    """As everywhere: what trades nothing cannot lose to a bad price."""
    doubt = Doubt(Reason.PRICE_STALE, "old")
    for actions, is_forbidden in (((DELEVERAGE,), True), ((REPAY,), False), ((TOP_UP,), False)):
        plan, wanted = made(actions)
        doubted = replace(wanted, assessment=replace(wanted.assessment, doubts=(doubt,)))
        held, armed = wallet(USDC=20_000, WETH=3), bounds(wanted.assessment.position)
        if is_forbidden:
            with pytest.raises(OutOfBoundsError, match="old"):
                project(plan, armed, doubted, held, FLOOR)
        else:
            project(plan, armed, doubted, held, FLOOR)


def test_a_price_that_has_no_part_in_it_may_move_as_it_likes() -> None:
    """The position could use DAI, has none, and the plan moves none."""
    plan, wanted = made()
    armed = bounds(wanted.assessment.position)
    project(plan, armed, seen_at(wanted, prices(loop(), DAI=5_000)), wallet(), FLOOR)
    with pytest.raises(OutOfBoundsError, match="beyond the rung"):
        project(plan, armed, seen_at(wanted, prices(loop(), WETH=9_900)), wallet(), FLOOR)


def test_a_wallet_that_lacks_a_unit_is_out_of_bounds() -> None:
    """What is paid must be there now."""
    plan, wanted = made((REPAY,))
    paid = next(step.move.amount for step in plan.steps if step.spend)  # type: ignore[union-attr]
    short = replace(wallet(), tokens={at("USDC"): Amount((paid or 0) - 1)})
    with pytest.raises(OutOfBoundsError, match="lacks 1 of"):
        project(plan, bounds(wanted.assessment.position), wanted, short, FLOOR)


def test_a_floor_on_the_way_is_kept_at_fresh_prices() -> None:
    """Collateral leaves before the debt is repaid."""
    plan, wanted = made()
    with pytest.raises(OutOfBoundsError, match="below the floor"):
        project(plan, bounds(wanted.assessment.position), wanted, wallet(), wad("2"))


# --- scenarios -------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(st.integers(13_000, 16_000), st.integers(100, 3000))
def test_a_rule_fires_at_the_factor_found_and_not_above_it(dollars: int, band: int) -> None:
    """To a millionth; none is found where the band holds none."""
    of = loop(dollars=str(dollars))
    watched = intent(of, rule(below="1.15")).assessment
    (scenario,) = scenarios(watched.position, watched.verdicts[0].rule)
    assert scenario.moved == (at("WETH"),)
    factor = fires_at(LOANS, watched.position, watched.verdicts[0].rule, scenario, Bps(band))

    def fires(at_factor: int) -> bool:
        there = at_prices(of, scenario.prices(prices(of), at_factor))
        return watched.verdicts[0].rule.trigger.fires_at(there.reported.health_factor)

    if factor is None:
        assert not fires(PPM - band * PPM // BPS)
    else:
        assert fires(factor)
        assert factor == PPM or not fires(factor + 1)
        assert list(rungs(factor, Bps(12), 8)) == sorted(rungs(factor, Bps(12), 8), reverse=True)


def test_dollars_move_only_where_nothing_else_does() -> None:
    """Ether falls; owed bitcoin rises; each of two collaterals also alone."""
    both = position(holding("WETH", 10), holding("WBTC", 1), holding("USDC", 0, 9000))
    found = [(s.moved, s.is_fall) for s in scenarios(intent(both).assessment.position, rule())]
    assert found == [((at("WETH"), at("WBTC")), True), ((at("WETH"),), True), ((at("WBTC"),), True)]
    short = position(holding("USDC", 100_000), holding("WBTC", 0, 1))
    assert [(s.moved, s.is_fall) for s in scenarios(short, rule())] == [((at("WBTC"),), False)]
    steady = position(holding("USDC", 100_000), holding("DAI", 0, 70_000))
    assert [(s.moved, s.is_fall) for s in scenarios(steady, rule())] == [((at("USDC"),), True)]


def test_a_rule_on_a_price_moves_that_price() -> None:
    """The asset it names, in the direction it watches."""
    named = rule(trigger=below(PRICE, 1900 * 10**8, "weth"))
    watched = intent(loop(), named).assessment
    (scenario,) = scenarios(watched.position, named)
    assert (scenario.moved, scenario.is_fall) == ((at("WETH"),), True)
    factor = fires_at(LOANS, watched.position, named, scenario, Bps(1000))
    assert factor is not None
    assert scenario.prices(prices(loop()), factor)[at("WETH")] < 1900 * 10**8


@given(st.integers(9_000, 10_000), st.integers(9_000, 10_300))
def test_a_pool_that_is_there_before_the_oracle_is_not_counted_twice(oracle: int, pool: int) -> None:
    """What it is taken to charge is never less than now, nor more than both fair and what it charges."""
    now = intent(loop()).assessment.account
    then = at_prices(loop(), prices(loop(), WETH=oracle))
    there = lending.account_of(then)
    route: Any = type("R", (), {"tokens": (at("WETH"), at("USDC"))})()
    bought = units("USDC", 1000)
    sold = lending.sale_cost(now.of(at("WETH")), now.of(at("USDC")), bought, Bps(5)) * BPS // pool
    (found,) = quotes_at(Quotes((Quote(route, Amount(sold), bought, 1),)), now, there, Bps(37)).answers
    fair = lending.sale_cost(there.of(at("WETH")), there.of(at("USDC")), bought, Bps(37))
    assert sold <= found.sold <= max(sold, fair)


# --- a position carried on -------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(0, RAY // 2), st.integers(1, 10**13))
def test_a_position_carried_on_owes_more_and_never_less(seconds: int, rate: int, answer: int) -> None:
    """Prices are those told; indices grow as time passes; no time, no interest."""
    of, later = lent_at(rate), replace(BLOCK, timestamp=BLOCK.timestamp + seconds)
    told = {at("WETH"): Answered(answer, 7, later.timestamp)}
    there = carried_on(of, later, told)
    assert there.holding(at("WETH")).price.answer == answer
    before, debt = (p.holding(at("USDC")).borrowed for p in (of, there))
    linear = RAY + rate * seconds // YEAR_S
    assert debt >= before * (linear - 1) // RAY
    assert (debt > before) == (rate * seconds >= YEAR_S)
    assert there.holding(at("WETH")).supplied >= of.holding(at("WETH")).supplied
    assert is_same_account(of, there)
    assert is_as_foretold(there, there)


def lent_at(rate: int) -> LendingPosition:
    """The usual loop, its debt costing so much a year (ray) and its supply earning half."""
    entries = [entry_of(h) for h in loop().holdings]
    return position(*(replace(e, ledger=replace(e.ledger, debt_rate=rate, supply_rate=rate // 2)) for e in entries))


@given(st.integers(0, 86_400), st.integers(0, 86_400), st.integers(0, RAY // 2))
def test_interest_upon_interest_is_that_of_the_whole_time(first: int, more: int, rate: int) -> None:
    """A holding carried on twice owes what one carried on once does, to a part in a billion."""
    of = lent_at(rate)
    for one in of.holdings:
        once = of.model.accrued(one, first + more)
        twice = of.model.accrued(of.model.accrued(one, first), more)
        assert abs(twice.borrowed - once.borrowed) <= 2 + once.borrowed // 10**9
        assert twice.supplied >= once.supplied - 2
        assert once.borrowed >= one.borrowed


def test_a_reserve_that_was_not_read_is_not_carried_on() -> None:
    """Unknown is not zero."""
    with pytest.raises(KeyError):
        carried_on(replace(loop(), model=AaveModel(Arithmetic.DIRECTED)), BLOCK, {})


# --- which block follows which ---------------------------------------------------------------------------------------


def test_only_blocks_that_were_seen_link() -> None:
    """A block that was skipped, or another history, links nothing."""
    line, first = Lineage(), replace(BLOCK, hash="0x1", parent_hash="0x0")
    second = replace(BLOCK, hash="0x2", parent_hash="0x1")
    fourth = replace(BLOCK, hash="0x4", parent_hash="0x3")
    line.saw(first)
    assert line.distance(second, "0x1", 3) == 1
    assert line.distance(second, "0x0", 3) == 2
    assert line.distance(second, "0x0", 1) is None
    assert line.distance(fourth, "0x1", 3) is None
    assert line.distance(fourth, "0x4", 3) == 0
