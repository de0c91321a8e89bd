"""Which of several nodes to believe: rules over what each one said. No I/O and no clock: time is passed in, in seconds.

Every node is asked for its head, always: how it is doing is known of each. What is decided here is whose word counts.
Never is it nobody's: where all are set aside, those that answer count after all, and the owner hears of it.

Heads are monotonic. What was handed out once is followed by a higher block only, unless it was reorganised, and that
is believed when more healthy nodes left the handed-out history than stayed on it (a node alone decides for itself).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from urllib.parse import urlsplit

FAILURES_TO_LEAVE = 3
STALE_TO_LEAVE = 3
AHEAD = 64
"""Blocks a head may be ahead of what was handed out, whatever time has passed; and so many times the usual pace."""
AHEAD_PACE = 4
ASIDE_S = 60.0
REMEMBERED_BLOCKS = 64
_WEIGHT = 0.2  # of the newest answer in a moving average
_MUCH_SLOWER = 2.0
_NOTICEABLE_S = 0.05


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


@dataclass(frozen=True, slots=True)
class Handed:
    """The newest head that was handed out, and its history as the node that named it has it."""

    head: Head
    history: SeenChain


def counting(records: Sequence[Record], now: float) -> list[Record]:
    """Return the nodes whose word counts: those not set aside. Where all are, those that answer; else those that fail.

    One on another chain never is among them.
    """
    ours = [r for r in records if r.aside is not Aside.WRONG_CHAIN]
    free = [r for r in ours if not r.is_aside(now)]
    return free or [r for r in ours if r.failures < FAILURES_TO_LEAVE] or ours


def standing(records: Sequence[Record], now: float) -> list[Record]:
    """Return the nodes that count although they are set aside, for want of others; none where one is alone."""
    return [r for r in counting(records, now) if r.is_aside(now)] if len(records) > 1 else []


def healthy(records: Sequence[Record], now: float, handed: Head | None, max_lag: int) -> list[Record]:
    """Return the nodes to read from: they count, and are not too far behind. A node alone lags behind nobody."""
    found = counting(records, now)
    if sum(r.aside is not Aside.WRONG_CHAIN for r in records) == 1:
        return found
    return [r for r in found if r.lag(handed) <= max_lag]


def is_credible(number: int, before: int, elapsed_s: float, block_time_s: float) -> bool:
    """Return whether a chain can have come from one block to another in a time. Going back is another question."""
    return number - before <= AHEAD + AHEAD_PACE * elapsed_s / block_time_s


def far_ahead(records: Sequence[Record], handed: Head, elapsed_s: float, block_time_s: float) -> list[Record]:
    """Return the nodes whose heads are further ahead than time allows, and that no other node bears out."""
    number = handed.number
    far = [r for r in records if r.head and not is_credible(_number(r), number, elapsed_s, block_time_s)]
    return [r for r in far if not any(_bears_out(o.history, r.history) for o in far if o.name != r.name)]


def moved_on(
    records: Sequence[Record], then: Mapping[str, int], handed: Head, elapsed_s: float, block_time_s: float
) -> list[Record]:
    """Return the nodes below the block handed out whose own heads moved on since ``then``, as fast as a chain does.

    One that only catches up goes faster.
    """
    below = [r for r in records if r.head and _number(r) < handed.number and r.name in then]
    return [
        r for r in below if _number(r) > then[r.name] and is_credible(_number(r), then[r.name], elapsed_s, block_time_s)
    ]


def state(record: Record, now: float, handed: Head | None, max_lag: int) -> str:
    """Return in words how a node is doing."""
    if record.aside and record.is_aside(now):
        return record.aside.value if record.aside is Aside.WRONG_CHAIN else f"set aside: {record.aside.value}"
    if record.failures:
        return f"failed {record.failures} times in a row"
    lag = record.lag(handed)
    return f"lags {lag} blocks" if record.head and lag > max_lag else "fine" if record.head else "not heard of yet"


def by_preference(records: Iterable[Record], current: str | None = None) -> list[Record]:
    """Return nodes, best first: highest head, fewest failures, least latency.

    The one in use stays first while it is as high, did not fail, and is not much slower than the best.
    """
    ranked = sorted(records, key=_rank)
    staying = next((r for r in ranked if r.name == current), None)
    if staying is None or staying.failures or _number(staying) < _number(ranked[0]):
        return ranked
    if staying.latency_s > _MUCH_SLOWER * ranked[0].latency_s + _NOTICEABLE_S:
        return ranked
    return [staying, *(r for r in ranked if r is not staying)]


def next_head(handed: Handed | None, records: Sequence[Record]) -> Record | None:
    """Return the node whose head is handed out now; None when no head may be: all are behind, or they disagree."""
    for record in by_preference(r for r in records if r.head):
        if handed is None:
            if _speak_for(record, records) > _speak_against(record, records):
                return record
        elif _follows(handed, record, records):
            return record
    return None


def liars(records: Sequence[Record]) -> list[Record]:
    """Return the nodes that more of the others contradict than bear out. Of two that disagree neither is."""
    return [r for r in records if _speak_against(r, records) > _speak_for(r, records)]


def dispute(records: Sequence[Record]) -> tuple[Record, Record] | None:
    """Return two nodes with different blocks at one number, None when there are no such."""
    pairs = ((a, b) for i, a in enumerate(records) for b in records[i + 1 :])
    return next(((a, b) for a, b in pairs if a.history.contradicts(b.history)), None)


def unlinked(records: Sequence[Record], handed: Head | None, max_lag: int) -> list[tuple[Record, int]]:
    """Return which node to ask about which number, to learn whether it is on the others' history at all.

    That is one that skipped the block handed out last, and one so far ahead that the others either lag or know better.
    A node alone is not asked: there is nobody to compare it with.
    """
    headed = by_preference(r for r in records if r.head)
    if len(headed) < 2:
        return []
    wanted = [(headed[0], _number(r)) for r in headed[1:] if r.lag(headed[0].head) > max_lag]
    if handed:
        wanted += [(r, handed.number) for r in headed if _number(r) > handed.number]
    return [(r, number) for r, number in wanted if number not in r.history.hashes]


def host_of(url: str) -> str:
    """Return what of a URL may be shown: a path or query often carries an API key."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _follows(handed: Handed, record: Record, records: Sequence[Record]) -> bool:
    assert record.head  # noqa: S101 - asked of those with a head only
    if record.head.hash == handed.head.hash:
        return True
    if record.history.contradicts(handed.history):
        left = sum(r.history.contradicts(handed.history) for r in records)
        stayed = sum(_bears_out(r.history, handed.history) for r in records)
        return left > stayed
    return record.head.number > handed.head.number


def _speak_for(record: Record, records: Sequence[Record]) -> int:
    return 1 + sum(_bears_out(r.history, record.history) for r in records if r.name != record.name)


def _speak_against(record: Record, records: Sequence[Record]) -> int:
    return sum(r.history.contradicts(record.history) for r in records if r.name != record.name)


def _bears_out(one: SeenChain, other: SeenChain) -> bool:
    return one.shares(other) and not one.contradicts(other)


def _number(record: Record) -> int:
    return record.head.number if record.head else -1


def _rank(record: Record) -> tuple[int, int, float, float]:
    # errors count in coarse steps, so that one lost request long ago does not outweigh latency
    return -_number(record), record.failures, round(record.error_rate, 1), record.latency_s
