"""What the gate judges effects by: prices, sizes and orders of the block a plan was decided on. No protocol's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.core.units import Address, mul_div_down, mul_div_up


@dataclass(frozen=True, slots=True)
class Priced:
    """Something with a price: ``amount * price / unit`` is dollars in base units (10^-8)."""

    symbol: str
    price: int
    unit: int
    secures: bool = False
    """Whether loans rest on it: then it may not cease to count."""

    def value_up(self, amount: int) -> int:
        """Return what an amount is worth, rounded up."""
        return mul_div_up(amount, self.price, self.unit)

    def value_down(self, amount: int) -> int:
        """Return what an amount is worth, rounded down."""
        return mul_div_down(amount, self.price, self.unit)


@dataclass(frozen=True, slots=True)
class Held:
    """A position in one market: its size (signed), what that is worth at the index price, and that price."""

    priced: Priced
    size: int
    index_price: int
    """In the precision that trades are bounded in."""


@dataclass(frozen=True, slots=True)
class Resting:
    """An order of the position that rests with the venue."""

    market: Address
    kind: str
    closes: bool
    """Whether it can only make the position smaller."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """All of it, for one position. What is not in it may not be touched."""

    assets: Mapping[Address, Priced]
    markets: Mapping[Address, Held] = field(default_factory=dict)
    orders: Mapping[str, Resting] = field(default_factory=dict)

    def asset(self, asset: Address) -> Priced:
        """Return an asset. Raises ValueError for one that is not the position's."""
        if asset not in self.assets:
            raise ValueError(f"{asset} is not an asset of the position")
        return self.assets[asset]

    def held(self, market: Address) -> Held:
        """Return what is held in a market. Raises ValueError for one that is not the position's."""
        if market not in self.markets:
            raise ValueError(f"{market} is not a market of the position")
        return self.markets[market]

    def order(self, key: str) -> Resting:
        """Return an order that rests. Raises ValueError for one that is not the position's."""
        if key not in self.orders:
            raise ValueError(f"order {key} is not one of this position")
        return self.orders[key]
