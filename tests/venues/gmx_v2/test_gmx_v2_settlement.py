"""What decreases pay, against every recorded one, and the cases beyond them."""

from __future__ import annotations

from typing import Any

import pytest
from gmx_recordings import ADDRESSES, SCENARIOS, Step, function, scenario
from hypothesis import given
from hypothesis import strategies as st

from keeper.venues.gmx_v2.formulas import TotalImpact
from keeper.venues.gmx_v2.settlement import Costs, settle

USD = 10**30
CENT = (10**24, 10**24)
ETHER = (3000 * 10**12, 3000 * 10**12)
WETH, USDC = ADDRESSES["WETH"], ADDRESSES["USDC"]


def decreases() -> list[Any]:
    """Each recorded decrease with the collateral that was there before."""
    found = []
    for name in SCENARIOS:
        before: dict[tuple[str, str, bool], int] = {}
        for s in scenario(name)["steps"]:
            if s["kind"] == "read" and function(s) == "getPosition":
                held = s["decoded"]["0"]
                where = held["addresses"]
                key = (where["account"], where["collateralToken"], held["flags"]["isLong"])
                before[key] = int(held["numbers"]["collateralAmount"])
            for e in s.get("events", ()):
                if e.get("eventName") in ("PositionIncrease", "PositionDecrease"):
                    v = e["values"]
                    key = (v["account"], v["collateralToken"], v["isLong"])
                    if e["eventName"] == "PositionDecrease" and key in before:
                        found.append(pytest.param(v, s, before[key], id=f"{name[:2]}-{s['i']}"))
                    before[key] = int(v["collateralAmount"])
    return found


DECREASES = decreases()


def test_there_are_decreases_of_every_kind() -> None:
    """With profit, with loss, in part, whole, withdrawals alone, a stop, a liquidation."""
    kinds = {p.values[0]["orderType"] for p in DECREASES}  # type: ignore[index, call-overload]
    assert {"4", "6", "7"} <= kinds
    assert len(DECREASES) >= 7


@pytest.mark.parametrize(("told", "s", "before"), DECREASES)
def test_a_decrease_pays_and_leaves_what_it_did(told: dict[str, Any], s: Step, before: int) -> None:
    """To the unit: what reached the owner, what stayed as collateral."""
    fees = next(
        e["values"]
        for e in s["events"]
        if e.get("eventName") == "PositionFeesCollected" and e["values"]["orderKey"] == told["orderKey"]
    )
    is_long, collateral = told["isLong"], told["collateralToken"]
    price = (int(told["collateralTokenPrice.min"]), int(told["collateralTokenPrice.max"]))
    index = (int(told["indexTokenPrice.min"]), int(told["indexTokenPrice.max"]))
    funding = int(fees["fundingFeeAmount"])
    found = settle(
        before,
        int(told["collateralDeltaAmount"]),
        int(told["basePnlUsd"]),
        TotalImpact(int(told["totalImpactUsd"]), int(told["values.priceImpactDiffUsd"])),
        Costs(funding, int(fees["totalCostAmount"]) - funding),
        price,
        index if is_long else CENT,
        same_token=(collateral == WETH) == is_long,
        is_whole=int(told["sizeInUsd"]) == 0,
    )
    assert found.collateral == int(told["collateralAmount"])
    sent = dict.fromkeys((WETH, USDC), 0)
    for transfer in s["transfers"]:
        if transfer["to"] == told["account"]:
            sent[transfer["token"]] += int(transfer["amount"])
    assert sent[collateral] == found.paid
    assert (found.unpaid, found.step) == (0, "")


def test_costs_come_from_profit_then_collateral_then_the_other_token() -> None:
    """A long with dollars behind it gains in ether."""
    impact = TotalImpact(0, 0)
    small = settle(10**9, 0, 300 * USD, impact, Costs(0, 5 * 10**6), CENT, ETHER, same_token=False, is_whole=False)
    assert (small.paid, small.other, small.collateral) == (0, 10**17, 995 * 10**6)
    large = settle(10**6, 0, 300 * USD, impact, Costs(0, 31 * 10**6), CENT, ETHER, same_token=False, is_whole=True)
    assert (large.paid, large.other, large.collateral) == (0, 9 * 10**16, 0)
    short = settle(10**9, 0, 300 * USD, impact, Costs(0, 5 * 10**6), CENT, CENT, same_token=True, is_whole=False)
    assert (short.paid, short.other, short.collateral) == (295 * 10**6, 0, 10**9)


def test_below_nothing_the_rest_is_told_with_its_step() -> None:
    """An owner's order fails there (InsufficientFundsToPayForCosts); a liquidation closes without it."""
    found = settle(
        100 * 10**6,
        0,
        -90 * USD,
        TotalImpact(-5 * USD, 0),
        Costs(0, 20 * 10**6),
        CENT,
        CENT,
        same_token=True,
        is_whole=True,
    )
    assert (found.paid, found.collateral, found.unpaid, found.step) == (0, 0, 10 * USD, "fees")


def test_impact_beyond_its_cap_is_taken_and_becomes_claimable() -> None:
    """The owner gets it after a delay."""
    found = settle(
        10**9, 0, 0, TotalImpact(-50 * USD, 7 * USD), Costs(0, 0), CENT, CENT, same_token=True, is_whole=True
    )
    assert (found.paid, found.claimable) == (943 * 10**6, 7 * 10**6)


amounts = st.integers(0, 10**12)


@given(amounts, amounts, st.integers(-(10**42), 10**42), amounts, amounts, st.booleans())
def test_nothing_is_made_of_nothing(
    collateral: int, taken: int, profit: int, funding: int, fees: int, is_whole: bool
) -> None:
    """All that is paid, kept and taken adds up to what there was, to a unit for each division."""
    found = settle(
        collateral,
        taken,
        profit,
        TotalImpact(0, 0),
        Costs(funding, fees),
        CENT,
        CENT,
        same_token=True,
        is_whole=is_whole,
    )
    assert min(found.paid, found.other, found.collateral, found.unpaid) >= 0
    if not found.unpaid:
        there = collateral + (profit // 10**24 if profit > 0 else -(-profit // 10**24))
        assert 0 <= there - funding - fees - found.paid - found.collateral + 1 <= 2
    if is_whole and not found.unpaid:
        assert found.collateral == 0
