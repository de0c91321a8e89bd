"""How the plans of a Safe go out at a block: by its nonce there, and what of ours goes before."""

from __future__ import annotations

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address
from keeper.engine.engine import Engine
from keeper.execution.carriers import Carrier
from keeper.execution.rehearsal import Refused
from keeper.execution.through_safe import ThroughSafe, nonces_used
from keeper.venues.contracts.safe import Safe
from keeper.venues.ports import ReadFailedError


def through(engine: Engine, snapshot: Snapshot, safe: Safe) -> ThroughSafe:
    """Return the carrier of a Safe's plans. Raises ReadFailedError where nothing can be done for it now."""
    state = snapshot.safes.get(safe.address)
    if state is None:
        raise ReadFailedError(Doubt(Reason.SAFE_UNREADABLE, safe.address))
    if state.fault is not None:
        reason, detail = state.fault
        raise ReadFailedError(Doubt(reason, f"{safe.address}: {detail}"))
    turns, sender = engine.rehearser.at(snapshot.block), engine.senders.get(safe.address)
    ahead = sum(nonces_used(safe, turn.calls) for turn in turns if turn.sender == safe.owner)
    return ThroughSafe(safe, state.nonce + ahead, sender.lane.holder.exposed if sender else None)


def is_carried_alike(engine: Engine, snapshot: Snapshot, carrier: Carrier) -> bool:
    """Return whether a plan made ready for an account would go out now as it was made ready."""
    safe = engine.terms.safes.get(carrier.account)
    if safe is None:
        return True
    try:
        now = through(engine, snapshot, safe)
    except ReadFailedError:
        return False
    return carrier in (now, now.one_by_one)


def named(snapshot: Snapshot, account: Address, refused: Refused) -> Refused:
    """Return why a plan does not work, with the guard of its Safe where there is one that may be why."""
    state = snapshot.safes.get(account)
    if state is None or state.guard is None or refused.reason is not Reason.REHEARSAL_FAILED:
        return refused
    return Refused(Reason.SAFE_GUARD, f"{refused.detail} (guard {state.guard})")
