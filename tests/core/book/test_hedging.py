"""A book out of its band: how much of a perpetual is traded, at what cost, and that it never flaps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import NOW, OWNER, holding, limits, position, wad
from hypothesis import given
from hypothesis import strategies as st
from perp_builders import (
    BOOK,
    DOUBT,
    SIGNER,
    PerpMetric,
    book_assessed,
    hedge_decision,
    hedge_intent,
    hedge_planned,
    hedge_rule,
    hedge_terms,
    leg_at,
    perp_rule,
    quote,
    resting,
    short,
    spent,
    told,
    ways,
)
from perp_strategies import a_position

from keeper.core.book.actions import ADD_MARGIN, HEDGE
from keeper.core.book.hedging import funding_cost, hedge_plans
from keeper.core.book.unhedged import Naked
from keeper.core.decide import Hold
from keeper.core.held_back import EMERGENCY_TRIES, TRIES, Memory
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import margin as perps
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import closed
from keeper.core.perp.moves import AddMargin, AllowMargin, Trade
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import MarginBasis, OrderKind
from keeper.core.reasons import Reason
from keeper.core.snapshot import Unreadable
from keeper.core.units import USD, WAD, Wad

RICH = short("8", margin="20000")  # ten ether supplied, eight short: two too long


def reason(of: Any) -> Reason:
    assert isinstance(of, Hold), of
    return of.reason


def refused(hedge: Any = RICH, memory: Memory | None = None, **given_: Any) -> Reason:
    return reason(hedge_decision(book_assessed(hedge, **given_), memory))


def trade_of(plan: PerpPlan) -> Trade:
    (trade,) = (s.move for s in plan.steps if isinstance(s.move, Trade))
    return trade


def delta_after(plan: PerpPlan) -> int:
    return 10 * WAD + perps.delta(plan.projected)["ETH"]


def test_a_book_that_is_too_long_sells_the_perpetual_down_to_its_target() -> None:
    """Two ether."""
    plan = hedge_planned(hedge_intent(RICH))
    assert trade_of(plan).size_change == -2 * WAD
    assert delta_after(plan) == 0
    assert not plan.is_partial
    assert plan.postcondition.is_met(plan.projected)
    assert not plan.postcondition.is_met(RICH)


def test_a_book_that_is_too_short_buys_it_back() -> None:
    """The other way round, to a target beside zero."""
    over = short("12", margin="20000")
    plan = hedge_planned(hedge_intent(over, hedge_rule(target="0.25")))
    assert trade_of(plan).size_change == wad("2.25")


@pytest.mark.parametrize(("size", "fires"), [("9.5", False), ("9.499999", True), ("10.5", False), ("10.500001", True)])
def test_the_band_itself_is_inside(size: str, *, fires: bool) -> None:
    """On both sides."""
    assert bool(book_assessed(short(size, margin="20000")).fired) is fires


def test_inside_the_band_nothing_is_done() -> None:
    """Quietly."""
    hedge = short("9.8", margin="20000")
    found = hedge_decision(book_assessed(hedge))
    assert (reason(found), found.is_quiet) == (Reason.HEALTHY, True)


@pytest.mark.parametrize(
    ("memory", "why"),
    [
        (Memory(acted_at={("eth", "delta"): NOW - 1}), Reason.COOLDOWN),
        (Memory(failed={("eth", "delta"): TRIES}), Reason.TOO_MANY_FAILURES),
        (Memory(busy={SIGNER: "eth"}), Reason.IN_FLIGHT),
        (Memory(busy={SIGNER: "elsewhere"}), Reason.SIGNER_BUSY),
        (Memory(may_sign=False), Reason.SIGNING_STOPPED),
    ],
)
def test_what_was_done_before_holds_a_hedge_back(memory: Memory, why: Reason) -> None:
    """As any rule."""
    assert refused(memory=memory) is why


@pytest.mark.parametrize("name", ["eth", "loop", "short"])
def test_a_plan_under_way_for_any_member_holds_whoever_signs_it(name: str) -> None:
    """The delta is about to change; two hedges with two signers would both trade it away."""
    assert refused(memory=Memory(busy={OWNER[:-1] + "0": name})) is Reason.IN_FLIGHT  # type: ignore[dict-item]


def test_a_hedge_that_failed_or_is_late_waits_for_no_cooldown() -> None:
    """But it is not tried without end."""
    acted = Memory(acted_at={("eth", "delta"): NOW}, failed={("eth", "delta"): TRIES})
    assert hedge_intent(RICH, memory=acted, naked=Naked(NOW, NOW, 0, 1))
    tired = Memory(failed={("eth", "delta"): EMERGENCY_TRIES})
    assert refused(memory=tired, naked=Naked(NOW, NOW, 0, 1)) is Reason.TOO_MANY_FAILURES


def test_doubts_about_the_book_or_its_hedge_hold() -> None:
    """A sum that leaves somebody out is none."""
    assert refused(lent=Unreadable("loop", OWNER, DOUBT)) is Reason.POSITION_UNREADABLE
    assert refused(doubts=(DOUBT,)) is DOUBT.reason


def test_an_order_that_waits_anywhere_holds_every_hedge() -> None:
    """One at a time, whichever venue."""
    waits = replace(RICH, name="slow", orders=(resting(kind=OrderKind.MARKET_DECREASE),))
    book = replace(BOOK, hedges=("short", "slow"))
    assert reason(hedge_decision(book_assessed(RICH, book=book, more=(waits,)))) is Reason.ORDER_PENDING


def test_a_rule_that_only_alerts_never_trades() -> None:
    """It tells."""
    assert refused(rule=hedge_rule(actions=())) is Reason.ALERT_ONLY


@pytest.mark.parametrize("field", ["index_price", "mark_price"])
def test_a_leg_without_a_price_is_not_traded(field: str) -> None:
    """Nor one whose oracle answers nothing: no limit could be counted."""
    (leg,) = RICH.legs
    assert refused(RICH.with_leg(replace(leg, **{field: 0}))) is Reason.PRICE_NOT_POSITIVE  # type: ignore[arg-type]
    blind = RICH.with_leg(replace(leg, oracle=replace(leg.oracle, answer=0)))
    assert refused(blind) is Reason.PRICE_NOT_POSITIVE


def test_limits_cut_a_trade_and_below_the_least_trade_there_is_none() -> None:
    """1,000 dollars are half an ether; 90 are less than the least trade, and that is told as a limit."""
    intent = hedge_intent(RICH, hedge_rule(limits=limits(150, per_tx="1000")))
    plan = hedge_planned(intent)
    assert trade_of(plan).size_change == -WAD // 2
    assert plan.spend <= 1000 * USD + 1
    assert refused(rule=hedge_rule(limits=limits(150, per_tx="90"))) is Reason.SPEND_LIMIT
    assert refused(rule=hedge_rule(limits=limits(150, per_day="1000")), memory=spent("950")) is Reason.SPEND_LIMIT


def test_a_hedge_is_closed_before_it_turns_round() -> None:
    """First to nothing, then to the other side: each a trade of its own."""
    borrowed = position(holding("WETH", "1", "4"), holding("USDC", "30000"))
    hedge = short("2", margin="20000")
    intent = hedge_intent(hedge, lent=borrowed)  # five too short
    assert (intent.change, intent.first) == (5 * WAD, 2 * WAD)
    plan = hedge_planned(intent)
    assert (trade_of(plan).is_close, plan.is_partial, plan.postcondition.most_size) == (True, True, 0)


POOR = short("8", margin="2500")


def test_margin_carries_only_so_much() -> None:
    """A trade of ours never leaves the hedge with less than its least margin ratio."""
    plan = hedge_planned(hedge_intent(POOR))
    assert plan.is_partial
    assert perps.margin_ratio(plan.projected) >= wad("0.15")
    assert -wad("0.34") < trade_of(plan).size_change < -wad("0.3")


def test_margin_from_the_wallet_carries_the_rest() -> None:
    """Approved exactly, before the trade."""
    plan = hedge_planned(hedge_intent(POOR, hedge_rule(actions=(HEDGE, ADD_MARGIN))), held="2000")
    assert [type(s.move) for s in plan.steps] == [AllowMargin, AddMargin, Trade]
    assert not plan.is_partial
    assert perps.margin_ratio(plan.projected) >= wad("0.15")


@pytest.mark.parametrize("caps", [{"per_tx": "1000"}, {"per_day": "1500"}, {"per_tx": "400", "per_day": "450"}])
def test_margin_and_trade_stay_within_the_limits_together(caps: dict[str, str]) -> None:
    """Else the gate would refuse the plan at every block."""
    rule = hedge_rule(actions=(HEDGE, ADD_MARGIN), limits=limits(150, **caps))
    plan = hedge_planned(hedge_intent(short("8", margin="2400"), rule), held="5000")
    assert all(s.spend <= int(caps.get("per_tx", "9999")) * USD + 1 for s in plan.steps)
    assert plan.spend <= int(caps.get("per_day", "99999")) * USD + 3


def test_where_nothing_can_be_carried_that_is_the_reason() -> None:
    """Without margin."""
    intent = hedge_intent(short("8", margin="1000"))
    found = ways(intent)
    assert reason(found) is Reason.FLOOR_TOO_NEAR


@pytest.mark.parametrize("given_", [{"notional": 0}, {"notional": 2 * 1969 * WAD}])
def test_a_quote_of_nothing_or_beyond_slippage_is_not_taken(given_: dict[str, int]) -> None:
    """One and a half percent below the index of 2,000."""
    intent = hedge_intent(RICH)
    quotes = {intent.leg.market: quote(intent.leg, -2 * WAD, **given_)}
    assert reason(ways(intent, hedge_terms(intent, quotes=quotes))) is Reason.POOL_TOO_THIN


def test_margin_rides_with_the_trade_where_it_is_isolated() -> None:
    """One order, its dollars both."""
    empty = told(a_position(leg_at("0", "2000"), is_cross=False, margin=0, basis=MarginBasis.ENTRY, only_long=False))
    plan = hedge_planned(hedge_intent(empty, hedge_rule(actions=(HEDGE, ADD_MARGIN))), held="9000")
    assert [type(s.move) for s in plan.steps] == [AllowMargin, Trade]
    assert trade_of(plan).margin == plan.steps[0].move.amount  # type: ignore[union-attr]
    assert plan.spend > 20_000 * USD + 3_000 * USD


def test_the_cheaper_hedge_is_first_counting_funding() -> None:
    """Of two venues alike the one that pays its shorts."""
    earns = replace(RICH, name="earns", legs=(replace(RICH.legs[0], funding_rate=-WAD // 2),))
    intent = hedge_intent(RICH)
    both = [intent, replace(intent, perp=earns, leg=earns.legs[0])]
    found = hedge_plans(intent.intent, both, {x.perp.name: hedge_terms(x) for x in both})
    assert not isinstance(found, Hold)
    assert [p.before.name for p in found] == ["earns", "short"]
    assert found[0].rejected[0].reason is Reason.DEARER


def test_funding_is_reckoned_with_its_sign() -> None:
    """More of what pays costs, less of it saves; without a size the rate is a long's."""
    (leg,) = RICH.legs
    paying = RICH.with_leg(replace(leg, funding_rate=WAD))
    year = 365 * 86_400
    assert funding_cost(paying, leg.market, -WAD, year) == 2000 * WAD
    assert funding_cost(paying, leg.market, WAD, year) == -2000 * WAD
    flat = paying.with_leg(replace(leg, size=0, funding_rate=WAD))
    assert funding_cost(flat, leg.market, WAD, year) == 2000 * WAD
    assert funding_cost(flat, leg.market, -WAD, year) == -2000 * WAD


@given(
    st.integers(-(10**20), 10**20),
    st.integers(10**15, 10**19),
    st.integers(-99, 99),
)
def test_after_a_full_trade_the_same_rule_rests(size: int, band: int, aim: int) -> None:
    """Never flaps: the projected delta is at the target, and a second look asks nothing."""
    target = band * aim // 100
    least = Wad(min(band // 10, band - abs(target)))
    usual = hedge_rule()
    assert usual.target
    goal = replace(usual.target, value=target, within=least)
    rule = replace(usual, trigger=replace(usual.trigger, bound=band), target=goal)
    hedge = told(a_position(replace(leg_at("1", "2000"), size=size), margin=10**30))
    assessed = book_assessed(hedge, rule)
    if not assessed.fired:
        return
    assert abs(target - assessed.delta) >= least
    intent = hedge_intent(hedge, rule)
    plan = hedge_planned(intent)
    after = book_assessed(told(plan.projected), rule)
    if plan.is_partial:  # it was closed before it turns round
        assert plan.projected.legs[0].size == 0
    else:
        assert (after.fired, after.delta) == ((), target)


@pytest.mark.parametrize(
    ("measure", "bound", "undoes"),
    [
        (perp_metrics.STOP_LOSS, "1900", True),
        (perp_metrics.STOP_LOSS, "2100", False),
        (perp_metrics.TAKE_PROFIT, "2100", True),
        (perp_metrics.LEVERAGE, "0.9", True),
        (perp_metrics.LEVERAGE, "1.1", False),
        (perp_metrics.LIQUIDATION_DISTANCE, "0.99", True),
    ],
)
def test_a_trade_that_a_rule_of_the_hedge_would_undo_is_not_made(
    measure: PerpMetric, bound: str, *, undoes: bool
) -> None:
    """Else the two trade to and fro, paying each time."""
    target = closed() if measure.named else "0.9"
    rule = perp_rule(measure, bound, target, (perp_actions.REDUCE, perp_actions.CLOSE))
    intent = hedge_intent(RICH)
    found = ways(intent, rules=(rule,))
    assert isinstance(found, Hold) is undoes, found
    if isinstance(found, Hold):
        assert found.reason is Reason.TARGET_BEYOND_TRIGGER
    only_told = replace(rule, actions=())
    assert not isinstance(ways(intent, rules=(only_told,)), Hold)


def test_a_trade_that_makes_the_hedge_smaller_is_undone_by_nobody() -> None:
    """Its rules want less of it as well."""
    rule = perp_rule(perp_metrics.STOP_LOSS, "1900", closed(), (perp_actions.CLOSE,))
    intent = hedge_intent(short("12", margin="20000"))
    assert not isinstance(ways(intent, rules=(rule,)), Hold)


@pytest.mark.parametrize(("rate", "undoes"), [("-0.5", True), ("0.5", False)])
def test_funding_of_a_hedge_without_size_is_judged_by_the_side_it_will_have(rate: str, *, undoes: bool) -> None:
    """It is told as a long would pay it; a short pays the opposite."""
    empty = short("0", margin="20000")
    hedge = empty.with_leg(replace(empty.legs[0], funding_rate=int(float(rate) * WAD)))
    rule = perp_rule(perp_metrics.FUNDING, "0.2", closed(), (perp_actions.CLOSE,), market="ETH", window_s=3600)
    intent = hedge_intent(hedge)
    # without a history the trail tells nothing, the present rate does
    found = ways(intent, rules=(rule,))
    assert isinstance(found, Hold) is undoes, found
