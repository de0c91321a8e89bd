"""Approvals that plans left standing: by the journal those that may be, by the tokens those that are, taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

from keeper.core.lending.moves import MARKET, Approve, Move
from keeper.core.units import Address, Amount, Wei
from keeper.execution.bringing_back import BRINGING_BACK, BringsBack, everything
from keeper.execution.course import Guidance
from keeper.execution.encoding import Venues
from keeper.execution.policy import Allowed, opened
from keeper.journal import Transaction
from keeper.venues.contracts import erc20
from keeper.venues.effects import Approves, Bundles, Call, Permits
from keeper.venues.ports import Probe, joined

T = TypeVar("T")
ReadNow = Callable[[Probe[tuple[Amount, ...]]], Awaitable[tuple[Amount, ...]]]
"""Reads at the head."""


async def take_back_standing(desk: BringsBack, decision_id: int, name: str, read: ReadNow, terms: Guidance) -> int:
    """Take back what a plan approved and nobody took; return how many approvals that is.

    Which they may be is said by its mined rows, and how much is left by the tokens: a sale rarely takes all it may.
    Call it when nothing is pending and nothing asks for help. Raises SendFailedError, NodeError, ReadFailedError,
    JournalError, PolicyError.
    """
    rows, account, venues = await desk.lane.of_decision(decision_id), desk.lane.holder.address, desk.venues(name)
    if any(r.state == "unseen" or (r.step >= BRINGING_BACK and r.state == "reverted") for r in rows):
        return 0
    given = last_given(rows, everything(venues, desk.lane.holder.reads))
    known = [(at, move) for at, move in _takes_back(venues) if given.get(at)]
    if not known:
        return 0
    left = await read(joined([erc20.allowance_probe(account, token, taker) for (token, taker), _ in known]))
    moves: list[Move] = [move for (_, move), amount in zip(known, left, strict=True) if amount]
    if moves:
        await desk.send_apart(moves, decision_id, name, len(rows), terms)
    return len(moves)


def last_given(rows: Iterable[Transaction], allowed: Allowed) -> dict[tuple[Address, Address], int]:
    """Return by token and spender what mined rows approved last, whoever took it since."""
    found = dict[tuple[Address, Address], int]()
    for row in rows:
        if row.state in ("mined", "confirmed") and row.to in allowed:
            call = Call(Address(row.to), bytes.fromhex(row.data[2:]), Wei(row.value), f"transaction {row.id}")
            for _, leaf in opened(call, allowed):
                approvals: tuple[Approves | Permits, ...] = (leaf,) if isinstance(leaf, Approves) else ()
                if isinstance(leaf, Bundles):
                    approvals = tuple(flow for flow in leaf.flows if isinstance(flow, Permits))
                found |= {(one.asset, one.spender): one.amount for one in approvals}
    return found


def _takes_back(venues: Venues) -> Iterator[tuple[tuple[Address, Address], Approve]]:
    """Yield token and taker of each approval that a plan may give, with the move that takes it back."""
    assets = [listing.asset for listing in venues.market.listings]
    lenders = [name for name, lender in venues.lenders.items() if lender.spender is not None]
    supplied = [asset for asset in assets if asset in set(venues.market.receipts.values())]
    for spender, of in ((MARKET, assets), *((x, assets) for x in venues.exchanges), *((x, supplied) for x in lenders)):
        for asset in of:
            yield venues.approved(asset, spender), Approve(asset, spender, Amount(0))
