"""Which way a GMX v2 has to try an order without waiting for its keepers: found by what its contracts have.

Generations differ (gmx-synthetics): up to v2.2 the ExchangeRouter simulates the order left last
(``simulateExecuteLatestOrder``), inside the very call that leaves it. v2.2c moved that out of the ExchangeRouter. What
it stood on, ``OrderHandler.simulateExecuteOrder``, is open to anybody, and tries any order by its key: then the call
that leaves the order and the one that tries it are run one after the other.

A function that is there answers a senseless request with an error of its own; one that is not reverts with nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from keeper.core.units import Address
from keeper.venues.codec.abi import address, load
from keeper.venues.codec.values import DecodingError, decode
from keeper.venues.contracts import multicall3
from keeper.venues.gmx_v2.markets import GmxDeployment
from keeper.venues.ports import Answer, Discovery, Read

ROUTER, HANDLER = load("gmx_v2_exchange_router"), load("gmx_v2_order_handler")
_SENSELESS: tuple[object, ...] = (["0x" + "00" * 20], [], 0, 0)
"""A token without its price: refused before anything else is looked at (InvalidPrimaryPricesForSimulation)."""
_ASKED_GAS = 3_000_000


class Way(Enum):
    """How an order can be tried."""

    ROUTER = "ExchangeRouter.simulateExecuteLatestOrder"
    HANDLER = "OrderHandler.simulateExecuteOrder"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Trials:
    """The way there is, and the contract that is asked."""

    way: Way
    handler: Address | None = None


BY_ROUTER = Trials(Way.ROUTER)


def discover_trials(deployment: GmxDeployment, multicall: Address) -> Discovery[Trials]:
    """Find the way an exchange has; ``Way.NONE`` where it has none that is known."""
    latest = Read(deployment.exchange_router, ROUTER.simulateExecuteLatestOrder.encode(_SENSELESS))
    answers = yield (_tried(multicall, latest), ROUTER.orderHandler.read(deployment.exchange_router))
    if _is_there(answers[0]):
        return BY_ROUTER
    stated = ROUTER.orderHandler.decode_or_none(answers[1])
    if stated is None or not int(stated[0], 16):
        return Trials(Way.NONE)
    handler = address(stated[0])
    one = Read(handler, HANDLER.simulateExecuteOrder.encode(bytes(32), _SENSELESS))
    answers = yield (_tried(multicall, one),)
    return Trials(Way.HANDLER, handler) if _is_there(answers[0]) else Trials(Way.NONE)


def _tried(multicall: Address, read: Read) -> Read:
    """Return a read that never reverts, and returns what another one reverted with."""
    return Read(multicall, multicall3.encode((read,)), gas=_ASKED_GAS)


def _is_there(answer: Answer) -> bool:
    """Return whether a tried function is there: it always reverts, and with something."""
    if answer is None:
        return False
    try:
        ((stated,),) = decode(["(bool,bytes)[]"], answer)
    except (DecodingError, ValueError):
        return False
    succeeded, data = stated
    return not succeeded and len(data) > 0


def last_key(calls: Sequence[int], keys: Sequence[str]) -> str | None:
    """Return the key of the last order that the last of ``calls`` leaves; each says how many orders it leaves."""
    last = sum(calls)
    return keys[last - 1] if calls and calls[-1] and 0 < last <= len(keys) else None
