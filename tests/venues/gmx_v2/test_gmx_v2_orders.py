"""Orders on the wire: every recorded transaction is made byte for byte, and read back as what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from gmx_recordings import AT, MARKET, USDC, WETH, Step, every, function, parts, raw, step, steps
from perp_builders import a_leg, a_position

from keeper.core.perp.moves import (
    AddMargin,
    AllowMargin,
    CancelOrder,
    ClaimFunding,
    PerpMove,
    PlaceOrder,
    TakeMargin,
    Trade,
    UpdateOrder,
)
from keeper.core.perp.position import OrderKind, PerpPosition, VenueOrder
from keeper.core.units import UINT256_MAX, Address, Amount, Wei
from keeper.venues.codec.abi import load
from keeper.venues.effects import Call, Cancels, Carries, Changes, Claims, Closes, Effect, Opens, Orders, Pays
from keeper.venues.gmx_v2.answers import KINDS
from keeper.venues.gmx_v2.effects import decoders
from keeper.venues.gmx_v2.fees import FeeTerms, fee_probe
from keeper.venues.gmx_v2.moves import Execution, encode_move, least_gas
from keeper.venues.gmx_v2.orders import (
    OrderChange,
    OrderRequest,
    encode_cancel,
    encode_change,
    encode_claim,
    encode_orders,
)
from keeper.venues.gmx_v2.positions import GmxScope

TRADER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
TERMS = FeeTerms(600_000, 250_000, 10**30, 3_000_000, 3_000_000, 1_000_000)
EXECUTION = Execution(TERMS, Wei(2 * 10**7))
ROUTER = load("gmx_v2_exchange_router")
SWAPPING = {("08_market_order_cancelled", 32)}
"""A path through pools: no keeper makes one."""
STRAY = {("16_create_errors", 28), ("16_create_errors", 30)}
"""Money left in the router, and somebody taking it."""


def own() -> list[tuple[str, Step]]:
    found = [(n, s) for n, s in every("tx") if s["to_name"] == "ExchangeRouter"]
    return [(n, s) for n, s in found if (n, s["i"]) not in SWAPPING | STRAY]


CASES = [pytest.param(n, s, id=f"{n[:2]}-{s['i']}") for n, s in own()]


def request_of(part: Step, native: int) -> OrderRequest:
    args = part["args"]["params"]
    addresses, numbers = args["addresses"], args["numbers"]
    return OrderRequest(
        kind=KINDS[int(args["orderType"])],
        market=Address(addresses["market"]),
        collateral=Address(addresses["initialCollateralToken"]),
        is_long=args["isLong"],
        receiver=Address(addresses["receiver"]),
        size_usd=int(numbers["sizeDeltaUsd"]),
        acceptable_price=int(numbers["acceptablePrice"]),
        execution_fee=Wei(int(numbers["executionFee"])),
        collateral_amount=int(numbers["initialCollateralDeltaAmount"]),
        trigger_price=int(numbers["triggerPrice"]),
        auto_cancels=args["autoCancel"],
        is_native=native > int(numbers["executionFee"]),
        least_output=int(numbers["minOutputAmount"]),
        valid_from=int(numbers["validFromTime"]),
    )


def requests_of(s: Step) -> list[OrderRequest]:
    native, found = 0, []
    for part in parts(s):
        if function(part) == "sendWnt":
            native = int(part["args"]["amount"])
        elif function(part) == "createOrder":
            found.append(request_of(part, native))
    return found


def change_of(part: Step) -> OrderChange:
    a = part["args"]
    sizes = (int(a["sizeDeltaUsd"]), int(a["acceptablePrice"]), int(a["triggerPrice"]))
    return OrderChange(a["key"], *sizes, a["autoCancel"], int(a["minOutputAmount"]), int(a["validFromTime"]))


def remade(s: Step) -> Call:
    """The transaction again, from its decoded arguments by our encoders."""
    inside = parts(s)
    last = inside[-1]
    match function(last):
        case "createOrder":
            return encode_orders(AT, requests_of(s), "")
        case "updateOrder":
            fee = Wei(int(inside[0]["args"]["amount"])) if len(inside) > 1 else None
            return encode_change(AT, change_of(last), fee, "")
        case "cancelOrder":
            return encode_cancel(AT, last["args"]["key"], "")
        case _:
            a = last["args"]
            return encode_claim(AT, a["markets"], a["tokens"], Address(a["receiver"]), "")


@pytest.mark.parametrize(("name", "s"), CASES)
def test_a_transaction_is_made_byte_for_byte(name: str, s: Step) -> None:
    """To the router, with just the value its parts send on."""
    call = remade(s)
    assert (call.to, call.data, call.value) == (AT.exchange_router, raw(s["calldata"]), int(s["value"]))


def leg_of(of: GmxScope) -> PerpPosition:
    size = 10**19 if of.is_long else -(10**19)
    leg = replace(a_leg(size=size, entry_notional=30_000 * DOLLARS, price_scale=1), market=of.market.token)
    return a_position(replace(leg, index_price=3000 * PRICE), collateral=of.collateral, usd_unit=DOLLARS)


def effects(call: Call, of: GmxScope) -> tuple[Effect, ...]:
    """What the gate is told of a call for a position of 30,000 dollars."""
    return decoders(of, leg_of(of))[call.to](call)


def scope_of(s: Step) -> GmxScope:
    created = [p["args"]["params"] for p in parts(s) if function(p) == "createOrder"]
    if not created:
        return scope()
    return scope(Address(created[0]["addresses"]["initialCollateralToken"]), is_long=created[0]["isLong"])


def call_of(s: Step) -> Call:
    return Call(AT.exchange_router, raw(s["calldata"]), Wei(int(s["value"])), "")


def fits_a_keeper(s: Step) -> bool:
    """Whether what the recordings' trader did is in the form of a keeper: paid in tokens, one collateral and side."""
    created = [p["args"]["params"] for p in parts(s) if function(p) == "createOrder"]
    sides = {(c["isLong"], c["addresses"]["initialCollateralToken"]) for c in created}
    bare = all(c["numbers"]["minOutputAmount"] == "0" and c["numbers"]["validFromTime"] == "0" for c in created)
    native = sum(int(p["args"]["amount"]) for p in parts(s) if function(p) == "sendWnt")
    fees = sum(int(c["numbers"]["executionFee"]) for c in created)
    return len(sides) <= 1 and bare and (not created or native == fees)


@pytest.mark.parametrize(("name", "s"), CASES)
def test_a_transaction_is_read_back_as_what_it_does(name: str, s: Step) -> None:
    """Orders, changes, money and receivers, from the calldata alone."""
    inside, call = parts(s), call_of(s)
    if not fits_a_keeper(s):
        with pytest.raises(ValueError, match=r"."):
            effects(call, scope_of(s))
        return
    found = effects(call, scope_of(s))
    assert sum(e.amount for e in found if isinstance(e, Carries)) == int(s["value"])
    sends = [int(p["args"]["amount"]) for p in inside if function(p) == "sendTokens"]
    assert [e.amount for e in found if isinstance(e, Pays)] == sends
    match function(inside[-1]):
        case "createOrder":
            requests = [r for r in requests_of(s) if r.size_usd]
            trades = [e for e in found if isinstance(e, Opens | Closes | Orders)]
            assert [e.worst_price for e in trades] == [r.acceptable_price for r in requests]
            assert {e.beneficiary for e in found if not isinstance(e, Carries)} == {r.receiver for r in requests_of(s)}  # type: ignore[union-attr]
        case "updateOrder":
            change = change_of(inside[-1])
            (told,) = (e for e in found if isinstance(e, Changes))
            wanted = (change.key, change.trigger_price, change.acceptable_price, change.auto_cancels)
            assert (told.order, told.trigger_price, told.worst_price, told.goes_with_position) == wanted
        case "cancelOrder":
            assert found == (Cancels(inside[-1]["args"]["key"]),)
        case _:
            (claim,) = found
            assert isinstance(claim, Claims)
            assert claim.beneficiary == Address(inside[-1]["args"]["receiver"])


@pytest.mark.parametrize(("name", "number"), sorted(SWAPPING | STRAY))
def test_what_a_keeper_never_does_is_not_read(name: str, number: int) -> None:
    """Swaps, money left in the router, money sent elsewhere."""
    s = step(name[:2], number)
    with pytest.raises(ValueError, match=r"."):
        effects(call_of(s), scope_of(s))


# --- from moves ------------------------------------------------------------------------------------------------------


def scope(token: Address = USDC.address, *, is_long: bool = False) -> GmxScope:
    return GmxScope(MARKET, TRADER, token, is_long)


def known(key: str, *, is_frozen: bool = False, auto: bool = True, kind: OrderKind = OrderKind.STOP_LOSS) -> VenueOrder:
    paid = Wei(0 if is_frozen else 87 * 10**12)
    return VenueOrder(key, kind, MARKET.token, USDC.address, False, 0, 0, 0, 0, is_frozen, auto, paid)


DOLLARS = 10**30
PRICE = 10**12
KEY = "0xb011c73be70ea1e23f4924a5cc40bf30c911bb6ea9eee29520c2d4feab00187d"
OTHER = "0xe4b5ab601c2172ff5e793b8f46ec8f627762f3024addb894f4298e89ccdb1485"
MOVES: list[tuple[str, int, GmxScope, PerpMove, tuple[VenueOrder, ...]]] = [
    (
        "02",
        38,
        scope(),
        Trade(MARKET.token, False, -3 * 10**18, 10_000 * DOLLARS, 2985 * PRICE, margin=2000 * 10**6),
        (),
    ),
    ("04", 39, scope(), AddMargin(MARKET.token, False, USDC.address, Amount(500 * 10**6)), ()),
    ("04", 79, scope(), TakeMargin(MARKET.token, False, USDC.address, Amount(700 * 10**6)), ()),
    (
        "05",
        122,
        scope(),
        Trade(MARKET.token, False, 10**19, 30_000 * DOLLARS, 2915 * PRICE, margin=-1000 * 10**6),
        (),
    ),
    (
        "08",
        39,
        scope(),
        Trade(MARKET.token, False, 10**18, 10_000 * DOLLARS, 2980 * PRICE, is_close=True),
        (),
    ),
    (
        "06",
        2,
        scope(),
        PlaceOrder(OrderKind.STOP_LOSS, MARKET.token, False, 10_000 * DOLLARS, 3300 * PRICE, 3333 * PRICE),
        (),
    ),
    ("06", 15, scope(), UpdateOrder(KEY, 8_000 * DOLLARS, 3250 * PRICE, 3265 * PRICE), (known(KEY),)),
    ("06", 18, scope(), UpdateOrder(KEY, 8_000 * DOLLARS, 3250 * PRICE, 3265 * PRICE), (known(KEY, auto=False),)),
    (
        "09",
        20,
        scope(is_long=True),
        UpdateOrder(OTHER, 10_000 * DOLLARS, 2950 * PRICE, 2960 * PRICE),
        (known(OTHER, is_frozen=True, auto=False, kind=OrderKind.LIMIT_INCREASE),),
    ),
    ("06", 24, scope(), CancelOrder(KEY), ()),
    ("11", 250, scope(), ClaimFunding((MARKET.token,) * 2, (WETH.address, USDC.address)), ()),
]


@pytest.mark.parametrize(("name", "number", "of", "move", "orders"), MOVES)
def test_a_move_is_the_recorded_transaction(
    name: str, number: int, of: GmxScope, move: PerpMove, orders: tuple[VenueOrder, ...]
) -> None:
    """With the fee that its terms and the gas price make."""
    s = step(name, number)
    call = encode_move(of, move, EXECUTION, orders)
    assert (call.to, call.data, call.value) == (AT.exchange_router, raw(s["calldata"]), int(s["value"]))
    assert call.purpose


def test_an_approval_is_for_the_router_and_not_for_the_exchange_router() -> None:
    """The contract that moves tokens is another than the one that is called."""
    call = encode_move(scope(), AllowMargin(USDC.address, Amount(5)), EXECUTION)
    spender, amount = load("erc20").approve.decode_inputs(call.data)
    assert (call.to, Address(spender).lower(), amount, call.value) == (USDC.address, AT.router.lower(), 5, 0)


@pytest.mark.parametrize(
    "move",
    [
        AddMargin(USDC.address, False, USDC.address, Amount(1)),
        AddMargin(MARKET.token, True, USDC.address, Amount(1)),
        AddMargin(MARKET.token, False, WETH.address, Amount(1)),
        Trade(MARKET.token, False, -1, 1, 1, margin=-1),
        Trade(MARKET.token, False, 1, 1, 1, margin=1),
        UpdateOrder(KEY, 1, 1, 1),
    ],
)
def test_a_move_that_is_not_the_position_s_is_not_encoded(move: PerpMove) -> None:
    """Another market, side or collateral; margin the wrong way; an order nobody knows."""
    with pytest.raises(ValueError, match=r"."):
        encode_move(scope(), move, EXECUTION)


def test_only_a_cancellation_needs_more_gas_than_it_uses() -> None:
    """Scenario 06: 900,000 are too few although 570,000 are used."""
    assert least_gas(CancelOrder(KEY)) >= 1_500_000
    assert least_gas(UpdateOrder(KEY, 1, 1, 1)) == 0


# --- fees ------------------------------------------------------------------------------------------------------------


def test_the_fee_is_the_least_that_is_accepted() -> None:
    """Scenario 16: one wei less fails. The multiplier applies to the order's own estimate only."""
    recorded = {raw(s["calldata"]): raw(s["result"]) for s in steps("01", "read")}
    probe = fee_probe(AT)
    terms = probe.decode([recorded[read.data] for read in probe.reads])
    assert terms == TERMS
    least = int(step("16", 1)["error"]["args"]["minExecutionFee"])
    assert terms.fee(OrderKind.MARKET_INCREASE, Wei(10**7)) == least
    assert replace(terms, multiplier=2 * 10**30).gas(OrderKind.STOP_LOSS) == 600_000 + 750_000 + 6_000_000
    assert terms.gas(OrderKind.MARKET_INCREASE, swaps=2) == 137 * 10**12 // (2 * 10**7)


def resting(**changes: Any) -> VenueOrder:
    usual = VenueOrder(
        KEY, OrderKind.STOP_LOSS, MARKET.token, USDC.address, False, DOLLARS, 1, 1, 0, False, True, Wei(87 * 10**12)
    )
    return replace(usual, **changes)


GAS = TERMS.gas(OrderKind.STOP_LOSS)


@pytest.mark.parametrize(
    ("order", "gas_price", "sent"),
    [
        (resting(), 2 * 10**8, GAS * 2 * 10**8 - 87 * 10**12),
        (resting(execution_fee=Wei(GAS * 2 * 10**8 - 1)), 2 * 10**8, 1),
        (resting(execution_fee=Wei(GAS * 2 * 10**8)), 2 * 10**8, 0),
        (resting(execution_fee=Wei(10**18)), 2 * 10**8, 0),
        (resting(execution_fee=Wei(0), is_frozen=True), 2 * 10**8, GAS * 2 * 10**8),
        (resting(execution_fee=Wei(10**10), is_frozen=True), 2 * 10**8, GAS * 2 * 10**8 - 10**10),
        (resting(execution_fee=Wei(0), swaps=1), 10**7, TERMS.gas(OrderKind.STOP_LOSS, swaps=1) * 10**7),
        (
            resting(execution_fee=Wei(0), callback_gas=200_000),
            10**7,
            TERMS.gas(OrderKind.STOP_LOSS, callback_gas=200_000) * 10**7,
        ),
    ],
)
def test_a_change_brings_what_the_order_lacks_of_the_fee_of_now(order: VenueOrder, gas_price: int, sent: int) -> None:
    """updateOrder wants the fee of the present gas price for every order, frozen or not."""
    move = UpdateOrder(KEY, DOLLARS, 3300 * PRICE, 3333 * PRICE)
    call = encode_move(scope(), move, Execution(TERMS, Wei(gas_price)), (order,))
    *carried, change = effects(call, scope())
    assert (call.value, carried) == (sent, [Carries(sent)] if sent else [])
    assert isinstance(change, Changes)
    assert change.order == KEY


# --- the gate --------------------------------------------------------------------------------------------------------


def order(**changes: Any) -> OrderRequest:
    plain = OrderRequest(
        kind=OrderKind.MARKET_INCREASE,
        market=MARKET.token,
        collateral=USDC.address,
        is_long=False,
        receiver=TRADER,
        size_usd=DOLLARS,
        acceptable_price=0,
        execution_fee=Wei(10**14),
        collateral_amount=10**6,
    )
    return replace(plain, **changes)


def test_all_receivers_are_told() -> None:
    """So that the gate can see that each of them is the owner; whoever gets a cancelled order back is the sender."""
    other = Address("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc")
    call = encode_orders(AT, [order(), order(receiver=other)], "")
    found = effects(call, scope())
    assert [e.beneficiary for e in found if isinstance(e, Pays | Opens)] == [TRADER, TRADER, other, other]
    with pytest.raises(ValueError, match="another receiver"):
        effects(encode_orders(AT, [order(cancellation_receiver=other)], ""), scope())


@pytest.mark.parametrize("off", [-1, 1, 10**18])
def test_a_value_other_than_what_is_sent_on_is_refused(off: int) -> None:
    """Less fails on chain; more stays in the router, where anybody can take it."""
    call = encode_orders(AT, [order()], "")
    with pytest.raises(ValueError, match="not what the orders use"):
        effects(replace(call, value=Wei(call.value + off)), scope())
    cancel = encode_cancel(AT, KEY, "")
    with pytest.raises(ValueError, match="stay in the router"):
        effects(replace(cancel, value=Wei(1)), scope())


def inside(call: Call) -> list[bytes]:
    return list(ROUTER.multicall.decode_inputs(call.data)[0])


def test_money_for_anywhere_but_the_vault_is_refused() -> None:
    """Native or tokens."""
    wnt, tokens, create = inside(encode_orders(AT, [order()], ""))
    for bad in (
        [ROUTER.sendWnt.encode(TRADER, 10**14), tokens, create],
        [wnt, ROUTER.sendTokens.encode(USDC.address, TRADER, 10**6), create],
    ):
        with pytest.raises(ValueError, match="not the order vault"):
            effects(Call(AT.exchange_router, ROUTER.multicall.encode(bad), Wei(10**14), ""), scope())


def test_money_that_no_order_uses_is_refused() -> None:
    """It would go to whoever creates the next one."""
    wnt, tokens, create = inside(encode_orders(AT, [order()], ""))
    for bad in ([wnt, tokens], [wnt, tokens, tokens, create], [tokens, create, wnt], [wnt, create]):
        with pytest.raises(ValueError, match=r"."):
            effects(Call(AT.exchange_router, ROUTER.multicall.encode(bad), Wei(10**14), ""), scope())


@pytest.mark.parametrize(
    ("place", "value"),
    [("callback", 2), ("interface", 3), ("path", 6), ("swap", 0), ("unwrap", 1), ("code", 2), ("data", 3)],
)
def test_what_a_keeper_does_not_use_is_refused_in_an_order(place: str, value: int) -> None:
    """Callbacks, interface fees, swap paths, profit swaps, unwrapping, referral codes, data."""
    other = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"
    wnt, tokens, create = inside(encode_orders(AT, [order()], ""))
    ((addresses, numbers, kind, swap, is_long, unwraps, auto, code, data),) = ROUTER.createOrder.decode_inputs(create)
    where = list(addresses)
    if place in ("callback", "interface", "path"):
        where[value] = [MARKET.token] if place == "path" else other
    changed = (
        tuple(where),
        numbers,
        kind,
        1 if place == "swap" else swap,
        is_long,
        place == "unwrap" or unwraps,
        auto,
        b"\x01" * 32 if place == "code" else code,
        [b"\x01" * 32] if place == "data" else data,
    )
    bad = ROUTER.multicall.encode([wnt, tokens, ROUTER.createOrder.encode(changed)])
    with pytest.raises(ValueError, match=r"."):
        effects(Call(AT.exchange_router, bad, Wei(10**14), ""), scope())


@pytest.mark.parametrize("kind", [0, 1, 7])
def test_swaps_and_liquidations_are_no_keeper_s_orders(kind: int) -> None:
    """Whatever else is right about them."""
    wnt, tokens, create = inside(encode_orders(AT, [order()], ""))
    ((addresses, numbers, _, *rest),) = ROUTER.createOrder.decode_inputs(create)
    bad = ROUTER.multicall.encode([wnt, tokens, ROUTER.createOrder.encode((addresses, numbers, kind, *rest))])
    with pytest.raises(ValueError, match="order type"):
        effects(Call(AT.exchange_router, bad, Wei(10**14), ""), scope())


def test_the_whole_position_can_be_told_to_a_resting_order() -> None:
    """2^256 - 1 is cut to what there is when it is executed."""
    move = PlaceOrder(OrderKind.STOP_LOSS, MARKET.token, False, UINT256_MAX, 3300 * PRICE, 3333 * PRICE)
    call = encode_move(scope(), move, EXECUTION)
    fee, found = effects(call, scope())
    assert isinstance(fee, Carries)
    assert isinstance(found, Orders)
    assert (found.size, found.goes_with_position, found.opens) == (None, True, False)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"least_output": 1}, "least output"),
        ({"valid_from": 1}, "a time"),
        ({"trigger_price": 1}, "trigger"),
        ({"auto_cancels": True}, "trigger"),
        ({"is_native": True}, "does not use"),
        ({"market": USDC.address}, "another market"),
        ({"is_long": True}, "another market or side"),
        ({"collateral": WETH.address}, "is not the collateral"),
    ],
)
def test_an_order_in_another_form_than_a_keeper_s_is_refused(changes: dict[str, Any], why: str) -> None:
    """What our encoder could make and no move asks for."""
    with pytest.raises(ValueError, match=why):
        effects(encode_orders(AT, [order(**changes)], ""), scope())
