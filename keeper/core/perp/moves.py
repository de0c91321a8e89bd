"""What a plan for a perpetual position is made of: abstract moves, which a venue turns into calls."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.perp.position import OrderKind
from keeper.core.units import Address, Amount


@dataclass(frozen=True, slots=True)
class AllowMargin:
    """Allow the venue to take exactly ``amount`` of the collateral from the signer's wallet; zero takes it back."""

    asset: Address
    amount: Amount


@dataclass(frozen=True, slots=True)
class AddMargin:
    """Move collateral from the wallet into the account (of the leg's market and side, where margin is isolated)."""

    market: Address
    is_long: bool
    asset: Address
    amount: Amount


@dataclass(frozen=True, slots=True)
class TakeMargin:
    """Move collateral from the account to the owner's wallet."""

    market: Address
    is_long: bool
    asset: Address
    amount: Amount


@dataclass(frozen=True, slots=True)
class Trade:
    """Change a leg's size by ``size_change`` (signed, in size units), at ``worst_price`` or better.

    ``worst_price`` is in the leg's own price precision. ``is_close`` closes the whole leg whatever its size has become.
    ``size_usd`` is the same change as the venue's order book counts it (dollars at entry, unsigned; GMX sizeDeltaUsd).
    """

    market: Address
    is_long: bool
    """The side of the position that is traded, not the direction of the trade."""
    size_change: int
    size_usd: int
    worst_price: int
    is_close: bool = False
    margin: int = 0
    """Collateral that goes in (positive) or out (negative) with it, in its own units; only where margin is isolated.

    GMX opens a position, and changes size and margin, in one order; on Perp v2 margin moves by itself and this is 0.
    """

    @property
    def is_increase(self) -> bool:
        """Whether the position grows."""
        return (self.size_change > 0) == self.is_long


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Leave an order with the venue that acts by itself once the index price passes ``trigger_price``."""

    kind: OrderKind
    market: Address
    is_long: bool
    size_usd: int
    trigger_price: int
    acceptable_price: int


@dataclass(frozen=True, slots=True)
class UpdateOrder:
    """Change an order that rests with the venue."""

    key: str
    size_usd: int
    trigger_price: int
    acceptable_price: int


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Take an order back."""

    key: str


@dataclass(frozen=True, slots=True)
class ClaimFunding:
    """Collect funding that was received beside the margin (GMX v2)."""

    markets: tuple[Address, ...]
    tokens: tuple[Address, ...]


PerpMove = AllowMargin | AddMargin | TakeMargin | Trade | PlaceOrder | UpdateOrder | CancelOrder | ClaimFunding


def weight(move: PerpMove) -> tuple[object, int] | None:
    """Return what a move is and how much of it, to tell plans apart; None for an approval: it follows from others."""
    match move:
        case AllowMargin():
            return None
        case AddMargin(market, is_long, asset, amount) | TakeMargin(market, is_long, asset, amount):
            return (type(move), market, is_long, asset), amount
        case Trade():
            side = (move.market, move.is_long, move.size_change > 0, move.is_close)
            return (Trade, *side, bool(move.margin)), abs(move.size_change)
        case PlaceOrder(kind, market, is_long, size):
            return (PlaceOrder, kind, market, is_long), size
        case UpdateOrder(key, size):
            return (UpdateOrder, key), size
        case CancelOrder(key):
            return (CancelOrder, key), 0
        case ClaimFunding(markets, tokens):
            return (ClaimFunding, markets, tokens), 0


@dataclass(frozen=True, slots=True)
class TradeQuote:
    """What a trade of ``size_change`` would give now: dollars exchanged, fee and impact in ``usd_unit``, and the price.

    ``impact`` is positive when it costs. ``price`` is the average of the whole trade, in the leg's precision.
    """

    size_change: int
    notional: int
    fee: int
    impact: int
    price: int
