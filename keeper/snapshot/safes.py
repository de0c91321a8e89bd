"""Which accounts of some positions are Safes, and who acts for each."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.settings.model import Network, Position
from keeper.venues.contracts.safe import Safe


def safes_of(network: Network, positions: Iterable[Position]) -> list[Safe]:
    """Return each Safe once. Settings that name one have the network's ``MultiSendCallOnly``."""
    signers = {p.signer.name: p.signer for p in positions if p.signer}
    return [
        Safe(signer.safe, signer.address, network.multi_send, network.chain_id)
        for signer in signers.values()
        if signer.safe is not None and network.multi_send is not None
    ]
