"""What to do about a refusal: each cause has its own next step, or its own reason to stop. Pure.

Saying the same bytes again is a step only where time alone may help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from keeper.chain.client_words import Cause
from keeper.chain.fees import Fees, raised
from keeper.chain.rejections import Refusal
from keeper.core.reasons import Reason
from keeper.core.units import Wei

NOTHING = Wei(0)
MOST_ANSWERS = 12
"""Steps taken at once in one flight: after that the usual course goes on, or it ends with the refusal's reason."""
SILENT_SAME = 5
"""Times the same call is refused for a reason nobody knows before that is the end of it."""
GAS_MOST_TIMES = 4
"""Times the gas limit a transaction began with that it is ever given."""


@dataclass(frozen=True, slots=True)
class Least:
    """What a bid must come to; zero for what nobody asked."""

    tip: Wei = NOTHING
    cap: Wei = NOTHING


@dataclass(frozen=True, slots=True)
class OfferMore:
    """Bid higher at once: at least what was asked for, and as near to what is wished as may be."""

    least: Least
    wished: Fees | None = None


@dataclass(frozen=True, slots=True)
class OfferLess:
    """The money is not there, or the node takes no more: the same with a lower cap."""

    most_cap: Wei


@dataclass(frozen=True, slots=True)
class MoreGas:
    """Sign with a higher gas limit: at least this, at most that."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class LookAgain:
    """The nonce is used, or not next: the chain says more than the node's words."""


@dataclass(frozen=True, slots=True)
class OneByOne:
    """Say the next only when the one before is mined."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing but time helps, if anything does."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing helps: end with this reason."""

    reason: Reason


Step = OfferMore | OfferLess | MoreGas | LookAgain | OneByOne | Wait | Stop


@dataclass(frozen=True, slots=True)
class RefusedBytes:
    """The bytes that were refused: what they offered, their gas limit, and the one they began with."""

    fees: Fees
    gas_limit: int
    first_gas: int
    same: int
    """How often the same call was refused for this cause."""


def step(refusal: Refusal, of: RefusedBytes) -> Step:
    """Return what is next."""
    match refusal.cause:
        case Cause.UNDERPRICED | Cause.TIP_TOO_LOW | Cause.CAP_TOO_LOW | Cause.POOL_FULL:
            return _bid(refusal, of)
        case Cause.FUNDS_SHORT | Cause.NODE_FEE_CAP:
            return _less(refusal, of)
        case Cause.GAS_TOO_LOW:
            most = GAS_MOST_TIMES * of.first_gas
            least = max((refusal.wanted or 0) * 5 // 4, of.gas_limit * 3 // 2)
            return MoreGas(min(least, most), most) if of.gas_limit < most else Stop(Reason.GAS_REFUSED)
        case Cause.NONCE_USED | Cause.NONCE_GAP:
            return LookAgain()
        case Cause.ONE_AT_A_TIME:
            return OneByOne()
        case Cause.GAS_TOO_HIGH | Cause.TYPE_UNSUPPORTED:
            return Stop(reason_of(refusal.cause))
        case Cause.ALREADY_KNOWN | Cause.OVERLOADED:
            return Wait()
        case Cause.UNKNOWN:
            return Stop(Reason.SENDING_FAILED) if of.same >= SILENT_SAME else Wait()
        case _:
            assert_never(refusal.cause)


def _bid(refusal: Refusal, of: RefusedBytes) -> Step:
    """Return a higher bid: what was wanted, else twofold; above another program's transaction on both fees."""
    old, wanted = of.fees, refusal.wanted
    if refusal.cause is Cause.TIP_TOO_LOW:
        return OfferMore(Least(tip=Wei(_beyond(wanted, old.tip))))
    if refusal.cause is Cause.CAP_TOO_LOW:
        return OfferMore(Least(cap=Wei(_beyond(wanted, old.max_fee))))
    if refusal.cause is Cause.POOL_FULL:
        return OfferMore(Least(), wished(old, Wei(raised(old.tip)))) if of.same < 2 else Wait()
    return OfferMore(Least(), wished(old, Wei(2 * old.tip), Wei(wanted or 0)))


def _less(refusal: Refusal, of: RefusedBytes) -> Step:
    """Return the same with a lower cap, so that the money suffices, or the node takes it."""
    old = of.fees.max_fee
    if refusal.cause is Cause.NODE_FEE_CAP:
        return OfferLess(Wei(min(refusal.wanted // of.gas_limit if refusal.wanted else old // 2, old - 1)))
    if refusal.short_by is None:
        return OfferLess(Wei(old - old // 8 - 1))
    return OfferLess(Wei(max(0, old - -(-refusal.short_by // of.gas_limit) - old // 100)))


def reason_of(cause: Cause) -> Reason:
    """Return why a plan ends when a refusal has no step left that is allowed."""
    match cause:
        case Cause.UNDERPRICED:
            return Reason.OUTBID
        case Cause.TIP_TOO_LOW | Cause.CAP_TOO_LOW | Cause.NODE_FEE_CAP:
            return Reason.FEE_LIMIT
        case Cause.POOL_FULL:
            return Reason.POOL_FULL
        case Cause.GAS_TOO_LOW | Cause.GAS_TOO_HIGH:
            return Reason.GAS_REFUSED
        case Cause.FUNDS_SHORT:
            return Reason.NO_GAS_MONEY
        case Cause.TYPE_UNSUPPORTED:
            return Reason.TYPE_REFUSED
        case Cause.NONCE_USED:
            return Reason.NONCE_TAKEN
        case Cause.NONCE_GAP:
            return Reason.STALE_STATE
        case Cause.ALREADY_KNOWN | Cause.ONE_AT_A_TIME | Cause.OVERLOADED | Cause.UNKNOWN:
            return Reason.SENDING_FAILED
        case _:
            assert_never(cause)


def wished(old: Fees, tip: Wei, topped: Wei = NOTHING) -> Fees:
    """Return a bid above another on both fees, and above the cap that topped it, where that is known."""
    return Fees(Wei(max(raised(old.max_fee), raised(topped), tip)), tip)


def _beyond(wanted: int | None, offered: int) -> int:
    """Return what to offer instead: what was wanted, where that is more; else twofold."""
    return wanted if wanted is not None and wanted > offered else 2 * offered
