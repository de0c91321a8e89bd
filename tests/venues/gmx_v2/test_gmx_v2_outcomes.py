"""What became of orders, from the recorded logs alone: the recorded outcome, with the recorded figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from gmx_recordings import (
    AT,
    MARKET,
    SCENARIOS,
    USDC,
    Log,
    Step,
    as_given,
    every,
    function,
    logs_of,
    raw,
    step,
    steps,
)

from keeper.core.units import Address
from keeper.venues.gmx_v2.events import (
    ORDER_EVENTS,
    account_filters,
    decode_event,
    decode_events,
    fee_filter,
    name_topic,
    order_filter,
)
from keeper.venues.gmx_v2.outcomes import (
    Cancelled,
    Canceller,
    Executed,
    Fill,
    Frozen,
    OrderFault,
    Outcome,
    Pending,
    behind_our_back,
    created_keys,
    fills,
    outcome_of,
)

TRADER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
NAMES = {"OrderExecuted": Executed, "OrderCancelled": Cancelled, "OrderFrozen": Frozen, "reverted": Pending}
KEEPERS = [
    pytest.param(n, s, id=f"{n[:2]}-{s['i']}")
    for n, s in every("tx")
    if s["to_name"] == "OrderHandler" and "outcome" in s
]


def all_logs(name: str, until: int = 10**9) -> list[Log]:
    return [log for s in steps(name, "tx") if s["i"] <= until for log in logs_of(s)]


def after(name: str, s: Step) -> Outcome:
    return outcome_of(s["decoded_call"]["args"]["key"], decode_events(AT, all_logs(name, s["i"])))


def told(s: Step, name: str) -> dict[str, Any]:
    """The values of a transaction's first event of a name."""
    found: dict[str, Any] = next(e["values"] for e in s["events"] if e.get("eventName") == name)
    return found


@pytest.mark.parametrize(("name", "s"), KEEPERS)
def test_a_keeper_s_transaction_has_the_recorded_outcome(name: str, s: Step) -> None:
    """A transaction that reverts leaves nothing: the order is what it was, pending or frozen."""
    found = after(name, s)
    if s["outcome"] == "reverted":
        assert isinstance(found, Pending | Frozen)
    else:
        assert isinstance(found, NAMES[s["outcome"]])


@pytest.mark.parametrize(("name", "s"), KEEPERS)
def test_a_fill_says_what_the_position_s_event_said(name: str, s: Step) -> None:
    """Price, sizes, profit, impact, costs."""
    found = after(name, s)
    if s["outcome"] != "OrderExecuted":
        return
    assert isinstance(found, Executed)
    fill = found.fill
    assert fill
    event = told(s, "PositionIncrease" if fill.is_increase else "PositionDecrease")
    assert (fill.price, fill.size_usd, fill.size_tokens) == (
        int(event["executionPrice"]),
        int(event["sizeDeltaUsd"]),
        int(event["sizeDeltaInTokens"]),
    )
    assert (fill.size_usd_after, fill.collateral_after) == (int(event["sizeInUsd"]), int(event["collateralAmount"]))
    assert fill.cost == int(told(s, "PositionFeesCollected")["totalCostAmount"])
    assert (fill.cause, fill.is_long, fill.market) == (OrderFault.ORDER, event["isLong"], MARKET.token)
    assert fill.is_closed == (int(event["sizeInUsd"]) == 0)


@pytest.mark.parametrize(("name", "s"), KEEPERS)
def test_a_refusal_is_the_recorded_error(name: str, s: Step) -> None:
    """Decoded from the reason's bytes by its selector."""
    found = after(name, s)
    if s["outcome"] not in ("OrderCancelled", "OrderFrozen"):
        return
    assert isinstance(found, Cancelled | Frozen)
    event = next(e for e in s["events"] if e.get("eventName") == s["outcome"])
    reason = event["reasonBytes_decoded"]
    refusal = found.refusal
    assert refusal
    assert refusal.name == reason["signature"].split("(")[0]
    assert refusal.arguments == as_given(reason["args"])
    if isinstance(found, Cancelled):
        assert found.by is Canceller.KEEPER


def test_there_are_outcomes_of_each_kind() -> None:
    """Or the tests above say little."""
    seen = [p.values[1]["outcome"] for p in KEEPERS]  # type: ignore[index, call-overload]
    assert {name: seen.count(name) >= 2 for name in NAMES} == dict.fromkeys(NAMES, True)


# --- logs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_event_is_read_with_every_value(name: str) -> None:
    """By name, whatever the event: also those the keeper has no use for."""
    for s in steps(name, "tx"):
        recorded = [e for e in s["events"] if e.get("eventName")]
        found = decode_events(AT, logs_of(s))
        assert [e.name for e in found] == [e["eventName"] for e in recorded]
        for mine, theirs in zip(found, recorded, strict=True):
            assert {k: lowered(v) for k, v in mine.values.items()} == {
                k: raw(v) if theirs["types"][k] == "bytes" else as_given(v) for k, v in theirs["values"].items()
            }


def lowered(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(lowered(v) for v in value)
    return value.lower() if isinstance(value, str) and value.startswith("0x") else value


def matches(log: Log, topics: Any) -> bool:
    if len(log.topics) < len(topics):
        return False
    return all(
        t is None or x == t or (isinstance(t, list) and x in t) for x, t in zip(log.topics, topics, strict=False)
    )


def test_an_order_s_filter_is_the_one_the_node_was_asked_with() -> None:
    """Scenario 02; ours asks for creations and changes as well."""
    asked = step("02", 50)["params"][0]["topics"]
    ours = order_filter(asked[2])
    assert (ours[0], ours[2]) == (asked[0], asked[2])
    assert set(asked[1]) < set(ours[1] or ())


@pytest.mark.parametrize("name", [n for n in SCENARIOS if n[:2] != "01"])
def test_the_filters_find_everything_of_the_account(name: str) -> None:
    """Orders by the account, positions by the account, fees by the market: with them nothing is missed."""
    logs = all_logs(name)
    filters = [*account_filters(TRADER), fee_filter(MARKET.token)]
    narrow = [log for log in logs if any(matches(log, f) for f in filters)]
    every_event, found = decode_events(AT, logs), decode_events(AT, narrow)
    keys = {e.key() for e in every_event if e.name in ORDER_EVENTS and e.values["account"] == TRADER}
    for key in keys:
        assert outcome_of(key, found) == outcome_of(key, every_event)


def test_the_keys_of_new_orders_are_found_in_their_transaction() -> None:
    """Scenario 07 creates three at once, in the order they were asked for."""
    keys = created_keys(decode_events(AT, logs_of(step("07", 1))), TRADER)
    handled = [s["decoded_call"]["args"]["key"] for s in steps("07", "tx") if function(s) == "executeOrder"]
    assert len(keys) == 3
    assert set(handled) <= set(keys)
    assert created_keys(decode_events(AT, logs_of(step("07", 1))), MARKET.token) == ()


def test_nothing_visible_is_pending_and_not_a_failure() -> None:
    """An order nobody has heard of is pending too: only events end one."""
    assert outcome_of("0x" + "11" * 32, decode_events(AT, all_logs("02"))) == Pending("0x" + "11" * 32, None)


def test_an_order_the_owner_took_back_says_so() -> None:
    """Scenario 06; the reason is plain text there, not an error."""
    key = step("06", 24)["decoded_call"]["args"]["key"]
    found = outcome_of(key, decode_events(AT, all_logs("06")))
    assert isinstance(found, Cancelled)
    assert (found.by, found.refusal) == (Canceller.OWNER, None)


def test_a_frozen_order_that_is_changed_is_pending_again() -> None:
    """Scenario 09: with a new fee it rests as before, and then it is executed."""
    key = step("09", 20)["decoded_call"]["parts"][1]["args"]["key"]
    before = outcome_of(key, decode_events(AT, all_logs("09", 19)))
    between = outcome_of(key, decode_events(AT, all_logs("09", 20)))
    later = outcome_of(key, decode_events(AT, all_logs("09")))
    assert (type(before), type(between), type(later)) == (Frozen, Pending, Executed)


def test_the_stop_that_closes_takes_its_sister_with_it() -> None:
    """Scenario 07: the take-profit is cancelled by itself, which is news but no failure."""
    events = decode_events(AT, all_logs("07"))
    (gone,) = behind_our_back(events, TRADER)
    assert isinstance(gone, Cancelled)
    assert gone.by is Canceller.AUTO
    assert outcome_of(gone.key, events) == gone


def test_a_liquidation_is_noticed() -> None:
    """Scenario 12: it comes as an order nobody placed."""
    events = decode_events(AT, logs_of(step("12", 93)))
    liquidated, order = behind_our_back(events, TRADER)
    assert isinstance(liquidated, Fill)
    assert isinstance(order, Cancelled)
    assert (liquidated.cause, liquidated.is_closed, liquidated.collateral) == (
        OrderFault.LIQUIDATION,
        True,
        USDC.address,
    )
    assert created_keys(events, TRADER) == ()


def test_an_insolvent_close_reports_what_it_cost() -> None:
    """What is collected is told as nothing then, for all went to the pool; what was due is told apart, before it."""
    events = decode_events(AT, logs_of(step("12", 93)))
    collected = next(e for e in events if e.name == "PositionFeesCollected")
    due = replace(collected, name="PositionFeesInfo", values=collected.values | {"totalCostAmount": 48_000_000})
    none = replace(collected, values=collected.values | {"totalCostAmount": 0})
    rest = [e for e in events if e is not collected]
    for insolvent in ([due, none, *rest], [none, due, *rest]):
        (found,) = fills(insolvent)
        assert (found.cost, found.cause) == (48_000_000, OrderFault.LIQUIDATION)


def test_what_is_taken_of_a_loss_beyond_its_cap_is_told() -> None:
    """Taken now, and perhaps claimed later: the owner's collateral is less by it."""
    events = decode_events(AT, logs_of(step("05", 123)))
    capped = [
        replace(e, values=e.values | {"values.priceImpactDiffUsd": 7 * 10**30}) if e.name == "PositionDecrease" else e
        for e in events
    ]
    assert [f.impact_diff for f in fills(events)] == [0]
    assert [f.impact_diff for f in fills(capped)] == [7 * 10**30]


def test_deleveraging_is_noticed() -> None:
    """An ordinary decrease but for the secondary type of its execution."""
    s = step("05", 123)
    events = decode_events(AT, logs_of(s))
    marked = tuple(
        replace(e, values={**e.values, "secondaryOrderType": 1}) if e.name == "OrderExecuted" else e for e in events
    )
    assert behind_our_back(events, TRADER) == ()
    (found,) = behind_our_back(marked, TRADER)
    assert isinstance(found, Fill)
    assert (found.cause, found.is_closed) == (OrderFault.ADL, False)
    outcome = outcome_of(found.order_key, marked)
    assert isinstance(outcome, Executed)
    assert outcome.is_adl


def test_logs_of_others_and_unknown_shapes_are_left_out() -> None:
    """Another emitter, another topic, bytes that are no event: none of them stops the reading."""
    log = next(x for x in logs_of(step("02", 49)) if x.topics[1:] and x.topics[1] == name_topic("OrderExecuted"))
    assert decode_event(AT, log)
    assert decode_event(AT, replace(log, address=AT.reader)) is None
    assert decode_event(AT, replace(log, topics=())) is None
    assert decode_event(AT, replace(log, topics=("0x" + "00" * 32,))) is None
    assert decode_event(AT, replace(log, data=log.data[:100])) is None
    assert decode_event(AT, replace(log, data=b"")) is None


def test_an_event_without_its_usual_values_is_no_fill() -> None:
    """A later generation may name them otherwise: then the execution is known, its figures are not."""
    s = step("02", 49)
    events = [
        replace(e, values={"orderKey": e.values["orderKey"]}) if e.name == "PositionIncrease" else e
        for e in decode_events(AT, logs_of(s))
    ]
    assert fills(events) == ()
    found = outcome_of(s["decoded_call"]["args"]["key"], events)
    assert isinstance(found, Executed)
    assert found.fill is None
