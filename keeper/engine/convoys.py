"""Plans of one block, one upon another: what comes later is sized and rehearsed on the state the earlier leave."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from keeper.chain.fees import LEAST_TIP
from keeper.chain.fork import AnvilMissingError
from keeper.chain.gas import gas_limit
from keeper.chain.simulation import CannotPayError, Turn
from keeper.core.lending.joint import Ahead, pools_of
from keeper.core.lending.quotes import QuoteRequest, Quotes
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei
from keeper.engine.engine import Engine
from keeper.engine.lending.preflight import Prepared
from keeper.execution.rehearsal import Refused
from keeper.venues.ports import Call


@dataclass(slots=True)
class Convoys:
    """The signers whose plans of this block may be several: nothing of theirs goes out before all is decided."""

    engine: Engine
    _held: set[Address] = field(default_factory=set)

    def expect(self, signers: Sequence[Address], later: Collection[Address]) -> None:
        """Hold back who may have several plans: whose names come twice, or once more ``later`` in the block."""
        for signer in set(signers):
            executor = self.engine.senders.get(signer)
            if executor is not None and (signers.count(signer) > 1 or signer in later):
                executor.lane.convoy.hold()
                self._held.add(signer)

    def release(self) -> None:
        """All is decided: let them go."""
        for signer in self._held:
            self.engine.senders[signer].lane.convoy.release()


@contextlib.contextmanager
def going_together(engine: Engine) -> Iterator[Convoys]:
    """Within, plans of one signer wait for one another."""
    convoys = Convoys(engine)
    try:
        yield convoys
    finally:
        convoys.release()


async def quotes_upon(engine: Engine, block: BlockRef, signer: Address, requests: Iterable[QuoteRequest]) -> Quotes:
    """Return what the pools would charge after what was decided before at the same block. Raises NodeError."""
    wanted = tuple(requests)
    upon = engine.rehearser
    if not upon.at(block) or not any(pools_of(one.plan) for one in engine.state.ahead):
        return await engine.reader.quotes(block, wanted)
    probe = engine.reader.quote_probe(wanted)
    try:
        done = await upon.run(block, signer, (), probe.reads)
    except (AnvilMissingError, CannotPayError):
        return await engine.reader.quotes(block, wanted)
    return Quotes(probe.decode(done.answers))


def goes_ahead(engine: Engine, block: BlockRef, signer: Address, prepared: Prepared) -> None:
    """Let what is decided next meet the state that a plan of this block leaves."""
    used, script = sum(prepared.rehearsed.gas_used), prepared.script
    turn = turn_of(prepared)
    fees = Wei(sum(turn.limits) * (2 * block.base_fee + LEAST_TIP) if used else 0)
    engine.goes_ahead(block, Ahead(signer, prepared.plan, fees), turn if script.sent else Turn(script.sender, (), ()))


def calls_go_ahead(
    engine: Engine, block: BlockRef, name: str, signer: Address, calls: Sequence[Call], gas_used: Sequence[int]
) -> None:
    """Let what is decided next meet the state that a perpetual plan of this block leaves."""
    limits = tuple(max(gas_limit(gas), call.least_gas) for gas, call in zip(gas_used, calls, strict=True))
    engine.rehearser.add(block, name, Turn(signer, tuple(calls), limits))


def turn_of(prepared: Prepared) -> Turn:
    """Return what a plan sends, as others meet it."""
    script = prepared.script
    used = zip(prepared.rehearsed.gas_used, script.sent, strict=True)
    limits = tuple(max(gas_limit(gas), call.least_gas) for gas, call in used)
    return Turn(script.sender, script.sent, limits, script.codes)


async def stands_first(engine: Engine, block: BlockRef, signer: Address, prepared: Prepared) -> Refused | None:
    """Return why a plan may not go out beside those decided before: one of them would fail if this came first.

    Signers do not choose their order within a block. Where they trade in one pool each must bear the others before it:
    that the new one bears them was rehearsed; here it comes first.
    """
    upon, mine = engine.rehearser, pools_of(prepared.plan)
    others = [one for one in engine.state.ahead if one.signer != signer and pools_of(one.plan) & mine]
    turns = upon.at(block)
    if not others or not turns:
        return None  # a second look, at a block at which nothing was decided, has nobody before it
    *before, last = turns
    try:
        done = await upon.alone.run(block, last.sender, last.calls, (), last.code, before=(turn_of(prepared), *before))
    except (AnvilMissingError, CannotPayError) as error:
        return Refused(Reason.POOL_SHARED, str(error))
    failed = next((one for one in (*done.before, *done.calls) if not one.succeeded), None)
    if failed is None:
        return None
    names = ", ".join(one.plan.intent.position for one in others)
    return Refused(Reason.POOL_SHARED, f"before {names} it would take what they need: {failed.error}")
