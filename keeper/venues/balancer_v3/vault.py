"""What Balancer v3's vault has to lend now, and whether the address is one."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.units import Address, Amount
from keeper.venues.codec.abi import load
from keeper.venues.ports import Answer, Discovery, Probe

_VAULT = load("balancer_v3_vault")


def discover_faults(vault: Address) -> Discovery[tuple[str, ...]]:
    """Find whether the address is not what it is said to be."""
    (said,) = yield (_VAULT.isVaultPaused.read(vault),)
    return () if _VAULT.isVaultPaused.decode_or_none(said) else (f"vault {vault} does not answer as one",)


def reserves_probe(vault: Address, assets: Sequence[Address]) -> Probe[dict[Address, Amount]]:
    """Return the probe of what the vault can send: its reserves, which may be less than its balance.

    Nothing of a vault that is paused, and nothing of what cannot be read.
    """

    def decode(answers: Sequence[Answer]) -> dict[Address, Amount]:
        paused = _VAULT.isVaultPaused.decode_or_none(answers[0])
        if paused is None or paused[0]:
            return {}
        found = zip(assets, answers[1:], strict=True)
        return {asset: Amount((_VAULT.getReservesOf.decode_or_none(answer) or (0,))[0]) for asset, answer in found}

    reads = (_VAULT.isVaultPaused.read(vault), *(_VAULT.getReservesOf.read(vault, asset) for asset in assets))
    return Probe(reads, decode)
