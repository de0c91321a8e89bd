"""A perpetual position over a few bars, its figures reckoned by hand: funding, fees, margin, liquidation, stops."""

from __future__ import annotations

from typing import Any

import pytest
from plays import BEGIN, came_of, document, way

from keeper.core.units import USD

HOUR = 3600
LIMITS = {"max_slippage_bps": 150}


def hours(*prices: float) -> list[list[int]]:
    """Bars that stand still, hour by hour."""
    return [[BEGIN + h * HOUR, *(4 * [round(p * USD)])] for h, p in enumerate(prices)]


def rule(when: dict[str, Any], restore: Any, *actions: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "mine", "when": when, "restore": restore, "actions": list(actions), "cooldown": "10m", "limits": LIMITS,
    } | more  # fmt: skip


def perp(prices: tuple[float, ...], *rules: dict[str, Any], venue: str = "perp_v2", **of: Any) -> dict[str, Any]:
    """Ten ether long at 2,000 dollars with 4,000 of margin: a ratio of 20 %."""
    made = document(hours(*prices), [way(*rules)], venue=venue, warm_up_s=HOUR, base_fee_gwei="0.1")
    made["terms"]["depth_usd"] = "1000000000000"
    del made["account"], made["assets"]
    made["perp"] = {
        "side": "long", "size": "10", "margin": "4000", "wallet": "5000", "native": "10", "signer": "owner",
        "funding": "0", "fee": "0.001", "maintenance": "0.0625", "fills_after": 3,
    } | of  # fmt: skip
    return came_of(made)


def test_an_unkept_position_is_liquidated_by_its_venue_s_own_rule() -> None:
    """At 1,700: worth 1,000 of 17,000 is 5.88 %, below 6.25 %; a fortieth of the size, 425 dollars, is taken."""
    came = perp((2000, 2000, 1700, 1700))
    assert (came["liquidations"], came["liquidated_usd"], came["least_margin_ratio"]) == (1, "425.00", "0.058824")
    assert came["ended_usd"] == "5575.00"  # 5,000 in the wallet, 1,000 - 425 of margin
    assert perp((2000, 2000, 1710, 1710))["survived"]  # 1,100 of 17,100: 6.43 %


def test_a_venue_without_a_penalty_takes_what_is_left() -> None:
    """GMX's own: at 1,610 worth 100 less 12 of closing fee, of 20,000 opened: 0.44 %, below half a percent."""
    came = perp((2000, 2000, 1610, 1610), venue="gmx_v2", maintenance="0.005", fee="0.0006")
    assert (came["liquidations"], came["liquidated_usd"], came["ended_usd"]) == (1, "100.00", "5000.00")


@pytest.mark.parametrize("venue", ["perp_v2", "gmx_v2"])
def test_margin_is_topped_up_to_the_target(venue: str) -> None:
    """At 1,780 ten ether are worth 17,800 with 1,800 behind; to a fifth, done at once or by keepers later."""
    top_up = rule({"margin_ratio_below": "0.12"}, {"margin_ratio": "0.20"}, "add_margin")
    came = perp((2000, 2000, 1780, 1780), top_up, venue=venue, fee="0")
    assert (came["survived"], came["actions"]) == (True, 1)
    (deed,) = came["deeds"]
    assert deed["how"] == "restored"
    assert float(deed["margin_ratio"]) == pytest.approx({"perp_v2": 1800 / 17_800, "gmx_v2": 0.09}[venue], abs=1e-6)
    assert 0.2 <= float(deed["margin_ratio_after"]) <= 0.2001


def test_less_size_costs_its_fee() -> None:
    """A tenth of a percent of what is sold at 1,780, and gas, is all that keeping costs."""
    came = perp((2000, 2000, 1780, 1780), rule({"margin_ratio_below": "0.12"}, {"margin_ratio": "0.20"}, "reduce"))
    assert came["actions"] == 1
    sold = float(came["deeds"][0]["what"].rsplit(" ", 1)[1]) * 1780
    assert float(came["kept_usd"]) - float(came["gas_usd"]) == pytest.approx(sold * 0.001, abs=0.05)


@pytest.mark.parametrize("when", [{"stop_loss": "1850"}, {"trailing_stop": "0.10"}])
@pytest.mark.parametrize("venue", ["perp_v2", "gmx_v2"])
def test_a_stop_closes_all_of_it(when: dict[str, str], venue: str) -> None:
    """Closed at 1,780: 1,800 of margin are left, whatever the price does afterwards."""
    came = perp((2000, 2000, 1780, 1500, 1500), rule(when, "close", "close"), venue=venue, fee="0")
    assert (came["survived"], came["actions"]) == (True, 1)
    assert float(came["ended_usd"]) + float(came["gas_usd"]) == pytest.approx(6800, abs=0.05)


def test_a_stop_that_rests_with_the_venue_is_carried_out_by_its_keepers() -> None:
    """No trade of ours: the order that was left closes it three blocks after the oracle passed its price."""
    resting = rule({"stop_loss": "1850"}, "close", "close", rest=True)
    came = perp((2000, 2000, 1845, 1500, 1500), resting, venue="gmx_v2", fee="0")
    assert came["survived"]
    assert float(came["ended_usd"]) + float(came["gas_usd"]) == pytest.approx(5000 + 4000 - 1550, abs=0.05)


def test_funding_is_paid_on_the_size_as_it_was_opened() -> None:
    """Ten percent a year of 20,000 dollars over four hours: 0.9132 dollars; who gets it has so much more."""
    paid, got = (perp((2000, 2000, 2000, 2000), funding=of) for of in ("0.1", "-0.1"))
    assert (paid["funding_usd"], got["funding_usd"]) == ("0.91", "-0.91")
    assert float(got["ended_usd"]) - float(paid["ended_usd"]) == pytest.approx(2 * float(paid["funding_usd"]), abs=0.02)


def test_no_deed_knows_what_comes() -> None:
    """Other prices after the third hour: what was done before is the same, to the digit."""
    top_up = rule({"margin_ratio_below": "0.12"}, {"margin_ratio": "0.20"}, "add_margin")
    ends = (1780.0, 2500.0, 1000.0)
    seen = [
        [d for d in perp((2000, 2000, 1780, 1780, end, end), top_up)["deeds"] if d["at"] < BEGIN + 4 * HOUR]
        for end in ends
    ]
    assert seen[0]
    assert seen[0] == seen[1] == seen[2]
