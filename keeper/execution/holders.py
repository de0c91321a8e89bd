"""Whose money a lane moves: the key's own account, or a Safe that the key acts for; and what ends a plan of it.

A transaction of nothing ends a plan of a key's account. Of a Safe it has to use up more than the key's nonce: every
nonce of the Safe's own for which a signature of ours was shown, in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from keeper.chain.client import Upstream
from keeper.core.units import Address, Wei
from keeper.execution.carriers import Carrier, Plain, Sign, Use
from keeper.execution.policy import PolicyError, opened
from keeper.execution.sealing import sealed_calls
from keeper.execution.through_safe import ThroughSafe
from keeper.journal import Transaction
from keeper.venues.codec.abi import load
from keeper.venues.codec.quantities import octets
from keeper.venues.contracts.safe import NO_OP_GAS, Safe
from keeper.venues.effects import Call, UsesUp

_SAFE = load("safe")


class Remembers(Protocol):
    """What is kept over a restart, by key."""

    async def get(self, key: str) -> Any | None:
        """Return a value. Raises JournalError."""

    async def set(self, key: str, value: Any) -> None:
        """Keep a value, durable when it returns. Raises JournalError."""


class Holder(Protocol):
    """The account that a lane carries plans of."""

    @property
    def address(self) -> Address:
        """Which it is."""

    @property
    def exposed(self) -> int | None:
        """The highest of the account's own nonces that a signature of ours was shown for."""

    @property
    def reads(self) -> Carrier:
        """What reads its past calls."""

    async def recall(self) -> None:
        """Take up what an earlier run exposed. Raises JournalError."""

    async def carrier(self) -> Carrier:
        """Return how a call of it goes out now. Raises NodeError."""

    async def expose(self, uses: Sequence[Use | None]) -> None:
        """Write down, before it is signed, what signatures will be good for. Raises JournalError."""

    def doubt(self) -> None:
        """The chain has another history: what was used up may not be."""

    async def moved(self, uses: Sequence[Use | None]) -> str | None:
        """Return in words that the account's own nonce is not what calls were made for. Raises NodeError."""

    async def is_exposed(self) -> bool:
        """Return whether a signature of ours is good for a nonce that is not used up yet. Raises NodeError.

        Asks the node until it has said that there is none, and again only for what is shown since, or after a reorg.
        """

    async def ending(self, purpose: str) -> Call:
        """Return the call that does nothing, and after which nothing signed before is good for anything.

        Raises NodeError.
        """

    def is_ending(self, row: Transaction) -> bool:
        """Return whether a transaction is such a call."""


class OwnKey:
    """An account of a key: nothing is signed for it but transactions."""

    exposed: int | None = None

    def __init__(self, address: Address) -> None:
        self.address = address
        self.reads: Carrier = Plain(address)

    async def recall(self) -> None:
        """Nothing to take up."""

    async def carrier(self) -> Carrier:
        """Return the account itself."""
        return self.reads

    async def expose(self, uses: Sequence[Use | None]) -> None:
        """Nothing is exposed."""

    def doubt(self) -> None:
        """Nothing was used up but nonces of its key."""

    async def moved(self, uses: Sequence[Use | None]) -> str | None:
        """Return nothing: it has no nonce beside its key's."""
        del uses
        return None

    async def is_exposed(self) -> bool:
        """Return false."""
        return False

    async def ending(self, purpose: str) -> Call:
        """Return a transfer of nothing to oneself."""
        return Call(self.address, b"", Wei(0), purpose)

    def is_ending(self, row: Transaction) -> bool:
        """Return whether it is a transfer of nothing to oneself."""
        return is_nothing(row)


class OfSafe:
    """A Safe, by one of its owners. ``sign`` signs hashes with the owner's key."""

    def __init__(self, node: Upstream, journal: Remembers, safe: Safe, sign: Sign) -> None:
        self._node = node
        self._journal = journal
        self._safe = safe
        self._sign = sign
        self.exposed: int | None = None
        self._is_dead = False
        """Whether the Safe was seen past all that was shown."""
        self.reads: Carrier = ThroughSafe(safe, None)

    @property
    def address(self) -> Address:
        """The Safe."""
        return self._safe.address

    async def recall(self) -> None:
        """Take up the highest nonce that a signature was ever shown for. Raises JournalError."""
        found = await self._journal.get(self._key)
        self.exposed = int(found["nonce"]) if found else None

    async def carrier(self) -> Carrier:
        """Return the Safe as it is now. Raises NodeError."""
        return ThroughSafe(self._safe, await self._nonce(), self.exposed)

    async def expose(self, uses: Sequence[Use | None]) -> None:
        """Write down what signatures will be good for. Raises JournalError."""
        highest = max((use.exposes for use in uses if use and use.exposes is not None), default=None)
        self._is_dead &= highest is None
        if highest is not None and (self.exposed is None or highest > self.exposed):
            await self._journal.set(self._key, {"nonce": highest})
            self.exposed = highest

    async def moved(self, uses: Sequence[Use | None]) -> str | None:
        """Return that another used the Safe's nonce since. Raises NodeError."""
        wanted = next((use.nonce for use in uses if use is not None), None)
        now = None if wanted is None else await self._nonce()
        return None if now == wanted else f"{self.address}: nonce {now} is next, the plan was made for {wanted}"

    async def is_exposed(self) -> bool:
        """Return whether the chain has a nonce still unused that a signature is good for. Raises NodeError."""
        if self.exposed is None or self._is_dead:
            return False
        is_alive = await self._nonce() <= self.exposed
        self._is_dead = not is_alive
        return is_alive

    def doubt(self) -> None:
        """Ask the chain anew."""
        self._is_dead = False

    async def ending(self, purpose: str) -> Call:
        """Return one transaction that uses up every such nonce; a transfer of nothing where there is none."""
        if self.exposed is None or (nonce := await self._nonce()) > self.exposed:
            return Call(self._safe.owner, b"", Wei(0), purpose)
        carrier = ThroughSafe(self._safe, nonce, self.exposed)
        (call,) = sealed_calls([carrier.take_back(purpose)], carrier, carrier.decoders(), self._sign)
        return Call(call.to, call.data, call.value, purpose, NO_OP_GAS * (2 + self.exposed - nonce))

    def is_ending(self, row: Transaction) -> bool:
        """Return whether a transaction does nothing but use up nonces."""
        if is_nothing(row):
            return True
        call, read = Call(Address(row.to), bytes.fromhex(row.data[2:]), Wei(row.value), ""), self.reads.decoders()
        if call.to not in read:
            return False
        try:
            return all(isinstance(leaf, UsesUp) for _, leaf in opened(call, read))
        except PolicyError:
            return False

    @property
    def _key(self) -> str:
        return f"safe:{self._safe.chain_id}:{self.address}"

    async def _nonce(self) -> int:
        asked = {"to": self.address, "data": "0x" + _SAFE.nonce.encode().hex()}
        answer = await self._node.request("eth_call", asked, "latest")
        return _SAFE.nonce.word(octets(answer))


def is_nothing(row: Transaction) -> bool:
    """Return whether a transaction sends nothing to its own sender."""
    return row.to == row.signer and row.data == "0x" and row.value == 0
