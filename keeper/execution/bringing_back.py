"""What a plan cut short left outside the position comes back, by the journal, and approvals it left are taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from keeper.chain.gas import gas_limit
from keeper.core.lending.moves import (
    GAS,
    MARKET,
    Approve,
    Move,
)
from keeper.core.rules import Limits
from keeper.core.snapshot import LendingPosition
from keeper.core.units import Address, Amount, Bps, Usd, Wei
from keeper.execution import policy
from keeper.execution.carriers import Carrier
from keeper.execution.course import Guidance
from keeper.execution.dispatch import Outgoing
from keeper.execution.encoding import Venues, allow_list, encode_moves
from keeper.execution.leftovers import entrusted, outside, payments, standing, within
from keeper.execution.sealing import sealed_calls
from keeper.execution.sender import Sender
from keeper.journal import Transaction

BRINGING_BACK = 1000
"""Steps of a decision from here on are no part of its plan: they return what it left outside."""
ReadPosition = Callable[[str, int | None], Awaitable[LendingPosition]]
"""Reads a position at a block number, or at the head."""
ReadHeld = Callable[[Address, Sequence[Address]], Awaitable[Mapping[Address, Amount]]]
"""Reads what an account holds of some assets at the head."""


@dataclass(frozen=True, slots=True)
class BringsBack:
    """What plans about loans are looked after with, by one signer."""

    lane: Sender
    venues: Callable[[str], Venues]
    """Where the calls of a position's plans may go, by its name."""
    read_position: ReadPosition
    read_held: ReadHeld
    cap: Wei | None
    """Highest fee per gas the owner allows for anything."""

    async def left_outside(self, decision_id: int, name: str) -> bool:
        """Return whether, by the journal, mined calls of a plan left something outside, or a lender approved.

        Raises JournalError.
        """
        venues, rows = self.venues(name), await self.lane.of_decision(decision_id)
        known = everything(venues, self.lane.holder.reads)
        return bool(outside(rows, known) or _still_lent_to(venues, rows, known))

    async def bring_back(self, decision_id: int, name: str, ceiling: Wei | None) -> int:
        """Return to the position what the mined calls of a plan cut short left outside; return how many calls it takes.

        What a lender's adapter was approved for and did not take is taken back with it.
        Outside it secures nothing. What to pay is read from the journal, these payments included, so that it is done
        once however often it is asked for; what reverted once is not tried again. No more is paid than the wallet has:
        another plan may have used it since, and some tokens arrive as less than was sent. Call it when nothing is
        pending. Raises SendFailedError, NodeError, ReadFailedError, JournalError, PolicyError.
        """
        rows, account = await self.lane.of_decision(decision_id), self.lane.holder.address
        if any(r.state == "unseen" for r in rows):
            return 0  # it may have brought back all of it
        venues = self.venues(name)
        known = everything(venues, self.lane.holder.reads)
        missing, approved = outside(rows, known), _still_lent_to(venues, rows, known)
        if any(r.step >= BRINGING_BACK and r.state == "reverted" for r in rows) or not (missing or approved):
            return 0
        left = within(missing, await self.read_held(account, tuple(missing))) if missing else {}
        position = await self.read_position(name, None)
        if position.owner != account or not (left or approved):
            return 0
        due = payments(left, position)
        moves: list[Move] = [Approve(asset, lender, Amount(0)) for asset, lender in approved]
        for payment in due:
            moves += [Approve(payment.asset, MARKET, payment.amount), payment]
            # the swap that failed left its approval behind
            moves += [Approve(payment.asset, name, Amount(0)) for name in venues.exchanges]
        await self._send(moves, position, decision_id, len(rows), Guidance(ceiling, self.cap, continues=True))
        return len(due) + len(approved)

    async def send_apart(self, moves: Sequence[Move], decision_id: int, name: str, sent: int, terms: Guidance) -> None:
        """Send moves of a plan that were no part of it, after so many that were ``sent``.

        Raises SendFailedError, NodeError, ReadFailedError, JournalError, PolicyError.
        """
        position = await self.read_position(name, None)
        if position.owner == self.lane.holder.address:
            await self._send(moves, position, decision_id, sent, terms)

    async def _send(
        self, moves: Sequence[Move], position: LendingPosition, decision_id: int, sent: int, terms: Guidance
    ) -> None:
        venues, account = self.venues(position.name), self.lane.holder.address
        carrier = (await self.lane.holder.carrier()).one_by_one
        allowed = allow_list(venues, [h.asset for h in position.holdings], carrier)
        calls = carrier.carry(encode_moves(moves, venues, position, carrier, 0), "bring back")
        uses, calls = carrier.uses(calls), sealed_calls(calls, carrier, allowed, self.lane.signer.sign_hash)
        chain_id, grounds = position.block.chain_id, venues.grounds(position)
        grant = policy.Grant(chain_id, position.owner, account, Limits(max_slippage=Bps(0)), Usd(0), 0)
        policy.check(calls, chain_id, grant, allowed, grounds)
        outgoing = [
            Outgoing(
                call,
                decision_id,
                BRINGING_BACK + sent + i,
                0,
                max(gas_limit(GAS[type(move)]), call.least_gas) + carrier.more_gas,
                use=use,
            )
            for i, (call, move, use) in enumerate(zip(calls, moves, uses, strict=True))
        ]
        await self.lane.send(outgoing, terms)


def everything(venues: Venues, carrier: Carrier) -> policy.Allowed:
    """Return what calls to all contracts of a market do, whatever the position."""
    return allow_list(venues, [x.asset for x in venues.market.listings], carrier)


def _still_lent_to(
    venues: Venues, rows: Sequence[Transaction], known: policy.Allowed
) -> tuple[tuple[Address, str], ...]:
    """Return by asset and lender which approvals of a lender's adapter no mined call of a plan used up."""
    left = standing(rows, known)
    approved = tuple(
        (asset, name)
        for name, lender in venues.lenders.items()
        for token, asset in venues.market.receipts.items()
        if lender.spender is not None and left.get((token, lender.spender))
    )
    acting, agents = entrusted(rows, known), venues.agents()
    anything = venues.market.listings[0].asset  # who acts for an account does so for all that is in it
    return (*approved, *((anything, name) for name, agent in agents.items() if agent in acting))
