"""What a rule looks at, when it fires, and what makes a position unjudged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import OWNER, above, assessed, below, holding, limits, loop, position, rule, to_health, to_ltv, wad

from keeper.core.lending import actions
from keeper.core.lending import figures as lending
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import CLOSED, HEALTH_FACTOR, LIQUIDATION_DISTANCE, LTV, PRICE, LendingTrigger
from keeper.core.lending.rules import Rule, Verdict
from keeper.core.metrics import Metric
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, assess, too_late
from keeper.core.snapshot import LendingPosition, Unreadable
from keeper.core.units import BPS, INFINITE, USD, WAD, Wad, decimal_of


def when(measure: Metric[LendingPosition], bound: int, asset: str | None = None, *, is_below: bool = True) -> Rule:
    return rule(trigger=(below if is_below else above)(measure, bound, asset))


def verdict(of: LendingPosition, by: Rule) -> Verdict:
    (found,) = assessed(of, by).verdicts
    return found


HEALTH = 16_600 * WAD // 14_000
SEVENTY = 7 * WAD // 10
DISTANCE = lending.liquidation_distance_at(Wad(HEALTH))
MEASURED = [
    (HEALTH_FACTOR, HEALTH, None),
    (LTV, SEVENTY, None),
    (LIQUIDATION_DISTANCE, DISTANCE, None),
    (PRICE, 2000 * USD, None),
    (PRICE, 2000 * USD, "WETH"),
    (PRICE, 1 * USD, "USDC"),
]


@pytest.mark.parametrize(("measure", "value", "asset"), MEASURED)
def test_each_measure_is_read_from_the_position(
    measure: Metric[LendingPosition], value: int, asset: str | None
) -> None:
    """10 ETH at 2,000 against 14,000 dollars: health 1.1857, LTV 70 %, distance 15.66 %."""
    assert verdict(loop(), when(measure, 0, asset)).measured == value


@pytest.mark.parametrize(("measure", "value", "asset"), MEASURED)
def test_a_bound_itself_does_not_fire(measure: Metric[LendingPosition], value: int, asset: str | None) -> None:
    """Strictly below, strictly above: one unit further fires, the very bound does not."""
    assert not verdict(loop(), when(measure, value, asset)).fired
    assert verdict(loop(), when(measure, value + 1, asset)).fired
    assert not verdict(loop(), when(measure, value, asset, is_below=False)).fired
    assert verdict(loop(), when(measure, value - 1, asset, is_below=False)).fired


def test_an_account_without_debt_fires_only_what_waits_for_health() -> None:
    """Infinite health is above every bound and below none."""
    free = position(holding("WETH", 10))
    assert verdict(free, when(HEALTH_FACTOR, wad(2))).measured == INFINITE
    assert not verdict(free, when(HEALTH_FACTOR, wad(2))).fired
    assert verdict(free, when(HEALTH_FACTOR, wad(2), is_below=False)).fired
    assert not verdict(free, when(LTV, 1, is_below=False)).fired
    assert not verdict(free, when(LIQUIDATION_DISTANCE, WAD)).fired


def test_a_price_rule_is_of_the_one_collateral_when_it_names_none() -> None:
    """The debt's price is not meant."""
    assert verdict(loop(), when(PRICE, 1)).measured == 2000 * USD


@pytest.mark.parametrize("named", ["weth", "WETH", "WeTh"])
def test_an_asset_is_named_in_any_letter_case(named: str) -> None:
    """As people write it."""
    assert verdict(loop(), when(PRICE, 1, named)).measured == 2000 * USD


TWO = position(holding("WETH", 10), holding("WBTC", "0.1"), holding("USDC", 0, 14_000))


@pytest.mark.parametrize(("of", "asset"), [(TWO, None), (loop(), "WBTC"), (position(holding("USDC", 0, 5)), None)])
def test_an_ambiguous_or_missing_asset_is_a_doubt_and_never_fires(of: LendingPosition, asset: str | None) -> None:
    """Two collaterals and none named, none at all, or one that is not there: undecidable, not quiet."""
    found = verdict(of, when(PRICE, 10**20, asset))
    assert not found.fired
    assert found.measured is None
    assert found.doubt is not None
    assert found.doubt.reason is Reason.RULE_UNDECIDABLE
    assert "protect" in found.doubt.detail


def test_a_named_asset_settles_the_ambiguity() -> None:
    """Each collateral has its own price."""
    assert verdict(TWO, when(PRICE, 1, "WBTC")).measured == 60_000 * USD
    assert verdict(TWO, when(PRICE, 1, "WETH")).measured == 2000 * USD


def test_a_rule_judges_its_own_position_only() -> None:
    """Another position's rule gives no verdict here."""
    assert assessed(loop(), rule(position="other")).verdicts == ()


# --- unjudged --------------------------------------------------------------------------------------------------------


def test_an_unreadable_position_is_unjudged_with_its_reason() -> None:
    """Unknown is not zero."""
    doubt = Doubt(Reason.POSITION_UNREADABLE, "getUserAccountData reverted")
    assert assess(LENDING, Unreadable("loop", OWNER, doubt), (rule(),), ()) == Unjudged("loop", doubt)


def test_an_empty_account_is_unjudged_and_names_the_owner() -> None:
    """A wrong address must not look like the safest of positions."""
    found = assess(LENDING, position(holding("WETH"), holding("USDC")), (rule(),), ())
    assert isinstance(found, Unjudged)
    assert found.doubt.reason is Reason.NO_POSITION
    assert OWNER in found.doubt.detail


@pytest.mark.parametrize("field", ["collateral_value", "debt_value", "health_factor", "available_borrows"])
def test_figures_that_disagree_by_one_unit_are_unjudged(field: str) -> None:
    """Whatever the protocol computes differently, nothing is decided on it."""
    of = loop()
    wrong = replace(of, reported=replace(of.reported, **{field: getattr(of.reported, field) + 1}))
    found = assess(LENDING, wrong, (rule(),), ())
    assert isinstance(found, Unjudged)
    assert found.doubt.reason is Reason.FIGURES_DISAGREE
    assert decimal_of(wrong.reported.health_factor, 18) in found.doubt.detail


def test_doubts_are_carried_into_the_assessment() -> None:
    """A doubtful price does not stop the judging; it is the decision that weighs it."""
    doubt = Doubt(Reason.PRICE_STALE, "WETH is old")
    found = assessed(loop(), rule(), doubts=(doubt,))
    assert found.doubts == (doubt,)
    assert [r.name for r in found.fired] == ["protect"]


# --- targets and order -----------------------------------------------------------------------------------------------


def test_a_target_is_met_at_its_very_figure() -> None:
    """At least the health factor, at most the LTV, no debt at all."""
    at = loop()
    assert to_health(Wad(HEALTH)).is_met(at)
    assert not to_health(Wad(HEALTH + 1)).is_met(at)
    assert to_ltv(Wad(SEVENTY)).is_met(at)
    assert not to_ltv(Wad(SEVENTY - 1)).is_met(at)
    assert not CLOSED.is_met(at)
    assert CLOSED.is_met(position(holding("WETH", 10)))


@pytest.mark.parametrize(
    ("trigger", "is_late"),
    [
        (above(LTV, wad("0.83")), True),
        (above(LTV, wad("0.8299")), False),
        (below(HEALTH_FACTOR, wad("1.0001")), False),
        (below(HEALTH_FACTOR, wad("0.99")), True),
        (above(HEALTH_FACTOR, wad("2")), False),
        (below(LIQUIDATION_DISTANCE, wad("0.05")), False),
        (below(PRICE, 1, "WETH"), False),
    ],
)
def test_a_rule_that_rests_where_liquidation_begins_comes_too_late(trigger: LendingTrigger, *, is_late: bool) -> None:
    """By what its own metric measures there; of a price nobody knows."""
    assert (too_late(LENDING, rule(trigger=trigger), loop()) is not None) is is_late


def test_rules_that_make_safer_come_before_a_boost() -> None:
    """Whatever the order they were written in; among equals the owner's order stands."""
    always = above(HEALTH_FACTOR, 0)
    boost = rule(name="boost", actions=(actions.LEVERAGE_UP,), trigger=always)
    first, second = rule(name="first", trigger=always), rule(name="second", trigger=always)
    assert [r.name for r in assessed(loop(), boost, first, second).fired] == ["first", "second", "boost"]


def test_only_buying_and_selling_are_trades() -> None:
    """Those are what doubtful prices forbid."""
    assert {a for a in actions.ACTIONS.values() if a.trades} == {
        actions.DELEVERAGE,
        actions.LEVERAGE_UP,
        actions.SWAP_COLLATERAL,
        actions.SWAP_DEBT,
    }


def test_limits_default_to_none_of_their_own() -> None:
    """A rule without limits is bounded by slippage alone."""
    assert limits() == replace(limits(), max_spend_per_tx=None, max_spend_per_day=None, max_fee=None)
    assert limits().max_slippage * 200 == BPS
