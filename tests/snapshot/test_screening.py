"""The filter over a large fleet may send too many on to the exact judge, never too few."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from core_builders import above, below, loop
from hypothesis import given
from hypothesis import strategies as st

from keeper.core import rules
from keeper.core.lending.metrics import HEALTH_FACTOR, LIQUIDATION_DISTANCE, LTV, METRICS, PRICE, LendingTrigger, as_if
from keeper.core.lending.rules import Rule
from keeper.core.metrics import Metric, Trigger
from keeper.core.rules import Limits
from keeper.core.scales import Beyond
from keeper.core.snapshot import AccountFigures, LendingPosition
from keeper.core.units import INFINITE, WAD, Bps, Wad
from keeper.snapshot.screening import IN_TURN, STAY, Fleet

MOST = 2**256 - 1
NEAR = 0.03


def rule(i: int, trigger: LendingTrigger) -> Rule:
    return rules.Rule(f"r{i}", f"p{i}", trigger, None, (), 0, Limits(Bps(50)))


def answer(of: AccountFigures) -> bytes:
    words = (of.collateral_value, of.debt_value, of.available_borrows)
    ratios = (of.average_threshold, of.average_ltv, of.health_factor)
    return b"".join(int(x).to_bytes(32, "big") for x in (*words, *ratios))


def figures(collateral: int, debt: int, health: int, threshold: int = 8000) -> AccountFigures:
    return AccountFigures(collateral, debt, 0, Bps(threshold), Bps(7500), Wad(health))


def fleet(*rules: Rule, count: int | None = None) -> Fleet:
    return Fleet([f"p{i}" for i in range(count or len(rules))], tuple(rules), NEAR)


def exactly_fires(trigger: LendingTrigger, of: AccountFigures) -> bool:
    value = trigger.metric.now(as_if(loop(), of), trigger.of)
    return value is not None and trigger.fires_at(value)


MEASURES = [
    (HEALTH_FACTOR, True),
    (HEALTH_FACTOR, False),
    (LTV, False),
    (LIQUIDATION_DISTANCE, True),
]
extremes = st.sampled_from([0, 1, 2, WAD - 1, WAD, WAD + 1, INFINITE - 1, MOST, MOST - 1, 2**128, 2**64 - 1, 2**64])
amounts = st.one_of(extremes, st.integers(0, 10**18), st.integers(0, MOST))
healths = st.one_of(extremes, st.integers(WAD // 2, 4 * WAD), st.integers(0, MOST))


@given(
    st.lists(
        st.tuples(st.sampled_from(MEASURES), st.one_of(st.integers(1, 3 * WAD), extremes), amounts, amounts, healths),
        min_size=1,
        max_size=20,
    ),
    st.integers(-3, 3),
)
def test_whatever_may_fire_is_looked_at_closely(
    cases: list[tuple[tuple[Metric[LendingPosition], bool], int, int, int, int]], off: int
) -> None:
    """Extremes, and figures a few units to either side of the very bound."""
    rules, seen = list[Rule](), list[AccountFigures]()
    for i, ((measure, is_below), bound, collateral, debt, health) in enumerate(cases):
        on_the_edge = i % 2 and measure is HEALTH_FACTOR
        rules.append(rule(i, (below if is_below else above)(measure, bound)))
        seen.append(figures(collateral, debt, min(MOST, max(0, bound + off)) if on_the_edge else health))
    sight = fleet(*rules).look([answer(of) for of in seen], {})
    must = {i for i, of in enumerate(seen) if exactly_fires(rules[i].trigger, of)}
    assert must <= set(sight.may_fire)
    assert sight.unreadable == []


def test_what_is_well_away_from_its_trigger_is_let_pass() -> None:
    """Else the filter would be good for nothing."""
    rules = [rule(i, below(HEALTH_FACTOR, 5 * WAD // 4)) for i in range(1000)]
    dice = random.Random(7)  # noqa: S311
    seen = [figures(10**12, 10**11, dice.randrange(13 * WAD // 10, 9 * WAD)) for _ in rules]
    whole = fleet(*rules)
    assert whole.look([answer(of) for of in seen], {}).may_fire == []
    assert len(whole.close(whole.names)) <= IN_TURN


@pytest.mark.parametrize("said", [None, b"", bytes(191), bytes(193), bytes(32)])
def test_an_account_without_figures_is_unreadable_and_not_healthy(said: bytes | None) -> None:
    rules = [rule(i, below(HEALTH_FACTOR, WAD)) for i in range(3)]
    good = answer(figures(10**12, 10**11, 3 * WAD))
    sight = fleet(*rules).look([good, said, good], {})
    assert sight.unreadable == [1]
    assert sight.may_fire == []
    assert sight.lowest_health == pytest.approx(3)


@pytest.mark.parametrize("key", METRICS)
def test_what_the_figures_do_not_show_is_always_looked_at_closely(key: str) -> None:
    """A metric that the filter does not know lets nobody pass: a new one is right before it is fast."""
    metric = METRICS[key]
    shown = {"health_factor", "ltv", "liquidation_distance"}
    for side in metric.sides:
        healthy = fleet(rule(0, Trigger(metric, side, WAD // 10**6 if side is Beyond.BELOW else 9 * WAD)))
        sight = healthy.look([answer(figures(10**12, 10**11, 8 * WAD))], {})
        assert (sight.may_fire == []) is (key in shown)


def test_an_account_with_nothing_in_it_is_looked_at() -> None:
    """It may be closed, or hold what does not count: the exact judge tells which."""
    whole = fleet(rule(0, below(HEALTH_FACTOR, WAD)))
    assert whole.look([answer(figures(0, 0, MOST))], {}).may_fire == [0]


def test_rules_on_prices_are_judged_by_the_prices() -> None:
    rules = (
        rule(0, below(PRICE, 2000 * 10**8, "WETH")),
        rule(1, above(PRICE, 2000 * 10**8, "weth")),
        rule(2, below(PRICE, 2000 * 10**8)),  # of whichever asset it holds: the figures do not tell
    )
    said = [answer(figures(10**12, 10**11, 3 * WAD))] * 3

    def fire(prices: dict[str, int]) -> list[int]:
        return fleet(*rules).look(said, prices).may_fire

    assert fleet(*rules).symbols == {"weth"}
    assert fire({"weth": 1999 * 10**8}) == [0, 2]
    assert fire({"weth": 2001 * 10**8}) == [1, 2]
    assert fire({"weth": 2000 * 10**8}) == [2]
    assert fire({}) == [0, 1, 2]  # not known: it may


def test_everybody_s_turn_comes() -> None:
    whole = fleet(count=5 * IN_TURN + 3)
    said = [answer(figures(10**12, 10**11, 3 * WAD))] * (5 * IN_TURN + 3)
    seen = set[int]()
    for _ in range(6 * STAY):
        seen |= set(whole.close(whole.names))
        whole.look(said, {})
    assert seen == set(range(5 * IN_TURN + 3))


def last(whole: Fleet) -> set[int]:
    """Who is close for a reason other than its turn."""
    turn = len(whole.names) - IN_TURN
    whole._turn = STAY * (turn // IN_TURN)
    return set(whole.close(whole.names)) - set(range(turn, len(whole.names)))


def test_who_is_near_kept_or_changed_is_read_in_full_next_time() -> None:
    count = 10 * IN_TURN
    whole = fleet(*(rule(i, below(HEALTH_FACTOR, WAD)) for i in range(count)))
    said: Sequence[AccountFigures] = [figures(10**12, 10**11, 3 * WAD)] * count
    whole.look([answer(of) for of in said], {})
    assert last(whole) == set()
    near = [*said]
    near[5] = figures(10**12, 10**11, 102 * WAD // 100)
    near[6] = figures(10**12, 10**11, 3 * WAD, threshold=7000)
    whole.look([answer(of) for of in near], {})
    whole.keep(["p9"])
    assert last(whole) == {5, 6, 9}
    whole.look([answer(of) for of in near], {})
    whole.keep([])
    assert last(whole) == {5}


def test_rules_may_change_under_way() -> None:
    """After a plan fell short its rule acts on until the target is met."""
    whole = fleet(rule(0, below(HEALTH_FACTOR, WAD)))
    said = [answer(figures(10**12, 10**11, 3 * WAD))]
    assert whole.look(said, {}).may_fire == []
    whole.follow((rule(0, below(HEALTH_FACTOR, 4 * WAD)),))
    assert whole.look(said, {}).may_fire == [0]


def test_nobody_s_turn_comes_before_it_was_found_what_they_use() -> None:
    """That is found in the background: a turn must not cost a second read."""
    whole = fleet(count=2 * IN_TURN)
    assert whole.close([]) == []
    assert whole.close(["p9", "p20"]) == [9]
    whole.keep(["p3"])
    assert whole.close([]) == [3]
