"""The whole story of one block:

head ─► Snapshot ─► Assessment ─► Decision ─► Plan ─► Rehearsal ─► Transaction ─► Outcome

Each arrow is one function, each noun one frozen type. Nothing flows backwards: what a later stage learns reaches an
earlier one only as data of the next cycle, through the journal.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from keeper.chain.errors import NodeError, NodesDisagreeError
from keeper.conclude import conclude_holds, conclude_plan
from keeper.core.decisions import Hold, Intent, decide, gravest
from keeper.core.margins import PerpPosition
from keeper.core.positions import BlockRef, LendingPosition, Snapshot, Unreadable
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Assessment, Unjudged
from keeper.execution.executor import Outcome
from keeper.fitting import fitting
from keeper.house import House
from keeper.journal import JournalError
from keeper.perpetuals.keep import PerpResult, keep_book, keep_perp
from keeper.prepare import judge, rehearsed_now
from keeper.trial import Prepared
from keeper.venues.ports import ReadFailedError


@dataclass(frozen=True, slots=True)
class Result:
    """One position's way through one cycle, as far as it went."""

    name: str
    assessed: Assessment | Unjudged
    decision: Hold | Intent
    prepared: Prepared | None = None
    outcome: Outcome | asyncio.Task[Outcome] | None = None
    """What came of it; a task while the plan is on its way: the next block is not kept waiting."""
    others: tuple[Hold, ...] = ()
    """What the other rules came to, each under its own name: alerts, and rescues that found no way."""

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Everything that is told of the position's rules but the plan."""
        return (self.decision, *self.others) if isinstance(self.decision, Hold) else self.others

    @property
    def is_healthy(self) -> bool:
        """Whether all that is to be said is that no rule fired."""
        return isinstance(self.decision, Hold) and self.decision.reason is Reason.HEALTHY


async def cycle(house: House, block: BlockRef) -> tuple[Result | PerpResult, ...]:
    """Judge every position and book at a block, and act where a rule asks for it. Raises NodeError: nothing was read.

    Books come last: what was just decided about their positions keeps the signer busy.
    """
    house.lineage.saw(block)
    house.ask_around(block)
    house.warm_up()
    house.watch.follow(house.rules)
    house.seen = snapshot = await house.watch.snapshot(block)
    house.saw(snapshot)
    results: list[Result | PerpResult] = []
    for position in snapshot.positions:
        if isinstance(position, PerpPosition) or (isinstance(position, Unreadable) and house.is_perp(position.name)):
            results.append(await keep_perp(house, snapshot, position))
        else:
            results.append(await keep(house, snapshot, position))
    results += [await keep_book(house, snapshot, house.perps.book(r.book), r) for r in house.perps.hedge_rules]
    house.watch.keep_close(r.name for r in results if isinstance(r, Result) and not r.is_healthy)
    return tuple(results)


async def keep(house: House, snapshot: Snapshot, position: LendingPosition | Unreadable) -> Result:
    """Take one position the whole way: judged, decided, planned, rehearsed, sent, and written down.

    One position's trouble is not another's: what cannot be asked or written down becomes a Hold, and is told.
    """
    try:
        result = await consider(house, snapshot, position)
        signer = house.watch.positions[position.name].spender
        if any(hold.reason is Reason.SIGNER_BUSY for hold in result.holds):
            house.wanted.add(signer)
        if isinstance(result.decision, Hold):
            await conclude_holds(house, snapshot, result.assessed, result.holds)
            return result
        assert result.prepared  # noqa: S101 - an intent comes with its plan, else it became a Hold
        outcome = await conclude_plan(house, snapshot, result.decision, result.prepared, signer)
        await conclude_holds(house, snapshot, result.assessed, result.holds)  # the rescue went first
        return replace(result, outcome=outcome)
    except NodesDisagreeError as error:
        return _in_the_dark(house, position.name, Reason.NODES_DISAGREE, error)
    except (NodeError, ReadFailedError) as error:
        return _in_the_dark(house, position.name, Reason.NODE_AWAY, error)
    except JournalError as error:
        return _in_the_dark(house, position.name, Reason.JOURNAL_AWAY, error)


def _in_the_dark(house: House, name: str, reason: Reason, error: Exception) -> Result:
    """Tell that a position could not be seen to at this block. Nothing was sent: the journal comes before the wire."""
    house.observer.held(name, None, reason, str(error), is_quiet=False)
    return Result(name, Unjudged(name, Doubt(reason, str(error))), Hold(name, None, reason, str(error)))


async def consider(house: House, snapshot: Snapshot, position: LendingPosition | Unreadable) -> Result:
    """Return what would be done about one position and why, down to the rehearsed calls. Sends nothing."""
    assessed = judge(house, snapshot, position)
    signer = house.watch.positions[position.name].spender
    decided = decide(assessed, await house.recall(assessed, snapshot.block), house.safety, signer)
    holds = decided.holds
    for intent in decided.intents:
        prepared = await fitting(house, snapshot, intent, signer) or await rehearsed_now(
            house, snapshot, intent, signer
        )
        if isinstance(prepared, Prepared):
            return Result(position.name, assessed, intent, prepared, others=holds)
        holds = (*holds, prepared)
    lead = gravest(holds)
    return Result(position.name, assessed, lead, others=tuple(h for h in holds if h is not lead))
