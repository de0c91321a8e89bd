"""The same protection four ways in dollars, held to values reckoned by hand."""

from __future__ import annotations

import math
from io import StringIO

import pytest
from core_builders import loop
from rich.console import Console
from risk_inputs import DAY, Json, inputs

from keeper.cli.show_risk import page, table
from keeper.core.prices import Doubt
from keeper.core.risk.benchmark import TARGET, LoanSums, benchmark, distance_for, hedge, sale, top_up
from keeper.core.risk.report import report
from keeper.core.risk.stance import Stance, probability

OF = LoanSums(16_000.0, 12_800.0, 0.8, 10, 0.01, 0.1)
"""16,000 of weighted collateral against 12,800: health 1.25; pools take 1 %, a short pays 10 % a year."""
TO = math.log(1.5)
"""Wanted: health 1.5."""


def test_each_way_costs_what_it_does_by_hand() -> None:
    """Health from 1.25 to 1.5."""
    assert top_up(OF, TO) == pytest.approx((4_000.0, 4.0)), "19,200 - 16,000 over 0.8; ten basis points of it"
    size, cost = sale(OF, TO)
    assert size == pytest.approx(3_200 / (1.485 - 0.8))
    assert cost == pytest.approx(3_200 / 0.685 * 0.01)
    assert (16_000 - 0.8 * size) / (12_800 - 0.99 * size) == pytest.approx(1.5)  # type: ignore[operator]
    size, cost = hedge(OF, TO, 365 * DAY)
    assert size == pytest.approx(6_400.0), "12,800 - 16,000 / 1.5 over a third"
    assert 16_000 / 1.5 + size * (1 - 1 / 1.5) == pytest.approx(12_800)
    assert cost == pytest.approx(640.0)


def test_the_put_is_the_one_from_where_liquidation_begins() -> None:
    """Black & Scholes by hand: strike 0.8 of the price, volatility 0.5, a year, on 16,000 dollars."""
    s = Stance(math.log(1.25), 0.0, 0.5, 0.0, 3600)
    found = benchmark(s, OF, 365 * DAY)
    assert found is not None

    def n(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    d1 = (math.log(1.25) + 0.125) / 0.5
    by_hand = 16_000 * (0.8 * n(0.5 - d1) - n(-d1))
    assert int(found["ways"]["put"]["cost_usd"]) / 1e8 == pytest.approx(by_hand, abs=0.01)


def test_the_distance_is_that_of_the_target() -> None:
    """There the probability is the target's; who stands beyond it needs nothing."""
    s = Stance(math.log(1.25), -0.1, 0.6, 0.0, 3600)
    needed = distance_for(s, 7 * DAY)
    assert needed is not None
    assert probability(s, 7 * DAY, needed) == pytest.approx(TARGET, rel=1e-6)
    assert benchmark(Stance(3.0, -0.1, 0.6, 0.0, 3600), OF, 7 * DAY) is None


def test_what_nobody_said_is_unknown_and_no_price() -> None:
    """No pool, no short: no figure."""
    bare = LoanSums(16_000.0, 12_800.0, 0.8, 10, None, None)
    assert isinstance(sale(bare, TO)[1], Doubt)
    assert isinstance(hedge(bare, TO, DAY)[1], Doubt)


def test_the_report_has_it_on_the_terminal_on_the_page_and_as_data() -> None:
    """Of a loan that is nearer than the target; a report made without costs is as it was."""
    given: Json = inputs([loop(dollars="14000")], size=0.02, capital_cost_bps=10)
    made = {"inputs": given, "report": report(given), "plans": {}}
    loan = made["report"]["positions"][0]
    assert list(loan["benchmark"]["ways"]) == ["top_up", "sale", "hedge", "put"]
    shown = StringIO()
    table(Console(file=shown, width=200), made, [])
    for text in (shown.getvalue(), page(made, "")):
        assert "top-up" in text
        assert "costs" in text
    assert "benchmark" not in report(inputs([loop(dollars="14000")], size=0.02))["positions"][0]
