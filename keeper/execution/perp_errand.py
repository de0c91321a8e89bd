"""Plans about perpetual positions on their way: their gate, their bursts, their orders, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.chain.gas import gas_limit
from keeper.core.perp import margin as perps
from keeper.core.perp.grounds import grounds
from keeper.core.perp.moves import AddMargin, AllowMargin, TakeMargin, Trade
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import ratio_text
from keeper.execution import policy
from keeper.execution.dispatch import Outgoing
from keeper.execution.outcome import PerpOutcome
from keeper.execution.settlement import LOOKS, Awaited, Immediate, OrderWatch, Settlement, Unfilled, settlement_of
from keeper.execution.warrant import Warrant
from keeper.journal.decisions import OutcomeKind
from keeper.venues.effects import Call
from keeper.venues.ports import PerpAccount, ReadFailedError

ReadPerp = Callable[[str, int | None], Awaitable[PerpPosition]]
"""Reads a position at a block number, or at the head."""


@dataclass(frozen=True, slots=True)
class PerpParts:
    """What plans about perpetual positions are carried out with, by one signer."""

    account: Callable[[str], PerpAccount]
    read: ReadPerp
    orders: OrderWatch
    is_wanted: Callable[[], bool] = bool
    """Says whether another plan waits for the signer."""

    def errand(self, plan: PerpPlan, calls: Sequence[Call], gas_used: Sequence[int], warrant: Warrant) -> PerpErrand:
        """Return a plan ready to go that took so much gas, call by call, when it was rehearsed."""
        account, name = self.account(plan.before.name), plan.before.name
        settlement = settlement_of(account.settles, name, self.orders, self.is_wanted)
        return PerpErrand(self, plan, tuple(calls), tuple(gas_used), warrant, account, settlement)


@dataclass(frozen=True, slots=True)
class PerpErrand:
    """One plan about a perpetual position."""

    desk: PerpParts
    plan: PerpPlan
    calls: tuple[Call, ...]
    gas_used: tuple[int, ...]
    warrant: Warrant
    account: PerpAccount
    settlement: Settlement = field(default_factory=Immediate)

    @property
    def block(self) -> BlockRef:
        """The block it was decided on."""
        return self.plan.before.block

    def check(self) -> None:
        """Raise PolicyError unless all that would be sent may be."""
        position = self.plan.before
        allowed, known = self.account.decoders(position), grounds(position)
        policy.check(self.calls, position.block.chain_id, self.warrant.grant, allowed, known)

    def bursts(self) -> Iterator[list[Outgoing]]:
        """Yield what goes out together; the decision is written by the time the second goes out."""
        for burst in bursts(self.plan, self.calls, self.gas_used, self.account):
            yield [replace(outgoing, decision_id=self.warrant.decision_id) for outgoing in burst]

    def rests(self, burst: Sequence[Outgoing]) -> bool:
        """Return whether the orders a burst leaves wait for a price, or none is left to be filled."""
        return not _fills(self.plan, burst)

    async def check_again(self, burst: Sequence[Outgoing]) -> None:
        """Nothing: margin goes in before size is traded, and every trade bears its bound."""

    async def unfilled(self, found: Unfilled, hashes: tuple[str, ...]) -> PerpOutcome:
        """Return a failure with the orders that still wait; a success where another order did what was promised."""
        failed = PerpOutcome(
            "failed", found.reason, found.detail, None, hashes, waiting=found.waiting, failed_orders=found.failed
        )
        return await self._forestalled(found, failed) or failed

    async def _forestalled(self, found: Unfilled, failed: PerpOutcome) -> PerpOutcome | None:
        """Return a success where another order of the account did what the plan promised, a moment before it.

        A stop that rests with the venue has its price at the same moment as the rule: whichever is carried out first,
        the other finds nothing left. Only an order that is reported counts: a liquidation keeps no promise.
        """
        if not isinstance(self.settlement, Awaited):
            return None
        try:
            others = await self.settlement.done_by_others(found, self.plan.before.block.number)
            now = await self.desk.read(self.plan.before.name, None)
        except (NodeError, ReadFailedError):
            return None
        is_kept = self.plan.postcondition.is_met(at_prices(now, self.plan.before))
        if not others or not is_kept or any(order.key in found.keys for order in now.orders):
            return None
        which = ", ".join(key[:10] for key in others)
        detail = f"{self.plan.postcondition}: order {which} was carried out first; {found.detail}"
        return PerpOutcome("restored", Reason.RESTORED, detail, now, failed.hashes)

    async def verified(self, receipts: Sequence[Receipt]) -> PerpOutcome:
        """Compare the chain with the promise, at the prices the plan was decided on. Raises NodeError."""
        plan, hashes = self.plan, tuple(r.hash for r in receipts)
        is_delayed = isinstance(self.settlement, Awaited)
        block = None if is_delayed else max(r.block_number for r in receipts)
        now, looks = await self.desk.read(plan.before.name, block), 1
        while not plan.postcondition.is_met(at_prices(now, plan.before)) and is_delayed and looks < LOOKS:
            await asyncio.sleep(self.desk.orders.poll_s)  # the node that showed the execution may be ahead of this one
            now, looks = await self.desk.read(plan.before.name, None), looks + 1
        then = at_prices(now, plan.before)
        if not plan.postcondition.is_met(then):
            detail = f"wanted {plan.postcondition}, came to margin ratio {ratio_text(perps.margin_ratio(then))}"
            if plan.postcondition.is_nearly_met(then):
                return PerpOutcome("partial", Reason.NEAR_MISS, detail, now, hashes)
            return PerpOutcome("failed", Reason.POSTCONDITION_FAILED, detail, now, hashes)
        kind: OutcomeKind = "partial" if plan.is_partial else "restored"
        reason = Reason.UPKEPT if plan.is_upkeep else Reason.PARTIAL if plan.is_partial else Reason.RESTORED
        return PerpOutcome(kind, reason, str(plan.postcondition), now, hashes)

    async def ended(self, kind: OutcomeKind, reason: Reason, detail: str, hashes: tuple[str, ...]) -> PerpOutcome:
        """Return an outcome with the position as it is now, where it can be read."""
        after = None
        try:
            after = await self.desk.read(self.plan.before.name, None)
        except (NodeError, ReadFailedError):
            detail += "; the position could not be read afterwards"
        return PerpOutcome(kind, reason, detail, after, hashes, waiting=self.settlement.waiting)

    def unread(self, reason: Reason, detail: str, hashes: tuple[str, ...]) -> PerpOutcome:
        """Return the outcome of a plan that was mined and cannot be verified."""
        return PerpOutcome("partial", reason, detail, None, hashes)

    async def put_back(self) -> None:
        """Nothing: whatever of it was mined, all there is lies in the account or in the wallet, by the moves it has.

        ``tests/engine/test_cycle_perps.py`` holds every part of a plan to that; what is missing is carried on to.
        """


def _fills(plan: PerpPlan, burst: Sequence[Outgoing]) -> bool:
    """Return whether a burst has an order that is to be filled, and not one that rests, changes or goes."""
    return any(isinstance(plan.steps[item.step].move, Trade | AddMargin | TakeMargin) for item in burst)


def at_prices(now: PerpPosition, before: PerpPosition) -> PerpPosition:
    """Return a position with the prices of an earlier look: what the plan did, apart from what the market did."""
    for old in before.legs:
        found = next((leg for leg in now.legs if leg.market == old.market), None)
        if found is not None:
            now = now.with_leg(replace(found, mark_price=old.mark_price, index_price=old.index_price))
    return now


def bursts(
    plan: PerpPlan, calls: Sequence[Call], gas_used: Sequence[int], account: PerpAccount
) -> list[list[Outgoing]]:
    """Return what goes out together: approval and deposit at once, every trade once what comes before it is done."""
    groups, current = list[list[Outgoing]](), list[Outgoing]()
    for i, (call, step) in enumerate(zip(calls, plan.steps, strict=True)):
        limit = max(gas_limit(gas_used[i]), account.least_gas(step.move))
        current.append(Outgoing(call, 0, i, step.spend, limit))
        following = plan.steps[i + 1].move if i + 1 < len(plan.steps) else None
        rides = isinstance(following, Trade) and following.margin > 0
        if not (isinstance(step.move, AllowMargin) and (rides or isinstance(following, AllowMargin | AddMargin))):
            groups.append(current)
            current = []
    return groups
