"""What the rules of a case ask for, given what the journal remembers of them: the same for every kind."""

from __future__ import annotations

from keeper.core.decide import Decided, decide
from keeper.core.held_back import Memory
from keeper.core.metrics import P
from keeper.core.rules import A, I, Kind, Unjudged
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Usd
from keeper.engine.engine import Engine


async def decided(
    engine: Engine, kind: Kind[P, A, I], assessed: A | Unjudged, block: BlockRef, *signers: Address
) -> Decided[I]:
    """Return what each fired rule comes to. Raises JournalError."""
    return decide(kind, assessed, await engine.recall(assessed, block), engine.terms.safety, *signers)


async def decided_anew(
    engine: Engine, kind: Kind[P, A, I], assessed: A | Unjudged, block: BlockRef, spend: Usd, *signers: Address
) -> Decided[I]:
    """Return what each fired rule would come to, were nothing under way. Raises JournalError.

    ``spend`` is what the plan under way was counted with: it must not stand in its own way.
    """
    memory = without_its_own(await engine.recall(assessed, block), spend)
    return decide(kind, assessed, memory, engine.terms.safety, *signers)


def without_its_own(known: Memory, spend: Usd) -> Memory:
    """Return what the journal knows, but for a plan that was sent; what its owner paused stays paused."""
    spent = {rule: Usd(max(0, dollars - spend)) for rule, dollars in known.spent_today.items()}
    return Memory(
        spent_today=spent,
        gas_paid=known.gas_paid,
        outrun=known.outrun,
        paused=known.paused,
        exceeded=known.exceeded,
        crossing=known.crossing,
    )
