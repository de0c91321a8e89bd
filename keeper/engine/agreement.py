"""What other nodes have to say alike before money moves: the block, and the figures that a plan was made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from keeper.chain.errors import NodesDisagreeError
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, LendingPosition, Unreadable
from keeper.core.units import Address
from keeper.engine.engine import Engine

Judged = LendingPosition | PerpPosition | Unreadable


async def ask_others(engine: Engine, block: BlockRef, doubts: Iterable[Doubt], judged: Sequence[Judged]) -> None:
    """Ask other nodes for the block, and for the figures of all that a plan was made from: for a book, its members too.

    Where they are known to differ the plan trades nothing, and is made for the worse figures: see ``judge``. Raises
    NodesDisagreeError, NodeError.
    """
    if engine.others is None:
        return
    await engine.others.agree(block)
    if any(doubt.reason is Reason.NODES_DISAGREE for doubt in doubts):
        return
    for position in judged:
        if isinstance(position, LendingPosition):
            await _same_loan(engine, block, position)
        elif isinstance(position, PerpPosition):
            await _same_perp(engine, block, position)


async def _same_loan(engine: Engine, block: BlockRef, position: LendingPosition) -> None:
    asked = engine.reader.account(position.name).witness(position)
    if asked is None or engine.others is None:
        return
    read, answer = asked
    if not await engine.others.confirm(block, read.to, "0x" + read.data.hex(), "0x" + answer.hex()):
        detail = f"the figures of {position.name} differ at block {block.number}"
        raise NodesDisagreeError("nodes", "eth_call", detail)


async def _same_perp(engine: Engine, block: BlockRef, before: PerpPosition) -> None:
    account = engine.reader.perp_account(before.name)
    found = await engine.reader.confirmed(block, account.probe(before.name, block))
    if (found.reported, _sizes(found)) != (before.reported, _sizes(before)):
        # all agree now, and not on what the plan was made from: one of them gave another answer a moment ago
        raise NodesDisagreeError("nodes", "eth_call", f"{before.name} is not what was read at block {block.number}")


def _sizes(position: PerpPosition) -> dict[Address, int]:
    return {leg.market: leg.size for leg in position.held}
