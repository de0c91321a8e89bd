"""Loans of one transaction in a back-test: the planner's own, through the gate, carried out by a hand on paper."""

from __future__ import annotations

from typing import Any

import pytest
from plays import BEGIN, DAY, came_of, crash, document, fixed, walk, way

from keeper.backtest.depth import Depth
from keeper.core.units import USD, Usd

FALL = crash(walk(14, volatility=0.3), 10, 0.35, hours=1)
"""So fast that health falls far below the trigger between two answers of the oracle."""
BY_LOAN = "with a loan of the same transaction"
RULE = fixed("1.08", "1.60", actions=["deleverage"], limits={"max_slippage_bps": 500})


def played(lends: str | None, **changes: Any) -> dict[str, Any]:
    return came_of(document(FALL, [way(RULE)], lends_usd=lends, **changes))


def test_one_loan_does_what_rounds_do_not() -> None:
    """Near liquidation rounds free little at a time; one transaction by a loan reaches the target at once."""
    alone, lent = (played(dollars, in_one=False) for dollars in (None, "10000000"))
    assert lent["survived"]
    assert BY_LOAN in lent["deeds"][0]["what"]
    assert lent["deeds"][0]["how"] == "restored"
    assert float(lent["deeds"][0]["health_after"]) >= 1.59
    assert not any(BY_LOAN in deed["what"] for deed in alone["deeds"])
    assert float(alone["deeds"][0]["health_after"]) < 1.5


def test_a_lender_that_has_too_little_lends_nothing_to_speak_of() -> None:
    """A hundred dollars: what rounds reach is more, and is done instead."""
    short = played("100")
    assert short["deeds"]
    assert short["deeds"][0]["what"] == played(None)["deeds"][0]["what"]


def test_what_a_loan_sells_costs_what_the_pool_asks() -> None:
    """The whole fee and depth of one sale, and the gas of one call: no money appears or is left in a hand."""
    lent = played("10000000", in_one=False)
    (deed, *_) = lent["deeds"]
    assert deed["what"].endswith(BY_LOAN)
    began, ended = float(lent["began_usd"]), float(lent["ended_usd"])
    assert ended < began
    assert float(lent["kept_usd"]) > float(lent["gas_usd"]) > 0


@pytest.mark.slow  # plays days
def test_with_a_lender_what_is_left_out_changes_nothing() -> None:
    """Every answer judged, or only those at which something could happen: to the digit."""
    made = document(FALL, [way(RULE)], lends_usd="10000000")
    assert came_of(made) == came_of(made, all_blocks=True)


@pytest.mark.parametrize("dollars", [1, 999, 123_456, 7_654_321])
def test_selling_all_and_buying_so_much_are_one_pool(dollars: int) -> None:
    """What comes of so many dollars costs so many, to the unit that rounding takes."""
    pool = Depth(Usd(40_000_000 * USD), 3000)
    given = pool.dollars_for(dollars * USD)
    assert 0 <= pool.dollars_from(given) - dollars * USD <= 2
    assert pool.dollars_from(given - 2) <= dollars * USD


def test_the_fall_is_fast() -> None:
    """Else these tests show nothing."""
    assert FALL[10 * 24 + 1][0] == BEGIN + 10 * DAY + 3600
