"""What a node pushes by itself: new heads and logs. A push is a hint that comes early; the next read is the judge.

Usage, with one node (``Node``) or several (``Nodes``), over WebSocket:

    pushed = nodes.subscribe_logs([feed], [[ANSWER_UPDATED]], on_log, on_gap)
    if pushed is None: ...        # no node of ours pushes: ask eth_getLogs instead
    pushed.is_live                # a node has confirmed it and the connection is up: pushes can be counted on
    pushed.cancel()

``on_log(log)`` and ``on_gap()`` are called on the event loop and must neither block nor raise. ``on_gap`` says that
pushes may have been missed (a connection was lost, or came back): what was concluded from them so far must be read
anew. A subscription lives on through reconnections until it is cancelled or its node closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keeper.core.units import Address
from keeper.venues.codec.abi import address
from keeper.venues.codec.quantities import hash32, octets, quantity

REMEMBERED = 4096
Header = dict[str, Any]
Topics = Sequence[str | Sequence[str] | None]
"""By place: one topic, several of which one must match, or None for any; 0x and 64 hex digits each."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event as a node pushes it. ``removed`` when a reorg took its block away. Pending ones have no block hash."""

    address: Address
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    block_hash: str
    transaction_hash: str
    index: int
    removed: bool

    @property
    def key(self) -> tuple[str, str, int, bool]:
        """What makes two pushes the same event and not two."""
        return self.block_hash, self.transaction_hash, self.index, self.removed


OnLog = Callable[[Log], None]
OnGap = Callable[[], None]


class Pushed(Protocol):
    """A subscription under way."""

    @property
    def is_live(self) -> bool:
        """Whether a node confirmed it and its connection is up."""

    def cancel(self) -> None:
        """End it. Nothing is called any more, at once."""


@dataclass(frozen=True, slots=True)
class SharedPush:
    """One subscription at several nodes: live while any of them is."""

    parts: tuple[Pushed, ...]

    @property
    def is_live(self) -> bool:
        """Whether any node can be counted on."""
        return any(part.is_live for part in self.parts)

    def cancel(self) -> None:
        """End it at every node."""
        for part in self.parts:
            part.cancel()


class Stated:
    """Passes each log on once, however many nodes push it. The latest ``REMEMBERED`` are known."""

    def __init__(self, on_log: OnLog) -> None:
        self._on_log = on_log
        self._known = dict[tuple[str, str, int, bool], None]()

    def __call__(self, log: Log) -> None:
        """Pass a log on, unless it was."""
        if log.key in self._known:
            return
        # what a reorg took may come again, and what came again may be taken again
        self._known.pop((*log.key[:3], not log.removed), None)
        self._known[log.key] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        self._on_log(log)


def as_log(found: Any) -> Log:
    """Return a log as nodes write them. Raises ValueError when a field is missing or makes no sense."""
    try:
        return Log(
            address=address(found["address"]),
            topics=tuple(hash32(t) for t in found["topics"]),
            data=octets(found["data"]),
            block_number=quantity(found.get("blockNumber") or "0x0"),
            block_hash=hash32(found["blockHash"]) if found.get("blockHash") else "",
            transaction_hash=hash32(found["transactionHash"]) if found.get("transactionHash") else "",
            index=quantity(found.get("logIndex") or "0x0"),
            removed=bool(found.get("removed")),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a log ({error})") from None
