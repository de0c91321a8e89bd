"""A signer that is asked over JSON-RPC: Web3Signer and geth by ``eth_signTransaction``, Clef by its own name for it."""

from __future__ import annotations

from typing import Any

from keeper.chain.client import Node
from keeper.chain.errors import NodeError, NodeRefusedError
from keeper.core.units import Address
from keeper.execution.signer import Envelope, Signed
from keeper.execution.signing import Elsewhere, confirmed, fields_of
from keeper.execution.unsigned import away, refused
from keeper.venues.ports import Call

ACCOUNTS = {"eth_signTransaction": "eth_accounts", "account_signTransaction": "account_list"}
"""How it is asked to sign → how it is asked whom it signs for."""
TIMEOUT_S = 20.0


class RemoteSigner(Elsewhere):
    """Asks for each transaction, and takes nothing but what it asked for."""

    def __init__(self, name: str, address: Address, url: str, method: str, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(address)
        self._method = method
        allowed = frozenset({method, ACCOUNTS[method]})
        self._node = Node(url, timeout_s=timeout_s, allowed=allowed, name=f"signer {name}")

    async def _signed(self, call: Call, envelope: Envelope) -> Signed:
        """Return signed bytes: exactly the transaction that was asked for. Raises UnsignedError."""
        answer = await self._ask(self._method, _request(self.address, call, envelope))
        raw = answer.get("raw") if isinstance(answer, dict) else answer  # geth and Clef name it, Web3Signer does not
        return confirmed(raw, call, envelope, self.address)

    async def accounts(self) -> tuple[str, ...]:
        """Return for whom it signs. Raises UnsignedError."""
        found = await self._ask(ACCOUNTS[self._method])
        return tuple(str(one) for one in found[:1000]) if isinstance(found, list) else ()

    async def close(self) -> None:
        """End the connection."""
        await self._node.close()

    async def _ask(self, method: str, *params: Any) -> Any:
        try:
            return await self._node.request(method, *params)
        except NodeRefusedError as error:
            raise refused(f"{self._node.name}: {error.message}") from None
        except NodeError as error:
            raise away(str(error)) from None


def _request(sender: Address, call: Call, envelope: Envelope) -> dict[str, Any]:
    """Return a transaction as the interface names its fields. Raises UnsignedError for a delegation."""
    fields_of(call, envelope)
    data = "0x" + call.data.hex()
    return {
        "from": sender,
        "to": call.to,
        "value": hex(call.value),
        "data": data,
        "input": data,
        "gas": hex(envelope.gas_limit),
        "maxFeePerGas": hex(envelope.fees.max_fee),
        "maxPriorityFeePerGas": hex(envelope.fees.tip),
        "nonce": hex(envelope.nonce),
        "chainId": hex(envelope.chain_id),
        "type": "0x2",
    }
