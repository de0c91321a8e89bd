"""The venues there are: one line each. What a venue is beside that is in its own package, ``venues/<key>``.

A package has a module ``find`` with ``find_market`` (lending) or ``find_seat`` (perpetuals). It is loaded when it is
used: a keeper of one venue does not load the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module

from keeper.core.units import Address
from keeper.venues.ports import Discovery, LendingMarket, PerpSeat, Site, Wanted


class Family(Enum):
    """What kind of position a venue has."""

    LENDING = "lending"
    PERP = "perp"


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue: the keys its positions may and must name, and the addresses of a lending market's table."""

    key: str
    family: Family
    may_name: tuple[str, ...] = ()
    must_name: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    is_screened: bool = False
    """Whether a fleet of its accounts can be judged by their figures alone (``LendingMarket.figures_read``)."""
    keeps_orders: bool = False
    """Whether an order can rest with it."""
    takes_gifts: bool = True
    """Whether a guardian can pay into an account of somebody else."""
    price_errors: tuple[str, ...] = ()
    """Its custom errors that say that the price moved too far for what was asked."""
    price_words: tuple[str, ...] = ()
    """Its words for the same."""


VENUES: Mapping[str, Venue] = {
    venue.key: venue
    for venue in (
        Venue(
            "aave_v3",
            Family.LENDING,
            may_name=("market",),
            addresses=("pool_addresses_provider",),
            is_screened=True,
            price_errors=("HealthFactorLowerThanLiquidationThreshold",),
            price_words=("HEALTH_FACTOR_LOWER_THAN_LIQUIDATION_THRESHOLD",),
        ),
        Venue("perp_v2", Family.PERP, ("market",)),
        Venue("gmx_v2", Family.PERP, must_name=("market", "collateral", "side"), keeps_orders=True, takes_gifts=False),
    )
}


@dataclass(frozen=True, slots=True)
class MarketTable:
    """One lending market of a network file: its name, whose it is, and its addresses."""

    name: str
    venue: str
    addresses: Mapping[str, Address] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it is written."""
        return self.name if self.name == self.venue else f"markets.{self.name}"

    def __str__(self) -> str:
        return ", ".join(f"{self.place}.{key} {address}" for key, address in self.addresses.items())


def family_of(venue: str) -> Family | None:
    """Return what kind of position a venue has; None for a venue that there is not."""
    return VENUES[venue].family if venue in VENUES else None


def find_market(table: MarketTable) -> Discovery[LendingMarket]:
    """Find a lending market. Raises ReadFailedError when there is none at its addresses."""
    found: LendingMarket = yield from import_module(f"keeper.venues.{table.venue}.find").find_market(table)
    return found


def find_seat(site: Site, wanted: Wanted) -> Discovery[PerpSeat]:
    """Find the account of a perpetual position. Raises ReadFailedError when there is no such venue or market."""
    found: PerpSeat = yield from import_module(f"keeper.venues.{wanted.venue}.find").find_seat(site, wanted)
    return found
