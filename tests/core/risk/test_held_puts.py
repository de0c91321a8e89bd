"""Puts that an owner holds: counted in delta, stress and probability, and never as more than they can do."""

from __future__ import annotations

import math
from typing import Any

import pytest
from core_builders import BLOCK, loop, usd, wad
from risk_inputs import DAY, Json, inputs

from keeper.core.risk.inputs import inputs_of
from keeper.core.risk.put_terms import HeldPut
from keeper.core.risk.report import report
from keeper.core.units import USD, WAD


def a_put(size: str = "10", strike: str = "1900", days: int = 30, of: str = "loop", **more: Any) -> HeldPut:
    given = {"name": "january", "underlying": "ETH"} | more
    return HeldPut(of=of, strike=usd(strike), expiry=BLOCK.timestamp + days * DAY, size=wad(size), **given)


def of_loop(*puts: HeldPut, size: float = 0.02) -> tuple[Json, Json]:
    made = report(inputs([loop(dollars="14000")], [], puts=puts, books={}, size=size))
    return made, made["positions"][0]


def test_a_put_comes_back_from_plain_data() -> None:
    """Who recomputes counts the same put."""
    assert inputs_of(inputs(puts=[a_put()])).puts == (a_put(),)
    assert "puts" not in inputs(), "a report without any is as it was"


def test_a_put_pays_in_stress_by_its_strike_and_size() -> None:
    """Ten ether at 1,900: at 1,600 it pays 3,000 dollars, and paid in these lift health by what the debt shrinks."""
    _, of = of_loop(a_put())
    fall = next(x for x in of["stress"] if x["shock"] == "everything but dollars −20 %")
    assert int(fall["puts_pay_usd"]) == pytest.approx(3_000 * USD, abs=USD)
    expected = int(fall["health_factor"]) * 14_000 / 11_000
    assert int(fall["health_with_puts"]) == pytest.approx(expected, rel=1e-4)
    assert fall["is_liquidated"], "what the venue counts stays as it is"
    assert fall["puts_would_save"] == (int(fall["health_with_puts"]) >= WAD)


def test_with_the_put_paid_in_liquidation_is_less_probable_and_never_more() -> None:
    """A put on all of the collateral above the edge covers for good; a tenth of it helps a little."""
    _, bare = of_loop()
    _, full = of_loop(a_put())
    _, part = of_loop(a_put("1"))
    for without, little, all_of in zip(*(x["probability"] for x in (bare, part, full)), strict=True):
        assert without["used"] == little["used"] == all_of["used"]
        assert 0 <= all_of["with_puts"] < little["with_puts"] < without["used"]


def test_the_edge_is_where_collateral_and_payoff_meet_the_debt() -> None:
    """By hand: c·s + n·(K − S·s) = d, so s = (d − n·K) / (c − n·S)."""
    from keeper.core.risk.held_puts import Valued, _edge  # noqa: PLC0415

    p = a_put("1")
    v = Valued(p, "0x", 2_000 * USD, 0.5, 30 * DAY, 0, 0)  # type: ignore[arg-type]
    found = _edge(16_000 * USD, 14_000 * USD, [v])
    assert found == pytest.approx((14_000 - 1_900) / (16_000 - 2_000), rel=1e-6)
    assert found is not None
    assert math.log(found) < math.log(14_000 / 16_000)
    assert _edge(16_000 * USD, 14_000 * USD, [Valued(a_put("10"), "0x", 2_000 * USD, 0.5, 1, 0, 0)]) is None  # type: ignore[arg-type]


def test_a_put_that_ends_before_the_horizon_is_no_protection_for_it() -> None:
    """Two days left: counted for a day, unknown for a week."""
    _, of = of_loop(a_put(days=2))
    day, week = of["probability"]
    assert isinstance(day["with_puts"], float)
    assert "expires within" in week["with_puts"]["unknown"]


def test_an_expired_put_counts_nowhere_and_is_named() -> None:
    """Neither in the position nor in the book nor in the sums."""
    made, of = of_loop(a_put(days=-1))
    assert "january has expired" in made["puts"][0]["unknown"]
    assert "with_puts" not in of["probability"][0]
    plain, gone = report(inputs()), report(inputs(puts=[a_put(days=-1)]))
    assert gone["books"] == plain["books"]


def test_a_put_on_what_is_not_in_the_report_counts_nowhere_and_says_so() -> None:
    made, of = of_loop(a_put(underlying="SOL"))
    assert "no price of SOL" in made["puts"][0]["unknown"]
    assert "with_puts" not in of["probability"][0]


def test_a_put_lowers_the_delta_of_its_book_and_what_a_fall_costs_it() -> None:
    """Its own line among the holders; the more the price falls, the more it gains."""
    (before,), (book,) = (report(inputs(puts=p))["books"] for p in ((), [a_put("1", of="hedged")]))
    (ether,), (was,) = book["underlyings"], before["underlyings"]
    delta = int(ether["of"]["january"])
    assert -2_000 * USD < delta < 0
    assert int(ether["delta_usd"]) == int(was["delta_usd"]) + delta
    gained = [int(b["lost_usd"]) - int(a["lost_usd"]) for b, a in zip(before["stress"], book["stress"], strict=True)]
    assert 0 < gained[0] < gained[1] < gained[2]
    assert gained[3] <= 0
    assert gained[2] == pytest.approx(1_100 * USD, rel=0.1), "at 800 it pays 1,100, less what it was worth"
