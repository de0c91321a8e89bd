"""What a report says of perpetuals, books, and of everything an owner has: one delta, one set of paths, no sum."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
from core_builders import at, holding, loop, position, usd, wad
from perp_builders import leg_at, long, short, told
from perp_strategies import a_position
from risk_inputs import DAY, Json, inputs, of_ether

from keeper.core.perp import margin as perps
from keeper.core.risk.chains import joined
from keeper.core.risk.inputs import BadInputsError, inputs_of
from keeper.core.risk.loan_report import Sold
from keeper.core.risk.report import report
from keeper.core.units import USD, WAD


def the(made: Json, name: str) -> Json:
    found: Json = next(p for p in made["positions"] if p["name"] == name)
    return found


def test_a_perpetual_comes_back_from_plain_data_as_it_was() -> None:
    """Every figure of it to the unit: who recomputes, recomputes the same position."""
    p = of_ether(told(a_position(leg_at("-3", "2000", funding_rate=WAD // 5), leg_at("0.1", "60000", "BTC"))))
    (back,) = inputs_of(inputs(perps=[p])).perps
    assert perps.figures(back) == perps.figures(p)
    assert perps.margin_ratio(back) == perps.margin_ratio(p)
    assert perps.liquidation_price(back, "ETH") == perps.liquidation_price(p, "ETH")
    assert perps.funding_per_day(back) == perps.funding_per_day(p)


def test_a_perpetual_has_its_figures() -> None:
    """Probability by closed form and by paths, the liquidation price of its venue, what is at stake, its stress."""
    p = of_ether(short("9", margin="2500"))
    of = the(report(inputs(perps=[p])), "short")
    for one in of["probability"]:
        assert one["moving"] == pytest.approx(one["paths"]["probability"], abs=5 * one["paths"]["error"] + 0.01)
    (market,) = of["holdings"]
    price = perps.liquidation_price(p, "ETH")
    assert price is not None
    assert int(market["liquidated_at_usd"]) == price * USD // WAD
    assert int(of["taken_usd"]) == pytest.approx(18_000 * 0.0625 * USD, rel=1e-6)
    falls = {x["shock"]: x for x in of["stress"]}
    assert not falls["everything but dollars −60 %"]["is_liquidated"]
    assert falls["everything but dollars +20 %"]["is_liquidated"]
    assert int(falls["everything but dollars +20 %"]["lost_usd"]) == 2_500 * USD


def test_funding_times_ten_is_one_of_its_shocks() -> None:
    """A week at ten times what it pays now takes its margin."""
    paying = of_ether(told(a_position(leg_at("-9", "2000", funding_rate=WAD), margin=wad("3000"))))
    calm = of_ether(told(a_position(leg_at("-9", "2000"), margin=wad("3000"))))
    for p, gone in ((paying, True), (calm, False)):
        found = {x["shock"]: x for x in the(report(inputs(perps=[p])), "short")["stress"]}["funding ×10 for a week"]
        assert found["is_liquidated"] is gone
    assert int(found["lost_usd"]) == 0


def test_a_hedge_offsets_the_delta_of_its_book() -> None:
    """Ten ether held and nine sold are one; what a wallet holds counts as well; a fall costs what is left."""
    (book,) = report(inputs())["books"]
    (ether,) = book["underlyings"]
    assert int(ether["delta_usd"]) == 2_000 * USD + 100 * USD
    assert int(ether["of"]["short"]) == -18_000 * USD
    fall = next(x for x in book["stress"] if "−20" in x["shock"])
    assert int(fall["lost_usd"]) == pytest.approx(2_100 * USD * 0.2, abs=USD)
    alone = the(report(inputs()), "loop")
    day = lambda of: int(of["lost"][0]["value_at_risk_usd"])  # noqa: E731 - of two
    assert day(book) < day(alone) // 2
    assert all(x["any"] >= x["all"] for x in book["together"])


def test_a_book_that_lacks_a_member_is_unknown() -> None:
    """The book without it is another: no figure is made of what could be read."""
    given = inputs()
    given["books"]["hedged"]["members"].append("lost")
    (book,) = report(given)["books"]
    assert "lost" in book["unknown"]
    assert "underlyings" not in book


def test_the_joint_probability_is_between_the_largest_and_the_sum() -> None:
    """Loans of one asset fall together: any is hardly more than the nearest alone. A short falls when they do not."""
    near = [loop(dollars="14500"), replace(loop(dollars="14000"), name="second")]
    made = report(inputs(near, []))
    for i, both in enumerate(made["together"]):
        each = [p["probability"][i]["paths"]["probability"] for p in made["positions"]]
        assert both["any"] == pytest.approx(max(each), abs=1e-6)
        assert both["sum_of_each"] == pytest.approx(sum(each), abs=1e-6)
        assert both["all"] == pytest.approx(min(each), abs=1e-6)
    opposed = report(inputs([loop(dollars="15500")], [of_ether(short("9", margin="2200"))], size=0.008))
    for i, both in enumerate(opposed["together"]):
        each = [p["probability"][i]["paths"]["probability"] for p in opposed["positions"]]
        assert max(each) < both["any"] <= sum(each) + 1e-6
        assert both["all"] < min(each)


def test_a_liquidation_presses_the_price_of_those_who_stand_near() -> None:
    """By what pools would ask for so much; with deep pools hardly, with thin ones it takes the next one too."""
    near = [loop("100", "145000"), replace(loop(dollars="13800"), name="second")]

    def spread(brought: str) -> Json:
        sales = {"loop": {at("WETH"): Sold(usd("200000"), usd(brought))}, "second": {}}
        found: Json = report(inputs(near, [], sales, size=0.008))["together"][1]
        return found

    deep, thin = spread("199900"), spread("160000")
    alone = thin["all"]
    assert deep["with_contagion"]["each"]["second"] == pytest.approx(alone, abs=0.01)
    assert thin["with_contagion"]["each"]["second"] > alone + 0.05
    assert thin["with_contagion"]["all"] > alone + 0.05
    unasked = report(inputs(near, [], {}))["together"][0]["with_contagion"]
    assert "no pool was asked" in unasked["unknown"]


def test_contagion_is_what_it_comes_to_by_hand() -> None:
    """The first stands beyond its line already: what it sells presses ether, and the second is judged at that price.

    Of 200,000 dollars pools kept 2,000: each dollar sold presses by 1 % / 200,000.
    """
    over, near = loop("100", "170000"), replace(loop(dollars="13800"), name="second")
    sales = {"loop": {at("WETH"): Sold(usd("200000"), usd("198000"))}, "second": {}}
    made = report(inputs([over, near], [], sales, size=0.008))
    found = made["together"][1]["with_contagion"]
    pressed = found["pressed"]["loop"]["eth"]
    assert pressed == pytest.approx(170_000 * 1.05 * 0.01 / 200_000, rel=1e-6)  # its debt, and the liquidator's 5 %
    lower = loop(str(10 * (1 - pressed)), "13800")
    alone = report(inputs([lower, loop("100", "1000")], [], {}, size=0.008))["positions"][0]
    paths = alone["probability"][1]["paths"]
    assert found["each"]["second"] == pytest.approx(paths["probability"], abs=1e-6 + 4 * paths["error"])
    assert found["each"]["second"] > the(made, "second")["probability"][1]["paths"]["probability"]


def test_collateral_is_worth_what_a_sale_of_it_brings() -> None:
    """Through the pools at its size, less what the price may lose meanwhile; unknown where no pool was asked."""
    (ether, *_) = the(report(inputs()), "loop")["holdings"]
    assert ether["worth"]["lost_in_pools"] == pytest.approx(0.05)
    assert 0 < ether["worth"]["lost_while_selling"] < 0.1
    left = (1 - ether["worth"]["lost_in_pools"]) * (1 - ether["worth"]["lost_while_selling"])
    assert int(ether["worth"]["brings_usd"]) == pytest.approx(20_000 * USD * left, rel=1e-6)
    for sales in ({}, {"loop": {at("WETH"): Sold(usd("2000"), usd("1990"))}}):
        (ether, *_) = the(report(inputs(sales=sales)), "loop")["holdings"]
        assert "unknown" in ether["worth"]["brings_usd"]
    two = position(holding("WETH", "5"), holding("WBTC", "0.16"), holding("USDC", 0, "9000"), name="two")
    assert the(report(inputs([two])), "two")["concentration"] < 0.6
    assert the(report(inputs()), "loop")["concentration"] == 1


# --- several chains --------------------------------------------------------------------------------------------------


def test_one_asset_on_two_chains_is_one_price() -> None:
    """The same fall takes both: any is no more than the nearer alone, and the deltas are one."""
    here, there = inputs([loop(dollars="14500")], []), inputs([loop(dollars="14200")], [])
    there["block"]["chain_id"] = 10
    made = report(joined([("ethereum", here), ("optimism", there)]))
    assert [p["name"] for p in made["positions"]] == ["ethereum/loop", "optimism/loop"]
    for i, both in enumerate(made["together"]):
        each = [p["probability"][i]["paths"]["probability"] for p in made["positions"]]
        assert both["any"] == pytest.approx(max(each), abs=1e-6)
    (ether,) = made["everything"]["underlyings"]
    assert set(ether["of"]) == {"ethereum/loop", "optimism/loop"}
    assert int(ether["delta_usd"]) == 40_000 * USD


def test_a_token_that_only_calls_itself_so_is_not_the_same() -> None:
    """Its price is another: its own feed moves it."""
    here, there = inputs([loop(dollars="14500")], []), inputs([loop(dollars="14200")], [])
    for tick in there["sources"]["eth"]["prices"]:
        tick[1] = str(int(tick[1]) // 3)
    drivers = joined([("ethereum", here), ("optimism", there)])["drivers"]
    assert drivers[f"ethereum/{at('WETH')}"] != drivers[f"optimism/{at('WETH')}"]
    assert drivers[f"ethereum/{at('USDC')}"] == drivers[f"optimism/{at('USDC')}"]


def test_one_chain_is_as_it_is() -> None:
    """No name changes where there is nothing to be told apart."""
    given = inputs()
    assert joined([("ethereum", given)]) is given


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(horizons_s=[0]), "horizon that is no time"),
        (lambda d: d.update(horizons_s=[]), "horizon that is no time"),
        (lambda d: d.update(forecaster="mine"), "forecaster of its owner's own, 'mine'"),
        (lambda d: d["perps"][0]["legs"][0].update(mark_price="0"), "ETH has a price or a unit that cannot be"),
        (lambda d: d["perps"][0].update(usd_unit="0"), "unit that cannot be"),
        (lambda d: d["perps"][0].update(margin="NaN"), "NaN"),
        (lambda d: d["sources"]["eth"]["prices"].append(d["sources"]["eth"]["prices"][-1]), "each time once"),
        (lambda d: d["sources"]["eth"]["prices"].reverse(), "in order"),
        (lambda d: d["sources"]["eth"]["prices"][3].__setitem__(1, "0"), "price of 0"),
        (lambda d: d.update(version=4), "version 4"),
    ],
)
def test_inputs_that_cannot_be_are_refused_by_name(change: Callable[[Json], object], said: str) -> None:
    """One error, which names what is wrong: never a trace, never a figure."""
    given = inputs()
    change(given)
    with pytest.raises(BadInputsError, match=said):
        report(given)


def _quiet(given: Json) -> None:
    for tick in given["sources"]["eth"]["prices"]:
        tick[1] = "200000000000"


def _gap(given: Json) -> None:
    prices = given["sources"]["eth"]["prices"]
    given["sources"]["eth"]["prices"] = [t for t in prices if not 4 * DAY < prices[-1][0] - t[0] < 7 * DAY]


def _one_round(given: Json) -> None:
    given["sources"]["eth"]["prices"] = given["sources"]["eth"]["prices"][-1:]


@pytest.mark.parametrize(
    ("change", "why"), [(_quiet, "moves of the price"), (_gap, "nothing was seen for"), (_one_round, "are known")]
)
def test_what_says_too_little_is_unknown_for_every_kind(change: Callable[[Json], None], why: str) -> None:
    """A price that never moved, a gap of days, one round: unknown for either kind, a book, all together."""
    given = inputs()
    change(given)
    made = report(given)
    for of in made["positions"]:
        assert all(why in p["used"]["unknown"] for p in of["probability"])
        assert all(
            "unknown" in x["value_at_risk_usd"] and "unknown" in x["expected_liquidation_usd"] for x in of["lost"]
        )
        assert of["stress"], "a stress needs no history"
    assert all("unknown" in x["any"] for x in made["together"])
    for of in (made["everything"], *made["books"]):
        assert all("unknown" in x["value_at_risk_usd"] for x in of["lost"])
        assert "unknown" in of["stake_per_volatility_point_usd"]


def test_without_debt_and_without_size_there_is_nothing_to_fear() -> None:
    """Zero, which is known: the history need not be."""
    free = position(holding("WETH", "10"), name="free")
    of = the(report(inputs([free], [])), "free")
    assert [p["used"] for p in of["probability"]] == [0.0, 0.0]
    assert of["taken_usd"] == "0"


def test_a_position_that_is_liquidated_already_is_certain() -> None:
    """Of either kind, alone and together."""
    made = report(inputs([loop(dollars="17500")], [of_ether(long(price="1700"))]))
    assert all(p["used"] == 1.0 for of in made["positions"] for p in of["probability"])
    assert all(x["any"] == 1.0 for x in made["together"])


def test_reports_are_the_same_for_the_same_inputs() -> None:
    """To the digit, and the inputs are left as they were."""
    given = inputs()
    before = copy.deepcopy(given)
    assert report(given) == report(before)
    assert given == before
