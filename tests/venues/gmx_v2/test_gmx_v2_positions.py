"""Every recorded position, read by our probe from the recorded answers: its figures are the contract's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from eth_abi.abi import encode
from gmx_recordings import (
    MARKET,
    SCENARIOS,
    USDC,
    WETH,
    Recorded,
    SilenceError,
    Step,
    block_of,
    function,
    prices_of,
    raw,
    step,
    steps,
)

from keeper.core.perp import margin as perps
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import load
from keeper.venues.gmx_v2 import positions as gmx_v2_positions
from keeper.venues.gmx_v2.answers import OrderRow
from keeper.venues.gmx_v2.markets import MarketPrices
from keeper.venues.gmx_v2.positions import GmxScope, own_orders, position_probe
from keeper.venues.ports import Answer, Read, ReadFailedError

READER, DATA = load("gmx_v2_reader"), load("gmx_v2_data_store")


class Node(Recorded):
    """A scenario's answers at a block. Configuration was recorded once, in the first scenario."""

    def answer(self, read: Read) -> Answer:
        try:
            return super().answer(read)
        except SilenceError:
            if read.data[:4] == READER.getMarketInfo.selector:
                return self._market()  # funding as stored does not depend on the prices asked for
            if read.data[:4] == DATA.getUint.selector:
                return config()[read.data]
            raise

    def _market(self) -> Answer:
        """As of the block, or of the last one before it."""
        told = [s for s in steps(self.name, "read") if function(s) == "getMarketInfo"]
        found = [s for s in told if int(s["block"]) <= int(self.block)]
        if not found:
            raise SilenceError(self.block)
        return raw(found[-1]["result"])


@cache
def config() -> dict[bytes, bytes]:
    wanted = [s for s in steps("01", "read") if function(s) == "getUint"]
    return {raw(s["calldata"]): raw(s["result"]) for s in wanted}


def recorded(name: str) -> Iterator[tuple[Step, Step]]:
    """Each ``getPositionInfo`` of a scenario with the liquidation check at the same prices."""
    for s in steps(name, "read"):
        if function(s) == "getPositionInfo" and s["args"]["usePositionSizeAsSizeDeltaUsd"]:
            same = ("positionKey", "prices")
            for check in steps(name, "read"):
                if function(check) == "isPositionLiquidatable" and check["block"] == s["block"]:
                    full = check["args"]["shouldValidateMinCollateralUsd"] and check["args"]["forLiquidation"]
                    if full and all(check["args"][k] == s["args"][k] for k in same):
                        yield s, check
                        break


CASES = [
    pytest.param(name, s, check, id=f"{name[:2]}-{s['i']}")
    for name in SCENARIOS
    for s, check in recorded(name)
    if any(function(m) == "getMarketInfo" and m["block"] == s["block"] for m in steps(name, "read"))
]


def scope_of(s: Step) -> GmxScope:
    held, flags = s["decoded"]["0"]["position"]["addresses"], s["decoded"]["0"]["position"]["flags"]
    return GmxScope(MARKET, Address(held["account"]), Address(held["collateralToken"]), flags["isLong"])


def read(name: str, s: Step) -> PerpPosition:
    probe = position_probe(scope_of(s), "hedge", block_of(s), prices_of(s["args"]["prices"]))
    return probe.decode(Node(name, s["block"]).answers(probe.reads))


def test_there_are_positions_to_check() -> None:
    """The cases below are found, not listed."""
    assert len(CASES) >= 30


@pytest.mark.parametrize(("name", "s", "check"), CASES)
def test_our_sums_are_the_reader_s_with_pending_payments(name: str, s: Step, check: Step) -> None:
    """Equity and requirement by ``core.perps`` equal the contract's own, to the last digit."""
    position = read(name, s)
    assert perps.figures(position) == position.reported
    assert position.reported.requirement == int(check["decoded"]["2"]["minCollateralUsdForLeverage"])


@pytest.mark.parametrize(("name", "s", "check"), CASES)
def test_a_position_is_told_as_it_is(name: str, s: Step, check: Step) -> None:
    """Size, entry, profit and what is owed, each from its own field."""
    leg, told = read(name, s).legs[0], s["decoded"]["0"]
    numbers, fees = told["position"]["numbers"], told["fees"]
    price = int(fees["collateralTokenPrice"]["min"])
    assert abs(leg.size) == int(numbers["sizeInTokens"])
    assert leg.entry_notional == int(numbers["sizeInUsd"])
    assert leg.is_long == told["position"]["flags"]["isLong"]
    assert perps.unrealized_pnl(leg) == int(told["basePnlUsd"])
    assert leg.funding_owed == int(fees["funding"]["fundingFeeAmount"]) * price
    assert leg.borrowing_owed == int(fees["borrowing"]["borrowingFeeAmount"]) * price
    assert leg.closing_cost == int(fees["positionFeeAmount"]) * price
    assert leg.pending_impact == int(told["executionPriceResult"]["proportionalPendingImpactUsd"])


@pytest.mark.parametrize(("name", "s", "check"), CASES)
def test_collateral_is_worth_what_it_is(name: str, s: Step, check: Step) -> None:
    """In dollars for USDC, in the index for WETH."""
    position = read(name, s)
    amount = int(s["decoded"]["0"]["position"]["numbers"]["collateralAmount"])
    if position.collateral == WETH.address:
        assert (position.margin, position.indexed_margin) == (0, amount)
    else:
        assert (position.margin, position.indexed_margin) == (amount * 10**24, 0)
    assert 0 <= position.free_margin < amount


@pytest.mark.parametrize(("asked", "fits"), [(79, True), (92, False)])
def test_what_is_free_is_what_the_exchange_lets_go(asked: int, fits: bool) -> None:
    """Scenario 04: 700 of 1,494 USDC were given, then 750 of 794 refused (UnableToWithdrawCollateral)."""
    told = [s for s in steps("04", "read") if function(s) == "getPositionInfo" and s["i"] < asked]
    amount = int(
        step("04", asked)["decoded_call"]["parts"][-1]["args"]["params"]["numbers"]["initialCollateralDeltaAmount"]
    )
    assert (amount <= read("04_add_and_withdraw_collateral", told[-1]).free_margin) == fits


# --- liquidation -----------------------------------------------------------------------------------------------------


def test_the_liquidation_price_is_the_one_found_by_bisection() -> None:
    """Scenario 12: one unit below 3132 the Reader says no, at 3132 yes."""
    position = read("12_liquidation_by_price", step("12", 10))
    assert perps.liquidation_price(position, "ETH") == 3132 * 10**12
    before, at = step("12", 45)["decoded"]["0"], step("12", 48)["decoded"]["0"]
    assert (before, at) == (False, True)


@pytest.mark.parametrize(("number", "price"), [(12, 2624151731356486), (15, 2717999999999999)])
def test_the_liquidation_price_of_longs_is_the_recorded_one(number: int, price: int) -> None:
    """Scenario 03, seen from 3000: collateral that falls with the price, and collateral that does not."""
    assert perps.liquidation_price(read("03_open_longs", step("03", number)), "ETH") == price


@pytest.mark.parametrize(("safe", "lost"), [(51, 54), (58, 61)])
def test_at_the_liquidation_price_and_not_before(safe: int, lost: int) -> None:
    """One unit apart, as the Reader has it."""
    assert not perps.is_liquidatable(read("03_open_longs", step("03", safe)))
    assert perps.is_liquidatable(read("03_open_longs", step("03", lost)))


def word(data: bytes, place: int, change: int) -> bytes:
    """An answer with one of its words (counted from the end) changed by an amount."""
    start = len(data) - 32 * place
    value = int.from_bytes(data[start : start + 32], "big", signed=True) + change
    return data[:start] + value.to_bytes(32, "big", signed=True) + data[start + 32 :]


def test_profit_that_the_cap_cuts_off_is_no_worth() -> None:
    """The cap on what all traders take from the pool: the Reader tells both profits, and only the capped one counts."""
    s = step("03", 73)
    probe = position_probe(scope_of(s), "hedge", block_of(s), prices_of(s["args"]["prices"]))
    answers = Node("03_open_longs", s["block"]).answers(probe.reads)
    whole = probe.decode(answers)
    assert perps.unrealized_pnl(whole.legs[0]) > 0
    cut = 100 * 10**30
    answers[3] = word(answers[3] or b"", 3, -cut)
    told = READER.isPositionLiquidatable.decode(answers[4])
    answers[4] = encode(
        ["bool", "string", "(int256,int256,int256)"], [told[0], told[1], (told[2][0] - cut, *told[2][1:])]
    )
    capped = probe.decode(answers)
    assert perps.equity(capped) == perps.equity(whole) - cut
    assert perps.figures(capped) == capped.reported


# --- orders and nothing ----------------------------------------------------------------------------------------------


def order_scope(*, is_long: bool) -> GmxScope:
    return GmxScope(MARKET, Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"), USDC.address, is_long)


def test_resting_orders_come_with_the_position() -> None:
    """Scenario 12 has two stop-losses, one of which cancels itself."""
    position = read("12_liquidation_by_price", step("12", 10))
    assert [(o.kind, o.trigger_price, o.auto_cancels) for o in position.orders] == [
        (OrderKind.STOP_LOSS, 3200 * 10**12, True),
        (OrderKind.STOP_LOSS, 3201 * 10**12, False),
    ]
    assert all(o.execution_fee == 87 * 10**12 and not o.is_frozen for o in position.orders)


def snapshot_prices(name: str, block: str) -> MarketPrices:
    info = next(s for s in steps(name, "read") if function(s) == "getMarketInfo" and s["block"] == block)
    return prices_of(info["args"]["prices"])


class BeforeOpening(Node):
    """What was not asked of a position that is not there: the stored one is all zero, the views revert."""

    def answer(self, read: Read) -> Answer:
        if read.data[:4] == READER.getPosition.selector:
            return bytes(14 * 32)
        if read.data[:4] in (READER.getPositionInfo.selector, READER.isPositionLiquidatable.selector):
            return None
        return super().answer(read)


def test_no_position_is_an_empty_one_with_prices() -> None:
    """Scenario 02 before the order: rates and prices are known, there is nothing to lose."""
    block = step("02", 4)["block"]
    probe = position_probe(
        order_scope(is_long=False), "hedge", block_of(step("02", 4)), snapshot_prices("02_open_short_usdc", block)
    )
    position = probe.decode(BeforeOpening("02_open_short_usdc", block).answers(probe.reads))
    assert position.is_empty
    assert position.legs[0].mark_price == 3000 * 10**12
    assert perps.figures(position) == position.reported
    assert position.free_margin == 0


@pytest.mark.parametrize("silent", range(5))
def test_a_view_that_does_not_answer_is_no_empty_position(silent: int) -> None:
    """Unknown is not zero: only the stored position itself can say that there is none."""
    s = step("12", 10)
    probe = position_probe(scope_of(s), "hedge", block_of(s), prices_of(s["args"]["prices"]))
    answers = Node("12_liquidation_by_price", s["block"]).answers(probe.reads)
    answers[silent] = None
    with pytest.raises(ReadFailedError):
        probe.decode(answers)


# --- the account's own orders ----------------------------------------------------------------------------------------


def row(**changes: Any) -> OrderRow:
    held = HELD_BY_OWNER
    usual = OrderRow(
        key="0x" + "0a" * 32,
        account=held.owner,
        receiver=held.owner,
        market=MARKET.token,
        collateral=USDC.address,
        swap_path=(),
        type=4,
        size_usd=10**30,
        collateral_amount=0,
        trigger_price=0,
        acceptable_price=0,
        execution_fee=Wei(0),
        least_output=0,
        updated_at=1,
        valid_from=0,
        is_long=False,
        is_frozen=False,
        auto_cancels=False,
    )
    return replace(usual, **changes)


HELD_BY_OWNER = GmxScope(MARKET, Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"), USDC.address, is_long=False)
ELSEWHERE = Address("0x" + "99" * 20)


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"swap_path": (MARKET.token,)}, True),
        ({"swap_path": (MARKET.token, ELSEWHERE), "type": 6}, True),
        ({"type": 2, "collateral": WETH.address, "swap_path": (MARKET.token,)}, True),
        ({"type": 3, "collateral": ELSEWHERE, "swap_path": (MARKET.token,)}, True),
        ({"type": 2, "collateral": WETH.address}, False),
        ({"type": 4, "collateral": WETH.address, "swap_path": (MARKET.token,)}, False),
        ({"is_long": True, "swap_path": (MARKET.token,)}, False),
        ({"market": ELSEWHERE, "swap_path": (MARKET.token,)}, False),
        ({"type": 0, "swap_path": (MARKET.token,)}, False),
    ],
)
def test_every_order_that_may_change_the_position_counts(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], counts: bool
) -> None:
    """Also one that swaps on its way: else a second close would be ordered beside the owner's own."""
    monkeypatch.setattr(gmx_v2_positions, "decode_orders", lambda _: (row(**change),))
    found = own_orders(HELD_BY_OWNER, b"")
    assert bool(found) is counts
    if found:
        assert found[0].swaps == len(change.get("swap_path", ()))
