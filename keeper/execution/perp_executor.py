"""Carry out a rehearsed plan at a perpetual venue: check once more, send in order, follow the orders, verify."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.chain.gas import gas_limit
from keeper.core.perp import margin as perps
from keeper.core.perp.grounds import grounds
from keeper.core.perp.moves import AddMargin, AllowMargin, TakeMargin, Trade
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.units import Wei, ratio_text
from keeper.execution import policy
from keeper.execution.flight import NOTHING, Reconsider
from keeper.execution.lane import Guidance, Lane, Outgoing, PlanChangedError, SendFailedError
from keeper.journal import JournalError
from keeper.journal.decisions import OutcomeKind
from keeper.venues.ports import Call, OrderOutcome, PerpSeat, ReadFailedError

ReadPerp = Callable[[str, int | None], Awaitable[PerpPosition]]
"""Reads a position at a block number, or at the head."""
Logs = Callable[[str, tuple[str, ...], int], Awaitable[dict[str, OrderOutcome | None]]]
"""Return what the venue's logs say of orders (position, keys, from which block): None while nothing is said."""
Keep = Callable[[str, tuple[str, ...], int, int, bool], Awaitable[None]]
"""Remembers orders of a position: their keys, the decision, the block, whether they rest."""
Created = Callable[[str, str], Awaitable[tuple[str, ...]]]
"""Return the keys of the orders that a mined transaction (position, hash) left with the venue."""
CarriedOut = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""Return the keys of orders, whoever placed them, that made a position smaller since a block."""
LOOKS = 5
"""Times a node is asked before what it does not show is believed not to be there."""


@dataclass(frozen=True, slots=True)
class PerpOutcome:
    """What came of a plan. ``waiting`` are the orders the venue had not carried out when patience ended."""

    kind: OutcomeKind
    reason: Reason
    detail: str
    after: PerpPosition | None
    hashes: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    failed_orders: int = 0

    @property
    def helped(self) -> bool:
        """Whether the promise was kept."""
        return self.kind in ("restored", "rehearsed")

    @property
    def may_have_left_something(self) -> bool:
        """Whether something of it may be outside the position still."""
        return self.kind == "failed"


@dataclass(frozen=True, slots=True)
class PerpOrder:
    """What a plan is sent under."""

    decision_id: int
    grant: policy.Grant
    ceiling: Wei | None
    gas_used: tuple[int, ...]
    balance: Wei = NOTHING
    """The signer's native currency at the block the plan was decided on."""


@dataclass(frozen=True, slots=True)
class PerpExecutor:
    """Sends plans of perpetual positions through one signer's lane."""

    lane: Lane
    seat: Callable[[str], PerpSeat]
    read: ReadPerp
    created: Created
    keep: Keep
    outcomes: Logs
    cap: Wei | None
    patience_s: float
    """How long an order that waits for the venue's keepers is followed before the plan ends without it."""
    poll_s: float
    carried_out: CarriedOut | None = None
    is_wanted: Callable[[], bool] = bool
    """Tells whether another plan waits for the signer: then an order that waits is left to be looked after later."""

    async def execute(
        self, plan: PerpPlan, calls: Sequence[Call], order: PerpOrder, reconsider: Reconsider | None = None
    ) -> PerpOutcome:
        """Send the plan and verify it. Never raises for what the chain, the venue or the node did."""
        position, receipts, waiting = plan.before, list[Receipt](), tuple[str, ...]()
        seat = self.seat(position.name)
        guidance = Guidance(order.ceiling, self.cap, reconsider, decided_at=position.block, balance=order.balance)
        try:
            known = grounds(position)
            policy.check(calls, position.block.chain_id, order.grant, seat.decoders(position), known)
            for burst in bursts(plan, calls, order, seat):
                got = await self.lane.send(burst, guidance)
                receipts += got
                guidance = Guidance(order.ceiling, self.cap, continues=True)
                waiting = await self._keep_orders(
                    position.name, seat, got, order.decision_id, rests=not _fills(plan, burst)
                )
                unfilled = await self._follow(position.name, waiting, got[0].block_number)
                if unfilled:
                    unfilled = replace(unfilled, hashes=tuple(r.hash for r in receipts))
                    return await self._forestalled(plan, waiting, unfilled) or unfilled
                waiting = ()
            return await self._verify(plan, receipts)
        except (policy.PolicyError, SendFailedError) as error:
            return await self._fell_short(plan, receipts, waiting, error.reason, error.detail)
        except PlanChangedError as error:
            return await self._fell_short(plan, receipts, waiting, Reason.SUPERSEDED, str(error))
        except NodeError as error:
            return await self._fell_short(plan, receipts, waiting, Reason.NODE_AWAY, str(error))
        except ReadFailedError as error:
            return await self._fell_short(plan, receipts, waiting, error.doubt.reason, error.doubt.detail)
        except JournalError as error:
            return await self._fell_short(plan, receipts, waiting, Reason.JOURNAL_AWAY, str(error))

    async def _keep_orders(
        self, name: str, seat: PerpSeat, receipts: Sequence[Receipt], decision_id: int, *, rests: bool
    ) -> tuple[str, ...]:
        """Return the orders of a burst that are to be filled; all that it created are remembered first."""
        if not seat.is_delayed:
            return ()
        keys = await self._created(name, receipts, is_expected=not rests)
        if keys:
            await self.keep(name, keys, decision_id, receipts[0].block_number, rests)
        return () if rests else keys

    async def _created(self, name: str, receipts: Sequence[Receipt], *, is_expected: bool) -> tuple[str, ...]:
        """Return the keys of the orders that mined transactions created. A node that lags or is away is asked again.

        Raises NodeError when it stays away.
        """
        for left in reversed(range(LOOKS)):
            try:
                made = [await self.created(name, receipt.hash) for receipt in receipts]
            except NodeError:
                if not left:
                    raise
                made = []
            keys = tuple(key for found in made for key in found)
            if keys or not (is_expected and left):
                return keys
            await asyncio.sleep(self.poll_s)
        return ()

    async def _follow(self, name: str, keys: tuple[str, ...], begun: int) -> PerpOutcome | None:
        """Follow orders until the venue says what became of them; None when all were executed.

        A node that is away says nothing: the orders stay with the venue, and are asked for again while patience lasts.
        """
        waited = 0.0
        while keys:
            try:
                found = await self.outcomes(name, keys, begun)
            except NodeError:
                found = {}
            bad = {k: o for k, o in found.items() if o is not None and o.kind != "executed"}
            keys = tuple(k for k in keys if found.get(k) is None)
            if bad:
                detail = "; ".join(f"order {k[:10]} {o.kind}: {o.detail}" for k, o in bad.items())
                return PerpOutcome("failed", Reason.ORDER_FAILED, detail, None, waiting=keys, failed_orders=len(bad))
            wanted = self.is_wanted()
            if keys and (wanted or waited >= self.patience_s):
                detail = (
                    f"{len(keys)} not executed after {waited:.0f} s{', and the signer is wanted' if wanted else ''}"
                )
                return PerpOutcome("failed", Reason.ORDER_LATE, detail, None, waiting=keys)
            if keys:
                await asyncio.sleep(self.poll_s)
                waited += self.poll_s
        return None

    async def _forestalled(self, plan: PerpPlan, keys: tuple[str, ...], unfilled: PerpOutcome) -> PerpOutcome | None:
        """Return a success where another order of the account did what the plan promised, a moment before it.

        A stop that rests with the venue has its price at the same moment as the rule: whichever is carried out first,
        the other finds nothing left. Only an order that is told of counts: a liquidation keeps no promise.
        """
        if self.carried_out is None or unfilled.reason is not Reason.ORDER_FAILED or unfilled.waiting:
            return None
        try:
            others = set(await self.carried_out(plan.before.name, plan.before.block.number)) - set(keys)
            now = await self.read(plan.before.name, None)
        except (NodeError, ReadFailedError):
            return None
        is_kept = plan.postcondition.is_met(at_prices(now, plan.before))
        if not others or not is_kept or any(order.key in keys for order in now.orders):
            return None
        which = ", ".join(sorted(key[:10] for key in others))
        detail = f"{plan.postcondition}: order {which} was carried out first; {unfilled.detail}"
        return replace(unfilled, kind="restored", reason=Reason.RESTORED, detail=detail, after=now, failed_orders=0)

    async def _verify(self, plan: PerpPlan, receipts: Sequence[Receipt]) -> PerpOutcome:
        """Compare the chain with the promise, at the prices the plan was decided on."""
        hashes = tuple(r.hash for r in receipts)
        seat = self.seat(plan.before.name)
        block = None if seat.is_delayed else max(r.block_number for r in receipts)
        now, looks = await self.read(plan.before.name, block), 1
        while not plan.postcondition.is_met(at_prices(now, plan.before)) and seat.is_delayed and looks < LOOKS:
            await asyncio.sleep(self.poll_s)  # the node that told of the execution may be ahead of this one
            now, looks = await self.read(plan.before.name, None), looks + 1
        then = at_prices(now, plan.before)
        if not plan.postcondition.is_met(then):
            detail = f"wanted {plan.postcondition}, came to margin ratio {ratio_text(perps.margin_ratio(then))}"
            if plan.postcondition.is_nearly_met(then):
                return PerpOutcome("partial", Reason.NEAR_MISS, detail, now, hashes)
            return PerpOutcome("failed", Reason.POSTCONDITION_FAILED, detail, now, hashes)
        kind: OutcomeKind = "partial" if plan.is_partial else "restored"
        reason = Reason.UPKEPT if plan.is_upkeep else Reason.PARTIAL if plan.is_partial else Reason.RESTORED
        return PerpOutcome(kind, reason, str(plan.postcondition), now, hashes)

    async def _fell_short(
        self, plan: PerpPlan, receipts: Sequence[Receipt], waiting: tuple[str, ...], reason: Reason, detail: str
    ) -> PerpOutcome:
        after = None
        try:
            after = await self.read(plan.before.name, None)
        except (NodeError, ReadFailedError):
            detail += "; the position could not be read afterwards"
        called_off = reason in (Reason.NO_LONGER_NEEDED, Reason.CANCELLED, Reason.SUPERSEDED)
        kind: OutcomeKind = "cancelled" if called_off else "failed"
        return PerpOutcome(kind, reason, detail, after, tuple(r.hash for r in receipts), waiting)


def _fills(plan: PerpPlan, burst: Sequence[Outgoing]) -> bool:
    """Tell whether a burst has an order that is to be filled, and not one that rests, changes or goes."""
    return any(isinstance(plan.steps[item.step].move, Trade | AddMargin | TakeMargin) for item in burst)


def at_prices(now: PerpPosition, before: PerpPosition) -> PerpPosition:
    """Return a position with the prices of an earlier look: what the plan did, apart from what the market did."""
    for old in before.legs:
        found = next((leg for leg in now.legs if leg.market == old.market), None)
        if found is not None:
            now = now.with_leg(replace(found, mark_price=old.mark_price, index_price=old.index_price))
    return now


def bursts(plan: PerpPlan, calls: Sequence[Call], order: PerpOrder, seat: PerpSeat) -> list[list[Outgoing]]:
    """Return what goes out together: approval and deposit at once, every trade once what comes before it is done."""
    groups, current = list[list[Outgoing]](), list[Outgoing]()
    for i, (call, step) in enumerate(zip(calls, plan.steps, strict=True)):
        limit = max(gas_limit(order.gas_used[i]), seat.least_gas(step.move))
        current.append(Outgoing(call, order.decision_id, i, step.spend, limit))
        following = plan.steps[i + 1].move if i + 1 < len(plan.steps) else None
        rides = isinstance(following, Trade) and following.margin > 0
        if not (isinstance(step.move, AllowMargin) and (rides or isinstance(following, AllowMargin | AddMargin))):
            groups.append(current)
            current = []
    return groups
