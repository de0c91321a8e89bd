"""Quotes of trades, and rehearsals of orders, as the contracts answer them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from gmx_recordings import AT, MARKET, USDC, WETH, block_of, prices_of, raw, step, steps
from test_gmx_v2_orders import order
from test_gmx_v2_positions import Node, read

from keeper.core.units import Address
from keeper.venues.codec.abi import load
from keeper.venues.gmx_v2.orders import encode_orders
from keeper.venues.gmx_v2.positions import GmxScope, position_probe
from keeper.venues.gmx_v2.quotes import acceptable, quote_probe, rehearsal, size_usd_of, verdict

TRADER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
READER, ROUTER = load("gmx_v2_reader"), load("gmx_v2_exchange_router")
SHORT = GmxScope(MARKET, TRADER, USDC.address, is_long=False)
ASKED = step("02", 36)
PRICES = prices_of(ASKED["args"]["prices"])
FEES = [encode(["uint256"], [4 * 10**26]), encode(["uint256"], [6 * 10**26])]


def test_a_quote_asks_as_recorded_and_says_what_was_answered() -> None:
    """Scenario 02: a short of 10,000 dollars that unbalances an empty market."""
    held = read("12_liquidation_by_price", step("12", 10))
    leg = replace(held.legs[0], size=0, entry_notional=0)
    empty = replace(held, legs=(leg,))
    tokens = 10_000 * 10**30 // PRICES.index.low
    probe = quote_probe(SHORT, empty, PRICES, [-tokens])
    (asked,) = probe.reads[2:]
    arguments = list(READER.getExecutionPrice.decode_inputs(asked.data))
    arguments[5] = 10_000 * 10**30  # the recorded trade is in whole dollars
    assert READER.getExecutionPrice.encode(*arguments) == raw(ASKED["calldata"])
    (quote,) = probe.decode([*FEES, raw(ASKED["result"])])
    told = ASKED["decoded"]["0"]
    assert (quote.impact, quote.price) == (-int(told["priceImpactUsd"]), int(told["executionPrice"]))
    assert quote.fee == tokens * PRICES.index.low * 6 // 10_000
    assert quote.notional == tokens * PRICES.index.low


def test_a_trade_that_cannot_be_is_no_quote() -> None:
    """The Reader reverts for it."""
    held = read("12_liquidation_by_price", step("12", 10))
    probe = quote_probe(SHORT, held, PRICES, [10**18, -(10**18)])
    assert probe.decode([*FEES, None, raw(ASKED["result"])])[0].size_change == -(10**18)


def test_a_decrease_is_counted_in_dollars_at_entry() -> None:
    """And all of it is all, to the last digit: a market order of more is refused."""
    held = read("12_liquidation_by_price", step("12", 10))
    whole, entry = abs(held.legs[0].size), held.legs[0].entry_notional
    assert size_usd_of(held, whole, PRICES) == entry
    assert size_usd_of(held, 2 * whole, PRICES) == entry
    assert size_usd_of(held, whole // 2, PRICES) == -(-entry * (whole // 2) // whole)
    assert size_usd_of(held, -(10**18), PRICES) == 10**18 * PRICES.index.low


@pytest.mark.parametrize(
    ("is_long", "is_increase", "bound"),
    [(True, True, 1010), (True, False, 990), (False, True, 990), (False, False, 1010)],
)
def test_slippage_widens_to_the_losing_side(is_long: bool, is_increase: bool, bound: int) -> None:
    """Who buys accepts more, who sells less."""
    assert acceptable(1000, 100, is_long=is_long, is_increase=is_increase) == bound


# --- rehearsals ------------------------------------------------------------------------------------------------------


def test_a_rehearsal_is_the_order_and_its_execution() -> None:
    """The same parts, and the prices of each token once."""
    call = encode_orders(AT, [order()], "order")
    tried = rehearsal(SHORT, call, PRICES, 1_767_225_796)
    (plain,), (parts,) = ROUTER.multicall.decode_inputs(call.data), ROUTER.multicall.decode_inputs(tried.data)
    assert (list(parts[:-1]), tried.value, tried.to) == (list(plain), call.value, call.to)
    ((tokens, prices, earliest, latest),) = ROUTER.simulateExecuteLatestOrder.decode_inputs(parts[-1])
    assert [t.lower() for t in tokens] == [WETH.address.lower(), USDC.address.lower()]
    assert list(prices) == [PRICES.struct[0], PRICES.struct[2]]
    assert 1_767_225_796 < earliest == latest < 1_767_225_796 + 300


def test_a_rehearsal_that_ends_the_simulation_would_execute() -> None:
    """It always reverts; only this error is good news."""
    assert verdict(raw("0x4e48dcda")) is None
    refusal = verdict(raw("0xe09ad0e9") + encode(["uint256", "uint256"], [1, 2]))
    assert refusal
    assert (refusal.name, refusal.arguments) == ("OrderNotFulfillableAtAcceptablePrice", (1, 2))
    nothing = verdict(b"")
    assert nothing
    assert "without a reason" in nothing.text


def test_prices_of_another_block_are_other_requests() -> None:
    """The probe asks at the prices it is given, so an answer at others is none of its own."""
    s = next(x for x in steps("12", "read") if x["i"] == 10)
    scope = GmxScope(MARKET, TRADER, USDC.address, is_long=False)
    other = replace(PRICES, index=replace(PRICES.index, low=1, high=1))
    probe = position_probe(scope, "x", block_of(s), other)
    node = Node("12_liquidation_by_price", s["block"])
    assert probe.reads[0].data == position_probe(scope, "x", block_of(s), PRICES).reads[0].data
    assert probe.reads[3].data != position_probe(scope, "x", block_of(s), PRICES).reads[3].data
    assert node.answer(probe.reads[0])
