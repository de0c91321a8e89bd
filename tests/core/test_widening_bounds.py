"""Bounds that move with volatility: within their ends, one way, the same for loans, perpetuals and books."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import BLOCK, NOW, at, loop
from hypothesis import given
from hypothesis import strategies as st
from perp_builders import BOOK, hedge_rule, leg_at, perp_rule, short, snapshot, told
from perp_strategies import a_position

from keeper.core.book.kind import BOOK as BOOKS
from keeper.core.book.position import BookPosition, exposure
from keeper.core.metrics import Trigger, Widening
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp.following import Worth, left_alone
from keeper.core.perp.kind import PERP
from keeper.core.perp.metrics import LEVERAGE, STOP_LOSS, TRAILING_STOP, closed
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.reasons import Reason
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.market import Market, Movement
from keeper.core.rules import as_now, looks_ahead, verdict_of
from keeper.core.scales import Beyond
from keeper.core.trail import Trail
from keeper.core.units import USD, WAD

BOUNDS = st.integers(1, 10**24)
SIDES = st.sampled_from([Beyond.BELOW, Beyond.ABOVE, Beyond.OUTSIDE, Beyond.DOWN_TO, Beyond.UP_TO])


def moving(ether: float, at_: str = "WETH") -> Market:
    """A market of ether and a dollar."""
    legs = {leg.oracle.asset: "ETH" for leg in short().legs}
    drivers = {**legs, at("WETH"): "ETH", at("USDC"): "USDC"}
    moves = {"ETH": Movement(ether, None, 3600), "USDC": Movement(0.01, None, 3600)}
    return Market(BLOCK.timestamp, drivers, moves, Correlations({frozenset(moves): 0.0}))


@given(BOUNDS, BOUNDS, st.integers(1, 10**20), st.integers(0, 10**19), st.integers(0, 10**19), SIDES)
def test_a_bound_moves_one_way_and_stays_between_its_ends(
    base: int, end: int, per: int, calm: int, more: int, side: Beyond
) -> None:
    """From its base at no volatility towards its end, never beyond, and never back while volatility rises."""
    trigger = Trigger(STOP_LOSS, side, base, widening=Widening(per, end))
    one, other = (trigger.widened(volatility).bound for volatility in (calm, calm + more))
    assert trigger.widened(0).bound == base
    assert min(base, end) <= one <= max(base, end)
    assert abs(one - base) <= abs(other - base)
    assert trigger.widened(10**60).bound == end


@given(BOUNDS, BOUNDS, SIDES, BOUNDS)
def test_the_soonest_bound_fires_wherever_any_does(base: int, end: int, side: Beyond, value: int) -> None:
    """What is looked at closely, and what a target must lie beyond, misses no bound that the rule may have."""
    trigger = Trigger(STOP_LOSS, side, base, widening=Widening(1, end))
    fires = [side.is_beyond(value, bound) for bound in (base, end)]
    assert side.is_beyond(value, trigger.farthest) is any(fires)


def stop(base: str, end: int, per: int) -> PerpRule:
    rule = perp_rule(STOP_LOSS, base, closed(), [perp_actions.CLOSE], name="stop", rests=True)
    return replace(rule, trigger=replace(rule.trigger, widening=Widening(per * USD, end * USD)))


def at_volatility(ether: float, of: PerpPosition | None = None) -> PerpPosition:
    return replace(of or short(margin="5000"), market=moving(ether))


def test_a_stop_makes_room_or_closes_sooner_as_its_owner_says() -> None:
    """A short's, at 2,600: 100 dollars for each 100 % a year, up to 2,900, or down to 2,400."""
    room, sooner = stop("2600", 2900, 100), stop("2600", 2400, 100)
    assert as_now(room, at_volatility(1.0))[0].trigger.bound == 2700 * USD
    assert as_now(room, at_volatility(9.0))[0].trigger.bound == 2900 * USD
    assert as_now(sooner, at_volatility(1.0))[0].trigger.bound == 2500 * USD
    assert as_now(sooner, at_volatility(9.0))[0].trigger.bound == 2400 * USD


@pytest.mark.parametrize(("ether", "fires"), [(0.2, False), (1.0, True)])
def test_a_leverage_that_is_well_in_a_calm_is_too_much_in_a_storm(ether: float, fires: bool) -> None:
    """Its bound falls: 8, less 4 for each 100 % a year, never below 3; a short of six times its margin."""
    rule = perp_rule(LEVERAGE, "8")
    rule = replace(rule, trigger=replace(rule.trigger, widening=Widening(4 * WAD, 3 * WAD)))
    assert verdict_of(PERP, rule, at_volatility(ether, short(margin="1000")), Trail()).fired is fires


@pytest.mark.parametrize(("ether", "fires"), [(0.2, True), (2.0, False)])
def test_a_trailing_stop_lets_a_storm_pass_that_a_calm_would_not_make(ether: float, fires: bool) -> None:
    """8 % from the best, and 5 % more for each 100 % a year; the price has come 11 % back."""
    rule = perp_rule(TRAILING_STOP, "0.08", closed(), [perp_actions.CLOSE], name="trail")
    rule = replace(rule, trigger=replace(rule.trigger, widening=Widening(WAD // 20, WAD // 2)))
    now = at_volatility(ether, short(price="2220", margin="5000"))
    trail = Trail().with_best("trail", 2000 * USD, "x", is_highest=False)
    assert verdict_of(PERP, rule, now, trail).fired is fires


@pytest.mark.parametrize(("ether", "fires"), [(0.1, True), (2.0, False)])
def test_a_band_widens_so_that_a_storm_makes_no_churn(ether: float, fires: bool) -> None:
    """Half an ether, and half more for each 100 % a year: a delta of 0.8 is traded in a calm alone."""
    rule = hedge_rule("0.5")
    rule = replace(rule, trigger=replace(rule.trigger, widening=Widening(WAD // 2, 3 * WAD)))
    hedge = told(a_position(leg_at("-9.2", "2000"), margin=50_000 * WAD))
    seen = exposure(BOOK, snapshot(loop(), hedge), "WETH")
    assert seen.assets["ETH"] == at("WETH")
    found = verdict_of(BOOKS, rule, BookPosition(seen, (hedge,), BLOCK, market=moving(ether)), Trail())
    assert found.measured == WAD * 8 // 10
    assert (found.fired, found.doubt) == (fires, None)
    assert looks_ahead(rule)


def test_a_band_whose_volatility_is_not_known_is_the_one_that_is_written_and_says_so() -> None:
    """It hedges as a rule does that never widens: what is not known is no reason to stand unhedged."""
    rule = hedge_rule("0.5")
    rule = replace(rule, trigger=replace(rule.trigger, widening=Widening(WAD // 2, 3 * WAD)))
    hedge = told(a_position(leg_at("-9.2", "2000"), margin=50_000 * WAD))
    seen = exposure(BOOK, snapshot(loop(), hedge), "WETH")
    for market in (None, Market(NOW)):
        found = verdict_of(BOOKS, rule, BookPosition(seen, (hedge,), BLOCK, market=market), Trail())
        assert found.fired
        assert found.doubt is not None
        assert found.doubt.reason is Reason.HISTORY_SHORT
        assert "does not widen" in found.doubt.detail


CHEAP = Worth(gas_usd=USD // 10, size_usd=6000 * USD, price=2000 * USD)
DEAR = Worth(gas_usd=50 * USD, size_usd=6000 * USD, price=2000 * USD)


def test_a_resting_order_is_moved_by_a_tenth_of_its_way_at_the_least() -> None:
    """From 2,600 to 2,900 that is 30 dollars: at 100 % the price is 2,700, and one at 2,671 or 2,729 stays."""
    assert left_alone(stop("2600", 2900, 100), at_volatility(1.0), CHEAP, is_soon=False) == (2670 * USD, 2730 * USD)


def test_a_resting_order_stays_between_its_ends_however_dear_gas_is() -> None:
    """A change for 50 dollars of gas waits until it means 500 for the size; one beyond an end never waits."""
    low, high = left_alone(stop("2600", 2900, 100), at_volatility(1.0), DEAR, is_soon=False)
    assert (low, high) == (2600 * USD, (2700 + 500 * 2000 // 6000) * USD + 66666667)
    assert left_alone(stop("2600", 2900, 100), at_volatility(9.0), DEAR, is_soon=False)[1] == 2900 * USD


@pytest.mark.parametrize(("ether", "is_soon"), [(1.0, True), (None, False)])
def test_a_resting_order_stays_within_the_cooldown_and_while_nothing_is_known(
    ether: float | None, is_soon: bool
) -> None:
    """Anywhere between its ends; the keeper's own rule is judged at the exact price meanwhile."""
    now = short() if ether is None else at_volatility(ether)
    assert left_alone(stop("2600", 2900, 100), now, CHEAP, is_soon=is_soon) == (2600 * USD, 2900 * USD)
