"""Which of several nodes to believe: rules over what each one said. No I/O and no clock: time is passed in, in seconds.

Every node is asked for its head, always: how it is doing is known of each. What is decided here is whose word counts.
Never is it nobody's: where all are set aside, those that answer count after all, and the owner hears of it.

Heads are monotonic. What was handed out once is followed by a higher block only, unless it was reorganised, and that
is believed when more healthy nodes left the handed-out history than stayed on it (a node alone decides for itself).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from keeper.chain.record import FAILURES_TO_LEAVE, Aside, Head, Record, SeenChain

AHEAD = 64
"""Blocks a head may be ahead of what was handed out, whatever time has passed; and so many times the usual pace."""
AHEAD_PACE = 4
_MUCH_SLOWER = 2.0
_NOTICEABLE_S = 0.05


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
