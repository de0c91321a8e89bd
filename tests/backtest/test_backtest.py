"""An account through a history of prices: the engine's own story, with fakes behind its ports."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from plays import BEGIN, DAY, adaptive, came_of, crash, document, fixed, walk, way

from keeper.backtest.course import Inside
from keeper.backtest.document import BadBacktestError, digest, understood
from keeper.backtest.engine_on_paper import PaperObserver
from keeper.backtest.lane import PaperLane
from keeper.backtest.report import ground_of, play_on, report
from keeper.backtest.stage import PlayedDeed

CALM = walk(14, volatility=0.5)
FALL = crash(CALM, 10, 0.35)


def test_who_has_no_keeper_is_liquidated_and_loses_the_bonus() -> None:
    """Half of the debt at a time by Aave's rule, each at 5 % beyond what is paid."""
    left = came_of(document(FALL, [way(name="no keeper")]))
    assert not left["survived"]
    assert left["liquidations"] >= 1
    assert float(left["liquidated_usd"]) > 0
    assert left["kept_usd"] == "0.00"
    assert float(left["least_health"]) < 1


def test_a_kept_account_survives_the_same_fall_and_says_what_it_cost() -> None:
    """Sold in time, by the engine's own plan: gas and the pool's fee are what it costs."""
    kept = came_of(document(FALL, [way(fixed())]))
    assert kept["survived"]
    assert kept["actions"] >= 1
    assert float(kept["kept_usd"]) > float(kept["gas_usd"]) > 0
    assert {deed["how"] for deed in kept["deeds"]} == {"restored"}
    assert all(float(deed["health_after"]) > 1.5 for deed in kept["deeds"])


def test_a_wallet_is_used_before_anything_is_sold_where_that_is_cheaper() -> None:
    """The planner weighs what there is: dollars in the wallet repay."""
    made = document(FALL, [way(fixed())], account={"wallet": {"USDC": "100000"}})
    kept = came_of(made)
    assert kept["survived"]
    assert all("repay" in deed["what"] and "sell" not in deed["what"] for deed in kept["deeds"])


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What owners would be alerted of."""
    heard = list[str]()

    def noticed(_: object, position: str, reason: object, title: str, words: str) -> None:
        heard.append(title)

    monkeypatch.setattr(PaperObserver, "noticed", noticed)
    return heard


def test_what_the_keeper_did_is_no_change_by_somebody_else(titles: list[str]) -> None:
    """The venue's events name its own transactions, on paper too."""
    assert came_of(document(FALL, [way(fixed())]))["actions"] >= 1
    assert not [title for title in titles if "not by this keeper" in title]


def test_a_liquidation_on_paper_is_called_one(titles: list[str]) -> None:
    """A rule that may only use a wallet that is empty: liquidators come, and the alert says that it was they."""
    assert not came_of(document(FALL, [way(fixed(actions=["top_up"]))]))["survived"]
    assert "position was liquidated" in titles
    assert not [title for title in titles if "not by this keeper" in title]


@pytest.mark.slow  # plays days
def test_a_guardian_only_pays_in() -> None:
    """Another account's funds: with none of them nothing can be done, and nothing is sold."""
    made = document(FALL, [way(fixed())], account={"signer": "guardian"})
    assert not came_of(made)["survived"]
    rich = document(FALL, [way(fixed())], account={"signer": "guardian", "wallet": {"USDC": "200000"}})
    assert came_of(rich)["survived"]


def test_a_hosted_service_costs_its_share_more() -> None:
    """The same thresholds, and 0.25 % of each sale."""
    ours, theirs = (came_of(document(FALL, [way(fixed(), name="fixed", service_ppm=ppm)])) for ppm in (0, 2500))
    assert theirs["actions"] == ours["actions"]
    assert float(theirs["kept_usd"]) > float(ours["kept_usd"]) + 150


@pytest.mark.slow  # plays days
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("rule", [fixed(), fixed("1.30", "1.45"), adaptive()], ids=["fixed", "near", "adaptive"])
def test_what_is_left_out_changes_nothing(rule: dict[str, Any], seed: int) -> None:
    """Every answer of the oracle judged, or only those at which something could happen: the same to the digit."""
    rows = walk(9, seed, volatility=1.4, drift=-16)
    made = document(rows, [way(rule)], account={"health": "1.45"})
    assert came_of(made) == came_of(made, all_blocks=True)


def before(made: dict[str, Any], until: int) -> list[list[PlayedDeed]]:
    """What was done until a time, by way and order of the extremes."""
    read = understood(made)
    grounds = [ground_of(read, inside) for inside in Inside]
    lives = [play_on(read, ground, i).life for ground in grounds for i in range(len(read.ways))]
    return [[deed for deed in life.deeds if deed.at < until] for life in lives]


@pytest.mark.slow  # plays days
@pytest.mark.parametrize("seed", range(2))
def test_no_look_ahead(seed: int) -> None:
    """Shift all that comes after a day: until then every deed is the same."""
    rows = walk(10, seed, volatility=1.5, drift=-60)
    cut = 9 * 24
    ways = [way(fixed(), name="fixed"), way(adaptive(), name="adaptive"), way(name="none")]
    shifted = [row if i < cut else [row[0], *(p * 2 // 3 for p in row[1:])] for i, row in enumerate(rows)]
    seen = [before(document(r, ways), BEGIN + cut * 3600 - 60) for r in (rows, shifted, rows[: cut + 1])]
    assert seen[0] == seen[1] == seen[2]
    assert any(seen[0]), "nothing happened before the cut: the test shows nothing"


def test_both_orders_inside_a_bar_are_played_and_the_worse_is_reported() -> None:
    """A bar that dips below liquidation and ends high: which came first decides what a keeper could do."""
    rows = copy.deepcopy(CALM)
    at, opened, _, _, _ = rows[11 * 24]
    rows[11 * 24] = [at, opened, int(opened * 1.25), int(opened * 0.66), opened]
    told = came_of(document(rows, [way(name="no keeper")]))
    other = told["other_order"]
    assert {told["inside"], other["inside"]} == {"low first", "high first"}
    assert float(told["ended_usd"]) <= float(other["ended_usd"])


@pytest.mark.slow  # plays days
def test_the_same_document_gives_the_same_to_the_digit() -> None:
    """Nothing of the machine, the time or the process is in it."""
    made = document(FALL, [way(fixed(), name="a"), way(adaptive(), name="b")])
    assert report(made) == report(copy.deepcopy(made))


@pytest.mark.slow  # plays days
def test_slower_transactions_are_mined_at_a_worse_price() -> None:
    """Forty blocks of delay in a fall: what the plan finds is not what it was decided on."""
    fast, slow = (came_of(document(FALL, [way(fixed())], delay_blocks=n)) for n in (1, 40))
    assert float(slow["least_health"]) <= float(fast["least_health"])


@pytest.mark.slow  # plays days
def test_interest_alone_brings_an_account_to_its_trigger() -> None:
    """A debt that grows by half a year: prices stand still, and the keeper acts all the same."""
    flat = [[BEGIN + h * 3600, *(4 * [2000 * 10**8])] for h in range(24 * 40)]
    made = document(flat, [way(fixed("1.25", "1.40"))], account={"health": "1.26"})
    made["assets"]["USDC"]["borrow_rate"] = "0.9"
    kept = came_of(made)
    assert kept["survived"]
    assert kept["actions"] >= 1
    assert kept == came_of(made, all_blocks=True)


def test_gas_of_the_time_counts_where_a_file_has_it() -> None:
    """A hundred times the base fee on the day of the fall."""
    usual = came_of(document(FALL, [way(fixed())]))
    dear = came_of(document(FALL, [way(fixed())], gas=[[BEGIN, "20"], [BEGIN + 10 * DAY, "400"]]))
    assert float(dear["gas_usd"]) > 5 * float(usual["gas_usd"])


# --- what cannot be played --------------------------------------------------------------------------------------------


def test_a_document_whose_prices_were_changed_is_refused() -> None:
    """Its digest says so."""
    made = document(FALL, [way(fixed())])
    made["prices"]["WETH"]["bars"][5][1] += 1
    with pytest.raises(BadBacktestError, match="digest"):
        report(made)


def test_an_account_that_owes_nothing_or_is_liquidated_already_is_refused() -> None:
    """Neither is a healthy one."""
    with pytest.raises(BadBacktestError, match="owes nothing"):
        report(document(FALL, [way(fixed())], account={"health": None, "debt": {}}))
    for health in ("0.9", "1"):
        with pytest.raises(BadBacktestError, match="liquidated"):
            report(document(FALL, [way(fixed())], account={"health": health}))
    with pytest.raises(BadBacktestError, match="liquidated"):
        report(document(FALL, [way(fixed())], account={"health": None, "debt": {"USDC": "900000"}}))


def test_a_gap_of_days_and_rows_out_of_order_are_refused() -> None:
    """By their rows."""
    rows = FALL[: 9 * 24] + FALL[12 * 24 :]
    with pytest.raises(BadBacktestError, match="h after the one before"):
        report(document(rows, [way(fixed())]))
    twice = [*FALL[:50], FALL[49], *FALL[50:]]
    with pytest.raises(BadBacktestError, match="the same time"):
        report(document(twice, [way(fixed())]))
    zero = copy.deepcopy(FALL)
    zero[20][3] = 0
    with pytest.raises(BadBacktestError, match="price of 0"):
        report(document(zero, [way(fixed())]))


def test_a_short_hole_is_counted() -> None:
    """Over it the price stood still, and then jumped."""
    rows = FALL[: 9 * 24] + FALL[9 * 24 + 5 :]
    assert report(document(rows, [way(fixed())]))["gaps"] == 1


def test_prices_that_stand_still_are_no_calm_market() -> None:
    """Zero volatility is unknown: the adaptive rule holds, and does nothing on it."""
    flat = [[BEGIN + h * 3600, *(4 * [2000 * 10**8])] for h in range(24 * 12)]
    kept = came_of(document(flat, [way(adaptive())], account={"health": "1.05"}))
    assert kept["actions"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"format": "keeper backtest 9"},
        {"prices": {}},
        {"ways": [{"name": "x", "rules": [{"name": "x"}]}]},
        {"ways": [{"name": "x", "rules": [fixed(target="1.1")]}]},
        {"terms": {}},
        {"account": None},
        {"assets": {"WETH": {}}},
    ],
)
def test_half_a_document_is_refused_with_one_line(change: dict[str, Any]) -> None:
    """Whatever is missing: never a traceback."""
    with pytest.raises(BadBacktestError) as said:
        report(document(FALL, [way(fixed())]) | change)
    assert "\n" not in str(said.value)


def test_a_digest_is_of_what_it_is_of() -> None:
    """The order of keys does not matter, figures do."""
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_a_defect_ends_a_play_and_no_figure_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper that stopped sending half way would be scored as one that chose to."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("nobody foresaw it")

    monkeypatch.setattr(PaperLane, "carry", broken)
    monkeypatch.setattr(PaperLane, "send", broken)
    with pytest.raises(ZeroDivisionError):
        came_of(document(FALL, [way(fixed())]))
