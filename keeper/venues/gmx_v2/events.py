"""GMX v2 events: everything the exchange says comes from one EventEmitter as named values.

``EventLog1`` and ``EventLog2`` carry the event's name and one or two indexed topics: ``topics[1]`` is the hash of the
name, then for orders the key and the account, for positions the account, for fees the market.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keeper.core.units import Address
from keeper.venues.codec.abi import UNREADABLE, address
from keeper.venues.codec.hashes import keccak
from keeper.venues.codec.values import decode
from keeper.venues.gmx_v2 import keys
from keeper.venues.gmx_v2.markets import GmxDeployment


class Logged(Protocol):
    """One event as nodes give it; topics are 0x and 64 hex digits."""

    @property
    def address(self) -> Address:
        """Who emitted it."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What it is found by."""

    @property
    def data(self) -> bytes:
        """What it says."""

    @property
    def block_number(self) -> int:
        """Where."""

    @property
    def transaction_hash(self) -> str:
        """In which transaction."""

    @property
    def index(self) -> int:
        """At which place in the block."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event by name. Values are Python's own: integers, booleans, bytes, text, checksummed addresses."""

    name: str
    values: dict[str, Any]
    block_number: int
    transaction_hash: str
    index: int

    def key(self, name: str = "key") -> str:
        """Return a value of 32 bytes as 0x and 64 hex digits; empty when the event has none."""
        value = self.values.get(name)
        return "0x" + value.hex() if isinstance(value, bytes) else ""


_KINDS = ("address", "uint256", "int256", "bool", "bytes32", "bytes", "string")
_DATA = "(" + ",".join(f"((string,{kind})[],(string,{kind}[])[])" for kind in _KINDS) + ")"
_NAMED = ("address", "string", _DATA)


def _topic_of(event: str, *indexed: str) -> str:
    return "0x" + keccak(text=f"{event}({','.join(('address', 'string', 'string', *indexed, _DATA))})").hex()


EVENT_LOG = _topic_of("EventLog")
EVENT_LOG_1 = _topic_of("EventLog1", "bytes32")
EVENT_LOG_2 = _topic_of("EventLog2", "bytes32", "bytes32")
_ALL = (EVENT_LOG, EVENT_LOG_1, EVENT_LOG_2)

ORDER_EVENTS = ("OrderCreated", "OrderUpdated", "OrderExecuted", "OrderCancelled", "OrderFrozen")
POSITION_EVENTS = ("PositionIncrease", "PositionDecrease")
DUE = "PositionFeesInfo"
"""What an insolvent close would have cost; what is reported as collected is nothing then."""
FEE_EVENTS = ("PositionFeesCollected", DUE)

Topics = Sequence[str | Sequence[str] | None]


def name_topic(name: str) -> str:
    """Return the topic an event's name makes."""
    return "0x" + keys.topic(name).hex()


def order_filter(key: str) -> Topics:
    """Return the topics that find all that became of an order."""
    return [EVENT_LOG_2, [name_topic(n) for n in ORDER_EVENTS], key]


def account_filters(account: Address) -> tuple[Topics, Topics]:
    """Return the topics that find whatever happens to an account's orders and to its positions."""
    who = "0x" + account[2:].lower().rjust(64, "0")
    return (
        [EVENT_LOG_2, [name_topic(n) for n in ORDER_EVENTS], None, who],
        [EVENT_LOG_1, [name_topic(n) for n in POSITION_EVENTS], who],
    )


def fee_filter(market: Address) -> Topics:
    """Return the topics that find the fees collected in a market, everybody's."""
    return [EVENT_LOG_1, [name_topic(n) for n in FEE_EVENTS], "0x" + market[2:].lower().rjust(64, "0")]


def decode_events(deployment: GmxDeployment, logs: Iterable[Logged]) -> tuple[Event, ...]:
    """Return the events among logs, in their order; logs of others and what cannot be read are left out."""
    found = (decode_event(deployment, log) for log in logs)
    return tuple(sorted((e for e in found if e), key=lambda e: (e.block_number, e.index)))


def decode_event(deployment: GmxDeployment, log: Logged) -> Event | None:
    """Return one event, None when it is none of this exchange's or of a shape that is not known."""
    if log.address != deployment.event_emitter or not log.topics or log.topics[0] not in _ALL:
        return None
    try:
        _, name, data = decode(_NAMED, log.data)
    except UNREADABLE:
        return None
    return Event(name, _values(data), log.block_number, log.transaction_hash, log.index)


def _values(data: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for kind, (items, lists) in zip(_KINDS, data, strict=True):
        tidy = address if kind == "address" else lambda x: x
        values |= {key: tidy(value) for key, value in items}
        values |= {key: tuple(tidy(v) for v in value) for key, value in lists}
    return values
