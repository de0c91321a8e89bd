"""What a perpetual venue asks of a position where no chain is there to say it: as a rule, for ether. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.perp.position import Factor, MarginBasis


@dataclass(frozen=True, slots=True)
class MarginRules:
    """When a venue liquidates and what it takes then, what it takes of a trade, and when a trade is done."""

    basis: MarginBasis
    initial: Factor
    maintenance: Factor
    penalty: Factor | None
    """What a liquidation takes, as a share of the size; None: all that is left."""
    fee_ppm: int
    """What a trade costs of its size, in millionths, besides what it moves the price."""
    least_usd: int = 0
    """Whole dollars below which an account is liquidated whatever its size."""
    cancel_after_s: int | None = None
    """Where the venue's keepers carry orders out: when their owner may take one back. None: trades are done at once."""
    counts_closing: bool = False
    """Whether the fee of closing counts against the margin before anything is closed."""
