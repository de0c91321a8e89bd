"""Signers that act for a Safe: what they need beside the key, and what cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from keeper.core.family import Family
from keeper.settings.model import Settings


def safe_faults(of: Settings) -> list[str]:
    """Return what is wrong with the Safes that signers act for, from the settings alone."""
    return [*_of_signers(of), *_of_positions(of)]


def _of_signers(of: Settings) -> Iterator[str]:
    named = Counter(signer.safe for signer in of.signers if signer.safe)
    for i, signer in enumerate(of.signers):
        if signer.safe is None:
            continue
        where = f"signers[{i}].safe (in {signer.name!r})"
        if of.network.multi_send is None:
            yield f"{where}: the network file has no multi_send_call_only: name Safe's MultiSendCallOnly there"
        if signer.safe == signer.address:
            yield f"{where}: is the signer itself: name the Safe, or leave it out"
        if named[signer.safe] > 1:
            yield f"{where}: two signers act for one Safe, and would use up each other's nonces: name one of them"
        if any(signer.safe == other.address for other in of.signers if other is not signer):
            yield f"{where}: is declared as a signer's address as well: a Safe has no key"
        if signer.may_batch:
            yield f"signers[{i}].batch (in {signer.name!r}): a Safe makes one transaction of a plan anyway; take it out"


def _of_positions(of: Settings) -> Iterator[str]:
    for i, position in enumerate(of.positions):
        safe = position.signer.safe if position.signer else None
        if safe and position.family is not Family.LENDING:
            what = "perpetual positions of a Safe are not kept yet: watch it without a signer"
            yield f"positions[{i}].signer (in {position.name!r}): {what}"
