"""What a plan for a perpetual position is: its steps, its promise, and the terms it is weighed with. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.book.rules import BookIntent
from keeper.core.decide import Safety
from keeper.core.lending.proposals import Cost, Rejected
from keeper.core.perp import margin as perps
from keeper.core.perp.moves import PerpMove, TradeQuote, weight
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpIntent
from keeper.core.snapshot import Wallet
from keeper.core.units import (
    BPS,
    UINT256_MAX,
    Address,
    Amount,
    Usd,
    Wad,
    Wei,
)

NO_TOLL = Wei(0)
NEARLY = 1_000
"""Basis points by which a margin ratio may be short of its promise and still be a near miss."""


@dataclass(frozen=True, slots=True)
class PerpTerms:
    """What a plan is weighed with, besides the intent: the wallet, quotes, what gas and the venue's keepers cost."""

    safety: Safety
    wallet: Wallet
    quotes: dict[Address, TradeQuote]
    """Market → what the trade that is thought of would give now; for a reduction that of the whole leg."""
    allowance: Amount
    fee_per_gas: Wei
    execution_fee: Wei
    """What an order of this venue pays its keepers; zero where trades are done at once."""
    native_price: int
    """Base units (10^-8 dollars) of one whole native token."""
    toll: Wei = NO_TOLL
    """What a rollup charges for its parent chain, for one call."""


@dataclass(frozen=True, slots=True)
class PerpStep:
    """One move, and the dollars it spends: margin moved or size traded."""

    move: PerpMove
    spend: Usd


@dataclass(frozen=True, slots=True)
class PerpPromise:
    """What must hold after the plan, on the prices it was decided on. Checked in rehearsal and again when mined.

    ``most_size`` bounds a leg's unsigned size; ``least_size`` as well for a hedge, which must neither fall short nor
    overshoot. ``is_long`` is the side of what is left: a trade mined after a liquidation may turn a leg round.
    ``least_ratio`` is the margin ratio. A venue that fills later can only be asked this once it has filled.
    """

    text: str
    least_ratio: Wad
    market: Address | None = None
    least_size: int = 0
    most_size: int = UINT256_MAX
    is_long: bool | None = None

    def is_met(self, position: PerpPosition) -> bool:
        """Return whether a position keeps the promise."""
        return self._is_of_size(position) and perps.margin_ratio(position) >= self.least_ratio

    def is_nearly_met(self, position: PerpPosition) -> bool:
        """Return whether the sizes are as promised, and the margin ratio is short of it by ``NEARLY`` at most."""
        return self._is_of_size(position) and perps.margin_ratio(position) * BPS >= self.least_ratio * (BPS - NEARLY)

    def _is_of_size(self, position: PerpPosition) -> bool:
        if self.market is None:
            return True
        size = next((leg.size for leg in position.legs if leg.market == self.market), 0)
        has_turned = size != 0 and self.is_long is not None and (size > 0) != self.is_long
        return not has_turned and self.least_size <= abs(size) <= self.most_size

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class PerpPlan:
    """What will be done, why this way, and what must be true afterwards."""

    intent: PerpIntent | BookIntent
    label: str
    steps: tuple[PerpStep, ...]
    cost: Cost
    before: PerpPosition
    projected: PerpPosition
    postcondition: PerpPromise
    is_partial: bool
    rejected: tuple[Rejected, ...] = ()
    is_upkeep: bool = False
    """Whether it only keeps orders in step that rest with the venue: no rule acted, and none is held back by it."""

    @property
    def spend(self) -> Usd:
        """Dollars the plan moves."""
        return Usd(sum(step.spend for step in self.steps))

    @property
    def weights(self) -> tuple[tuple[object, int], ...]:
        """What it does and how much of it, move by move: what makes it this plan and no other."""
        return tuple(found for step in self.steps if (found := weight(step.move)) is not None)
