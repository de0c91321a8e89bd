"""The means of rescue: a trifle blocks nothing, one transaction may go lower in between, the first plan is the best."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from core_builders import (
    at,
    holding,
    intent,
    limits,
    loop,
    position,
    quoted,
    rule,
    safety,
    state,
    terms,
    units,
    usd,
    wad,
    wallet,
)

from keeper.core.decide import Hold
from keeper.core.lending import actions
from keeper.core.lending import figures as lending
from keeper.core.lending.metrics import CLOSED
from keeper.core.lending.moves import Repay, Supply, Swap, Unpledge, Withdraw
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.proposals import ATOMIC_FLOOR, PlanTerms
from keeper.core.lending.ranking import LATE
from keeper.core.lending.rules import LendingIntent, Rule
from keeper.core.pace import Drift
from keeper.core.prices import Doubt, SecondPrice, Side, each_its_own, price_doubts
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition, Wallet
from keeper.core.units import BPS, Bps, Wei

TOP_UP, REPAY, DELEVERAGE = actions.TOP_UP, actions.REPAY, actions.DELEVERAGE
SELL = rule(actions=[DELEVERAGE])
ATOMIC = terms(is_atomic=True)


def ways(
    of: LendingPosition | LendingIntent, by: Rule | None = None, held: Wallet | None = None, on: PlanTerms | None = None
) -> tuple[Plan, ...] | Hold:
    wanted = of if isinstance(of, LendingIntent) else intent(of, by)
    now = state(wanted, held)
    return plans(wanted, now, quoted(wanted, now, on or terms()), {})


def first(
    of: LendingPosition | LendingIntent, by: Rule | None = None, held: Wallet | None = None, on: PlanTerms | None = None
) -> Plan:
    found = ways(of, by, held, on)
    assert isinstance(found, tuple), found
    return found[0]


# --- a trifle blocks nothing -----------------------------------------------------------------------------------------


def with_dust(dollars: str = "3", eth: str = "8", owed: str = "11070") -> LendingPosition:
    """Ether at health 1.2, and a few dollars of collateral whose LTV governance set to zero."""
    dust = holding("WBTC", Decimal(dollars) / 60_000, ltv=Bps(0))
    return position(holding("WETH", eth), dust, holding("USDC", 0, owed))


@pytest.mark.parametrize("fee", [10**9, 40 * 10**9, 200 * 10**9])
@pytest.mark.parametrize("is_atomic", [True, False])
def test_a_trifle_of_collateral_that_counts_for_no_loan_blocks_nothing(fee: int, is_atomic: bool) -> None:
    """It stops counting as collateral, and the real sale follows in the same plan, however dear its own gas is."""
    plan = first(with_dust(), SELL, on=terms(fee_per_gas=Wei(fee), is_atomic=is_atomic))
    kinds = [type(s.move) for s in plan.steps]
    assert plan.label == "sell WETH to repay USDC"
    assert not plan.is_partial
    assert kinds[0] is Unpledge
    assert kinds.index(Unpledge) < kinds.index(Withdraw)
    assert [s.move for s in plan.steps if isinstance(s.move, Unpledge)] == [Unpledge(at("WBTC"))]
    assert plan.projected.health_factor >= wad("1.60")


def test_every_way_is_open_to_a_combination_as_well() -> None:
    """Wallet first, then the sale with its way opened: once."""
    plan = first(with_dust(), rule(), wallet(USDC=1000), on=terms(safety=safety(capital_cost=Bps(0))))
    assert sum(isinstance(s.move, Unpledge) for s in plan.steps) <= 1
    assert not plan.is_partial


def test_much_of_it_is_sold_and_not_switched_off() -> None:
    """A third of the collateral still secures the debt: it goes first, whole, and what is still needed follows."""
    of = position(holding("WBTC", "0.1", ltv=Bps(0)), holding("WETH", "6"), holding("USDC", 0, "12500"))
    plan = first(of, SELL)
    assert not any(isinstance(s.move, Unpledge) for s in plan.steps)
    sold = [s.move.route.tokens[0] for s in plan.steps if isinstance(s.move, Swap)]
    assert sold[0] == at("WBTC")


def test_what_cannot_be_sold_is_switched_off_where_health_allows() -> None:
    """No pool takes it: better without than with everything inside."""
    of = position(holding("WBTC", "0.01", ltv=Bps(0)), holding("WETH", "8"), holding("USDC", 0, "11500"))
    wanted = intent(of, SELL)
    now = state(wanted)
    on = quoted(wanted, now, terms())
    on = replace(on, quotes=replace(on.quotes, answers=on.quotes.between(at("WETH"), at("USDC"))))
    found = plans(wanted, now, on, {})
    assert isinstance(found, tuple), found
    assert isinstance(found[0].steps[0].move, Unpledge)
    assert not found[0].is_partial


def in_the_way(dollars: str, **changes: object) -> LendingPosition:
    """4,000 dollars of ether at health 1.24 and bitcoin that counts for no loan: more than dust, still little."""
    little = holding("WBTC", Decimal(dollars) / 60_000, ltv=Bps(0), **changes)
    owed = (Decimal(4000) * 83 + Decimal(dollars) * 78) / 124
    return position(holding("WETH", "2"), little, holding("USDC", 0, owed.quantize(Decimal("0.000001"))))


@pytest.mark.parametrize("gwei", [100, 200, 300])
@pytest.mark.parametrize("dollars", ["41", "60", "120"])
def test_what_is_not_worth_its_own_sale_does_not_keep_the_rest_inside(dollars: str, gwei: int) -> None:
    """Above 1 %, and its sale moves less than its gas: it is judged by what it opens the way to."""
    plan = first(in_the_way(dollars), SELL, on=terms(fee_per_gas=Wei(gwei * 10**9), is_atomic=True))
    assert not plan.is_partial
    assert Unpledge(at("WBTC")) in [s.move for s in plan.steps]


def test_what_is_not_worth_its_own_sale_and_cannot_be_spared_is_sold_for_what_it_opens() -> None:
    """At health 1.011 it may not be switched off: out it goes, at a loss of gas, and the sale of ether follows."""
    of = position(holding("WETH", "2"), holding("WBTC", "0.001", ltv=Bps(0)), holding("USDC", 0, "3330"))
    assert wad("1.010") < of.reported.health_factor < wad("1.012")
    plan = first(of, SELL, on=terms(fee_per_gas=Wei(200 * 10**9), is_atomic=True))
    sold = [s.move.route.tokens[0] for s in plan.steps if isinstance(s.move, Swap)]
    assert not plan.is_partial
    assert sold[0] == at("WBTC")
    assert at("WETH") in sold


@pytest.mark.parametrize("is_atomic", [True, False])
def test_what_cannot_be_withdrawn_does_not_keep_the_rest_inside(is_atomic: bool) -> None:
    """All of that reserve is lent out: nothing of it can be sold, and switching it off takes no liquidity."""
    of = in_the_way("200", liquidity=0)
    plan = first(of, SELL, on=terms(is_atomic=is_atomic))
    assert not plan.is_partial
    assert plan.steps[0].move == Unpledge(at("WBTC"))


def test_what_the_pools_take_only_half_of_does_not_keep_the_rest_inside() -> None:
    """Half sold it would still be in the way."""
    wanted = intent(in_the_way("200"), SELL)
    now = state(wanted)
    on = quoted(wanted, now, terms())
    few = [q for q in on.quotes.between(at("WBTC"), at("USDC")) if q.bought <= 100 * 10**6]
    on = replace(on, quotes=replace(on.quotes, answers=(*few, *on.quotes.between(at("WETH"), at("USDC")))))
    found = plans(wanted, now, on, {})
    assert isinstance(found, tuple), found
    assert not found[0].is_partial


@pytest.mark.parametrize("gwei", [1, 40, 200])
@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.parametrize("shares", [("3", "3"), ("3", "700"), ("250", "700"), ("700", "0.01")])
def test_two_that_count_for_no_loan_leave_the_way_open(shares: tuple[str, str], is_atomic: bool, gwei: int) -> None:
    """Of three collaterals, two of them without a loan value, of whatever size: back to the target in one plan."""
    one, other = (Decimal(share) for share in shares)
    of = position(
        holding("WETH", "10"),
        holding("WBTC", (one / 60_000).quantize(Decimal("1e-8")), ltv=Bps(0)),
        holding("DAI", other, ltv=Bps(0)),
        holding("USDC", 0, ((16_600 + one * 78 / 100 + other * 77 / 100) / Decimal("1.2")).quantize(Decimal("1e-6"))),
    )
    plan = first(of, SELL, on=terms(fee_per_gas=Wei(gwei * 10**9), is_atomic=is_atomic))
    assert not plan.is_partial
    assert plan.projected.health_factor >= wad("1.60")


def test_what_is_in_the_way_and_cannot_be_taken_out_is_named() -> None:
    """A paused reserve lets nobody out and nothing be switched off."""
    dust = holding("WBTC", "0.00005", ltv=Bps(0), is_paused=True)
    found = ways(position(holding("WETH", "8"), dust, holding("USDC", 0, "11070")), SELL)
    assert isinstance(found, Hold)
    assert Reason.COLLATERAL_STUCK.short in found.detail
    assert "WBTC" in found.detail


def test_a_trifle_of_ordinary_collateral_or_debt_takes_no_part() -> None:
    """Three dollars of each beside a real position: no call for them, and the target is reached."""
    of = position(holding("WETH", "8"), holding("WBTC", "0.00005"), holding("USDC", 0, "11070"), holding("DAI", 0, "3"))
    plan = first(of, SELL, on=terms(fee_per_gas=Wei(40 * 10**9)))
    assert plan.label == "sell WETH to repay USDC"
    assert not plan.is_partial


def test_a_debt_of_three_dollars_is_repaid_where_all_is_to_be_closed() -> None:
    """It is what closing takes."""
    of = position(holding("WETH", "8"), holding("USDC", 0, "5000"), holding("DAI", 0, "3"))
    plan = first(of, rule("1.25", CLOSED, [DELEVERAGE]), on=terms(fee_per_gas=Wei(40 * 10**9)))
    assert plan.projected.debt_value == 0


# --- one transaction may go lower in between -------------------------------------------------------------------------


@pytest.mark.parametrize("health", ["1.005", "1.01", "1.015", "1.0187", "1.022"])
@pytest.mark.parametrize("drift", [0, 2000])
def test_one_transaction_rescues_from_where_rounds_with_blocks_between_cannot(health: str, drift: int) -> None:
    """Nobody can act in between: only its end is held to the owner's floor."""
    of = loop(dollars=str(16_600 / float(health)))
    wanted = intent(of, SELL)
    wanted = replace(wanted, assessment=replace(wanted.assessment, drifts={at("WETH"): Drift(Bps(drift), Bps(0))}))
    plan = first(wanted, on=ATOMIC)
    assert not plan.is_partial, plan.projected
    assert plan.projected.health_factor >= wad("1.60")
    assert min(s.health_after for s in plan.steps) >= ATOMIC_FLOOR
    assert sum(isinstance(s.move, Swap) for s in plan.steps) <= 30
    if float(health) < 1.02:
        assert isinstance(ways(of, SELL), Hold), "call by call the floor holds after each"


def test_call_by_call_the_floor_holds_after_each() -> None:
    """As it always did."""
    plan = first(loop(dollars="16000"), SELL, on=terms(safety=safety(max_rounds=30)))
    assert min(s.health_after for s in plan.steps) >= wad("1.02")


def test_far_from_liquidation_one_transaction_keeps_to_the_floor_as_well() -> None:
    """There is no need to go lower, and the price may move until it is mined."""
    plan = first(loop(dollars="14000"), SELL, on=ATOMIC)
    assert min(s.health_after for s in plan.steps) >= wad("1.02")


def test_while_prices_fall_one_transaction_keeps_more_distance() -> None:
    """Two blocks of one per cent: what it withdraws still suffices at the price it meets."""
    wanted = intent(loop(dollars="14500"), SELL)
    falling = replace(wanted.assessment, drifts={at("WETH"): Drift(Bps(100), Bps(0))})
    plan = first(replace(wanted, assessment=falling), on=ATOMIC)
    assert min(s.health_after for s in plan.steps) >= wad("1.04")


@pytest.mark.parametrize(("dollars", "fall"), [("15660", 200), ("15660", 400), ("15300", 500)])
def test_a_plan_bears_a_block_of_a_fast_fall_between_decision_and_inclusion(dollars: str, fall: int) -> None:
    """Health 1.06, a price that falls by 4 % a block, seen once (half of it) or longer: no step goes below 1 then."""
    wanted = intent(loop(dollars=dollars), SELL)
    falling = replace(wanted.assessment, drifts={at("WETH"): Drift(Bps(fall), Bps(0))})
    plan = first(replace(wanted, assessment=falling), on=ATOMIC)
    assert min(s.health_after for s in plan.steps) * (100 - max(4, fall // 100)) > wad("1") * 100
    assert not plan.is_partial


def test_repaying_out_of_the_same_asset_helps_below_the_floor() -> None:
    """It can only raise health."""
    of = position(holding("WETH", "10"), holding("USDC", 2_000, 17_900))
    assert wad("1.005") < of.reported.health_factor < wad("1.02")
    found = ways(of, rule(actions=[REPAY]))
    assert isinstance(found, tuple), found
    assert found[0].projected.health_factor > of.reported.health_factor


# --- the first plan is the best --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_atomic", [True, False])
def test_the_first_plan_of_several_collaterals_is_the_best_the_means_allow(is_atomic: bool) -> None:
    """50 ether and a bitcoin at health 1.09: not one round of 5,800 dollars, but back to the target."""
    of = position(holding("WETH", 50), holding("WBTC", 1), holding("USDC", 0, 119_000))
    assert wad("1.085") < of.reported.health_factor < wad("1.095")
    plan = first(of, SELL, on=replace(terms(), is_atomic=is_atomic))
    best = max(p.projected.health_factor for p in ways(of, SELL, on=replace(terms(), is_atomic=is_atomic)))  # type: ignore[union-attr]
    assert not plan.is_partial
    assert plan.projected.health_factor >= wad("1.50")
    assert best >= plan.projected.health_factor


def test_of_partial_plans_the_one_that_helps_most_goes_first_and_a_single_round_last() -> None:
    """Combined ways among them."""
    of = position(holding("WETH", 5), holding("WBTC", "0.2"), holding("USDC", 0, 9_000), holding("DAI", 0, 7_000))
    found = ways(of, SELL, on=terms(safety=safety(max_rounds=2)))
    assert isinstance(found, tuple)
    partial = [p.projected.health_factor for p in found if p.is_partial]
    assert partial == sorted(partial, reverse=True)


def test_what_moves_health_by_less_than_being_late_costs_is_not_done_alone() -> None:
    """A top-up of 0.016 ether while the real sale has to wait: 1.25 → 1.25 is a transaction for nothing."""
    found = ways(loop(dollars="13300"), rule(actions=[TOP_UP]), wallet(WETH="0.0161"), terms(fee_per_gas=Wei(10**8)))
    assert isinstance(found, Hold)
    assert LATE in found.detail


def test_near_liquidation_little_is_much() -> None:
    """At 1.004 the same top-up is a third of the distance."""
    plan = first(loop(dollars="16530"), rule(actions=[TOP_UP]), wallet(WETH="0.0161"), terms(fee_per_gas=Wei(10**8)))
    assert plan.is_partial
    assert any(isinstance(s.move, Supply) for s in plan.steps)


# --- wallet and sale together ----------------------------------------------------------------------------------------


def test_wallet_and_a_smaller_sale_are_weighed_where_one_sale_suffices() -> None:
    """Where a pool is dear and own money cheap they are the first, with what both cost."""
    wanted = intent(loop(), rule(actions=[TOP_UP, REPAY, DELEVERAGE]))
    now, on = state(wanted, wallet(USDC=3_000)), terms(safety=safety(capital_cost=Bps(0)), fee_per_gas=Wei(10**7))
    found = plans(wanted, now, quoted(wanted, now, on, 90), {})
    assert isinstance(found, tuple)
    assert found[0].label == "repay USDC, then sell WETH to repay USDC"
    sale = next(p for p in found if p.label == "sell WETH to repay USDC")
    assert not sale.is_partial
    assert found[0].cost.total < sale.cost.total
    assert found[0].cost.trading < sale.cost.trading
    assert any(isinstance(s.move, Repay) for s in found[0].steps)


def test_where_own_money_is_dear_the_sale_alone_is_first_and_the_other_way_is_told() -> None:
    """Named with its cost among what was not taken."""
    wanted = intent(loop(), rule(actions=[TOP_UP, REPAY, DELEVERAGE]))
    now, on = state(wanted, wallet(USDC=3_000)), terms(safety=safety(capital_cost=Bps(500)), fee_per_gas=Wei(10**7))
    found = plans(wanted, now, quoted(wanted, now, on, 20), {})
    assert isinstance(found, tuple)
    assert found[0].label == "sell WETH to repay USDC"
    told = {r.label: r for r in found[0].rejected}
    assert told["repay USDC, then sell WETH to repay USDC"].reason is Reason.DEARER


# --- doubt is one-sided ----------------------------------------------------------------------------------------------

LOW, HIGH = Doubt(Reason.PRICE_DEVIATES, "cheap pool", Side.SELLING), Doubt(Reason.PRICE_DEVIATES, "dear", Side.BUYING)


def doubting(of: LendingPosition, **about: Doubt) -> LendingIntent:
    wanted = intent(of, SELL)
    return replace(wanted, assessment=replace(wanted.assessment, doubted={at(s): (d,) for s, d in about.items()}))


def test_a_pool_that_pays_more_than_the_oracle_may_be_sold_to() -> None:
    """It lags the fall: the sale is bounded by the oracle's price, and meets a better one."""
    assert first(doubting(loop(), WETH=HIGH)).label == "sell WETH to repay USDC"


def test_into_a_suspiciously_cheap_pool_nothing_is_sold() -> None:
    """The oracle says more than the pool pays."""
    wanted = doubting(loop(), WETH=LOW)
    assert isinstance(ways(wanted), Hold)
    assert wanted.assessment.doubt_against(DELEVERAGE) == LOW


def test_a_debt_that_looks_dear_elsewhere_is_not_bought_and_one_that_looks_cheap_is() -> None:
    """The other side of the same."""
    assert isinstance(ways(doubting(loop(), USDC=HIGH)), Hold)
    assert isinstance(ways(doubting(loop(), USDC=LOW)), tuple)


def test_a_doubt_about_one_asset_binds_only_trades_of_that_asset() -> None:
    """A stale bitcoin does not keep ether from being sold."""
    of = position(holding("WETH", 5), holding("WBTC", "0.1"), holding("USDC", 0, 11_000))
    wanted = doubting(of, WBTC=Doubt(Reason.PRICE_STALE, "WBTC is old"))
    assert wanted.assessment.doubt_against(DELEVERAGE) is None
    found = ways(wanted)
    assert isinstance(found, tuple)
    assert all(s.move.route.tokens[0] == at("WETH") for p in found for s in p.steps if isinstance(s.move, Swap))
    assert any(r.reason is Reason.DOUBTFUL_PRICE and "WBTC" in r.label for r in found[0].rejected)


@pytest.mark.parametrize(
    ("answers", "side"),
    [
        ((1_900,), Side.SELLING),
        ((2_100,), Side.BUYING),
        ((1_900, 1_890), Side.SELLING),
        ((2_100, 2_200), Side.BUYING),
        ((1_900, 2_100), Side.BOTH),
        ((), Side.BOTH),
        ((0,), Side.BOTH),
    ],
)
def test_a_deviation_says_which_trades_it_forbids(answers: tuple[int, ...], side: Side) -> None:
    """Readings on either side, or none, forbid both."""
    price = holding("WETH").reserve.price
    second = SecondPrice(at("WETH"), "pool", tuple(a * 10**8 for a in answers))
    (doubt,) = price_doubts(price, second, Bps(200), price.updated_at or 0)
    assert doubt.side is side


def test_what_a_pool_makes_look_wrong_is_put_down_to_the_asset_that_is() -> None:
    """A wrong bitcoin, read against dollars, does not make the dollar doubtful that is read against bitcoin."""
    seconds = {
        at("USDC"): SecondPrice(at("USDC"), "pool", (1,), at("WBTC")),
        at("WBTC"): SecondPrice(at("WBTC"), "pool", (1,), at("USDC")),
    }
    found = each_its_own({at("USDC"): (HIGH,), at("WBTC"): (LOW,)}, seconds, {at("USDC")})
    assert set(found) == {at("WBTC")}


def test_a_dollar_that_left_the_dollar_alone_is_doubted() -> None:
    """Nothing else is wrong by a pool of its own."""
    seconds = {at("USDC"): SecondPrice(at("USDC"), "pool", (1,), at("WETH"))}
    assert set(each_its_own({at("USDC"): (LOW,)}, seconds, {at("USDC")})) == {at("USDC")}


def test_a_pair_free_of_doubt_may_be_traded_whichever_comes_first() -> None:
    """A stale ether does not keep bitcoin from being sold: one way that is free is a way."""
    of = position(holding("WETH", 5), holding("WBTC", "0.1"), holding("USDC", 0, 11_000))
    wanted = doubting(of, WETH=Doubt(Reason.PRICE_STALE, "WETH is old"))
    assert wanted.assessment.doubt_against(DELEVERAGE) is None


def test_where_there_is_no_pair_to_trade_only_a_doubt_about_everything_forbids() -> None:
    """Dollars against dollars: nothing is sold for another asset, and nothing of one asset's price forbids it."""
    of = position(holding("USDC", 20_000, 14_000))
    wanted = doubting(of, USDC=Doubt(Reason.PRICE_STALE, "USDC is old"))
    assert wanted.assessment.doubt_against(DELEVERAGE) is None
    down = Doubt(Reason.SEQUENCER_DOWN, "down for an hour")
    assert replace(wanted.assessment, doubts=(down,)).doubt_against(DELEVERAGE) == down


def test_an_asset_read_against_one_that_is_wrong_by_another_pool_is_not_doubted() -> None:
    """Ether in dollars that left the dollar: the dollar is wrong, by a pool of its own with other dollars."""
    seconds = {
        at("WETH"): SecondPrice(at("WETH"), "pool", (1,), at("USDC")),
        at("USDC"): SecondPrice(at("USDC"), "pool", (1,), at("DAI")),
    }
    found = each_its_own({at("WETH"): (HIGH,), at("USDC"): (LOW,)}, seconds, {at("USDC"), at("DAI")})
    assert set(found) == {at("USDC")}


def test_of_two_dollars_that_differ_by_one_pool_both_are_doubted() -> None:
    """Nobody can say which of them left the dollar."""
    seconds = {
        at("USDC"): SecondPrice(at("USDC"), "pool", (1,), at("DAI")),
        at("DAI"): SecondPrice(at("DAI"), "pool", (1,), at("USDC")),
    }
    found = each_its_own({at("USDC"): (LOW,), at("DAI"): (HIGH,)}, seconds, {at("USDC"), at("DAI")})
    assert set(found) == {at("USDC"), at("DAI")}


def test_limits_still_bound_a_sale_in_one_transaction() -> None:
    """A day's limit of 500 dollars, whatever the floor allows in between."""
    wanted = intent(loop(dollars="16400"), replace(SELL, limits=limits(per_day="500")), usd(500))
    plan = first(wanted, on=ATOMIC)
    assert plan.spend <= usd(500) + len(plan.steps)
    assert lending.health_factor(wanted.assessment.account) < plan.projected.health_factor
    assert units("WETH", 1) * BPS
