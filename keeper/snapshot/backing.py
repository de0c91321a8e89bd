"""What assets stand for, where the network file says it: found out once, then read at each block with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.core import names
from keeper.core.prices import Backing
from keeper.core.units import USD, WAD, Address, Wad, mul_div_down
from keeper.settings.model import AssetSafety, Network
from keeper.venues.feeds.rates import RateSource, discover_rates
from keeper.venues.ports import Discovery, Listed

DOLLARS = "USD"
"""What ``backed_by`` calls a dollar."""


@dataclass(frozen=True, slots=True)
class Backed:
    """An asset that stands for another, or for dollars (``by`` None), one for one where it has no ``source``."""

    asset: Address
    of: str
    by: Address | None
    source: RateSource | None

    def backing(self, rate: Wad | None, price: int) -> Backing:
        """Return what it is worth at a rate, and a price (10^-8 dollars, zero unknown) of what it stands for."""
        known = Wad(WAD) if self.source is None else rate
        price = USD if self.by is None else price
        return Backing(self.asset, self.of, known or 0, mul_div_down(known, price, WAD) if known else 0)


def discover_backing(
    network: Network, used: Mapping[Address, Listed], listed: Mapping[Address, Listed]
) -> Discovery[tuple[dict[Address, Backed], tuple[str, ...]]]:
    """Find what each used asset stands for, and what is wrong with what the network file says of it."""
    stated = {a: s for a, x in used.items() if (s := network.asset(x.symbol, a)).backed_by is not None}
    by: dict[Address, Listed | None] = {}
    flaws: list[str] = []
    for asset, safety in stated.items():
        meant = _meant(safety, listed)
        if meant == ():
            flaws.append(_flaw(network, used[asset], "backed_by", f"{safety.backed_by} is no asset of a market here"))
        else:
            by[asset] = meant[0] if meant else None
    asked = {asset: rate for asset in by if (rate := stated[asset].rate) is not None}
    decimals = {a: (used[a].decimals, _decimals(by[a], used[a])) for a in asked}
    sources = yield from discover_rates(asked, decimals)
    silent = [asset for asset in asked if asset not in sources]
    flaws += [_flaw(network, used[asset], "rate", f"{asked[asset]} gives no rate") for asset in silent]
    found = {
        asset: Backed(asset, stated[asset].backed_by or "", of.asset if of else None, sources.get(asset))
        for asset, of in by.items()
        if asset not in asked or asset in sources
    }
    return found, tuple(flaws)


def _meant(safety: AssetSafety, listed: Mapping[Address, Listed]) -> tuple[Listed, ...] | None:
    """Return the one asset that is meant, nothing where there is no one, None for dollars."""
    given = safety.backed_by or ""
    if given.upper() == DOLLARS:
        return None
    found = names.meant(given, listed.values())
    return found if len(found) == 1 else ()


def _decimals(of: Listed | None, asset: Listed) -> int:
    return of.decimals if of else asset.decimals


def _flaw(network: Network, asset: Listed, key: str, what: str) -> str:
    where = f"the network file of {network.name}: price_safety.assets.{asset.symbol}.{key}"
    return f"{where}: {what}, so its peg and what it grows by are not known; correct it"
