"""The price has come: is a plan that was made ready for it still what was rehearsed? Then it goes out at once."""

from __future__ import annotations

from dataclasses import replace

from keeper.core.armed.bounds import BLOCKS, OutOfBoundsError, project
from keeper.core.lending.proposals import ATOMIC_FLOOR
from keeper.core.lending.rules import LendingIntent
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address
from keeper.engine.engine import Engine
from keeper.engine.lending.for_safes import is_carried_alike
from keeper.engine.lending.plan import gas_needed
from keeper.engine.lending.preflight import Prepared, gate, priced
from keeper.execution.armed import Armed, check_around, check_lent


async def fitting(engine: Engine, snapshot: Snapshot, intent: LendingIntent, signer: Address) -> Prepared | None:
    """Return a plan made ready beforehand that is still right; None when one is to be rehearsed as usual.

    The fresh snapshot decides: see ``core.bounds`` for what must still hold. Nobody is asked anything; where there are
    several nodes their answers, asked for beside the read, are waited for. Raises NodesDisagreeError.
    """
    if intent.position in snapshot.otherwise:
        return None
    for armed in engine.state.armed.get(intent.position, ()):
        try:
            prepared = _fitted(engine, snapshot, intent, signer, armed)
        except OutOfBoundsError as why:
            engine.observer.unfit(intent.position, armed.plan.label, str(why))
            continue
        account = engine.reader.account(intent.position)
        if engine.quorum is not None and not await engine.quorum.are_one(account, intent.assessment.position):
            return None
        after = prepared.plan.projected.health_factor
        engine.observer.rehearsed(intent.position, prepared.plan.label, armed.rehearsed.how, after)
        return prepared
    return None


def _fitted(engine: Engine, snapshot: Snapshot, intent: LendingIntent, signer: Address, armed: Armed) -> Prepared:
    block, wallet = snapshot.block, snapshot.wallets[signer]
    if engine.state.lineage.distance(block, armed.bounds.block.hash, BLOCKS) is None:
        raise OutOfBoundsError(f"block {armed.bounds.block.number} is not one of the last {BLOCKS} before this one")
    executor = engine.senders.get(signer)
    if executor and (armed.nonce is None or executor.lane.ready_nonce(block) != armed.nonce):
        raise OutOfBoundsError("the signer's nonce is not ready, or not what it was")
    if not is_carried_alike(engine, snapshot, armed.script.carrier):
        raise OutOfBoundsError("the account's own nonce, or who has a say in it, is not what it was")
    floor, is_atomic = engine.terms.safety.health_floor, armed.script.carrier.is_atomic
    figures = project(armed.plan, armed.bounds, intent, wallet, ATOMIC_FLOOR if is_atomic else floor)
    if figures.health_factor < min(floor, intent.assessment.figures.health_factor):
        raise OutOfBoundsError("it would end below the floor")
    check_around(armed, snapshot.also)
    check_lent(armed, snapshot.lendable)
    plan = replace(armed.plan, intent=intent, before=intent.assessment.figures, projected=figures)
    if gas_needed(plan, block.base_fee, engine.fees.last_toll, is_atomic=is_atomic) > wallet.native:
        raise OutOfBoundsError("the signer may not be able to pay for the gas")
    found = gate(engine, block, plan, armed.script)
    if found is None:
        prepared = priced(engine, snapshot, plan, armed.script, armed.rehearsed)
        if isinstance(prepared, Prepared):
            return prepared
        found = prepared
    raise OutOfBoundsError(f"{found.reason.short}: {found.detail}")
