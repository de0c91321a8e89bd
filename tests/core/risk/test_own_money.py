"""Value at risk in the money that a market counts in: by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from core_builders import BLOCK, at, holding, position
from risk_inputs import DAY, HOUR, Json, inputs, waves

from keeper.cli.show_risk import page
from keeper.core.lending.position import LendingPosition, Money
from keeper.core.risk.inputs import document_of
from keeper.core.risk.market import Source
from keeper.core.risk.report import report


def counted_in_ether() -> LendingPosition:
    """Bitcoin against ether, in a market whose money is ether of 2,000 dollars: prices as wei of it."""
    made = position(holding("WBTC", "1"), holding("WETH", 0, "10"))
    money = Money(2_000 * 10**8, 10**18)
    prices = {"WBTC": 30 * 10**18, "WETH": 10**18}
    held = tuple(replace(h, money=money, price=replace(h.price, answer=prices[h.symbol])) for h in made.holdings)
    figures = replace(made.reported, collateral_value=30 * 10**18, debt_value=10 * 10**18)
    return replace(made, holdings=held, money=money, reported=figures)


def reported(p: LendingPosition, **drivers: str) -> Any:
    sources = {
        "eth": Source(waves("2000", 0.004), HOUR, "a test"),
        "btc": Source(waves("60000", 0.003), HOUR, "a test"),
    }
    by_asset = {at("WETH"): drivers.get("eth", "eth"), at("WBTC"): "btc"}
    made: Json = report(document_of(BLOCK, [p], sources, by_asset, (DAY,), 4_000, 1))
    return made


def test_a_loan_of_ether_is_at_risk_in_ether_as_its_collateral_moves_against_it() -> None:
    """One bitcoin of 30 ether, 10 owed: only bitcoin's price in ether counts, 2.326 deviations of a day."""
    made = reported(counted_in_ether())
    found = made["positions"][0]["own_money"]
    eth, btc = made["prices"]["eth"], made["prices"]["btc"]
    r = eth["correlations"]["btc"]
    ratio = math.sqrt(eth["volatility"] ** 2 + btc["volatility"] ** 2 - 2 * r * eth["volatility"] * btc["volatility"])
    assert found["unit"] == "WETH"
    assert found["lost"][0]["value_at_risk"] == pytest.approx(30 * 2.3263479 * ratio / math.sqrt(365), rel=1e-6)
    assert found["lost"][0]["expected_shortfall"] == pytest.approx(30 * 2.3378027 * ratio / math.sqrt(365), rel=1e-6)
    assert int(made["positions"][0]["lost"][0]["value_at_risk_usd"]) > 0


def test_what_moves_as_its_money_does_is_unknown_and_never_calm() -> None:
    """Collateral on the feed of the money itself: nothing is known of how it would move against it."""
    found = reported(counted_in_ether(), eth="btc")["positions"][0]["own_money"]
    assert "unknown" in found["lost"][0]["value_at_risk"]


def test_a_market_in_dollars_has_no_second_figure() -> None:
    """Aave's loop, and a perpetual: dollars are their money."""
    assert [p.get("own_money") for p in report(inputs())["positions"]] == [None, None]


def test_both_are_shown() -> None:
    """On the page, each with its unit."""
    inside = document_of(BLOCK, [], {}, {}, (DAY,), 10, 1)
    made = {"inputs": inside | {"sources": {}}, "report": reported(counted_in_ether()), "plans": {}}
    assert "in WETH, within" in page(made, "")
