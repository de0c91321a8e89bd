"""What a rollup charges for its parent chain: beside the gas (OP stack) or as gas (Arbitrum). Nothing elsewhere.

Asked for a sample of incompressible bytes, so that what is worked out from it for a call is an upper bound: the OP
stack by ``GasPriceOracle.getL1Fee(bytes)``, Arbitrum by ``NodeInterface.gasEstimateL1Component(address,bool,bytes)``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from keeper.chain.client import Upstream, each
from keeper.chain.errors import NodeError, NodeRefusedError
from keeper.core.units import Address, Wei
from keeper.venues.codec.hashes import keccak
from keeper.venues.codec.values import encode
from keeper.venues.ports import Call

ORACLE = Address("0x420000000000000000000000000000000000000F")
NODE_INTERFACE = Address("0x00000000000000000000000000000000000000C8")
SAMPLE = b"".join(keccak(bytes([i])) for i in range(32))
"""1,024 bytes that nothing makes smaller."""
ENVELOPE = 150
"""Bytes of a signed transaction besides its calldata."""
TYPICAL = 300
"""Bytes of calldata of one step of a plan."""
LEAST = 128
"""Bytes that are charged for at least: what a compressed transaction never goes below."""
MARGIN_PERCENT = 25
FRESH_S = 20.0
"""The parent chain's price moves with its blocks."""
NONE_FRESH_S = 3600.0
"""How long a chain without an oracle counts as one: it may have been a node that did not know better."""
_FEE = keccak(text="getL1Fee(bytes)")[:4] + encode(["bytes"], [SAMPLE])
_GAS = keccak(text="gasEstimateL1Component(address,bool,bytes)")[:4] + encode(
    ["address", "bool", "bytes"], [ORACLE, False, SAMPLE]
)


class TollKind(Enum):
    """How a chain charges for its parent."""

    NONE = "none"
    OP_STACK = "OP stack"
    ARBITRUM = "Arbitrum"


@dataclass(frozen=True, slots=True)
class Toll:
    """The charge for the sample: wei beside the gas, or gas."""

    wei: int = 0
    gas: int = 0

    def wei_for(self, calldata: int) -> Wei:
        """Return what is charged beside the gas for a call of so many bytes, from above."""
        return Wei(_share(self.wei, calldata))

    def gas_for(self, calldata: int) -> int:
        """Return the gas that is charged on top for a call of so many bytes, from above."""
        return _share(self.gas, calldata)

    def typical(self, price: Wei) -> Wei:
        """Return what is charged for one call of a plan, gas at ``price``, before its bytes are known."""
        return Wei(self.wei_for(TYPICAL) + self.gas_for(TYPICAL) * price)

    def of(self, calls: Sequence[Call]) -> Toll:
        """Return what is charged for these calls together, a transaction each."""
        sizes = [len(call.data) for call in calls]
        return Toll(sum(self.wei_for(size) for size in sizes), sum(self.gas_for(size) for size in sizes))


NO_TOLL = Toll()


class Tolls:
    """One chain's tolls: recognised once, then asked for when they are needed and not fresh. Never raises."""

    def __init__(self, node: Upstream, clock: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._clock = clock
        self._kind: TollKind | None = None
        self._read_at = float("-inf")
        self.last = NO_TOLL
        """The newest that is known."""

    async def now(self) -> Toll:
        """Return the toll; the one before where the node does not say."""
        fresh_s = NONE_FRESH_S if self._kind is TollKind.NONE else FRESH_S
        if self._clock() - self._read_at < fresh_s:
            return self.last
        known = None if self._kind is TollKind.NONE else self._kind
        for kind in (TollKind.OP_STACK, TollKind.ARBITRUM) if known is None else (known,):
            try:
                found = await self._ask(kind)
            except NodeError:
                return self.last
            if found is not None:
                self._kind, self.last, self._read_at = kind, found, self._clock()
                return found
        if known is None:
            self._kind, self._read_at = TollKind.NONE, self._clock()
        return self.last

    async def _ask(self, kind: TollKind) -> Toll | None:
        """Return what a kind of rollup answers, by every node: the lower median. None where there is no such contract.

        One node that exaggerates would make every plan too dear. Raises NodeError: that says nothing of the chain.
        """
        is_op = kind is TollKind.OP_STACK
        to, data = (ORACLE, _FEE) if is_op else (NODE_INTERFACE, _GAS)
        call = {"to": to, "data": "0x" + data.hex()}
        try:
            answers = await each(self._node, lambda _, said: _words(said), "eth_call", call, "latest")
        except NodeRefusedError as error:
            if error.is_final or "revert" in error.message.lower():
                return None  # whatever is there is no oracle
            raise
        found = sorted(words[0] for words in answers if len(words) == (1 if is_op else 3))
        if not found:
            return None
        middle = found[(len(found) - 1) // 2]
        return Toll(wei=middle) if is_op else Toll(gas=middle)


def _words(answer: object) -> list[int]:
    try:
        raw = bytes.fromhex(str(answer)[2:])
    except ValueError:
        return []
    return [int.from_bytes(raw[i : i + 32], "big") for i in range(0, len(raw), 32)] if len(raw) % 32 == 0 else []


def _share(of_sample: int, calldata: int) -> int:
    size = max(LEAST, calldata + ENVELOPE)
    return -(-of_sample * size * (100 + MARGIN_PERCENT) // (100 * len(SAMPLE)))
