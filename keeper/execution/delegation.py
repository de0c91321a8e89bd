"""Whether the signer's account is delegated (EIP-7702), known before anything is sent.

A node keeps one pending transaction of a delegated account, and refuses the rest of a burst. Setting or changing a
delegation uses up a nonce of the account, so its code is asked for once a nonce.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.client import Upstream
from keeper.chain.errors import NodeError
from keeper.core.units import Address
from keeper.venues.codec.quantities import octets
from keeper.venues.contracts import batch_account


@dataclass(slots=True)
class Delegation:
    """Whom one signer delegates to, as far as is known."""

    node: Upstream
    signer: Address
    contract: Address | None = None
    """None for a plain account, and while nobody said."""
    _nonce: int | None = None

    async def learn(self, nonce: int) -> None:
        """Find out what holds at a nonce, unless it is known. A node that does not say leaves it as it was."""
        if nonce == self._nonce:
            return
        try:
            code = octets(await self.node.request("eth_getCode", self.signer, "latest"))
        except (NodeError, ValueError):
            return
        self.contract, self._nonce = batch_account.delegate_of(code), nonce
