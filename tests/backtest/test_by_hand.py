"""Figures of a back-test against values reckoned by hand: oracle, interest, liquidation, gas, delay, returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from plays import BEGIN, came_of, document, fixed, way

from keeper.backtest.course import Inside, OracleTerms, PriceCourse, course
from keeper.backtest.depth import Depth
from keeper.backtest.document import plot_of, standing_of, understood
from keeper.backtest.figures import Outturn, outturn
from keeper.backtest.life import Life
from keeper.backtest.paper_model import MODEL
from keeper.backtest.played import Played
from keeper.backtest.report import ground_of, play_on
from keeper.backtest.stage import PlayedDeed
from keeper.core.risk.series import BadHistoryError, bars
from keeper.core.units import USD, Bps, Usd

HOUR, YEAR = 3600, 365 * 86_400
OWED = {"collateral": {"WETH": "10"}, "debt": {"USDC": "10000"}, "health": None}


def hours(*prices: float) -> list[list[int]]:
    """Bars that stand still, hour by hour."""
    return [[BEGIN + h * HOUR, *(4 * [round(p * USD)])] for h, p in enumerate(prices)]


def made(prices: Sequence[float], *rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = document(
        hours(*prices), [way(*rules)], warm_up_s=HOUR, account=OWED | changes.pop("account", {}), **changes
    )
    for of in found["assets"].values():
        of["borrow_rate"] = "0"
    return found


def lived(prices: Sequence[float], costs: tuple[tuple[int, int], ...] = (), emergency: str = "1.5") -> Outturn:
    """What came of ten ether against ten thousand dollars that nobody touched, an oracle's answer an hour."""
    read = understood(made(prices, emergency_health=emergency))
    standing = standing_of(read, {"WETH": round(prices[0] * USD)}, BEGIN)
    at = np.array([BEGIN + h * HOUR for h in range(len(prices))])
    answers = np.array([[round(p * USD)] for p in prices])
    of = PriceCourse(("WETH",), BEGIN, 12, at, answers, at[:, None], {})
    return outturn(
        plot_of(read, read.ways[0], standing), of, Life(0, ((BEGIN, standing),), (), 0, 0, costs, len(prices))
    )


def test_returns_drawdown_danger_and_leverage() -> None:
    """Equity 10,000, 12,000, 7,600, 9,800: changes of 20 %, -36.67 %, 28.95 % by the hour."""
    found = lived((2000, 2200, 1760, 1980))
    assert (found.began_usd, found.ended_usd) == (10_000 * USD, 9_800 * USD)
    assert found.drawdown == pytest.approx(1 - 7_600 / 12_000)
    assert found.least_health == pytest.approx(1.4608)  # 17,600 × 0.83 / 10,000
    assert found.danger_s == HOUR  # the one hour below 1.5
    assert found.sharpe == pytest.approx(13.188, rel=1e-3)  # 4.0936 % over 29.0524 %, times the root of 8,760
    assert found.sortino == pytest.approx(18.099, rel=1e-3)  # over 36.6667 % by the root of 3
    assert found.per_borrowed == pytest.approx(-0.02)


def test_gas_is_no_equity() -> None:
    """Thirty dollars paid in the third hour are gone from then on."""
    assert lived((2000, 2200, 1760, 1980), ((BEGIN + 2 * HOUR, 30 * USD),)).ended_usd == 9_770 * USD


def test_what_stands_still_has_no_ratio() -> None:
    """No return and no risk: unknown, and not the best of all."""
    found = lived((2000, 2000, 2000))
    assert found.sharpe is found.sortino is None
    assert found.drawdown == 0


def said(prices: list[list[int]], oracle: OracleTerms) -> list[tuple[int, float]]:
    of = course({"WETH": bars(prices, HOUR)}, Inside.LOW_FIRST, oracle)
    return [(int(at) - BEGIN, int(answer) / USD) for at, answer in zip(of.at, of.answers[:, 0], strict=True)]


def test_an_oracle_answers_at_its_deviation_and_a_lag_later() -> None:
    """From 2,000 to 2,020 in the second third of the hour: half a percent is there at 1,800 s, and holds a block on."""
    rise = [[BEGIN, 2000 * USD, 2020 * USD, 2000 * USD, 2020 * USD]]
    assert said(rise, OracleTerms(Bps(50), HOUR, 1))[:2] == [(0, 2000.0), (1812, 2010.0)]
    assert said(rise, OracleTerms(Bps(50), HOUR, 5))[:2] == [(0, 2000.0), (1860, 2010.0)]
    assert said(rise, OracleTerms(Bps(90), HOUR, 0))[:2] == [(0, 2000.0), (2280, 2018.0)]


def test_an_oracle_that_sees_no_deviation_answers_at_its_heartbeat() -> None:
    """A price that stands still for three hours: every hour, and every half where that is its heartbeat."""
    still = hours(2000, 2000, 2000)
    assert [at for at, _ in said(still, OracleTerms(Bps(50), HOUR, 0))] == [0, HOUR, 2 * HOUR]
    assert [at for at, _ in said(still, OracleTerms(Bps(50), HOUR // 2, 0))] == [HOUR // 2 * i for i in range(6)]


def test_debts_grow_as_e_to_the_x_and_supplies_evenly() -> None:
    """Five percent a year on 10,000 dollars: 10,512.71; two percent on ten ether: 10.2."""
    of = made((2000, 2000, 2000))
    of["assets"]["USDC"]["borrow_rate"], of["assets"]["WETH"]["supply_rate"] = "0.05", "0.02"
    standing = standing_of(understood(of), {"WETH": 2000 * USD}, BEGIN)
    supply, debt = (MODEL.accrued(h, YEAR) for h in standing.holdings)
    assert debt.borrowed / 10**6 == pytest.approx(10_512.708, abs=0.001)
    assert supply.supplied / 10**18 == pytest.approx(10.2, abs=1e-9)


def test_a_liquidation_takes_half_of_the_debt_and_its_bonus() -> None:
    """Health 0.97: 5,000 dollars are paid, 5,250 taken: 250 lost. At 0.90 all of it: 500."""
    for health, lost in ((0.97, "250.00"), (0.90, "500.00")):
        price = health * 10_000 / 8.3
        came = came_of(made((2000, 2000, 2000, price, price)))
        assert (came["liquidations"], came["liquidated_usd"]) == (1, lost)


def test_a_pool_and_a_service_take_what_they_say() -> None:
    """A thousand dollars of forty million: 1,000.025 by depth, 0.05 % on top; a service's quarter percent beyond."""
    pool = Depth(Usd(40_000_000 * USD), 500)
    assert pool.dollars_for(1000 * USD) / USD == pytest.approx(1000 * 40e6 / (40e6 - 1000) / 0.9995, abs=1e-6)
    assert pool.dearer(2500).dollars_for(1000 * USD) / USD == pytest.approx(1000.025 / 0.997, abs=1e-6)


def played(*, delay: int = 1, base_fee: str = "20", **changes: Any) -> Played:
    """One small sale, at a price that then stands still: from 1.245 to 1.27, in one round."""
    terms = {"delay_blocks": delay, "base_fee_gwei": base_fee} | changes
    of = made((2000, 2000, 1500, 1500, 1500), fixed("1.25", "1.27"), **terms)
    read = understood(of)
    return play_on(read, ground_of(read, Inside.LOW_FIRST), 0)


@pytest.mark.parametrize("delay", [1, 5, 40])
def test_a_transaction_is_mined_so_many_blocks_after_its_decision(delay: int) -> None:
    """Twelve seconds each."""
    of = played(delay=delay)
    ((at, _),) = of.life.stands[1:]
    deed: PlayedDeed = of.life.deeds[0]
    assert at - deed.at == 12 * delay


def test_a_price_that_no_oracle_can_say_is_refused() -> None:
    """A hundred trillion dollars: a slip of the file, in plain words."""
    with pytest.raises(BadHistoryError, match="no oracle can say"):
        course({"WETH": bars(hours(2000, 1e14), HOUR)}, Inside.LOW_FIRST)


def test_a_path_of_a_year_takes_sixteen_bytes_a_point() -> None:
    """Four points a bar, each a time and a price, and no objects."""
    path = course({"WETH": bars(hours(2000, 2100, 2000), HOUR)}, Inside.LOW_FIRST).paths["WETH"]
    assert path.at.nbytes + path.price.nbytes == 16 * 4 * 3
    assert path.price_at(BEGIN + HOUR - 0.25) == 2050 * USD


def test_a_plan_of_the_last_answer_is_mined_before_the_file_ends() -> None:
    """The price falls at the last answer, an hour before the end; a document of before ends at that answer."""
    rule, low = fixed("1.25", "1.27"), (2000, 2000, 1500)
    found, before = (came_of(made(low, rule, whole=whole)) for whole in (True, False))
    assert (found["actions"], found["track"][-1][0]) == (1, BEGIN + 3 * HOUR)
    assert (before["actions"], before["track"][-1][0]) == (0, BEGIN + 2 * HOUR + 12)


def test_gas_costs_its_units_at_the_fee_of_the_time() -> None:
    """One transaction at 20 + 1 gwei and 1,500 dollars: 551,000 units.

    46,000 to begin, three approvals of 25,000 (the last takes back), 212,000 out, 100,000 sale, 118,000 repayment.
    """
    assert played().came_to.gas_usd / USD == pytest.approx(551_000 * 21e-9 * 1500, abs=0.01)
    dear = played(gas=[[BEGIN, "20"], [BEGIN + 2 * HOUR, "200"]])
    assert dear.came_to.gas_usd / USD == pytest.approx(551_000 * 201e-9 * 1500, abs=0.01)


def test_keeping_is_gas_and_what_the_sale_brought_less() -> None:
    """The pool stands at the oracle's price here, so that it is fee and depth of what was sold, and nothing else."""
    of = played()
    (_, before), (_, after) = of.life.stands
    repaid = before.holdings[1].borrowed / 1e6 - after.holdings[1].borrowed / 1e6
    given = repaid * 40e6 / (40e6 - repaid) / 0.9995
    assert (of.came_to.kept_usd - of.came_to.gas_usd) / USD == pytest.approx(given - repaid, abs=0.02)
