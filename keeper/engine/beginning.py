"""A block begins: what is on its way is heard of, everything is read, and what holds for all positions is heeded."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from keeper.core.breaker import Breaker
from keeper.core.exposure import exceeded, summed
from keeper.core.notices import sentence
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, Snapshot, Unreadable
from keeper.core.units import Address
from keeper.engine.engine import Engine
from keeper.journal.errors import JournalError

LOOK_S = 0.3
"""How long a block waits to be judged for what it may have mined of ours."""
PAUSE_S = 0.002


async def begun(engine: Engine, block: BlockRef) -> Snapshot:
    """Return everything at a block that begins to be judged; what its reading may ask for begins beside it.

    Raises NodeError, ReadFailedError.
    """
    engine.state.lineage.saw(block)
    _ask_around(engine, block)
    _warm_up(engine)
    engine.reader.follow(engine.state.rules)
    engine.state.begin()
    engine.rehearser.begin(block)
    _heed_time(engine, block)
    snapshot = await engine.reader.snapshot(block)
    await _recall_breaker(engine)
    engine.state.saw(snapshot)
    await _heed_breaker(engine, block)
    _heed_exposure(engine, snapshot)
    await engine.look_ahead(snapshot)
    return snapshot


async def hear_of_plans(engine: Engine) -> None:
    """A block came: let what is on its way see whether it was mined, before anything is decided on it.

    What landed frees its position and its signer a block earlier. Nobody waits for long.
    """
    in_flight = engine.state.in_flight
    lanes = [e.lane for s, e in engine.senders.items() if s in in_flight and e.lane.is_carrying]
    if not lanes:
        return
    signers = {lane.holder.address for lane in lanes}
    for lane in lanes:
        lane.look_now()
    until = engine.clock.monotonic() + LOOK_S
    while engine.clock.monotonic() < until:
        carrying = {lane.holder.address for lane in lanes if lane.is_carrying}
        is_looked = all(lane.is_pausing for lane in lanes if lane.is_carrying)
        if is_looked and not any(signer in in_flight for signer in signers - carrying):
            return
        await engine.clock.sleep(PAUSE_S)


def _ask_around(engine: Engine, block: BlockRef) -> None:
    """Ask other nodes, where there are any, about positions that have plans ready: beside the read."""
    seen, armed = engine.state.seen, engine.state.armed
    if engine.quorum is not None and seen is not None:
        near = [p for p in seen.positions if not isinstance(p, Unreadable) and armed.get(p.name)]
        engine.quorum.begin(block, [(engine.reader.any_account(p.name), p) for p in near])


def _warm_up(engine: Engine) -> None:
    """While the block is read, rehearse what its reading may ask for: a signature and a commit, undone again.

    Only for signers of plans that are ready. It takes the coldness out of the first of a quiet day.
    """
    state = engine.state
    if not state.warms_up:
        return
    signers = {engine.reader.positions[name].spender for name, ready in state.armed.items() if ready}
    for signer in signers - state.in_flight.signers():
        sender = engine.senders.get(signer)
        if sender is not None and (state.warming is None or state.warming.done()):
            state.warming = asyncio.create_task(sender.lane.warm_up(engine.terms.batches.get(signer)))
            state.warming.add_done_callback(lambda done: done.cancelled() or done.exception())


def _heed_time(engine: Engine, block: BlockRef) -> None:
    for doubt in engine.time_doubts(block):
        said = sentence(f"block {block.number} is {doubt.detail}", doubt.reason.remedy)
        engine.observer.raise_alarm("time", sentence(doubt.reason.short).rstrip("."), said)
        return
    engine.observer.clear_alarm("time", "The newest block's time is that of this machine's clock.")


async def _recall_breaker(engine: Engine) -> None:
    """Begin with what an earlier run saw of moves that suspend trades; what cannot be read suspends nothing."""
    if engine.terms.breaker is None or engine.state.breaker is not None:
        return
    engine.state.breaker = Breaker(engine.terms.breaker)
    with contextlib.suppress(JournalError):
        engine.state.breaker.recall(await engine.journal.facts.get(_breaker_key(engine)))


async def _heed_breaker(engine: Engine, block: BlockRef) -> None:
    """Report a move that suspends trades, and write it down: a restart does not end it."""
    breaker = engine.state.breaker
    if breaker is None:
        return
    if engine.state.has_tripped and not engine.perps.is_look:
        with contextlib.suppress(JournalError):
            await engine.journal.facts.set(_breaker_key(engine), breaker.plain)
    for asset, (at, moved) in breaker.tripped.items():
        name, key = _symbol(engine, asset), f"breaker:{asset}"
        if 0 <= block.timestamp - at < breaker.terms.pause_s:
            said = sentence(f"{name} moved {moved / 100:.1f} %", Reason.BREAKER_TRIPPED.remedy)
            engine.observer.raise_alarm(key, f"{name}: the circuit breaker holds trades back", said)
        else:
            engine.observer.clear_alarm(key, f"{name} may be traded again.")


def _heed_exposure(engine: Engine, snapshot: Snapshot) -> None:
    """Measure what all positions come to against the owner's limits, and report what is beyond one."""
    limits, elsewhere = engine.terms.exposure, engine.elsewhere
    if engine.chains is not None:
        engine.chains.saw(summed(snapshot.positions))
        if engine.chains.is_early:  # boosts wait, but nobody is woken for chains that have just been opened
            known = exceeded(limits, snapshot.positions, replace(elsewhere, unknown=()))
            engine.state.exceeded = exceeded(limits, snapshot.positions, elsewhere)
            _report_exposure(engine, known)
            return
    engine.state.exceeded = exceeded(limits, snapshot.positions, elsewhere)
    _report_exposure(engine, engine.state.exceeded)


def _report_exposure(engine: Engine, beyond: tuple[str, ...]) -> None:
    if beyond:
        said = sentence("; ".join(beyond), Reason.EXPOSURE_LIMIT.remedy)
        engine.observer.raise_alarm("exposure", "Exposure is beyond its limit", said)
    elif engine.terms.exposure is not None:
        engine.observer.clear_alarm("exposure", "Exposure is within its limits again.")


def _symbol(engine: Engine, asset: Address) -> str:
    """Return what an asset is called: as a market lists it, or as a perpetual of it does."""
    if listed := engine.reader.known.used.get(asset):
        return listed.symbol
    perps = () if engine.state.seen is None else engine.state.seen.perps
    return next((leg.symbol for p in perps for leg in p.legs if leg.oracle.asset == asset), asset[:8])


def _breaker_key(engine: Engine) -> str:
    return f"breaker:{engine.perps.scope}:{engine.reader.network.name}"
