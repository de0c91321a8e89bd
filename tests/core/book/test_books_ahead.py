"""What looks ahead of a book: losses and gains of its members in one sum, unknown where somebody is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import BLOCK, OWNER, at, limits, loop, safety
from perp_builders import BOOK, leg_at, short, snapshot, told
from perp_strategies import a_position

from keeper.core.book.kind import BOOK as BOOKS
from keeper.core.book.metrics import METRICS
from keeper.core.book.position import BookPosition, exposure
from keeper.core.book.rules import BookAssessment
from keeper.core.decide import Hold, decide
from keeper.core.held_back import Memory
from keeper.core.lending.metrics import METRICS as LOANS
from keeper.core.lending.position import Beside, LendingPosition
from keeper.core.metrics import Subject, Trigger
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.risk_metrics import probability_of
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.market import Market, Movement
from keeper.core.rules import Rule, judge
from keeper.core.scales import Beyond
from keeper.core.snapshot import Unreadable
from keeper.core.trail import NOTHING
from keeper.core.units import DAY_S, USD, WAD

AHEAD = [key for key in METRICS if key != "delta"]
OVER = Subject(window_s=DAY_S, fall=WAD // 10)


def moving(ether: float = 0.8) -> Market:
    asset = short().legs[0].oracle.asset
    drivers = {asset: "ETH", at("WETH"): "ETH", at("USDC"): "USD"}
    moves = {"ETH": Movement(ether, None, 3600), "USD": Movement(0.01, None, 3600)}
    return Market(BLOCK.timestamp, drivers, moves, Correlations({frozenset(moves): 0.0}))


def hedge(size: str) -> PerpPosition:
    return told(a_position(leg_at(f"-{size}", "2000"), margin=50_000 * WAD))


def book(perp: PerpPosition, lent: LendingPosition | Unreadable | None = None, **more: object) -> BookPosition:
    one = lent or loop(dollars="9000")
    seen = exposure(BOOK, snapshot(one, perp), "WETH")
    loans = (one,) if isinstance(one, LendingPosition) else ()
    return replace(BookPosition(seen, (perp,), BLOCK, market=moving(), lent=loans), **more)  # type: ignore[arg-type]


def measured(key: str, p: BookPosition, of: Subject = OVER) -> int | Doubt | None:
    return METRICS[key].measure(p, NOTHING, of)


def test_a_book_looks_ahead_by_the_same_six_as_its_members() -> None:
    """The same keys, words and units; none is a target, and none trades."""
    assert set(AHEAD) <= set(LOANS)
    for key in AHEAD:
        assert (METRICS[key].words, METRICS[key].unit, METRICS[key].sides) == (
            LOANS[key].words,
            LOANS[key].unit,
            LOANS[key].sides,
        )
        assert METRICS[key].risk is None
        assert METRICS[key].actions == ()


def test_a_hedge_takes_the_risk_of_what_it_hedges_away() -> None:
    """Ten ether against a short of ten are none at risk; against nine, one ether is; a short of twelve risks a rise."""
    assert measured("value_at_risk", book(hedge("10"))) is None
    one, two = (measured("value_at_risk", book(hedge(size))) for size in ("9", "12"))
    assert isinstance(one, int)
    assert isinstance(two, int)
    assert 0 < one < 2000 * USD * 11 // 100
    assert two > 2 * one
    assert measured("expected_shortfall", book(hedge("9"))) > one  # type: ignore[operator]


def test_a_stress_sums_what_members_gain_and_lose() -> None:
    """Ten ether by a tenth: 2,000 dollars lost and 1,800 gained, or the other way round for a short of twelve."""
    assert measured("loss_in_stress", book(hedge("10"))) == 0
    assert measured("loss_in_stress", book(hedge("9"))) == 200 * USD
    assert measured("loss_in_stress", book(hedge("12"))) == 400 * USD


def test_a_stress_counts_what_a_liquidation_takes_though_the_hedge_gains() -> None:
    """A loan near its end: the delta is none, and its liquidator is paid all the same."""
    at_rest = measured("loss_in_stress", book(hedge("10"), loop(dollars="9000")), replace(OVER, fall=WAD // 5))
    near = measured("loss_in_stress", book(hedge("10"), loop(dollars="14000")), replace(OVER, fall=WAD // 5))
    assert at_rest == 0
    assert isinstance(near, int)
    assert near > 500 * USD


def test_its_probability_is_that_of_its_members_together() -> None:
    """Who is long and who is short never go together: the sum, and never less than any of them."""
    perp = told(a_position(leg_at("-10", "2000"), margin=2_500 * WAD))
    p = book(perp, loop(dollars="15500"))
    found = measured("liquidation_probability", p)
    loan = replace(p.lent[0], beside=Beside(market=moving()))
    one = LOANS["liquidation_probability"].measure(loan, NOTHING, OVER)
    other = probability_of(replace(perp, market=moving()), DAY_S)
    assert isinstance(one, int)
    assert isinstance(other, int)
    assert min(one, other) > 0
    assert found == min(WAD, one + other)


@pytest.mark.parametrize("key", AHEAD)
def test_a_book_that_leaves_somebody_out_is_not_known(key: str) -> None:
    """A member that cannot be read is a doubt about the sum, and no loss of nothing."""
    lost = Unreadable("loop", OWNER, Doubt(Reason.POSITION_UNREADABLE, "it did not answer"))
    assert isinstance(measured(key, book(hedge("9"), lost), replace(OVER, symbol="ETH")), Doubt)


@pytest.mark.parametrize("key", [key for key in AHEAD if METRICS[key].looks_ahead])
def test_without_a_price_history_nothing_is_measured(key: str) -> None:
    """Unknown, and not calm."""
    for market in (None, Market(BLOCK.timestamp)):
        assert isinstance(measured(key, book(hedge("9"), market=market), replace(OVER, symbol="ETH")), Doubt)


def test_its_rule_alerts_with_its_figure() -> None:
    """What fired is said in its own words, and no delta is read out that it does not look at."""
    trigger = Trigger(METRICS["loss_in_stress"], Beyond.ABOVE, 100 * USD, OVER)
    rule = Rule("stress", "eth", trigger, None, (), 600, limits())
    assessed = judge(BOOKS, book(hedge("9")), (rule,), ())
    assert isinstance(assessed, BookAssessment)
    held = decide(BOOKS, assessed, Memory(), safety()).lead
    assert isinstance(held, Hold)
    assert held.reason is Reason.ALERT_ONLY
    assert "200.00" in held.detail
    assert assessed.is_outside
    assert assessed.headline is None
