"""From moves to GMX v2 calls: market orders for what is to happen now, resting ones for the second line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from keeper.core.perp.position import OrderKind, VenueOrder
from keeper.core.units import Wei
from keeper.venues.contracts import erc20
from keeper.venues.gmx_v2.fees import FeeTerms
from keeper.venues.gmx_v2.formulas import any_price
from keeper.venues.gmx_v2.orders import (
    AUTO_CANCELS,
    CANCEL_GAS,
    OrderChange,
    OrderRequest,
    encode_cancel,
    encode_change,
    encode_claim,
    encode_orders,
)
from keeper.venues.gmx_v2.positions import GmxScope
from keeper.venues.ports import Call

OrderMove = AddMargin | TakeMargin | Trade | PlaceOrder
"""Moves that leave an order with the exchange."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What the exchange's keepers are paid by: terms read at the block, and the most we pay for gas ourselves."""

    terms: FeeTerms
    gas_price: Wei

    def fee(self, kind: OrderKind) -> Wei:
        """Return the execution fee of an order."""
        return self.terms.fee(kind, self.gas_price)

    def missing(self, order: VenueOrder) -> Wei | None:
        """Return what an order lacks of the fee it would need now: a change is refused unless it is paid. None if none.

        Gas may have become dearer since it was placed; of a frozen order nothing is left.
        """
        gas = self.terms.gas(order.kind, order.swaps, order.callback_gas)
        lacks = gas * self.gas_price - order.execution_fee
        return Wei(lacks) if lacks > 0 else None


def encode_moves(
    scope: GmxScope, moves: Sequence[PerpMove], execution: Execution, orders: Sequence[VenueOrder] = ()
) -> tuple[Call, ...]:
    """Return a call for each move; ``orders`` are the account's, for those that are changed."""
    return tuple(encode_move(scope, move, execution, orders) for move in moves)


def encode_move(scope: GmxScope, move: PerpMove, execution: Execution, orders: Sequence[VenueOrder] = ()) -> Call:
    """Return the call of a move, always for the owner and with the owner as receiver.

    Raises ValueError for a move of another market, side or collateral than the scope's, and for an order not known.
    """
    at, symbol = scope.market.deployment, scope.market.symbol
    match move:
        case AllowMargin(asset, amount):
            return erc20.encode_approve(asset, scope.market.collateral(asset).symbol, at.router, amount, "GMX")
        case AddMargin() | TakeMargin() | Trade() | PlaceOrder():
            return encode_orders(at, [order_request(scope, move, execution)], _purpose(move, symbol))
        case UpdateOrder(key, size_usd, trigger_price, acceptable_price):
            order = _known(key, orders)
            change = OrderChange(key, size_usd, acceptable_price, trigger_price, order.auto_cancels)
            return encode_change(
                at, change, execution.missing(order), f"change the {_word(order.kind)} of {symbol} on GMX"
            )
        case CancelOrder(key):
            return encode_cancel(at, key, f"cancel an order of {symbol} on GMX")
        case ClaimFunding(markets, tokens):
            return encode_claim(at, markets, tokens, scope.owner, "claim funding on GMX")


def order_request(
    scope: GmxScope, move: AddMargin | TakeMargin | Trade | PlaceOrder, execution: Execution
) -> OrderRequest:
    """Return the order of a move: more margin is an increase of size zero, less margin a decrease of size zero."""
    if (move.market, move.is_long) != (scope.market.token, scope.is_long):
        raise ValueError("a move of another market or side")
    match move:
        case AddMargin(_, is_long, asset, amount):
            kind, size, trigger = OrderKind.MARKET_INCREASE, 0, 0
            acceptable = any_price(is_long=is_long, is_increase=True)
        case TakeMargin(_, is_long, asset, amount):
            kind, size, trigger = OrderKind.MARKET_DECREASE, 0, 0
            acceptable = any_price(is_long=is_long, is_increase=False)
        case Trade():
            kind = OrderKind.MARKET_INCREASE if move.is_increase else OrderKind.MARKET_DECREASE
            asset, size, trigger, acceptable = scope.collateral, move.size_usd, 0, move.worst_price
            if move.margin * (1 if move.is_increase else -1) < 0:
                raise ValueError("an increase takes margin in, a decrease lets it out")
            amount = abs(move.margin)  # type: ignore[assignment]  # unsigned from here on
        case PlaceOrder(kind, _, _, size, trigger, acceptable):
            asset, amount = scope.collateral, 0  # type: ignore[assignment]  # none
    if asset != scope.collateral:
        raise ValueError(f"{asset} is not the position's collateral")
    return OrderRequest(
        kind=kind,
        market=scope.market.token,
        collateral=asset,
        is_long=scope.is_long,
        receiver=scope.owner,
        size_usd=size,
        acceptable_price=acceptable,
        execution_fee=execution.fee(kind),
        collateral_amount=amount,
        trigger_price=trigger,
        auto_cancels=kind in AUTO_CANCELS,
    )


def least_gas(move: PerpMove) -> int:
    """Return the gas limit below which a move fails although it uses less; zero where the estimate will do."""
    return CANCEL_GAS if isinstance(move, CancelOrder) else 0


def _known(key: str, orders: Sequence[VenueOrder]) -> VenueOrder:
    for order in orders:
        if order.key == key:
            return order
    raise ValueError(f"no order {key}")


def _purpose(move: OrderMove, symbol: str) -> str:
    side = "long" if move.is_long else "short"
    match move:
        case AddMargin():
            return f"order: add margin to the {symbol} {side} on GMX"
        case TakeMargin():
            return f"order: take margin from the {symbol} {side} on GMX"
        case Trade():
            verb = "close" if move.is_close else "increase" if move.is_increase else "reduce"
            return f"order: {verb} the {symbol} {side} on GMX"
        case PlaceOrder():
            return f"order: {_word(move.kind)} of the {symbol} {side} on GMX"


def _word(kind: OrderKind) -> str:
    return kind.value.replace("_", " ")
