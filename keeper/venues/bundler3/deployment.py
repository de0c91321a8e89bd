"""Where Morpho's bundler is on a chain, and what its lender has now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.core.units import Address, Amount, Bps
from keeper.venues.codec.abi import address, load
from keeper.venues.ports import Answer, Discovery, Probe

_ERC20 = load("erc20")
_GENERAL = load("bundler3_general_adapter")
_MARKET = load("bundler3_aave_v3_adapter")


@dataclass(frozen=True, slots=True)
class BundlerDeployment:
    """The contracts that one bundle for a lending market goes through."""

    bundler: Address
    general_adapter: Address
    """Takes the loan, and pulls tokens from whoever began the bundle: what owners approve."""
    lender: Address
    """Morpho: lends what it holds, for no fee."""
    market_adapter: Address
    """Speaks to the one lending market."""
    most_fee: Bps = Bps(0)  # noqa: RUF009 - a number
    """The most of a loan that the lender may take beyond it."""


def discover_faults(
    bundler: Address, general: Address, lender: Address, adapters: Mapping[str, Address]
) -> Discovery[tuple[str, ...]]:
    """Find which of the addresses are not what they are said to be: adapters name their bundler, one its lender."""
    kept, lends, *owners = yield (
        _GENERAL.BUNDLER3.read(general),
        _GENERAL.MORPHO.read(general),
        *(_MARKET.BUNDLER3.read(at) for at in adapters.values()),
    )
    named = {"general_adapter": general, **{f"adapters.{name.lower()}": at for name, at in adapters.items()}}
    faults = list[str]()
    for (key, at), answer in zip(named.items(), (kept, *owners), strict=True):
        said = _MARKET.BUNDLER3.decode_or_none(answer)
        if said is None:
            faults.append(f"{key} {at} does not answer as one")
        elif address(said[0]) != bundler:
            faults.append(f"{key} {at} belongs to another bundler, {address(said[0])}")
    found = _GENERAL.MORPHO.decode_or_none(lends)
    if found is not None and address(found[0]) != lender:
        faults.append(f"lender {lender} is not whom the general adapter borrows of, {address(found[0])}")
    return tuple(faults)


def lent_probe(lender: Address, assets: Sequence[Address]) -> Probe[dict[Address, Amount]]:
    """Return the probe of what a lender has of each asset now; what cannot be read is not there."""

    def decode(answers: Sequence[Answer]) -> dict[Address, Amount]:
        found = zip(assets, answers, strict=True)
        return {asset: Amount((_ERC20.balanceOf.decode_or_none(answer) or (0,))[0]) for asset, answer in found}

    return Probe(tuple(_ERC20.balanceOf.read(asset, lender) for asset in assets), decode)
