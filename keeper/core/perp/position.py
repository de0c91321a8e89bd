"""What was seen of a perpetual position at one block: sizes, prices, margin, resting orders. Nothing is computed here.

A venue's own precision is kept: ``usd_unit`` is one dollar (10^18 on Perp v2, 10^30 on GMX v2), ``size_unit`` one whole
underlying, and ``|size| * price // price_scale`` is dollars in ``usd_unit`` whatever the venue.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, NewType, Protocol

from keeper.core.block import BlockRef
from keeper.core.prices import OraclePrice
from keeper.core.units import Address, Amount, Wei

if TYPE_CHECKING:
    from keeper.core.risk.market import Market

Factor = NewType("Factor", int)
"""A ratio, 10^-30: wide enough for every venue's own."""
FACTOR = 10**30


class MarginBasis(Enum):
    """What a venue's margin ratios are shares of."""

    NOTIONAL = "notional"
    """Size at the mark price (Perp v2)."""
    ENTRY = "entry"
    """Size as it was opened (GMX v2 ``sizeInUsd``)."""


class OrderKind(Enum):
    """What an order on the venue's book does."""

    MARKET_INCREASE = "market_increase"
    MARKET_DECREASE = "market_decrease"
    LIMIT_INCREASE = "limit_increase"
    STOP_INCREASE = "stop_increase"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"

    @property
    def rests(self) -> bool:
        """Whether it waits for a price; market orders wait for a keeper only."""
        return self not in (OrderKind.MARKET_INCREASE, OrderKind.MARKET_DECREASE)


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order of the account that the venue holds. Prices are the leg's; ``size_usd`` in ``usd_unit``."""

    key: str
    kind: OrderKind
    market: Address
    collateral: Address
    is_long: bool
    size_usd: int
    trigger_price: int
    acceptable_price: int
    updated_at: int
    is_frozen: bool
    auto_cancels: bool
    execution_fee: Wei
    swaps: int = 0
    """Steps it swaps on its way, which its execution takes gas for."""
    callback_gas: int = 0


class MarkRule(Protocol):
    """How a venue makes a mark price of the oracle's; all else that it takes is as it was read. Monotone."""

    def mark(self, index_price: int) -> int:
        """Return the mark price at an index price, both in the leg's own precision."""


@dataclass(frozen=True, slots=True)
class PerpLeg:
    """The position in one market. What is owed is signed: positive is the account's to pay."""

    market: Address
    symbol: str
    """The underlying, as rules and books name it: ``ETH``."""
    size: int
    """Signed: long is positive."""
    size_unit: int
    entry_notional: int
    """Dollars at opening. Negative only for a rest too small to count as a size (Perp v2: below 10 wei)."""
    mark_price: int
    """What profit, loss and margin are reckoned at."""
    index_price: int
    price_scale: int
    funding_owed: int
    borrowing_owed: int
    closing_cost: int
    """Fees and impact of a full close that count against the margin; never negative."""
    funding_rate: int
    """Wad a year of the notional; positive is what this side pays; without a size, what a long would."""
    oracle: OraclePrice
    """The index price as the oracle gives it, for its age; ``answer`` in 10^-8 dollars for one whole underlying."""
    pending_impact: int = 0
    """Dollars that earlier trades left to be settled with the part that is closed (GMX v2); negative is a loss."""
    mark_rule: MarkRule | None = None
    """What the mark price would be at another index price; None where no price of the oracle alone says it."""

    @property
    def is_long(self) -> bool:
        """Whether it gains when the price rises."""
        return self.size > 0


@dataclass(frozen=True, slots=True)
class PerpFigures:
    """The venue's own view of an account, in ``usd_unit``: what it is worth, and below which worth it is liquidated."""

    equity: int
    requirement: int


@dataclass(frozen=True, slots=True)
class PerpPosition:
    """A margin account at one block: one leg where margin is isolated, one per market where it is shared.

    ``margin`` is the settled collateral in dollars (signed, realised results included), before profit and pending
    payments. Collateral that moves with the one leg's own price is in ``indexed_margin`` (in size units) instead:
    then ``margin`` is what the rest is worth.
    """

    name: str
    venue: str
    owner: Address
    block: BlockRef
    is_cross: bool
    usd_unit: int
    legs: tuple[PerpLeg, ...]
    collateral: Address
    collateral_symbol: str
    collateral_decimals: int
    collateral_price: int
    """Dollars (``usd_unit``) of one whole collateral token."""
    margin: int
    indexed_margin: int
    free_margin: Amount
    """What the venue would let go now, in collateral units."""
    basis: MarginBasis
    initial: Factor
    maintenance: Factor
    least_requirement: int
    """Dollars below which equity is liquidated whatever the size; zero where there is no such bound, 1 where only a
    worth of zero is (GMX v2 without a minimum)."""
    reported: PerpFigures
    orders: tuple[VenueOrder, ...] = ()
    only_long: bool | None = None
    """The one side this position can have, where the venue keeps sides apart (GMX v2); None where it can turn round."""
    equity_step: int = 1
    """The venue rounds equity down to a multiple of this before it compares (Perp v2: the collateral's unit)."""
    gifts: int = 0
    """What the venue counts to the equity beside all this and we do not: a little of another collateral."""
    penalty: Factor | None = None
    """What a liquidation takes, as a share of the size; None where the venue says none: then all that is left."""
    market: Market | None = field(default=None, compare=False, repr=False)
    """How prices moved until now, where a rule looks ahead."""

    @property
    def fills_later(self) -> bool:
        """Whether the venue's keepers carry orders out, at the price of then."""
        return self.basis is MarginBasis.ENTRY

    @property
    def held(self) -> tuple[PerpLeg, ...]:
        """The legs with a size."""
        return tuple(leg for leg in self.legs if leg.size)

    @property
    def hangs_on(self) -> tuple[OraclePrice, ...]:
        """The oracle's prices of what is held."""
        return tuple(leg.oracle for leg in self.held)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither size nor margin."""
        return not self.held and not self.margin and not self.indexed_margin

    def leg(self, market: str) -> PerpLeg:
        """Return the leg of a market by its address or underlying; KeyError when it was not read."""
        for leg in self.legs:
            if market in (leg.market, leg.symbol) or leg.symbol.lower() == market.lower():
                return leg
        raise KeyError(market)

    def with_leg(self, changed: PerpLeg) -> PerpPosition:
        """Return the position with one leg replaced."""
        return replace(self, legs=tuple(changed if leg.market == changed.market else leg for leg in self.legs))
