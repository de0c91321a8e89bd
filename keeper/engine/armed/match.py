"""The price has come: is a plan that was made ready for it still what was rehearsed? Then it goes out at once."""

from __future__ import annotations

from typing import Any, Protocol

from keeper.core.armed.bounds import BLOCKS, OutOfBoundsError
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address
from keeper.engine.armed.ready import AnyArmed
from keeper.engine.engine import Engine


class AskedFor(Protocol):
    """An intent, of whatever kind."""

    @property
    def position(self) -> str:
        """The position's name."""

    @property
    def assessment(self) -> Any:
        """The position as it was judged."""


async def fitting(engine: Engine, snapshot: Snapshot, intent: AskedFor, signer: Address) -> Any | None:
    """Return a plan made ready beforehand that is still right; None when one is to be rehearsed as usual.

    The fresh snapshot decides: see ``core.armed`` for what must still hold. Nobody is asked anything; where there are
    several nodes their answers, asked for beside the read, are waited for. What is returned is of the position's own
    kind. Raises NodesDisagreeError.
    """
    if intent.position in snapshot.otherwise or engine.rehearser.at(snapshot.block):
        return None  # what was made ready knows nothing of what goes before it at this block
    for armed in engine.state.armed.get(intent.position, ()):
        try:
            _check_time(engine, snapshot, armed, signer)
            prepared = armed.fitted(engine, snapshot, intent)
        except OutOfBoundsError as why:
            engine.observer.unfit(intent.position, armed.label, str(why))
            continue
        account = engine.reader.any_account(intent.position)
        if engine.quorum is not None and not await engine.quorum.are_one(account, intent.assessment.position):
            return None
        where, figure, called = prepared.came_to
        engine.observer.rehearsed(intent.position, prepared.plan.label, where, figure, figure=called)
        return prepared
    return None


def _check_time(engine: Engine, snapshot: Snapshot, armed: AnyArmed, signer: Address) -> None:
    """It was made ready a few blocks ago on this history, and its signer signed nothing since."""
    block = snapshot.block
    if engine.state.lineage.distance(block, armed.bounds.block.hash, BLOCKS) is None:
        raise OutOfBoundsError(f"block {armed.bounds.block.number} is not one of the last {BLOCKS} before this one")
    executor = engine.senders.get(signer)
    if executor and (armed.nonce is None or executor.lane.ready_nonce(block) != armed.nonce):
        raise OutOfBoundsError("the signer's nonce is not ready, or not what it was")
