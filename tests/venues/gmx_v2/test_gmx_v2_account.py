"""An account at GMX v2: what the gate is told of its calls, and what its order book reads in a node's own logs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from gmx_recordings import AT, MARKET, USDC, WETH, Step, every, function, parts, prices_of, raw, step, steps
from test_gmx_v2_orders import STRAY, SWAPPING, TERMS
from test_gmx_v2_positions import read

from keeper.core.perp.moves import AddMargin, CancelOrder, PlaceOrder, TakeMargin
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.units import Address, Amount, Wei
from keeper.venues.effects import Call, Cancels, Carries, Closes, Effect, Opens, Orders, Pays, Takes
from keeper.venues.gmx_v2.account import GmxAccount, GmxOrderBook
from keeper.venues.gmx_v2.positions import GmxScope

TRADER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
OTHER = Address("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc")
PRICES = prices_of(step("02", 36)["args"]["prices"])
HELD = read("12_liquidation_by_price", step("12", 10))
USD = 10**30


def account(*, is_long: bool = False, token: Address = USDC.address) -> GmxAccount:
    return GmxAccount(GmxScope(MARKET, TRADER, token, is_long), PRICES, TERMS)


def call_of(s: Step) -> Call:
    return Call(AT.exchange_router, raw(s["calldata"]), Wei(int(s["value"])), "")


def effects(of: GmxAccount, position: PerpPosition, call: Call) -> tuple[Effect, ...]:
    """What the gate is told of a call."""
    return of.decoders(position)[call.to](call)


def raw_logs(s: Step) -> list[dict[str, Any]]:
    """As eth_getLogs gives them."""
    return [
        {
            "address": e["address"].lower(),
            "topics": e["topics"],
            "data": e["data"],
            "blockNumber": hex(int(s["block"])),
            "transactionHash": s["hash"],
            "logIndex": hex(int(e["logIndex"])),
        }
        for e in s["events"]
    ]


# --- the gate --------------------------------------------------------------------------------------------------------

SENT = [
    pytest.param(n, s, id=f"{n[:2]}-{s['i']}")
    for n, s in every("tx")
    if s["actor"] == "trader" and (n, s["i"]) not in SWAPPING | STRAY
    if function(parts(s)[-1]) == "createOrder" and s["status"] == 1
]


@pytest.mark.parametrize(("name", "s"), SENT)
def test_the_gate_is_told_whose_order_it_is_and_what_it_does(name: str, s: Step) -> None:
    """For every order the recordings' trader left; one paid in native currency is refused."""
    creates = [p["args"]["params"] for p in parts(s) if function(p) == "createOrder"]
    fees = [int(c["numbers"]["executionFee"]) for c in creates]
    mine = account(is_long=creates[0]["isLong"], token=Address(creates[0]["addresses"]["initialCollateralToken"]))
    is_bounded = any(int(c["numbers"]["minOutputAmount"]) for c in creates)
    if sum(fees) != int(s["value"]) or is_bounded:
        with pytest.raises(ValueError, match=r"does not use what is sent with it|a least output"):
            effects(mine, HELD, call_of(s))
        return
    found = effects(mine, HELD, call_of(s))
    assert [e.amount for e in found if isinstance(e, Carries)] == fees
    done = [e for e in found if not isinstance(e, Carries)]
    assert {getattr(e, "beneficiary", None) for e in done} == {TRADER}
    moved = [e for e in done if isinstance(e, Pays | Takes)]
    assert [e.amount for e in moved] == [a for c in creates if (a := int(c["numbers"]["initialCollateralDeltaAmount"]))]
    trades = [e for e in done if isinstance(e, Opens | Closes | Orders)]
    assert [e.worst_price for e in trades] == [
        int(c["numbers"]["acceptablePrice"]) for c in creates if int(c["numbers"]["sizeDeltaUsd"])
    ]
    assert {(e.market, e.is_long) for e in trades} <= {(MARKET.token, creates[0]["isLong"])}


@pytest.mark.parametrize("other", [account(is_long=True), account(token=WETH.address)])
def test_an_order_of_another_side_or_collateral_is_refused(other: GmxAccount) -> None:
    """A position is one market, one collateral and one side."""
    with pytest.raises(ValueError, match=r"another|not the collateral"):
        effects(other, HELD, call_of(step("02", 38)))


def test_an_order_for_somebody_else_is_told_as_theirs() -> None:
    """Whoever is named to receive anything is told, whoever's account it is: the gate wants the owner."""
    stranger = GmxAccount(GmxScope(MARKET, OTHER, USDC.address, False), PRICES, TERMS)
    found = effects(stranger, HELD, call_of(step("02", 38)))
    assert {e.beneficiary for e in found if not isinstance(e, Carries)} == {TRADER}  # type: ignore[union-attr]


def test_an_order_is_taken_back_by_its_key() -> None:
    """Whether it is the position's is the gate's to say."""
    mine, key = account(), HELD.orders[0].key
    own = mine.encode(HELD, CancelOrder(key), TRADER, 0, Wei(10**7))
    assert effects(mine, HELD, own) == (Cancels(key),)


def test_nobody_but_the_owner_orders() -> None:
    """An order belongs to whoever sends it: a guardian's margin would be a position of the guardian's."""
    mine, move = account(), AddMargin(MARKET.token, False, USDC.address, Amount(1))
    with pytest.raises(ValueError, match="owner"):
        mine.encode(HELD, move, OTHER, 0, Wei(1))


def test_what_is_encoded_is_read_back() -> None:
    """A stop of the whole position."""
    mine, leg = account(), HELD.legs[0]
    move = PlaceOrder(OrderKind.STOP_LOSS, MARKET.token, False, leg.entry_notional, 3200 * 10**12, 3300 * 10**12)
    call = mine.encode(HELD, move, TRADER, 0, Wei(2 * 10**7))
    fee, stop = effects(mine, HELD, call)
    assert stop == Orders(MARKET.token, False, None, 3200 * 10**12, 3300 * 10**12, False, TRADER, True)
    assert fee == Carries(call.value)
    assert call.value == mine.execution_fee(Wei(2 * 10**7)) == 87 * 10**12


# --- the order book --------------------------------------------------------------------------------------------------

BOOK = GmxOrderBook(AT, TRADER)
ENDS = {"OrderExecuted": "executed", "OrderCancelled": "cancelled", "OrderFrozen": "frozen"}
KEEPERS = [pytest.param(n, s, id=f"{n[:2]}-{s['i']}") for n, s in every("tx") if s.get("outcome") in ENDS]


@pytest.mark.parametrize(("name", "s"), KEEPERS)
def test_an_outcome_is_read_from_a_node_s_logs(name: str, s: Step) -> None:
    """Executed, cancelled or frozen, with the reason in words."""
    if function(s) != "executeOrder":
        pytest.skip("a liquidation: no order of the owner's")
    found = BOOK.outcome(s["decoded_call"]["args"]["key"], raw_logs(s))
    assert found
    assert found.kind == ENDS[s["outcome"]]
    if found.kind != "executed":
        told = next(e for e in s["events"] if e.get("eventName") == s["outcome"])["reasonBytes_decoded"]
        assert found.detail.startswith(told["signature"].split("(")[0])


def test_the_request_asks_for_the_orders_and_nothing_else() -> None:
    """One emitter, the names of what becomes of orders, the keys."""
    asked = BOOK.filter(["0x" + "11" * 32])
    recorded = next(s for s in steps("02", "rpc") if s["method"] == "eth_getLogs")["params"][0]
    assert asked["address"] == recorded["address"]
    assert asked["topics"][0] == recorded["topics"][0]
    assert set(recorded["topics"][1]) <= set(asked["topics"][1])
    assert asked["topics"][2] == ["0x" + "11" * 32]


def test_a_transaction_says_which_orders_it_left() -> None:
    """Three of scenario 07, in their order; none for another account."""
    logs = raw_logs(step("07", 1))
    keys = BOOK.created(logs)
    assert len(keys) == 3
    assert GmxOrderBook(AT, MARKET.token).created(logs) == ()
    assert all(BOOK.outcome(key, logs) is None for key in keys)


def test_an_order_that_trades_nothing_has_no_price() -> None:
    """What the exchange does not look at is not left open: another price than none is refused."""
    mine, leg = account(), HELD.legs[0]
    take = TakeMargin(leg.market, leg.is_long, USDC.address, Amount(10**6))
    call = mine.encode(HELD, take, TRADER, 0, Wei(10**9))
    assert effects(mine, HELD, call)
    changed = call.data.replace((2**256 - 1).to_bytes(32, "big"), (7).to_bytes(32, "big"))
    assert changed != call.data
    with pytest.raises(ValueError, match="a price of an order that trades nothing"):
        effects(mine, HELD, replace(call, data=changed))
