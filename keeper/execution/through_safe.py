"""A Safe as the carrier of a plan: sent by one of its owners; what calls the Safe back is signed apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from keeper.core.units import Address, Wei
from keeper.execution.carriers import Carrier, Sealings, Sign, Use, Within
from keeper.venues.codec.abi import address
from keeper.venues.codec.hashes import keccak
from keeper.venues.contracts import batch_account
from keeper.venues.contracts.safe import SAYS_YES, Safe, encode_back, encode_by_owner, sealed, transaction_hash
from keeper.venues.contracts.safe_effects import Signing, safe_decoder
from keeper.venues.effects import Call, Decoder

ASSENTS = address("0x000000000000000000000000000000005afe0001")
"""Where, in a rehearsal, the code is that says yes in an owner's place."""
MOST_NONCES = 16
"""Nonces of a Safe that one plan may use."""


@dataclass(frozen=True, slots=True)
class ThroughSafe:
    """A Safe that one of its owners acts for: ``execTransaction``, sent by the owner himself.

    Only what calls the Safe back carries a signature. What earlier such signatures are still good for is used up by
    the first transaction that goes out.
    """

    safe: Safe
    nonce: int | None
    """The Safe's own, at the block the plan is made on; None where past calls are only read."""
    exposed: int | None = None
    """The highest of its nonces that a signature of ours was shown for."""
    is_atomic: bool = True
    delegate: ClassVar[None] = None
    more_gas: ClassVar[int] = 100_000
    """What is kept back of calls within calls (a 64th each), and what a signature costs beside a rehearsed one."""

    @property
    def account(self) -> Address:
        """The Safe."""
        return self.safe.address

    @property
    def sender(self) -> Address:
        """Its owner who acts."""
        return self.safe.owner

    @property
    def one_by_one(self) -> Carrier:
        """A transaction of the Safe for each call."""
        return replace(self, is_atomic=False)

    def carry(self, calls: Sequence[Call], purpose: str) -> tuple[Call, ...]:
        """Return one transaction of the Safe for all calls, or one for each where the plan is not to be one."""
        groups = [list(calls)] if self.is_atomic else [[call] for call in calls]
        groups[0] += self._uses_up(groups[0])
        return tuple(encode_by_owner(self.safe, group, purpose) for group in groups)

    def take_back(self, purpose: str) -> Call:
        """Return the one call that does nothing but use up every nonce that a signature of ours was shown for."""
        return encode_by_owner(self.safe, self._uses_up(()), purpose)

    def _uses_up(self, calls: Sequence[Call]) -> list[Call]:
        """Return transactions of nothing for the nonces that were exposed and that these calls do not use up."""
        if self.nonce is None or self.exposed is None:
            return []
        own = sum(call.data.count(self.safe.unsealed) for call in calls)
        missing = min(MOST_NONCES, max(0, self.exposed - self.nonce - own))
        return [Call(self.account, encode_back(self.safe, ()), Wei(0), "use up a signature")] * missing

    def call_back(self, calls: Sequence[Call]) -> bytes:
        """Return a transaction of the Safe that anybody may hand it, once it is signed."""
        return encode_back(self.safe, calls)

    def codes(self, sent: Sequence[Call]) -> Mapping[Address, bytes]:
        """Return, where a signature is missing, what lets the owner's account say yes to it."""
        if not self.waits(sent):
            return {}
        return {self.sender: batch_account.delegated_code(ASSENTS), ASSENTS: SAYS_YES}

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what a transaction of the Safe does; signatures are for nonces that this plan may use."""
        nonces = None if self.nonce is None else range(self.nonce + 1, self.nonce + 1 + MOST_NONCES)
        signing = Signing(self.sender, nonces, partial(transaction_hash, self.safe), signer_of)
        return {self.account: safe_decoder(self.account, self.safe.multi_send, signing)}

    def signatures(self, sent: Sequence[Call], within: Within, sign: Sign) -> Sealings:
        """Return each call back with its signature, in the order in which they use up the Safe's nonces."""
        found, nonce = list[tuple[bytes, bytes]](), self.nonce or 0
        for call in sent:
            nonce += 1
            for inner in within(call):
                if inner.to == self.account and self.safe.unsealed in inner.data:
                    signature = sign(transaction_hash(self.safe, inner.data, nonce))
                    found.append((inner.data, sealed(self.safe, inner.data, signature)))
                    nonce += 1
        return tuple(found)

    def waits(self, sent: Sequence[Call]) -> bool:
        """Return whether a call back within what is sent has no signature yet."""
        return any(self.safe.unsealed in call.data for call in sent)

    def uses(self, sent: Sequence[Call]) -> tuple[Use | None, ...]:
        """Return the Safe's nonces that each uses up: its own, and one for each call back."""
        found, nonce = list[Use | None](), self.nonce or 0
        for call in sent:
            count = call.data.count(self.safe.unsealed)
            found.append(Use(nonce, nonce + count if count else None))
            nonce += 1 + count
        return tuple(found)


def nonces_used(safe: Safe, sent: Sequence[Call]) -> int:
    """Return how many nonces of a Safe calls use up that wait for no signature but those of a rehearsal."""
    return sum(1 + call.data.count(safe.unsealed) for call in sent if call.to == safe.address)


def signer_of(digest: bytes, signature: bytes) -> Address:
    """Return whose signature of a hash it is. Raises ValueError for what is none."""
    from coincurve import PublicKey  # noqa: PLC0415 - for accounts that are Safes alone

    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    except Exception as error:  # noqa: BLE001 - its library says so of whatever is no point of the curve
        raise ValueError(f"no signature ({error})") from None
    return address(keccak(key.format(compressed=False)[1:])[-20:])
