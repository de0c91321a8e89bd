"""GMX v2 orders on the wire: how they are made, and how calldata is read back.

An order is two transactions: ours leaves it with what it needs (the execution fee in wrapped native currency, the
collateral of an increase), a keeper of the exchange executes it later. Everything of one order goes in one
``ExchangeRouter.multicall``: what is sent to the vault outside of it belongs to whoever creates the next order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.perp.position import OrderKind
from keeper.core.units import Address, Amount, Wei
from keeper.venues.codec.abi import address, load
from keeper.venues.gmx_v2.answers import KINDS, ORDER_TYPES
from keeper.venues.gmx_v2.fees import INCREASES
from keeper.venues.gmx_v2.markets import Deployment
from keeper.venues.ports import Call

ROUTER = load("gmx_v2_exchange_router")
NOBODY = Address("0x" + "00" * 20)
NO_CODE = bytes(32)
NO_FEE = Wei(0)
CANCEL_GAS = 1_700_000
"""Least gas limit of a cancellation: it uses a third of it, but wants a reserve (InsufficientGasForCancellation)."""
AUTO_CANCELS = (OrderKind.STOP_LOSS, OrderKind.TAKE_PROFIT)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order to create. Dollars and prices have 30 decimals; ``collateral_amount`` goes in, or comes out."""

    kind: OrderKind
    market: Address
    collateral: Address
    is_long: bool
    receiver: Address
    size_usd: int
    acceptable_price: int
    execution_fee: Wei
    collateral_amount: int = 0
    trigger_price: int = 0
    auto_cancels: bool = False
    is_native: bool = False
    """Whether the collateral is paid in native currency, on top of the fee."""
    least_output: int = 0
    valid_from: int = 0
    cancellation_receiver: Address = NOBODY

    @property
    def is_increase(self) -> bool:
        """Whether it adds to a position."""
        return self.kind in INCREASES


@dataclass(frozen=True, slots=True)
class OrderChange:
    """New values of a resting order: all of them are overwritten."""

    key: str
    size_usd: int
    acceptable_price: int
    trigger_price: int
    auto_cancels: bool
    least_output: int = 0
    valid_from: int = 0


def encode_orders(deployment: Deployment, requests: Sequence[OrderRequest], purpose: str) -> Call:
    """Return the one call that creates orders, each with its own fee and collateral; its value is what it sends."""
    parts, value = list[bytes](), 0
    for request in requests:
        is_paid = request.is_increase and request.collateral_amount > 0
        native = request.execution_fee + (request.collateral_amount if request.is_native and is_paid else 0)
        parts.append(ROUTER.sendWnt.encode(deployment.order_vault, native))
        if is_paid and not request.is_native:
            amount = request.collateral_amount
            parts.append(ROUTER.sendTokens.encode(request.collateral, deployment.order_vault, amount))
        parts.append(ROUTER.createOrder.encode(_params(request)))
        value += native
    return Call(deployment.exchange_router, ROUTER.multicall.encode(parts), Wei(value), purpose)


def encode_change(deployment: Deployment, change: OrderChange, fee: Wei | None, purpose: str) -> Call:
    """Return the call that changes a resting order; ``fee`` is what it lacks of the fee it needs now."""
    data = ROUTER.updateOrder.encode(
        bytes.fromhex(change.key[2:]),
        change.size_usd,
        change.acceptable_price,
        change.trigger_price,
        change.least_output,
        change.valid_from,
        change.auto_cancels,
    )
    if fee is None:
        return Call(deployment.exchange_router, data, Wei(0), purpose)
    parts = [ROUTER.sendWnt.encode(deployment.order_vault, fee), data]
    return Call(deployment.exchange_router, ROUTER.multicall.encode(parts), fee, purpose)


def encode_cancel(deployment: Deployment, key: str, purpose: str) -> Call:
    """Return the call that takes an order back; it needs a gas limit of ``CANCEL_GAS``."""
    data = ROUTER.cancelOrder.encode(bytes.fromhex(key[2:]))
    return Call(deployment.exchange_router, data, Wei(0), purpose, CANCEL_GAS)


def encode_claim(
    deployment: Deployment, markets: Sequence[Address], tokens: Sequence[Address], receiver: Address, purpose: str
) -> Call:
    """Return the call that collects claimable funding: one token for each market named, as often as needed."""
    data = ROUTER.claimFundingFees.encode(list(markets), list(tokens), receiver)
    return Call(deployment.exchange_router, data, Wei(0), purpose)


def _params(request: OrderRequest) -> tuple[object, ...]:
    addresses: tuple[object, ...] = (
        request.receiver,
        request.cancellation_receiver,
        NOBODY,
        NOBODY,
        request.market,
        request.collateral,
        [],
    )
    numbers = (
        request.size_usd,
        request.collateral_amount,
        request.trigger_price,
        request.acceptable_price,
        request.execution_fee,
        0,
        request.least_output,
        request.valid_from,
    )
    kind = ORDER_TYPES[request.kind]
    return (addresses, numbers, kind, 0, request.is_long, False, request.auto_cancels, NO_CODE, [])


# --- read back -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecodedCall:
    """What calldata to the ExchangeRouter would do. Whoever lets it pass still has to like what it says.

    ``sent`` is what leaves the wallet in tokens, ``fees`` what is paid for executions, ``receivers`` whoever is named
    to get anything. Callbacks, interface fees, referral codes, swaps and data lists are never in it: they are refused.
    """

    orders: tuple[OrderRequest, ...] = ()
    change: OrderChange | None = None
    cancelled: str | None = None
    claims: tuple[tuple[Address, Address], ...] = ()
    sent: tuple[tuple[Address, Amount], ...] = ()
    fees: Wei = NO_FEE
    receivers: frozenset[Address] = frozenset()


def decode_call(deployment: Deployment, calldata: bytes, value: Wei) -> DecodedCall:
    """Return what a call to the ExchangeRouter does. Raises ValueError for anything a keeper does not do.

    That includes a value other than what is sent on (what is left in the router is anybody's), money to other places
    than the order vault, and money that no order of the same call uses.
    """
    if calldata[:4] == ROUTER.multicall.selector:
        (parts,) = ROUTER.multicall.decode_inputs(calldata)
        return _many(deployment, parts, value)
    if value:
        raise ValueError(f"{value} wei would stay in the router")
    if calldata[:4] == ROUTER.claimFundingFees.selector:
        markets, tokens, receiver = ROUTER.claimFundingFees.decode_inputs(calldata)
        if len(markets) != len(tokens):
            raise ValueError("a claim needs a token for each market")
        claims = tuple((address(m), address(t)) for m, t in zip(markets, tokens, strict=True))
        return DecodedCall(claims=claims, receivers=frozenset({address(receiver)}))
    if calldata[:4] == ROUTER.cancelOrder.selector:
        (key,) = ROUTER.cancelOrder.decode_inputs(calldata)
        return DecodedCall(cancelled="0x" + key.hex())
    return DecodedCall(change=_change(calldata))


def _many(deployment: Deployment, parts: Sequence[bytes], value: Wei) -> DecodedCall:
    orders, sent, fees, total = list[OrderRequest](), list[tuple[Address, Amount]](), 0, 0
    change: OrderChange | None = None
    native, paid = 0, list[tuple[Address, int]]()
    for part in parts:
        if part[:4] == ROUTER.sendWnt.selector:
            native += _to_vault(deployment, *ROUTER.sendWnt.decode_inputs(part))
        elif part[:4] == ROUTER.sendTokens.selector:
            token, *rest = ROUTER.sendTokens.decode_inputs(part)
            paid.append((address(token), _to_vault(deployment, *rest)))
        elif part[:4] == ROUTER.createOrder.selector:
            request = _request(part, native, paid)
            orders.append(request)
            sent += [(token, Amount(amount)) for token, amount in paid]
            if request.is_native:
                sent.append((request.collateral, Amount(request.collateral_amount)))
            fees += request.execution_fee
            total, native, paid = total + native, 0, []
        else:
            if change or orders or paid or not native:
                raise ValueError("a change of an order goes alone, with its fee")
            change = _change(part)
            fees, total, native = native, native, 0
    if native or paid or total != value:
        raise ValueError("what is sent is not what the orders use")
    receivers = frozenset(a for o in orders for a in (o.receiver, o.cancellation_receiver) if a != NOBODY)
    return DecodedCall(tuple(orders), change, sent=tuple(sent), fees=Wei(fees), receivers=receivers)


def _to_vault(deployment: Deployment, receiver: str, amount: int) -> int:
    if address(receiver) != deployment.order_vault:
        raise ValueError(f"money for {receiver}, which is not the order vault")
    return amount


def _change(calldata: bytes) -> OrderChange:
    key, size, acceptable, trigger, output, valid_from, auto = ROUTER.updateOrder.decode_inputs(calldata)
    return OrderChange("0x" + key.hex(), size, acceptable, trigger, auto, output, valid_from)


def _request(calldata: bytes, native: int, paid: Sequence[tuple[Address, int]]) -> OrderRequest:
    ((addresses, numbers, kind, swap_type, is_long, unwraps, auto_cancels, code, data),) = (
        ROUTER.createOrder.decode_inputs(calldata)
    )
    receiver, cancellation, callback, interface, market, collateral, path = addresses
    size, amount, trigger, acceptable, fee, callback_gas, output, valid_from = numbers
    if kind not in KINDS:
        raise ValueError(f"order type {kind} is none a keeper creates")
    if path or swap_type or data or any(code) or callback_gas or unwraps:
        raise ValueError("a swap, a code, data or unwrapping in an order")
    if int(callback, 16) or int(interface, 16):
        raise ValueError("a callback or an interface fee in an order")
    request = OrderRequest(
        kind=KINDS[kind],
        market=address(market),
        collateral=address(collateral),
        is_long=is_long,
        receiver=address(receiver),
        size_usd=size,
        acceptable_price=acceptable,
        execution_fee=Wei(fee),
        collateral_amount=amount,
        trigger_price=trigger,
        auto_cancels=auto_cancels,
        is_native=native > fee,
        least_output=output,
        valid_from=valid_from,
        cancellation_receiver=address(cancellation),
    )
    brings = amount if request.is_increase else 0
    expected = [] if not brings or request.is_native else [(request.collateral, brings)]
    if native != fee + (brings if request.is_native else 0) or list(paid) != expected:
        raise ValueError("an order that does not use what is sent with it")
    return request
