"""Numbers for a position without rules: careful, in their order, and none where nothing can be liquidated."""

from __future__ import annotations

from core_builders import loop
from hypothesis import given
from hypothesis import strategies as st
from perp_builders import long, short
from perp_strategies import cross

from keeper.core.lending.figures import liquidation_distance_at
from keeper.core.perp import margin as perps
from keeper.core.perp.position import FACTOR, PerpPosition
from keeper.core.starter import APART, HUNDREDTH, THOUSANDTH, starter_of
from keeper.core.units import WAD, Wad


@given(st.integers(1, 100_000))
def test_a_loan_is_rescued_before_it_is_near_and_beyond_what_fired(dollars: int) -> None:
    """Whatever it owes: the rescue begins at 1.15 to 1.30, restores more, and the warning comes before it."""
    seen = loop(dollars=str(dollars))
    found = starter_of(seen)
    assert found is not None
    assert APART.least <= found.act <= APART.most
    assert found.act + APART.apart <= found.restore <= APART.highest
    assert found.warn >= liquidation_distance_at(Wad(found.act))
    assert found.fires_now == (seen.reported.health_factor <= found.act)
    assert not any(value % HUNDREDTH for value in (found.warn, found.act, found.restore))


def test_a_loan_at_two_gets_what_most_owners_choose() -> None:
    """Health 2.0: a warning at a fall of 30 %, a rescue from 1.25 to 1.66."""
    found = starter_of(loop(dollars="8300"))
    assert found is not None
    assert [value * 100 // WAD for value in (found.warn, found.act, found.restore)] == [30, 125, 166]


def test_without_debt_there_is_nothing_to_propose() -> None:
    """Nothing can be liquidated, so no rule could fire."""
    assert starter_of(loop(dollars="0")) is None


@given(cross())
def test_a_margin_is_added_before_the_venue_takes_it(position: PerpPosition) -> None:
    """Whatever is open: from twice the maintenance up, and always further than what fired."""
    found = starter_of(position)
    if not position.held:
        assert found is None
        return
    assert found is not None
    least = position.maintenance * WAD // FACTOR
    assert 2 * least <= found.act < found.restore
    assert 0 < found.warn <= WAD // 2
    assert found.fires_now == (perps.margin_ratio(position) <= found.act)


def test_both_sides_of_a_market_are_treated_alike() -> None:
    """A short and a long of one margin begin at one ratio."""
    one, other = starter_of(short()), starter_of(long())
    assert one is not None
    assert other is not None
    assert abs(one.act - other.act) <= THOUSANDTH


def test_a_margin_is_never_waited_for_until_it_is_nearly_gone() -> None:
    """A venue may let margins fall to half a percent: of a calm position the rescue begins at a tenth."""
    found = starter_of(short(margin="3000", maintenance=FACTOR // 200))
    assert found is not None
    assert [value * 1000 // WAD for value in (found.act, found.restore)] == [100, 200]


def bounds(dollars: str, volatility: str) -> tuple[int, int]:
    """Hundredths of health at which a rescue begins, and which it restores, for prices that move so much a year."""
    found = starter_of(loop(dollars=dollars), Wad(int(float(volatility) * WAD)))
    assert found is not None
    return found.act * 100 // WAD, found.restore * 100 // WAD


def test_what_moves_more_is_rescued_earlier_and_further() -> None:
    """One position, four markets: each wilder one begins no later, restores no less, and the wildest clearly more."""
    found = [bounds("12500", each) for each in ("0.02", "0.40", "0.64", "1.40")]
    assert found == sorted(found)
    assert found[0][0] < 110 < found[2][0] < 125 < found[3][0], found


def test_an_ordinary_market_is_rescued_as_without_a_history() -> None:
    """64 % a year, and a quarter more for what was not seen yet: what the bounds are made for."""
    assert starter_of(loop(dollars="12500"), Wad(64 * HUNDREDTH)) == starter_of(loop(dollars="12500"))


@given(st.integers(1, 100_000), st.integers(0, 100 * WAD))
def test_whatever_prices_did_bounds_keep_their_order(dollars: int, volatility: int) -> None:
    """A broken history proposes nothing absurd: no rescue below 1.03 or beyond 1.60, each restores more."""
    found = starter_of(loop(dollars=str(dollars)), Wad(volatility))
    assert found is not None
    assert 103 * HUNDREDTH <= found.act <= 160 * HUNDREDTH
    assert found.act < found.restore <= 350 * HUNDREDTH
    assert WAD > found.warn > liquidation_distance_at(Wad(found.act))


@given(cross(), st.integers(0, 100 * WAD))
def test_a_margin_follows_what_its_market_does(position: PerpPosition, volatility: int) -> None:
    """Never below twice the maintenance, whatever the market; wilder is never later."""
    found, calm = starter_of(position, Wad(volatility)), starter_of(position, Wad(0))
    if found is None or calm is None:
        assert not position.held
        return
    assert 2 * position.maintenance * WAD // FACTOR <= found.act < found.restore
    assert found.act >= calm.act
