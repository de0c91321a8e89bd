"""Where health will be when a plan is mined, if prices go on as they do now."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.lending.figures import Loan
from keeper.core.pace import BLOCKS, STILL, Drift
from keeper.core.units import BPS, INFINITE, Address, Bps, Wad


def fall_of(account: Loan, drifts: Mapping[Address, Drift]) -> Bps:
    """Return how far health falls a block, from above: the fastest collateral down and the fastest debt up."""
    falls = [drifts.get(b.asset, STILL).down for b in account.holdings if b.is_collateral and b.supplied]
    rises = [drifts.get(b.asset, STILL).up for b in account.holdings if b.borrowed]
    return Bps(max(falls, default=0) + max(rises, default=0))


def awaited(health: Wad, fall: Bps) -> Wad:
    """Return the health factor that is left when a plan of now is mined, at ``fall`` a block."""
    return health if health >= INFINITE else Wad(health * max(0, BPS - BLOCKS * fall) // BPS)
