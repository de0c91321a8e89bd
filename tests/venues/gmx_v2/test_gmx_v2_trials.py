"""Orders are tried by what the exchange has: by the router up to v2.2, by the handler from v2.2c on, or not at all."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from gmx_recordings import ADDRESSES, AT, MARKET, USDC, prices_of, step
from test_gmx_v2_orders import TERMS, order
from test_gmx_v2_requests import run

from keeper.core.perp.position import OrderKind
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import load
from keeper.venues.contracts import multicall3
from keeper.venues.gmx_v2.account import WOULD_EXECUTE, GmxAccount
from keeper.venues.gmx_v2.orders import encode_cancel, encode_orders
from keeper.venues.gmx_v2.positions import GmxScope
from keeper.venues.gmx_v2.trials import BY_ROUTER, Trials, Way, discover_trials
from keeper.venues.ports import Answer, Call, Read

TRADER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
HANDLER = Address(ADDRESSES["OrderHandler"])
PRICES = prices_of(step("02", 36)["args"]["prices"])
ROUTER_ABI, HANDLER_ABI = load("gmx_v2_exchange_router"), load("gmx_v2_order_handler")
LATEST, ONE = ROUTER_ABI.simulateExecuteLatestOrder.selector, HANDLER_ABI.simulateExecuteOrder.selector
WRONG_PRICES = bytes.fromhex("663de023" + f"{1:064x}{0:064x}")
KEYS = ["0x" + f"{i:02x}" * 32 for i in (1, 2, 3)]


SENSELESS = (["0x" + "00" * 20], [], 0, 0)
LATEST_ASKED = ROUTER_ABI.simulateExecuteLatestOrder.encode(SENSELESS)
ONE_ASKED = HANDLER_ABI.simulateExecuteOrder.encode(bytes(32), SENSELESS)


def tried(at: Address, data: bytes) -> bytes:
    return multicall3.encode((Read(at, data),))


def exchange(*, latest: bytes = b"", one: bytes = b"", handler: Address | None = HANDLER) -> object:
    """An exchange that answers what is tried with these bytes: none where it lacks the function."""

    def answer(read: Read) -> Answer:
        if read.to == AT.exchange_router:
            assert read.data == ROUTER_ABI.orderHandler.selector
            return None if handler is None else encode(["address"], [handler])
        assert read.to == multicall3.ADDRESS
        said = latest if LATEST in read.data else one if ONE in read.data else None
        assert said is not None
        assert read.data in (tried(AT.exchange_router, LATEST_ASKED), tried(HANDLER, ONE_ASKED))
        return encode(["(bool,bytes)[]"], [[(False, said)]])

    return answer


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (exchange(latest=WRONG_PRICES, one=WRONG_PRICES), BY_ROUTER),
        (exchange(one=WRONG_PRICES), Trials(Way.HANDLER, HANDLER)),
        (exchange(), Trials(Way.NONE)),
        (exchange(handler=None), Trials(Way.NONE)),
        (exchange(handler=Address("0x" + "00" * 20)), Trials(Way.NONE)),
    ],
)
def test_the_way_is_the_one_the_contracts_have(at: object, found: Trials) -> None:
    """What is there answers with an error of its own; what is not reverts with nothing."""
    assert run(discover_trials(AT, multicall3.ADDRESS), at) == found


def account(trials: Trials) -> GmxAccount:
    return GmxAccount(GmxScope(MARKET, TRADER, USDC.address, is_long=False), PRICES, TERMS, trials)


def left(*kinds: OrderKind) -> Call:
    return encode_orders(AT, [order(kind=kind) for kind in kinds], "orders")


APPROVAL = Call(USDC.address, b"\0" * 4, Wei(0), "approve")
MARKET_KINDS = (OrderKind.MARKET_INCREASE, OrderKind.MARKET_DECREASE)


def test_by_the_router_the_order_and_its_trial_are_one_call() -> None:
    """As up to v2.2."""
    call = left(OrderKind.MARKET_INCREASE)
    found = account(BY_ROUTER).as_if_executed([APPROVAL, call], 1_767_225_796, KEYS)
    assert found is not None
    assert (len(found.calls), found.calls[0], found.fine) == (2, APPROVAL, WOULD_EXECUTE)
    (parts,) = ROUTER_ABI.multicall.decode_inputs(found.calls[1].data)
    assert parts[-1][:4] == LATEST


@pytest.mark.parametrize(
    ("calls", "key"),
    [
        ([left(OrderKind.MARKET_DECREASE)], KEYS[0]),
        ([APPROVAL, left(OrderKind.MARKET_INCREASE)], KEYS[0]),
        ([APPROVAL, left(OrderKind.MARKET_INCREASE), left(OrderKind.MARKET_DECREASE)], KEYS[1]),
        ([left(*MARKET_KINDS), left(OrderKind.MARKET_DECREASE)], KEYS[2]),
    ],
)
def test_by_the_handler_the_order_is_left_and_then_tried_by_its_key(calls: list[Call], key: str) -> None:
    """As from v2.2c: everything as it would be sent, and one call more, of whoever sends it, at the same prices."""
    found = account(Trials(Way.HANDLER, HANDLER)).as_if_executed(calls, 1_767_225_796, KEYS)
    assert found is not None
    assert list(found.calls[:-1]) == calls
    last = found.calls[-1]
    assert (last.to, last.value, found.fine) == (HANDLER, 0, WOULD_EXECUTE)
    tried, (tokens, prices, earliest, latest) = HANDLER_ABI.simulateExecuteOrder.decode_inputs(last.data)
    assert "0x" + tried.hex() == key
    assert len(tokens) == len(prices) == 2
    assert 1_767_225_796 < earliest == latest < 1_767_225_796 + 300


@pytest.mark.parametrize("trials", [BY_ROUTER, Trials(Way.HANDLER, HANDLER), Trials(Way.NONE)])
def test_what_leaves_nothing_to_be_filled_is_not_tried(trials: Trials) -> None:
    """A stop waits for its price; a cancellation and an approval leave nothing."""
    mine = account(trials)
    for call in (left(OrderKind.STOP_LOSS), encode_cancel(AT, KEYS[0], ""), APPROVAL):
        assert mine.as_if_executed([call], 0, KEYS) is None
    assert mine.can_try is (trials.way is not Way.NONE)


def test_an_order_that_the_exchange_does_not_list_is_not_tried_by_a_guess() -> None:
    """Its key is the one that is listed after the calls."""
    with pytest.raises(ValueError, match="does not list"):
        account(Trials(Way.HANDLER, HANDLER)).as_if_executed([left(OrderKind.MARKET_DECREASE)], 0, [])
