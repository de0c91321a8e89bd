"""What a venue knows of the chain it is on, and of what the owner wants there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from keeper.core.perp.position import PerpPosition
from keeper.core.units import Address


class PriceFeed(Protocol):
    """Who says what an asset costs, and how old that may get."""

    @property
    def feed(self) -> Address | None:
        """The feed; None where none is known."""

    @property
    def heartbeat_s(self) -> int:
        """How old its price may get."""


@dataclass(frozen=True, slots=True)
class IndexFeed:
    """The feed of a perpetual market's index, as its oracle price says it."""

    feed: Address
    heartbeat_s: int


def priced_by(listed: Mapping[Address, PriceFeed], perps: Iterable[PerpPosition]) -> dict[Address, PriceFeed]:
    """Return the feeds of what is listed and of what is traded; a lending market's own word comes first."""
    traded = [leg.oracle for p in perps for leg in p.legs]
    return {of.asset: IndexFeed(of.source, of.heartbeat_s) for of in traded} | dict(listed)


class Listed(Protocol):
    """One asset of a market: what does not change from block to block."""

    @property
    def asset(self) -> Address:
        """Which it is."""

    @property
    def symbol(self) -> str:
        """How it is called."""

    @property
    def decimals(self) -> int:
        """Decimals of its amounts."""

    @property
    def source(self) -> Address:
        """Whom the market's oracle asks for its price."""

    @property
    def feed(self) -> Address | None:
        """The feed behind that, which says how old a price is; None where none is known."""

    @property
    def heartbeat_s(self) -> int:
        """How old its price may get."""


def feeds_alone(listings: Sequence[Listed]) -> dict[Address, Address]:
    """Return the assets whose price is a feed's answer as it is, and those feeds."""
    return {listed.asset: listed.source for listed in listings if listed.feed == listed.source}


@dataclass(frozen=True, slots=True)
class VenueTable:
    """One table of a network file: a lending market, an exchange, or where perpetuals are traded.

    ``markets`` are a perpetual venue's by name, ``names`` what tokens are called that do not say it themselves.
    """

    name: str
    venue: str
    addresses: Mapping[str, Address] = field(default_factory=dict)
    markets: Mapping[str, Address] = field(default_factory=dict)
    names: Mapping[Address, str] = field(default_factory=dict)
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    part: str = ""
    """Which of its isolated markets is meant, by id; empty where the table is of one market."""

    @property
    def place(self) -> str:
        """Where it is written."""
        table = self.name.removesuffix(f" {self.part}")
        return table if table == self.venue else f"markets.{table}"

    def __str__(self) -> str:
        return ", ".join(f"{self.place}.{key} {address}" for key, address in self.addresses.items())


class Feeds(Protocol):
    """What the network file says of one asset's feeds."""

    @property
    def heartbeat_s(self) -> int | None:
        """How old its price may get."""

    @property
    def feed(self) -> Address | None:
        """The feed that gives its age, where the oracle's own source does not."""

    @property
    def second_feed(self) -> Address | None:
        """An independent feed."""


class Site(Protocol):
    """One chain, as the network file describes it."""

    @property
    def name(self) -> str:
        """How it is called."""

    @property
    def multicall3(self) -> Address:
        """Multicall3."""

    def exchange(self, venue: str) -> VenueTable | None:
        """Return where an exchange is; None where the file does not name it."""

    @property
    def default_heartbeat_s(self) -> int:
        """How old a price may get whose heartbeat nobody said."""

    def perp(self, venue: str, table: str | None = None) -> VenueTable | None:
        """Return where a perpetual venue is, by its table's name where it has several; None where no file says it."""

    def asset(self, symbol: str, address: str = "") -> Feeds:
        """Return what the file says of an asset, by its address or its symbol."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A position that an owner has at a venue, as settings would name it."""

    name: str
    market: str | None = None
    collateral: str | None = None
    is_long: bool | None = None


@dataclass(frozen=True, slots=True)
class OwnedByLogs:
    """How the positions of an owner are found where no call lists them: by events since a block."""

    since: int
    asked: tuple[dict[str, Any], ...]
    """The ``address`` and ``topics`` of the eth_getLogs requests."""
    found: Callable[[Sequence[dict[str, Any]]], tuple[Owned, ...]]
    """What the logs name; some of it may be empty by now."""


class Wanted(Protocol):
    """A position as the owner named it."""

    @property
    def venue(self) -> str:
        """The venue's key."""

    @property
    def owner(self) -> Address:
        """Whose it is."""

    @property
    def market(self) -> str | None:
        """Which market, by name or address."""

    @property
    def collateral(self) -> str | None:
        """Which collateral, by symbol or address."""

    @property
    def is_long(self) -> bool | None:
        """Which side."""

    @property
    def table(self) -> str | None:
        """Which of a perpetual venue's tables, by its name."""
