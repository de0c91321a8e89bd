"""Assets by name: a symbol is no identity, an address is. Several assets of one symbol differ by theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from keeper.core.units import Address

_MARK = " (0x"


class Named(Protocol):
    """Something that has a symbol and an address."""

    @property
    def asset(self) -> Address:
        """Which it is."""

    @property
    def symbol(self) -> str:
        """How it is called."""


N = TypeVar("N", bound=Named)


def apart(symbol: str, asset: Address) -> str:
    """Return the name of one of several assets of a symbol: "USDC (0xaf88d065e77c8cC2239327C5EDb3A432268e5831)"."""
    return f"{symbol} ({asset})"


def plain(name: str) -> str:
    """Return the symbol in a name."""
    return name.split(_MARK, 1)[0]


def shared(listed: Iterable[Named]) -> dict[str, tuple[Address, ...]]:
    """Return the symbols, in lower case, that several assets have, each with their addresses."""
    found = defaultdict[str, list[Address]](list)
    for one in listed:
        found[plain(one.symbol).lower()].append(one.asset)
    return {symbol: tuple(assets) for symbol, assets in found.items() if len(assets) > 1}


def meant(given: str, listed: Iterable[N]) -> tuple[N, ...]:
    """Return what a name given by the owner may mean, letter case aside: an address one thing, a symbol all of it."""
    wanted = given.lower()
    return tuple(one for one in listed if wanted in (one.asset.lower(), plain(one.symbol).lower(), one.symbol.lower()))


def only(given: str, listed: Iterable[N]) -> N | None:
    """Return the one thing that a name means: by its address, or by a symbol that no other has; None for another."""
    found = meant(given, listed)
    return found[0] if len(found) == 1 else None


def unclear(given: Mapping[str, str], listed: Iterable[Named]) -> list[str]:
    """Return what is wrong with names that mean several assets: where each is given, all addresses, and the remedy."""
    several = shared(listed)
    return [
        f"{where}: {name!r} is the symbol of {len(assets)} assets here, {' and '.join(assets)}: write the address"
        for where, name in given.items()
        if (assets := several.get(name.lower(), ()))
    ]
