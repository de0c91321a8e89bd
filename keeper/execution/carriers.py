"""How the calls of an account's plan go out: as they are, as one batch of a delegated account, or through a Safe.

Nobody else asks what kind an account is. Planner, encoder, gate, rehearsal and lane ask its carrier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from keeper.core.units import Address
from keeper.venues.contracts import batch_account
from keeper.venues.contracts.effects import batch_decoder
from keeper.venues.effects import Call, Decoder

DELEGATION_GAS = 40_000
"""EIP-7702: 25,000 for an authorization and what writing it costs, whether it is needed or not."""


Sign = Callable[[bytes], bytes]
"""Signs a hash: 65 bytes."""
Within = Callable[[Call], Iterator[Call]]
"""The calls that a call makes, at every depth, in their order."""
Sealings = tuple[tuple[bytes, bytes], ...]
"""Calldata that waits for a signature, and the same with it, in the order of what is sent."""


@dataclass(frozen=True, slots=True)
class Use:
    """Which nonces of its account's own one transaction uses up."""

    nonce: int
    """The first: what it was made for."""
    exposes: int | None
    """The highest that a signature within it is good for, used by it or not."""


class Carrier(Protocol):
    """How one account's calls go out at one block."""

    @property
    def account(self) -> Address:
        """Whose calls they are: its wallet pays, its positions change."""

    @property
    def sender(self) -> Address:
        """Who sends the transactions and pays their gas."""

    @property
    def is_atomic(self) -> bool:
        """Whether a whole plan is one transaction, all or nothing."""

    @property
    def delegate(self) -> Address | None:
        """The account contract that the transaction has to delegate to (EIP-7702)."""

    @property
    def more_gas(self) -> int:
        """Gas beyond what a rehearsal shows."""

    @property
    def one_by_one(self) -> Carrier:
        """The same account, with a transaction for each call."""

    def carry(self, calls: Sequence[Call], purpose: str) -> tuple[Call, ...]:
        """Return what is sent so that these calls are made."""

    def call_back(self, calls: Sequence[Call]) -> bytes:
        """Return what somebody whom the account called calls it back with, so that these calls are made.

        Raises ValueError for an account that nobody can call back.
        """

    def codes(self, sent: Sequence[Call]) -> Mapping[Address, bytes]:
        """Return the code that accounts have in a rehearsal of what is sent."""

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what calls to the account do, where it is a contract: the gate's allow-list."""

    def signatures(self, sent: Sequence[Call], within: Within, sign: Sign) -> Sealings:
        """Return the signatures that calls within what is sent still wait for."""

    def waits(self, sent: Sequence[Call]) -> bool:
        """Return whether a signature within what is sent is still missing."""

    def uses(self, sent: Sequence[Call]) -> tuple[Use | None, ...]:
        """Return by what is sent what it uses up beside a nonce of the sender's; None for an account of a key."""


@dataclass(frozen=True, slots=True)
class Plain:
    """An account of a key: each call is a transaction."""

    account: Address

    is_atomic: ClassVar[bool] = False
    delegate: ClassVar[None] = None
    more_gas: ClassVar[int] = 0

    @property
    def sender(self) -> Address:
        """The account itself."""
        return self.account

    @property
    def one_by_one(self) -> Carrier:
        """As it is."""
        return self

    def carry(self, calls: Sequence[Call], purpose: str) -> tuple[Call, ...]:
        """Return the calls themselves."""
        del purpose
        return tuple(calls)

    def call_back(self, calls: Sequence[Call]) -> bytes:
        """Refuse: an account without code cannot be called. Raises ValueError."""
        return refuse_call_back(self.account, calls)

    def codes(self, sent: Sequence[Call]) -> Mapping[Address, bytes]:
        """Return nothing: it runs as it is."""
        del sent
        return {}

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return nothing: nobody calls it."""
        return {}

    def signatures(self, sent: Sequence[Call], within: Within, sign: Sign) -> Sealings:
        """Return nothing: each call is signed as the transaction it is."""
        del sent, within, sign
        return ()

    def waits(self, sent: Sequence[Call]) -> bool:
        """Return false."""
        del sent
        return False

    def uses(self, sent: Sequence[Call]) -> tuple[Use | None, ...]:
        """Return nothing for each."""
        return (None,) * len(sent)


@dataclass(frozen=True, slots=True)
class Batch:
    """A key's account that delegates to an account contract, or will with this: one batch of all calls."""

    account: Address
    contract: Address
    is_delegated: bool

    is_atomic: ClassVar[bool] = True
    more_gas: ClassVar[int] = DELEGATION_GAS

    @property
    def sender(self) -> Address:
        """The account itself."""
        return self.account

    @property
    def delegate(self) -> Address | None:
        """The contract, unless the account delegates to it already."""
        return None if self.is_delegated else self.contract

    @property
    def one_by_one(self) -> Carrier:
        """The account without its contract."""
        return Plain(self.account)

    def carry(self, calls: Sequence[Call], purpose: str) -> tuple[Call, ...]:
        """Return the one batch, from the account to itself."""
        return (batch_account.encode_batch(self.account, calls, purpose),)

    def call_back(self, calls: Sequence[Call]) -> bytes:
        """Refuse: its contract takes calls of itself only. Raises ValueError."""
        return refuse_call_back(self.account, calls)

    def codes(self, sent: Sequence[Call]) -> Mapping[Address, bytes]:
        """Return the account's code once it delegates."""
        del sent
        return {self.account: batch_account.delegated_code(self.contract)}

    def decoders(self) -> Mapping[Address, Decoder]:
        """Return what a batch does."""
        return {self.account: batch_decoder()}

    def signatures(self, sent: Sequence[Call], within: Within, sign: Sign) -> Sealings:
        """Return nothing: a batch is signed as any transaction is."""
        del sent, within, sign
        return ()

    def waits(self, sent: Sequence[Call]) -> bool:
        """Return false."""
        del sent
        return False

    def uses(self, sent: Sequence[Call]) -> tuple[Use | None, ...]:
        """Return nothing for each."""
        return (None,) * len(sent)


def refuse_call_back(account: Address, calls: Sequence[Call]) -> bytes:
    """Raise ValueError: nobody can call such an account back."""
    raise ValueError(f"{account} cannot be called back with {len(calls)} calls")
