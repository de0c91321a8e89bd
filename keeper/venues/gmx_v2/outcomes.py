"""What became of GMX v2 orders, and what was done to positions without us: from events alone.

That a position did not change proves nothing: an order may be waiting, frozen, or gone. An order is pending until an
event with its key says otherwise; a keeper's transaction that reverts leaves none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from keeper.core.units import Address
from keeper.venues.codec.abi import custom_error, revert_reason
from keeper.venues.gmx_v2.answers import LIQUIDATION
from keeper.venues.gmx_v2.events import DUE, FEE_EVENTS, POSITION_EVENTS, Event

_ADL = 1
_BY_OWNER, _AUTO = "USER_INITIATED_CANCEL", "AUTO_CANCEL"


class Canceller(Enum):
    """Who ended an order."""

    OWNER = "owner"
    AUTO = "auto"
    """The position it belonged to was closed."""
    KEEPER = "keeper"
    """It could not be filled."""


class OrderFault(Enum):
    """Why a position changed."""

    ORDER = "order"
    LIQUIDATION = "liquidation"
    ADL = "adl"


@dataclass(frozen=True, slots=True)
class ContractError:
    """Why an order was cancelled or frozen: the contract's error by name, with its arguments, and in words."""

    name: str
    arguments: tuple[Any, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Fill:
    """How a position changed. Dollars have 30 decimals; ``size_tokens`` in index, collateral in collateral tokens.

    ``cost`` is what fees, funding and borrowing took, in collateral tokens, also where too little was left to pay it;
    None when no fee event was among the logs. ``pnl`` is realized profit or loss; ``impact`` the price impact settled
    (of an increase: stored for later); ``impact_diff`` what was taken of a loss beyond the cap on it, on top, and may
    be claimed later.
    """

    order_key: str
    account: Address
    market: Address
    collateral: Address
    is_long: bool
    is_increase: bool
    cause: OrderFault
    price: int
    size_usd: int
    size_tokens: int
    collateral_change: int
    size_usd_after: int
    size_tokens_after: int
    collateral_after: int
    pnl: int
    impact: int
    cost: int | None
    block_number: int
    transaction_hash: str
    impact_diff: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether nothing of the position is left."""
        return self.size_usd_after == 0


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing ended the order yet. ``since`` is the block of its last creation or change, None when not among logs."""

    key: str
    since: int | None


@dataclass(frozen=True, slots=True)
class Executed:
    """The order was carried out; ``fill`` is None when the position's own event was not among the logs."""

    key: str
    fill: Fill | None
    is_adl: bool
    block_number: int
    transaction_hash: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order is gone without effect; what it held came back."""

    key: str
    by: Canceller
    refusal: ContractError | None
    block_number: int
    transaction_hash: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """The order could not be filled when its price came. It still rests, and needs a new full fee to be revived."""

    key: str
    refusal: ContractError
    block_number: int
    transaction_hash: str


Outcome = Pending | Executed | Cancelled | Frozen


def outcome_of(key: str, events: Sequence[Event]) -> Outcome:
    """Return what became of an order by its key; ``events`` in the order they happened."""
    mine = [e for e in events if e.key() == key]
    for event in reversed(mine):
        match event.name:
            case "OrderExecuted":
                is_adl = event.values.get("secondaryOrderType") == _ADL
                fill = next((f for f in fills(events) if f.order_key == key), None)
                return Executed(key, fill, is_adl, event.block_number, event.transaction_hash)
            case "OrderCancelled":
                by = _canceller(event)
                why = refusal_of(event) if by is Canceller.KEEPER else None
                return Cancelled(key, by, why, event.block_number, event.transaction_hash)
            case "OrderFrozen":
                return Frozen(key, refusal_of(event), event.block_number, event.transaction_hash)
            case "OrderUpdated" | "OrderCreated":
                return Pending(key, event.block_number)
    return Pending(key, None)


def created_keys(events: Sequence[Event], account: Address) -> tuple[str, ...]:
    """Return the keys of the orders an account's transaction created, in their order."""
    mine = (e for e in events if e.name == "OrderCreated" and e.values.get("account") == account)
    return tuple(e.key() for e in mine if e.values.get("orderType") != LIQUIDATION)


def fills(events: Sequence[Event]) -> tuple[Fill, ...]:
    """Return every change of a position among events, with its cause."""
    adl = {e.key() for e in events if e.name == "OrderExecuted" and e.values.get("secondaryOrderType") == _ADL}
    costs = _costs(events)
    return tuple(_fill(e, adl, costs) for e in events if e.name in POSITION_EVENTS and _is_whole(e))


def _costs(events: Sequence[Event]) -> dict[str, Any]:
    """Return what fills cost by order key. Of an insolvent one the fees collected count as none, those due apart."""
    stated = sorted((e for e in events if e.name in FEE_EVENTS), key=lambda e: e.name == DUE)
    return {e.key("orderKey"): e.values.get("totalCostAmount") for e in stated}


def behind_our_back(events: Sequence[Event], account: Address) -> tuple[Fill | Cancelled, ...]:
    """Return what the exchange did to an account by itself: liquidations, deleveraging, orders that went with it."""
    done: list[Fill | Cancelled] = [
        f for f in fills(events) if f.account == account and f.cause is not OrderFault.ORDER
    ]
    gone = [e for e in events if e.name == "OrderCancelled" and e.values.get("account") == account]
    automatic = (e for e in gone if _canceller(e) is Canceller.AUTO)
    done += [Cancelled(e.key(), Canceller.AUTO, None, e.block_number, e.transaction_hash) for e in automatic]
    return tuple(done)


def refusal_of(event: Event) -> ContractError:
    """Return why an order was cancelled or frozen; the exchange's plain words where it names no error."""
    data = event.values.get("reasonBytes", b"")
    if not data:
        words = str(event.values.get("reason", ""))
        return ContractError(words or "unknown", (), words or "no reason given")
    known = custom_error(data)
    name, arguments = known or (revert_reason(data), ())
    return ContractError(name, arguments, revert_reason(data))


def _canceller(event: Event) -> Canceller:
    reason = event.values.get("reason")
    return Canceller.OWNER if reason == _BY_OWNER else Canceller.AUTO if reason == _AUTO else Canceller.KEEPER


def _is_whole(event: Event) -> bool:
    return all(name in event.values for name in _NEEDED)


_NEEDED = ("account", "market", "collateralToken", "isLong", "executionPrice", "sizeDeltaUsd", "sizeInUsd", "orderKey")


def _fill(event: Event, adl: set[str], costs: dict[str, Any]) -> Fill:
    values, key = event.values, event.key("orderKey")
    is_increase = event.name == "PositionIncrease"
    taken = values.get("collateralDeltaAmount", 0)
    is_liquidation = values.get("orderType") == LIQUIDATION
    return Fill(
        order_key=key,
        account=values["account"],
        market=values["market"],
        collateral=values["collateralToken"],
        is_long=values["isLong"],
        is_increase=is_increase,
        cause=OrderFault.LIQUIDATION if is_liquidation else OrderFault.ADL if key in adl else OrderFault.ORDER,
        price=values["executionPrice"],
        size_usd=values["sizeDeltaUsd"],
        size_tokens=values.get("sizeDeltaInTokens", 0),
        collateral_change=taken if is_increase else -taken,
        size_usd_after=values["sizeInUsd"],
        size_tokens_after=values.get("sizeInTokens", 0),
        collateral_after=values.get("collateralAmount", 0),
        pnl=values.get("basePnlUsd", 0),
        impact=values.get("pendingPriceImpactUsd", 0) if is_increase else values.get("totalImpactUsd", 0),
        cost=costs.get(key),
        block_number=event.block_number,
        transaction_hash=event.transaction_hash,
        impact_diff=values.get("values.priceImpactDiffUsd", values.get("priceImpactDiffUsd", 0)),
    )
