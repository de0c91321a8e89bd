"""The formulas, recomputed from recorded inputs: the recorded figure, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from gmx_recordings import KEYS, SCENARIOS, Step, function, steps
from hypothesis import given
from hypothesis import strategies as st

from keeper.venues.gmx_v2 import formulas, rates
from keeper.venues.gmx_v2.formulas import ImpactTerms
from keeper.venues.gmx_v2.power import FLOAT, exponent_factor
from keeper.venues.gmx_v2.rates import FundingTerms


@cache
def config(name: str, *arguments: Any) -> int:
    """A figure of the first scenario: configuration is the same in all."""
    for s in steps("01", "read"):
        told = s.get("key")
        if told and told["name"] == name and [a["value"] for a in told["args"][-len(arguments) :]] == list(arguments):
            return int(s["decoded"]["0"])
        if told and told["name"] == name and not arguments:
            return int(s["decoded"]["0"])
    raise KeyError(name)


@cache
def stored(name: str, block: str) -> dict[tuple[str, ...], int]:
    """All readings of the DataStore at a block, by base key and arguments."""
    found = {}
    for s in steps(name, "read"):
        if (told := s.get("key")) and s["block"] == block and function(s) in ("getUint", "getInt"):
            found[(told["name"], *(str(a["value"]) for a in told["args"]))] = int(s["decoded"]["0"])
    return found


MARKET = "0x70d95587d40A2caf56bd97485aB3Eec10Bee6336"
WETH, USDC = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"
TERMS = ImpactTerms(
    config("POSITION_IMPACT_FACTOR", True),
    config("POSITION_IMPACT_FACTOR", False),
    config("POSITION_IMPACT_EXPONENT_FACTOR", True),
    config("POSITION_IMPACT_EXPONENT_FACTOR", False),
)


def interest(at: dict[tuple[str, ...], int], base: str = "OPEN_INTEREST") -> tuple[int, int]:
    sides = [[at.get((base, MARKET, token, str(side))) for token in (WETH, USDC)] for side in (True, False)]
    longs, shorts = sides
    return sum(x or 0 for x in longs), sum(x or 0 for x in shorts)


def infos() -> Iterator[Any]:
    for name in SCENARIOS:
        for s in steps(name, "read"):
            is_snapshot = ("FUNDING_UPDATED_AT", MARKET) in stored(name, s["block"])
            if function(s) == "getPositionInfo" and is_snapshot and s["args"]["usePositionSizeAsSizeDeltaUsd"]:
                yield pytest.param(name, s, id=f"{name[:2]}-{s['i']}")


INFOS = list(infos())


def numbers(told: Any) -> dict[str, int]:
    return {k: int(v) for k, v in told.items() if not isinstance(v, dict | bool) and str(v).lstrip("-").isdigit()}


@pytest.mark.parametrize(("name", "s"), INFOS)
def test_profit_and_fees_of_a_position(name: str, s: Step) -> None:
    """Profit, closing fee, pending borrowing, pending and claimable funding."""
    told = s["decoded"]["0"]
    held, fees, is_long = numbers(told["position"]["numbers"]), told["fees"], told["position"]["flags"]["isLong"]
    side = "min" if is_long else "max"
    price, cp = int(s["args"]["prices"]["indexTokenPrice"][side]), int(fees["collateralTokenPrice"]["min"])
    size = held["sizeInUsd"]
    assert formulas.pnl(size, held["sizeInTokens"], price, is_long=is_long) == int(told["uncappedBasePnlUsd"])
    factor = config("POSITION_FEE_FACTOR", told["executionPriceResult"]["balanceWasImproved"])
    assert factor == int(fees["positionFeeFactor"])
    assert formulas.position_fee(size, factor, cp) == int(fees["positionFeeAmount"])
    funding = numbers(fees["funding"])
    paid, latest = held["fundingFeeAmountPerSize"], funding["latestFundingFeeAmountPerSize"]
    assert formulas.funding_fee(size, latest, paid) == funding["fundingFeeAmount"]
    for token in ("long", "short"):
        per_size = held[f"{token}TokenClaimableFundingAmountPerSize"]
        latest = funding[f"latest{token.title()}TokenClaimableFundingAmountPerSize"]
        assert formulas.funding_claim(size, latest, per_size) == funding[f"claimable{token.title()}TokenAmount"]


@pytest.mark.parametrize(("name", "s"), INFOS)
def test_pending_borrowing(name: str, s: Step) -> None:
    """From the stored factor, the market's rate, and the seconds since."""
    told, at = s["decoded"]["0"], stored(name, s["block"])
    held, is_long = numbers(told["position"]["numbers"]), told["position"]["flags"]["isLong"]
    info = next(m for m in steps(name, "read") if function(m) == "getMarketInfo" and m["block"] == s["block"])
    if info["args"]["prices"] != s["args"]["prices"]:
        pytest.skip("the market's rate was recorded at another price")
    side = "Longs" if is_long else "Shorts"
    rate = int(info["decoded"]["0"][f"borrowingFactorPerSecondFor{side}"])
    since = at["CUMULATIVE_BORROWING_FACTOR_UPDATED_AT", MARKET, str(is_long)]
    now = at["CUMULATIVE_BORROWING_FACTOR", MARKET, str(is_long)] + (int(s["timestamp"]) - since) * rate
    usd = formulas.borrowing_usd(held["sizeInUsd"], now, held["borrowingFactor"])
    assert usd == int(told["fees"]["borrowing"]["borrowingFeeUsd"])


@pytest.mark.parametrize(("name", "s"), INFOS)
def test_price_impact_and_execution_price_of_a_full_close(name: str, s: Step) -> None:
    """The contract's own power function: no tolerance."""
    told = s["decoded"]["0"]
    held, is_long = numbers(told["position"]["numbers"]), told["position"]["flags"]["isLong"]
    result, size, tokens = told["executionPriceResult"], held["sizeInUsd"], held["sizeInTokens"]
    longs, shorts = interest(stored(name, s["block"]))
    impact, is_better = formulas.price_impact(longs, shorts, -size, TERMS, is_long=is_long)
    impact = formulas.cap_gain(impact, size, config("MAX_POSITION_IMPACT_FACTOR", True))
    assert (impact, is_better) == (int(result["priceImpactUsd"]), result["balanceWasImproved"])
    low, high = (int(s["args"]["prices"]["indexTokenPrice"][x]) for x in ("min", "max"))
    price = formulas.decrease_price(size, tokens, size, impact, low if is_long else high, is_long=is_long)
    assert price == int(result["executionPrice"])
    pending = formulas.pending_impact_usd(held["pendingImpactAmount"], size, size, low, high)
    assert pending == int(result["proportionalPendingImpactUsd"])
    pool = stored(name, s["block"])["POSITION_IMPACT_POOL_AMOUNT", MARKET] * low
    total = formulas.total_impact(pending, impact, size, config("MAX_POSITION_IMPACT_FACTOR", False), pool)
    assert (total.total, total.diff) == (int(result["totalImpactUsd"]), int(result["priceImpactDiffUsd"]))


# --- markets ---------------------------------------------------------------------------------------------------------


def markets() -> Iterator[Any]:
    for name in SCENARIOS[1:]:
        for s in steps(name, "read"):
            if function(s) == "getMarketInfo" and ("FUNDING_UPDATED_AT", MARKET) in stored(name, s["block"]):
                yield pytest.param(name, s, id=f"{name[:2]}-{s['i']}")


MARKETS = list(markets())


@pytest.mark.parametrize(("name", "s"), MARKETS)
@pytest.mark.parametrize("is_long", [True, False])
def test_the_borrowing_rate_of_a_side(name: str, s: Step, is_long: bool) -> None:
    """Usage of the pool against its kink; the smaller side pays nothing."""
    at, told, prices = stored(name, s["block"]), s["decoded"]["0"], s["args"]["prices"]
    longs, shorts = interest(at)
    rate = int(told["borrowingFactorPerSecondFor" + ("Longs" if is_long else "Shorts")])
    if (longs, shorts)[not is_long] < max(longs, shorts) or not longs + shorts:
        assert rate == 0
        return
    if longs == shorts:
        return
    token, price = (WETH, "longTokenPrice") if is_long else (USDC, "shortTokenPrice")
    pool = at["POOL_AMOUNT", MARKET, token] * int(prices[price]["min"])
    reserved = interest(at, "OPEN_INTEREST_IN_TOKENS")[0] * int(prices["indexTokenPrice"]["max"]) if is_long else shorts
    kink = ("OPTIMAL_USAGE_FACTOR", "BASE_BORROWING_FACTOR", "ABOVE_OPTIMAL_USAGE_BORROWING_FACTOR")
    optimal, base, above = (config(k, is_long) for k in kink)
    factor = config("OPEN_INTEREST_RESERVE_FACTOR", is_long)
    assert rates.borrowing_per_second(reserved, pool, factor, (optimal, base, above)) == rate


FUNDING = FundingTerms(
    increase=config("FUNDING_INCREASE_FACTOR_PER_SECOND"),
    decrease=config("FUNDING_DECREASE_FACTOR_PER_SECOND"),
    stable_above=config("THRESHOLD_FOR_STABLE_FUNDING"),
    decrease_below=config("THRESHOLD_FOR_DECREASE_FUNDING"),
    least=config("MIN_FUNDING_FACTOR_PER_SECOND"),
    most=config("MAX_FUNDING_FACTOR_PER_SECOND"),
    exponent=config("FUNDING_EXPONENT_FACTOR"),
    factor=config("FUNDING_FACTOR"),
)


@pytest.mark.parametrize(("name", "s"), MARKETS)
def test_funding_of_the_interval_since_the_last_update(name: str, s: Step) -> None:
    """Rate, what is saved of it, and the amounts by size of each side and token."""
    at, told = stored(name, s["block"]), s["decoded"]["0"]["nextFunding"]
    longs, shorts = interest(at)
    since = at["FUNDING_UPDATED_AT", MARKET]
    seconds = int(s["timestamp"]) - since if since else 0
    found = rates.funding_rate(longs, shorts, at["SAVED_FUNDING_FACTOR_PER_SECOND", MARKET], seconds, FUNDING)
    assert found.per_second == int(told["fundingFactorPerSecond"])
    assert found.saved == int(told["nextSavedFundingFactorPerSecond"])
    if not found.per_second:
        return
    assert found.longs_pay == told["longsPayShorts"]
    dollars = rates.funding_dollars(max(longs, shorts), found.per_second, seconds)
    payer, payee = ("long", "short") if found.longs_pay else ("short", "long")
    total, other = (longs, shorts) if found.longs_pay else (shorts, longs)
    for token, place, price in ((WETH, "longToken", "longTokenPrice"), (USDC, "shortToken", "shortTokenPrice")):
        own = at["OPEN_INTEREST", MARKET, token, str(found.longs_pay)]
        part, highest = dollars * own // total, int(s["args"]["prices"][price]["max"])
        paid = rates.funding_per_size(part, own, highest, is_paid=True)
        got = rates.funding_per_size(part, other, highest, is_paid=False)
        assert paid == int(told["fundingFeeAmountPerSizeDelta"][payer][place])
        assert got == int(told["claimableFundingAmountPerSizeDelta"][payee][place])


# --- trades ----------------------------------------------------------------------------------------------------------


def events(event: str) -> list[Any]:
    return [
        pytest.param(e["values"], s, id=f"{name[:2]}-{s['i']}")
        for name in SCENARIOS
        for s in steps(name, "tx")
        for e in s["events"]
        if e.get("eventName") == event
    ]


@pytest.mark.parametrize(("told", "s"), events("PositionIncrease"))
def test_an_increase(told: dict[str, Any], s: Step) -> None:
    """Tokens, stored impact and execution price from size, impact in dollars and prices."""
    size, is_long = int(told["sizeDeltaUsd"]), told["isLong"]
    if not size:
        return
    low, high = int(told["indexTokenPrice.min"]), int(told["indexTokenPrice.max"])
    found = formulas.increase(size, int(told["pendingPriceImpactUsd"]), low, high, is_long=is_long)
    assert (found.tokens, found.pending_impact) == (
        int(told["sizeDeltaInTokens"]),
        int(told["pendingPriceImpactAmount"]),
    )
    assert found.price == int(told["executionPrice"])


@pytest.mark.parametrize(("told", "s"), events("PositionDecrease"))
def test_a_decrease(told: dict[str, Any], s: Step) -> None:
    """Tokens closed, profit realized, execution price, settled impact: from the position as it was before."""
    is_long, closed = told["isLong"], int(told["sizeDeltaUsd"])
    if not closed:
        return
    size, tokens = int(told["sizeInUsd"]) + closed, int(told["sizeInTokens"]) + int(told["sizeDeltaInTokens"])
    assert formulas.tokens_closed(size, tokens, closed, is_long=is_long) == int(told["sizeDeltaInTokens"])
    low, high = int(told["indexTokenPrice.min"]), int(told["indexTokenPrice.max"])
    price = low if is_long else high
    total = formulas.pnl(size, tokens, price, is_long=is_long)
    assert formulas.realized_pnl(total, tokens, int(told["sizeDeltaInTokens"])) == int(told["basePnlUsd"])
    impact = int(told["priceImpactUsd"])
    if told["orderType"] != "7":
        found = formulas.decrease_price(size, tokens, closed, impact, price, is_long=is_long)
        assert found == int(told["executionPrice"])
    pending, cap = int(told["proportionalPendingImpactUsd"]), config("MAX_POSITION_IMPACT_FACTOR", False)
    settled = formulas.total_impact(pending, impact, closed, cap, 2**255)
    assert (settled.total, settled.diff) == (int(told["totalImpactUsd"]), int(told["values.priceImpactDiffUsd"]))


# --- by themselves ---------------------------------------------------------------------------------------------------


def test_the_keys_of_the_recordings_are_there() -> None:
    """What the formulas above are fed with."""
    assert {"POSITION_IMPACT_FACTOR", "FUNDING_INCREASE_FACTOR_PER_SECOND"} <= set(KEYS)
    assert min(len(INFOS), len(MARKETS)) >= 20


@given(st.integers(FLOAT, 10**38))
def test_a_power_is_as_good_as_eighteen_digits(value: int) -> None:
    """Against the exact square: the contract's way loses less than a part in 10^14 of it, and one is one."""
    exact = value * value // FLOAT
    assert abs(exponent_factor(value, 2 * FLOAT) - exact) <= exact // 10**14 + 10**13
    assert exponent_factor(value, FLOAT) == value


@given(st.integers(0, FLOAT - 1))
def test_below_a_dollar_imbalance_weighs_nothing(value: int) -> None:
    """The contract's power function knows no fractions of one."""
    assert exponent_factor(value, 2 * FLOAT) == 0


sizes = st.integers(10**31, 10**38)


@given(sizes, sizes, sizes, st.booleans())
def test_opening_and_closing_at_once_never_gains(longs: int, shorts: int, size: int, is_long: bool) -> None:
    """The way there and back costs, or nothing; but for the last digits of the power function."""
    there, _ = formulas.price_impact(longs, shorts, size, TERMS, is_long=is_long)
    after = (longs + size * is_long, shorts + size * (not is_long))
    back, _ = formulas.price_impact(*after, -size, TERMS, is_long=is_long)
    weight = sum(TERMS.of(x, is_gain=False) for x in (abs(longs - shorts), abs(after[0] - after[1])))
    assert there + back <= weight // 10**14


@given(sizes, st.integers(0, 10**36), st.booleans())
def test_a_gain_betters_the_price_and_a_loss_worsens_it(size: int, impact: int, is_long: bool) -> None:
    """A long buys at less or more, a short sells at more or less."""
    price, impact = 3000 * 10**12, min(impact, size // 2)
    lost, even, gained = (formulas.increase(size, i, price, price, is_long=is_long).price for i in (-impact, 0, impact))
    assert (lost >= even >= gained) if is_long else (lost <= even <= gained)


def test_a_large_stored_loss_is_capped_and_the_rest_set_aside() -> None:
    """Half a percent of what is closed; the rest is taken too, and comes back later."""
    settled = formulas.total_impact(-600 * FLOAT, -100 * FLOAT, 100_000 * FLOAT, 5 * FLOAT // 1000, 0)
    assert (settled.total, settled.diff) == (-500 * FLOAT, 200 * FLOAT)


def test_a_gain_is_at_most_what_the_pool_of_impacts_holds() -> None:
    """What was never paid in is not paid out."""
    assert formulas.total_impact(0, 100 * FLOAT, 10**36, FLOAT, 40 * FLOAT).total == 40 * FLOAT


def test_profit_is_cut_where_all_traders_together_gain_too_much() -> None:
    """In proportion; a loss never is."""
    assert formulas.capped_pnl(100 * FLOAT, 1000 * FLOAT, 1000 * FLOAT, FLOAT // 2) == 50 * FLOAT
    assert formulas.capped_pnl(100 * FLOAT, 400 * FLOAT, 1000 * FLOAT, FLOAT // 2) == 100 * FLOAT
    assert formulas.capped_pnl(-100 * FLOAT, 1000 * FLOAT, 1000 * FLOAT, FLOAT // 2) == -100 * FLOAT


def test_impact_counts_in_a_liquidation_only_as_a_cost_within_its_cap() -> None:
    """Gains never do; the public configuration lets none count at all."""
    assert formulas.impact_for_liquidation(5, 10**36, FLOAT) == 0
    assert formulas.impact_for_liquidation(-100 * FLOAT, 10**36, FLOAT // 10_000) == -100 * FLOAT
    assert formulas.impact_for_liquidation(-(10**36), 10**36, FLOAT // 10_000) == -(10**32)
    assert formulas.impact_for_liquidation(-(10**36), 10**36, 0) == 0


@pytest.mark.parametrize(("is_long", "is_increase"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_bound_of_any_price_accepts_any_price(is_long: bool, is_increase: bool) -> None:
    """And the opposite bound none."""
    bound = formulas.any_price(is_long=is_long, is_increase=is_increase)
    other = formulas.any_price(is_long=not is_long, is_increase=is_increase)
    assert formulas.is_acceptable(3000, bound, is_long=is_long, is_increase=is_increase)
    assert not formulas.is_acceptable(3000, other, is_long=is_long, is_increase=is_increase)


def test_a_virtual_inventory_makes_a_loss_worse_and_never_better() -> None:
    """And is not asked where the trade gains."""
    assert formulas.worse_impact((-5, False), (-9, False)) == (-9, False)
    assert formulas.worse_impact((-5, False), (-2, True)) == (-5, False)
    assert formulas.worse_impact((5, True), (-9, False)) == (5, True)
    assert formulas.virtual_sides(7, 3) == (0, 7)
    assert formulas.virtual_sides(-7, -3) == (10, 3)


def test_funding_turns_round_with_the_skew_and_never_falls_below_the_least() -> None:
    """Grows while one side is larger, keeps its direction until it has turned."""
    hour, terms = 3600, FUNDING
    grown = rates.funding_rate(3 * 10**36, 10**36, 0, hour, terms)
    assert (grown.longs_pay, grown.saved > 0) == (True, True)
    turned = rates.funding_rate(10**36, 3 * 10**36, grown.saved, hour // 2, terms)
    assert 0 < turned.saved < grown.saved
    assert rates.funding_rate(10**36, 3 * 10**36, grown.saved, 3 * hour, terms).longs_pay is False
    assert rates.funding_rate(10**36 + 10**33, 10**36, 1, 1, terms).per_second == terms.least
    assert rates.funding_rate(10**36, 0, grown.saved, hour, terms).per_second == 0


def test_what_one_side_pays_the_other_gets() -> None:
    """By dollar of size, a year; each rounded against its side."""
    pays = rates.side_rate(4 * 10**36, 10**36, 10**22, longs_pay=True, is_long=True)
    gets = rates.side_rate(4 * 10**36, 10**36, 10**22, longs_pay=True, is_long=False)
    assert pays == 10**22 * rates.YEAR * 10**18 // FLOAT
    assert gets == -4 * pays
    assert rates.side_rate(0, 10**36, 10**22, longs_pay=True, is_long=True) == 0


def refused_triggers() -> list[Any]:
    """Keepers' attempts that came too early: the prices and the trigger they were refused for."""
    return [
        pytest.param(name, s, id=f"{name[:2]}-{s['i']}")
        for name in SCENARIOS
        for s in steps(name, "tx")
        if (s.get("error") or {}).get("signature", "").startswith("InvalidOrderPrices")
    ]


@pytest.mark.parametrize(("name", "s"), refused_triggers())
def test_a_trigger_that_was_refused_is_not_met(name: str, s: Step) -> None:
    """And one unit beyond it is, on the one side or the other."""
    low, high, trigger, kind = (int(v) for v in s["error"]["args"].values())
    sides = [formulas.is_triggered(kind, low, high, trigger, is_long=is_long) for is_long in (True, False)]
    assert sides.count(False) >= 1
    met = [formulas.is_triggered(kind, trigger, trigger, trigger, is_long=is_long) for is_long in (True, False)]
    assert met == [True, True]


@pytest.mark.parametrize(
    ("kind", "is_long", "higher"),
    [
        (3, True, False),
        (3, False, True),
        (8, True, True),
        (8, False, False),
        (5, True, True),
        (5, False, False),
        (6, True, False),
        (6, False, True),
    ],
)
def test_each_kind_waits_for_its_side(kind: int, is_long: bool, higher: bool) -> None:
    """Limits wait for the better price, stops for the worse."""
    assert formulas.is_triggered(kind, 101, 101, 100, is_long=is_long) == higher
    assert formulas.is_triggered(kind, 99, 99, 100, is_long=is_long) != higher


def test_market_orders_have_no_trigger() -> None:
    """They wait for a keeper only."""
    with pytest.raises(ValueError, match="waits for no price"):
        formulas.is_triggered(2, 1, 1, 1, is_long=True)
