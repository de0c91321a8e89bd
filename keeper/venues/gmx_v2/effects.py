"""What calls to GMX v2's ExchangeRouter do: the gate's own reading of them, apart from ``orders``, which makes them.

A ``multicall`` sends what its orders need to the order vault and creates them, each right after its own money; or it
pays what a changed order lacks. What is left in the router is anybody's, so nothing may be left there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.units import Address, mul_div_up
from keeper.venues.codec.calldata import Signature, decoder, refuse, signature
from keeper.venues.contracts.effects import token_decoders
from keeper.venues.effects import (
    Call,
    Cancels,
    Carries,
    Changes,
    Claims,
    Closes,
    Decoder,
    Effect,
    Opens,
    Orders,
    Pays,
    Takes,
)
from keeper.venues.gmx_v2.positions import GmxScope

ZERO = Address("0x" + "00" * 20)
MULTICALL = signature("multicall(bytes[])")
SEND_NATIVE = signature("sendWnt(address,uint256)")
SEND_TOKENS = signature("sendTokens(address,address,uint256)")
CREATE = signature(
    "createOrder(((address,address,address,address,address,address,address[]),"
    "(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256),uint8,uint8,bool,bool,bool,bytes32,bytes32[]))"
)
CHANGE = signature("updateOrder(bytes32,uint256,uint256,uint256,uint256,uint256,bool)")
CANCEL = signature("cancelOrder(bytes32)")
CLAIM = signature("claimFundingFees(address[],address[],address)")

MARKET_INCREASE, LIMIT_INCREASE, MARKET_DECREASE, LIMIT_DECREASE, STOP_LOSS, STOP_INCREASE = 2, 3, 4, 5, 6, 8
"""Order.OrderType of gmx-synthetics; swaps (0, 1) and liquidations (7) are no keeper's."""
AT_ONCE = (MARKET_INCREASE, MARKET_DECREASE)
INCREASES = (MARKET_INCREASE, LIMIT_INCREASE, STOP_INCREASE)
ANY_PRICE = (0, 2**256 - 1)
"""What an order says that trades nothing: its price is none."""
KNOWN = (*AT_ONCE, LIMIT_INCREASE, LIMIT_DECREASE, STOP_LOSS, STOP_INCREASE)


def decoders(scope: GmxScope, position: PerpPosition) -> Mapping[Address, Decoder]:
    """Return the contracts that calls for a position go to, and what calls to each do."""
    at, leg = scope.market.deployment, position.legs[0]
    return {
        **token_decoders([scope.collateral], [at.router]),
        at.exchange_router: lambda call: _effects(call, scope, leg),
    }


def left_by(call: Call, scope: GmxScope) -> tuple[bool, ...]:
    """Return for each order that a call leaves whether it rests; nothing for what is no call that leaves orders."""
    if call.data[:4] != MULTICALL.selector:
        return ()
    try:
        return tuple(order.rests for order, _, _ in _created(call, scope))
    except ValueError:
        return ()


def _effects(call: Call, scope: GmxScope, leg: PerpLeg) -> tuple[Effect, ...]:
    if call.data[:4] != MULTICALL.selector:
        refuse(call.value != 0, f"{call.value} wei that would stay in the router")
        return _single(scope, leg)(call)
    (parts,) = MULTICALL.read(call.data)
    if parts and parts[-1][:4] == CHANGE.selector:
        return _paid_change(call, scope, leg, parts)
    made = _created(call, scope)
    return tuple(effect for order, native, paid in made for effect in _of_order(order, native, paid, scope, leg))


def _single(scope: GmxScope, leg: PerpLeg) -> Decoder:
    def claim(markets: Sequence[Address], tokens: Sequence[Address], receiver: Address) -> tuple[Effect, ...]:
        if len(markets) != len(tokens):
            raise ValueError("a claim needs a token for each market")
        return (Claims(tuple(zip(markets, tokens, strict=True)), receiver),)

    return decoder(
        {
            CHANGE.text: lambda *args: (_change(args, scope, leg),),
            CANCEL.text: lambda key: (Cancels("0x" + key.hex()),),
            CLAIM.text: claim,
        }
    )


def _paid_change(call: Call, scope: GmxScope, leg: PerpLeg, parts: Sequence[bytes]) -> tuple[Effect, ...]:
    if len(parts) != 2:
        raise ValueError("a change of an order goes alone, with its fee")
    fee = _to_vault(scope, *SEND_NATIVE.read(parts[0]))
    if not fee or fee != call.value:
        raise ValueError("what is sent is not what the orders use")
    return Carries(fee), _change(CHANGE.read(parts[1]), scope, leg)


def _change(args: Sequence[Any], scope: GmxScope, leg: PerpLeg) -> Effect:
    key, dollars, worst, trigger, least_output, valid_from, is_automatic = args
    refuse(least_output != 0 or valid_from != 0, "a least output or a time of an order")
    size = mul_div_up(abs(leg.size), dollars, leg.entry_notional) if leg.entry_notional > 0 else dollars
    return Changes("0x" + key.hex(), size, trigger, worst, is_automatic)


@dataclass(frozen=True, slots=True)
class _Created:
    """One order as the calldata has it, of the scope's market, side and collateral."""

    type: int
    receiver: Address
    dollars: int
    amount: int
    trigger: int
    worst: int
    fee: int
    is_automatic: bool

    @property
    def rests(self) -> bool:
        """Whether it waits for a price."""
        return self.type not in AT_ONCE

    @property
    def is_increase(self) -> bool:
        """Whether it adds to the position."""
        return self.type in INCREASES


def _created(call: Call, scope: GmxScope) -> list[tuple[_Created, int, list[tuple[Address, int]]]]:
    """Return the orders, each with the native currency and the tokens that are sent just before it."""
    (parts,) = MULTICALL.read(call.data)
    made = list[tuple[_Created, int, list[tuple[Address, int]]]]()
    native, paid, total = 0, list[tuple[Address, int]](), 0
    for part in parts:
        if part[:4] == SEND_NATIVE.selector:
            native += _to_vault(scope, *SEND_NATIVE.read(part))
        elif part[:4] == SEND_TOKENS.selector:
            token, *rest = SEND_TOKENS.read(part)
            paid.append((token, _to_vault(scope, *rest)))
        else:
            made.append((_order(CREATE, part, scope), native, paid))
            total, native, paid = total + native, 0, []
    if native or paid or total != call.value or not made:
        raise ValueError("what is sent is not what the orders use")
    return made


def _order(of: Signature, part: bytes, scope: GmxScope) -> _Created:
    ((addresses, numbers, kind, swaps, is_long, unwraps, is_automatic, code, data),) = of.read(part)
    receiver, cancellation_receiver, callback, interface, market, collateral, path = addresses
    dollars, amount, trigger, worst, fee, callback_gas, least_output, valid_from = numbers
    refuse(kind not in KNOWN, f"order type {kind}")
    refuse(bool(path or swaps or data or any(code) or unwraps), "a swap, a code, data or unwrapping in an order")
    refuse(callback != ZERO or interface != ZERO or callback_gas != 0, "a callback or an interface fee in an order")
    refuse(cancellation_receiver != ZERO, "another receiver of what a cancelled order gives back")
    refuse(least_output != 0 or valid_from != 0, "a least output or a time of an order")
    if kind in AT_ONCE:
        refuse(trigger != 0 or is_automatic, "a market order with a trigger")
    if (market, is_long) != (scope.market.token, scope.is_long):
        raise ValueError("an order of another market or side")
    if collateral != scope.collateral:
        raise ValueError(f"{collateral} is not the collateral")
    return _Created(kind, receiver, dollars, amount, trigger, worst, fee, is_automatic)


def _of_order(
    order: _Created, native: int, paid: Sequence[tuple[Address, int]], scope: GmxScope, leg: PerpLeg
) -> tuple[Effect, ...]:
    """Return what an order does, with what it carries and the margin it takes along. Raises ValueError."""
    collateral, router = scope.collateral, scope.market.deployment.router
    expected = [(collateral, order.amount)] if order.is_increase and order.amount else []
    if native != order.fee or list(paid) != expected:
        raise ValueError("an order that does not use what is sent with it")
    margin = tuple[Effect, ...]()
    if order.amount and order.is_increase:
        margin = (Pays(collateral, order.amount, order.receiver, router),)
    elif order.amount:
        margin = (Takes(collateral, order.amount, order.receiver),)
    if order.dollars:
        return Carries(native), *margin, _trade(order, scope, leg)
    refuse(order.rests or not margin, "an order of nothing")
    refuse(order.worst not in ANY_PRICE, "a price of an order that trades nothing")
    return Carries(native), *margin


def _trade(order: _Created, scope: GmxScope, leg: PerpLeg) -> Effect:
    market, is_long, receiver = scope.market.token, scope.is_long, order.receiver
    if order.rests:
        size = _opened(order.dollars, leg) if order.is_increase else _size(order.dollars, leg)
        prices = (order.trigger, order.worst)
        return Orders(market, is_long, size, *prices, order.is_increase, receiver, order.is_automatic)
    if order.is_increase:
        return Opens(market, is_long, _opened(order.dollars, leg), order.worst, receiver)
    return Closes(market, is_long, _size(order.dollars, leg), order.worst, receiver)


def _opened(dollars: int, leg: PerpLeg) -> int:
    """Return dollars as a size at the index price of now, rounded up."""
    return mul_div_up(dollars, leg.price_scale, max(1, leg.index_price))


def _size(dollars: int, leg: PerpLeg) -> int | None:
    """Return dollars of the opening as the size they close, rounded up; None for all of it or more."""
    if dollars >= leg.entry_notional:
        return None
    return mul_div_up(abs(leg.size), dollars, leg.entry_notional)


def _to_vault(scope: GmxScope, receiver: Address, amount: int) -> int:
    vault = scope.market.deployment.order_vault
    if receiver != vault:
        raise ValueError(f"money for {receiver}, which is not the order vault")
    return amount
