"""What one node said and how it did: its head, the chain below it, its speed, and why its word does not count. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf

FAILURES_TO_LEAVE = 3
STALE_TO_LEAVE = 3
ASIDE_S = 60.0
REMEMBERED_BLOCKS = 64
_WEIGHT = 0.2  # of the newest answer in a moving average


class Role(Enum):
    """What a node is for. A private relay only takes transactions, and shows them to nobody."""

    READ = "read"
    SEND = "send"
    PRIVATE = "private"


class Aside(Enum):
    """Why a node's word does not count. Its head is asked for all the same, as of one that merely lags."""

    FAILING = "failing"
    LYING = "lying"
    WRONG_CHAIN = "wrong chain"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block of a node. ``timestamp`` is the block's."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class SeenChain:
    """What a node's chain looks like below its head: block number → hash, each block the child of the one before.

    A head that does not follow from what is known begins it anew, so that nothing outdated speaks for or against.
    """

    hashes: Mapping[int, str] = field(default_factory=dict)
    linked: int = 0
    """From this number on, each is known to be the child of the one before."""

    def extended(self, head: Head) -> SeenChain:
        """Return the history up to a head. Blocks that no chain of parents leads to are forgotten."""
        if self.hashes.get(head.number) == head.hash:
            return self
        ends, parent = {head.number: head.hash, head.number - 1: head.parent_hash}, head.number - 1
        if self.hashes.get(parent) != head.parent_hash:
            return SeenChain(ends, parent)
        oldest = min(parent, max(self.linked, head.number - REMEMBERED_BLOCKS))
        return SeenChain({n: h for n, h in self.hashes.items() if oldest <= n < parent} | ends, oldest)

    def with_block(self, number: int, hash_: str) -> SeenChain:
        """Return the history with a block the node was asked about."""
        if self.hashes.get(number) == hash_:
            return self
        return SeenChain({**self.hashes, number: hash_}, max(self.linked, number + 1 if number >= self.linked else 0))

    def shares(self, other: SeenChain) -> bool:
        """Whether both know a same block."""
        return any(other.hashes.get(n) == h for n, h in self.hashes.items())

    def contradicts(self, other: SeenChain) -> bool:
        """Whether they have different blocks at one number. Knowing nothing in common is no contradiction."""
        return any(other.hashes.get(n, h) != h for n, h in self.hashes.items())


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of one node."""

    name: str
    head: Head | None = None
    history: SeenChain = SeenChain()
    latency_s: float = 0.0
    """A moving average, zero before the first answer."""
    error_rate: float = 0.0
    """A moving average: 0 when every request was answered, 1 when none was."""
    failures: int = 0
    """In a row."""
    stale: int = 0
    """Answers from another block than was asked, in a row."""
    aside: Aside | None = None
    aside_until: float = 0.0
    is_chain_checked: bool = False

    def answered(self, latency_s: float) -> Record:
        """Return the record after an answer; a refusal is one too. It ends having been left for failing."""
        average = latency_s if not self.latency_s else self.latency_s + _WEIGHT * (latency_s - self.latency_s)
        errors = self.error_rate * (1 - _WEIGHT)
        after = replace(self, latency_s=average, error_rate=errors, failures=0)
        return replace(after, aside=None, aside_until=0.0) if self.aside is Aside.FAILING else after

    def was_stale(self, now: float) -> Record:
        """Return the record after an answer from another block: a failure. Three in a row are a lie."""
        after = replace(self.failed(now), stale=self.stale + 1)
        return after.left(Aside.LYING, now) if after.stale >= STALE_TO_LEAVE else after

    def was_proven(self) -> Record:
        """Return the record after an answer that proved to be of the block that was asked."""
        return replace(self, stale=0) if self.stale else self

    def failed(self, now: float) -> Record:
        """Return the record after a request without an answer: its chain is to be checked again when it is back.

        After three in a row it is left for a minute.
        """
        errors = self.error_rate + _WEIGHT * (1 - self.error_rate)
        after = replace(self, failures=self.failures + 1, error_rate=errors, is_chain_checked=False)
        return after.left(Aside.FAILING, now) if after.failures >= FAILURES_TO_LEAVE else after

    def left(self, why: Aside, now: float) -> Record:
        """Return the record of a node whose word does not count for a minute; while it is on another chain, not at all.

        What a node said that is left for more than failing is forgotten: it speaks for itself when asked again.
        """
        if self.aside is Aside.WRONG_CHAIN or (
            why is Aside.FAILING and self.aside is Aside.LYING and self.is_aside(now)
        ):
            return replace(self, is_chain_checked=False)
        until = inf if why is Aside.WRONG_CHAIN else now + ASIDE_S
        after = replace(self, aside=why, aside_until=until, is_chain_checked=False)
        return after if why is Aside.FAILING else replace(after, head=None, history=SeenChain(), stale=0)

    def on_our_chain(self) -> Record:
        """Return the record of a node whose chain was checked: having been on another one is over."""
        after = replace(self, is_chain_checked=True)
        return replace(after, aside=None, aside_until=0.0) if self.aside is Aside.WRONG_CHAIN else after

    def met_anew(self) -> Record:
        """Return the record of a node that was switched to: its chain is to be checked."""
        return replace(self, is_chain_checked=False)

    def saw(self, head: Head) -> Record:
        """Return the record with a newer word on the node's head."""
        return replace(self, head=head, history=self.history.extended(head))

    def stated(self, number: int, hash_: str) -> Record:
        """Return the record with the hash the node gave for a number."""
        return replace(self, history=self.history.with_block(number, hash_))

    def is_aside(self, now: float) -> bool:
        """Whether the node's word does not count at this time."""
        return now < self.aside_until

    def lag(self, handed: Head | None) -> int:
        """Return how many blocks the node is behind what was handed out; everything when it never named a head."""
        if handed is None:
            return 0
        return max(0, handed.number - self.head.number) if self.head else handed.number

    def has(self, number: int, hash_: str | None) -> bool:
        """Whether the node should be able to answer about a block: it came so far, and on that history."""
        if self.head is None or self.head.number < number:
            return False
        return hash_ is None or self.history.hashes.get(number, hash_) == hash_
