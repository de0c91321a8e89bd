"""What GMX v2's Reader answers, by name: positions, their fees, markets, orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keeper.core.perp.position import OrderKind, VenueOrder
from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import address

KINDS = {
    2: OrderKind.MARKET_INCREASE,
    3: OrderKind.LIMIT_INCREASE,
    4: OrderKind.MARKET_DECREASE,
    5: OrderKind.TAKE_PROFIT,
    6: OrderKind.STOP_LOSS,
    8: OrderKind.STOP_INCREASE,
}
"""Order types a position is changed by; swaps (0, 1) and liquidations (7) are none of an owner's."""
ORDER_TYPES = {kind: number for number, kind in KINDS.items()}
LIQUIDATION = 7


@dataclass(frozen=True, slots=True)
class RawPosition:
    """A position as it is stored; all zero where there is none."""

    account: Address
    market: Address
    collateral_token: Address
    size_usd: int
    size_tokens: int
    collateral: int
    pending_impact: int
    borrowing_factor: int
    funding_per_size: int
    is_long: bool

    @property
    def exists(self) -> bool:
        """Whether there is a position."""
        return self.size_usd > 0 or self.size_tokens > 0


@dataclass(frozen=True, slots=True)
class FullClose:
    """What closing all of a position at given prices would settle (``getPositionInfo``); amounts in collateral tokens.

    Dollars have 30 decimals. Fees are those pending now, not those stored.
    """

    position: RawPosition
    funding_fee: int
    claimable: tuple[int, int]
    borrowing_fee: int
    position_fee: int
    total_cost: int
    impact_usd: int
    execution_price: int
    is_better: bool
    pending_impact_usd: int
    total_impact_usd: int
    impact_diff_usd: int
    pnl_usd: int
    uncapped_pnl_usd: int


Pair = tuple[int, int]
Sides = tuple[Pair, Pair]
"""Long and short side, each by collateral: long token, short token."""


@dataclass(frozen=True, slots=True)
class MarketInfo:
    """A market's rates at given prices. ``funding_per_size`` is as stored, ``next_funding`` what has grown since."""

    tokens: tuple[Address, Address, Address, Address]
    borrowing_per_second: Pair
    funding_per_size: Sides
    longs_pay: bool
    funding_per_second: int
    saved_funding: int
    next_funding: Sides
    next_claimable: Sides
    virtual_inventory: int
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class LiquidationCheck:
    """The Reader's own view (``isPositionLiquidatable``): fees as stored, not as pending."""

    is_liquidatable: bool
    remaining: int
    least: int
    for_leverage: int


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it is stored."""

    key: str
    account: Address
    receiver: Address
    market: Address
    collateral: Address
    swap_path: tuple[Address, ...]
    type: int
    size_usd: int
    collateral_amount: int
    trigger_price: int
    acceptable_price: int
    execution_fee: Wei
    least_output: int
    updated_at: int
    valid_from: int
    is_long: bool
    is_frozen: bool
    auto_cancels: bool
    swaps_profit: bool = False
    """Whether a decrease swaps its profit, or its collateral, as well."""
    callback_gas: int = 0

    @property
    def exists(self) -> bool:
        """Whether there is such an order; one that was executed or cancelled is deleted."""
        return int(self.account, 16) != 0

    def order(self) -> VenueOrder | None:
        """Return it as rules know it; None for a swap."""
        kind = KINDS.get(self.type)
        if kind is None:
            return None
        return VenueOrder(
            key=self.key,
            kind=kind,
            market=self.market,
            collateral=self.collateral,
            is_long=self.is_long,
            size_usd=self.size_usd,
            trigger_price=self.trigger_price,
            acceptable_price=self.acceptable_price,
            updated_at=self.updated_at,
            is_frozen=self.is_frozen,
            auto_cancels=self.auto_cancels,
            execution_fee=self.execution_fee,
            swaps=len(self.swap_path) + self.swaps_profit,
            callback_gas=self.callback_gas,
        )


def raw_position(fields: Any) -> RawPosition:
    """Return a decoded ``Position.Props``."""
    (account, market, collateral_token), numbers, (is_long,) = fields
    size_usd, size_tokens, collateral, pending, borrowing, funding, *_ = numbers
    return RawPosition(
        address(account),
        address(market),
        address(collateral_token),
        size_usd,
        size_tokens,
        collateral,
        pending,
        borrowing,
        funding,
        is_long,
    )


def full_close(fields: Any) -> FullClose:
    """Return a decoded ``ReaderPositionUtils.PositionInfo``."""
    _, position, fees, execution, pnl, uncapped, _ = fields
    _, _, funding, borrowing, _, _, _, _, _, _, _, _, _, position_fee, _, total_cost, _ = fees
    impact, price, is_better, pending_impact, total_impact, diff = execution
    return FullClose(
        position=raw_position(position),
        funding_fee=funding[0],
        claimable=(funding[1], funding[2]),
        borrowing_fee=borrowing[1],
        position_fee=position_fee,
        total_cost=total_cost,
        impact_usd=impact,
        execution_price=price,
        is_better=is_better,
        pending_impact_usd=pending_impact,
        total_impact_usd=total_impact,
        impact_diff_usd=diff,
        pnl_usd=pnl,
        uncapped_pnl_usd=uncapped,
    )


def market_info(fields: Any) -> MarketInfo:
    """Return a decoded ``ReaderUtils.MarketInfo``."""
    tokens, borrowing_longs, borrowing_shorts, (paid, _), following, virtual, is_disabled = fields
    longs_pay, per_second, saved, next_paid, next_claimable = following
    return MarketInfo(
        tokens=tuple(address(t) for t in tokens),  # type: ignore[arg-type]  # four, by the ABI
        borrowing_per_second=(borrowing_longs, borrowing_shorts),
        funding_per_size=paid,
        longs_pay=longs_pay,
        funding_per_second=per_second,
        saved_funding=saved,
        next_funding=next_paid,
        next_claimable=next_claimable,
        virtual_inventory=virtual[2],
        is_disabled=is_disabled,
    )


def liquidation_check(is_liquidatable: bool, _reason: str, figures: Any) -> LiquidationCheck:
    """Return a decoded answer of ``isPositionLiquidatable``."""
    return LiquidationCheck(is_liquidatable, *figures)


def order_row(key: bytes, fields: Any) -> OrderRow:
    """Return a decoded ``Order.Props``."""
    addresses, numbers, flags, _ = fields
    account, receiver, _, _, _, market, collateral, path = addresses
    kind, swap_type, size, amount, trigger, acceptable, fee, callback_gas, *rest = numbers
    least_output, updated_at, valid_from, _ = rest
    is_long, _, is_frozen, auto_cancels = flags
    return OrderRow(
        key="0x" + key.hex(),
        account=address(account),
        receiver=address(receiver),
        market=address(market),
        collateral=address(collateral),
        swap_path=tuple(address(step) for step in path),
        type=kind,
        size_usd=size,
        collateral_amount=amount,
        trigger_price=trigger,
        acceptable_price=acceptable,
        execution_fee=Wei(fee),
        least_output=least_output,
        updated_at=updated_at,
        valid_from=valid_from,
        is_long=is_long,
        is_frozen=is_frozen,
        auto_cancels=auto_cancels,
        swaps_profit=bool(swap_type),
        callback_gas=callback_gas,
    )
