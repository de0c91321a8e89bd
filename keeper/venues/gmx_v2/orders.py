"""GMX v2 orders on the wire: how they are made. ``effects`` reads them back for the gate.

An order is two transactions: ours leaves it with what it needs (the execution fee in wrapped native currency, the
collateral of an increase), a keeper of the exchange executes it later. Everything of one order goes in one
``ExchangeRouter.multicall``: what is sent to the vault outside of it belongs to whoever creates the next order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.perp.position import OrderKind
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import load
from keeper.venues.gmx_v2.answers import ORDER_TYPES
from keeper.venues.gmx_v2.fees import INCREASES
from keeper.venues.gmx_v2.markets import GmxDeployment
from keeper.venues.ports import Call

ROUTER = load("gmx_v2_exchange_router")
NOBODY = Address("0x" + "00" * 20)
NO_CODE = bytes(32)
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


def encode_orders(deployment: GmxDeployment, requests: Sequence[OrderRequest], purpose: str) -> Call:
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


def encode_change(deployment: GmxDeployment, change: OrderChange, fee: Wei | None, purpose: str) -> Call:
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


def encode_cancel(deployment: GmxDeployment, key: str, purpose: str) -> Call:
    """Return the call that takes an order back; it needs a gas limit of ``CANCEL_GAS``."""
    data = ROUTER.cancelOrder.encode(bytes.fromhex(key[2:]))
    return Call(deployment.exchange_router, data, Wei(0), purpose, CANCEL_GAS)


def encode_claim(
    deployment: GmxDeployment, markets: Sequence[Address], tokens: Sequence[Address], receiver: Address, purpose: str
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
