"""Plans about loans on their way: their gate, their rounds, the floor between them, and what comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeError
from keeper.chain.gas import gas_limit
from keeper.core.lending import figures as lending
from keeper.core.lending.moves import (
    GAS,
    MARKET,
    Approve,
    Borrow,
    Flash,
    Move,
    Redeem,
    Repay,
    Supply,
    Swap,
    Unpledge,
    Withdraw,
)
from keeper.core.lending.plan import Plan
from keeper.core.pace import STILL
from keeper.core.reasons import Reason
from keeper.core.rules import Limits
from keeper.core.snapshot import BlockRef, LendingPosition, Wallet
from keeper.core.units import BPS, Address, Amount, Bps, Usd, Wad, Wei, mul_div_up, ratio_text
from keeper.execution import policy
from keeper.execution.carriers import Carrier
from keeper.execution.course import Guidance, SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.encoding import PlannedCall, Script, Venues, allow_list, encode_moves
from keeper.execution.hands import kept
from keeper.execution.lane import Lane
from keeper.execution.leftovers import outside, payments, standing, within
from keeper.execution.outcome import Outcome
from keeper.execution.rehearsal import Rehearsed
from keeper.execution.sealing import sealed_calls, sealed_script
from keeper.execution.settlement import Immediate, Unfilled
from keeper.execution.warrant import Warrant
from keeper.journal import JournalError, Transaction
from keeper.journal.decisions import OutcomeKind
from keeper.venues.ports import ReadFailedError

BRINGING_BACK = 1000
"""Steps of a decision from here on are no part of its plan: they return what it left outside."""

ReadPosition = Callable[[str, int | None], Awaitable[LendingPosition]]
"""Reads a position at a block number, or at the head."""
ReadHeld = Callable[[Address, Sequence[Address]], Awaitable[Mapping[Address, Amount]]]
"""Reads what an account holds of some assets at the head."""


@dataclass(frozen=True, slots=True)
class LendingParts:
    """What plans about loans are carried out with, by one signer."""

    lane: Lane
    venues: Callable[[str], Venues]
    """Where the calls of a position's plans may go, by its name."""
    read_position: ReadPosition
    read_held: ReadHeld
    floor: Wad
    cap: Wei | None
    """Highest fee per gas the owner allows for anything."""

    def errand(self, plan: Plan, script: Script, rehearsed: Rehearsed, warrant: Warrant) -> LendingErrand:
        """Return a rehearsed plan ready to go."""
        if script.carrier.waits(script.sent):
            position = plan.intent.assessment.position
            allowed = allow_list(self.venues(position.name), [h.asset for h in position.holdings], script.carrier)
            script = sealed_script(script, allowed, self.lane.signer.sign_hash)
        return LendingErrand(self, plan, script, rehearsed, warrant)

    async def left_outside(self, decision_id: int, name: str) -> bool:
        """Return whether, by the journal, mined calls of a plan left something outside, or a lender approved.

        Raises JournalError.
        """
        venues, rows = self.venues(name), await self.lane.of_decision(decision_id)
        known = _everything(venues, self.lane.holder.reads)
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
        known = _everything(venues, self.lane.holder.reads)
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
        carrier = (await self.lane.holder.carrier()).one_by_one
        allowed = allow_list(venues, [h.asset for h in position.holdings], carrier)
        calls = carrier.carry(encode_moves(moves, venues, position, carrier, 0), "bring back")
        uses, calls = carrier.uses(calls), sealed_calls(calls, carrier, allowed, self.lane.signer.sign_hash)
        chain_id, grounds = position.block.chain_id, venues.grounds(position)
        grant = policy.Grant(chain_id, position.owner, account, Limits(max_slippage=Bps(0)), Usd(0), 0)
        policy.check(
            calls,
            chain_id,
            grant,
            allowed,
            grounds,
        )
        outgoing = [
            Outgoing(
                call,
                decision_id,
                BRINGING_BACK + len(rows) + i,
                0,
                gas_limit(GAS[type(move)]) + carrier.more_gas,
                use=use,
            )
            for i, (call, move, use) in enumerate(zip(calls, moves, uses, strict=True))
        ]
        await self.lane.send(outgoing, Guidance(ceiling, self.cap, continues=True))
        return len(due) + len(approved)

    async def keep_floor(self, plan: Plan, group: Sequence[PlannedCall]) -> None:
        """Before more collateral leaves or debt grows: would health still stay above the floor, at prices now?

        And may its swaps still give what they would cost? A round whose price has gone is decided anew, not reverted.
        """
        position = plan.intent.assessment.position
        account: lending.Loan | None = None
        for planned in group:
            move = planned.step.move
            if not isinstance(move, Withdraw | Borrow):
                continue
            if account is None:
                now = await self.read_position(position.name, None)
                keep_price(plan, group, now)
                account = lending.proven(now)
            if account is None:
                raise SendFailedError(Reason.FIGURES_DISAGREE, position.name)
            held, amount = account.of(move.asset).supplied, move.amount
            if isinstance(move, Withdraw):
                account = lending.after(account, move.asset, supply=-(held if amount is None else min(held, amount)))
            else:
                account = lending.after(account, move.asset, debt=move.amount)
            health = lending.health_factor(account)
            if health < self.floor:
                raise SendFailedError(Reason.FLOOR_TOO_NEAR, f"{planned.call.purpose}: health {ratio_text(health)}")

    async def verify(self, plan: Plan, receipts: Sequence[Receipt]) -> Outcome:
        """Compare the chain with the promise, at the prices the plan was decided on."""
        hashes = tuple(r.hash for r in receipts)
        now = await self.read_position(plan.intent.position, max(r.block_number for r in receipts))
        account = lending.proven(now)
        if account is None:
            return Outcome("failed", Reason.FIGURES_DISAGREE, "after the plan", now.reported, hashes)
        if why := self._kept_by_hands(plan, receipts):
            return Outcome("failed", Reason.LEFT_IN_HANDS, why, now.reported, hashes)
        then = at_prices(account, plan.intent.assessment.position)
        promised = lending.figures(then)
        if not plan.postcondition.is_met(promised, then.holdings):
            detail = f"wanted {plan.postcondition}, came to health factor {ratio_text(promised.health_factor)}"
            return Outcome("failed", Reason.POSTCONDITION_FAILED, detail, now.reported, hashes)
        if plan.is_partial:
            return Outcome("partial", Reason.PARTIAL, str(plan.postcondition), now.reported, hashes)
        return Outcome("restored", Reason.RESTORED, str(plan.postcondition), now.reported, hashes)

    def _kept_by_hands(self, plan: Plan, receipts: Sequence[Receipt]) -> str | None:
        """Return what contracts that only pass money on have kept of it, by the tokens' own logs."""
        flashes = [step.move for step in plan.steps if isinstance(step.move, Flash)]
        if not flashes:
            return None
        hands = self.venues(plan.intent.position).hands(flashes)
        return kept(hands, [one for receipt in receipts for one in receipt.transfers])


@dataclass(frozen=True, slots=True)
class LendingErrand:
    """One plan about a loan."""

    desk: LendingParts
    plan: Plan
    script: Script
    rehearsed: Rehearsed
    warrant: Warrant

    @property
    def block(self) -> BlockRef:
        """The block it was decided on."""
        return self.plan.intent.assessment.position.block

    @property
    def settlement(self) -> Immediate:
        """What is mined is done."""
        return Immediate()

    def check(self) -> None:
        """Raise PolicyError unless all that would be sent may be."""
        position = self.plan.intent.assessment.position
        gate(self.script, position, self.warrant.grant, self.desk.venues(position.name))
        if self.script.carrier.waits(self.script.sent):
            raise policy.PolicyError(Reason.POLICY_FORBIDS, "a signature within it is missing")

    def bursts(self) -> Iterator[list[Outgoing]]:
        """Yield what goes out together: everything in one batch, or burst by burst."""
        return _bursts(self.plan, self.script, self.rehearsed, self.warrant)

    def rests(self, burst: Sequence[Outgoing]) -> bool:
        """Never: no order is left."""
        del burst
        return False

    async def check_again(self, burst: Sequence[Outgoing]) -> None:
        """Raise SendFailedError where more collateral leaves than the floor allows at prices now."""
        await self.desk.keep_floor(self.plan, [self.script.calls[item.step] for item in burst])

    async def unfilled(self, found: Unfilled, hashes: tuple[str, ...]) -> Outcome:
        """Return a failure: a loan's plan leaves no orders."""
        return await self.ended("failed", found.reason, found.detail, hashes)

    async def verified(self, receipts: Sequence[Receipt]) -> Outcome:
        """Compare the chain with the promise. Raises NodeError, ReadFailedError."""
        return await self.desk.verify(self.plan, receipts)

    async def ended(self, kind: OutcomeKind, reason: Reason, detail: str, hashes: tuple[str, ...]) -> Outcome:
        """Return an outcome with the protocol's figures of now, where they can be read.

        Where everything was one call that reverted, and debt is less than it was, somebody else was there first.
        """
        try:
            now = await self.desk.read_position(self.plan.intent.position, None)
        except (NodeError, ReadFailedError):
            return Outcome(kind, reason, f"{detail}; the position could not be read afterwards", None, hashes)
        if reason is Reason.REVERTED and (moved := await self._moved()):
            return Outcome(kind, Reason.SAFE_NONCE_USED, f"{detail}; {moved}", now.reported, hashes)
        if reason is Reason.REVERTED and self._is_one_call and self._others_paid(now):
            reason = Reason.POSITION_CHANGED
        return Outcome(kind, reason, detail, now.reported, hashes)

    async def _moved(self) -> str | None:
        """Return in words that somebody else used the account's own nonce; nothing where no node says so."""
        with contextlib.suppress(NodeError):
            return await self.desk.lane.holder.moved(self.script.uses)
        return None

    @property
    def _is_one_call(self) -> bool:
        """Whether all that moves anything is done or reverts as a whole."""
        return self.script.carrier.is_atomic or any(isinstance(step.move, Flash) for step in self.plan.steps)

    def _others_paid(self, now: LendingPosition) -> bool:
        """Return whether debt was paid since the plan was decided: not by it, for of one call nothing stands."""
        owed = {h.asset: h.principal.debt for h in now.holdings}
        before = self.plan.intent.assessment.position.holdings
        return any(owed.get(h.asset, 0) < h.principal.debt for h in before)

    def unread(self, reason: Reason, detail: str, hashes: tuple[str, ...]) -> Outcome:
        """Return the outcome of a plan that was mined and cannot be verified."""
        return Outcome("partial", reason, detail, None, hashes)

    async def put_back(self) -> None:
        """Bring back what a round took out and could not trade.

        A failure here is not the plan's: it is tried again at the next start, and the position is decided anew.
        """
        with contextlib.suppress(policy.PolicyError, SendFailedError, NodeError, ReadFailedError, JournalError):
            await self.desk.bring_back(self.warrant.decision_id, self.plan.intent.position, self.warrant.ceiling)


def _everything(venues: Venues, carrier: Carrier) -> policy.Allowed:
    """Return what calls to all contracts of a market do, whatever the position."""
    return allow_list(venues, [x.asset for x in venues.market.listings], carrier)


def _still_lent_to(
    venues: Venues, rows: Sequence[Transaction], known: policy.Allowed
) -> tuple[tuple[Address, str], ...]:
    """Return by asset and lender which approvals of a lender's adapter no mined call of a plan used up."""
    left = standing(rows, known)
    return tuple(
        (asset, name)
        for name, lender in venues.lenders.items()
        for token, asset in venues.market.receipts.items()
        if lender.spender is not None and left.get((token, lender.spender))
    )


def gate(script: Script, position: LendingPosition, grant: policy.Grant, venues: Venues) -> None:
    """Raise PolicyError unless all that would be sent may be."""
    known, assets = venues.grounds(position), [h.asset for h in position.holdings]
    allowed = allow_list(venues, assets, script.carrier)
    policy.check(script.sent, position.block.chain_id, grant, allowed, known)
    policy.check_sent(script.sent, script.meant, allowed)


def keep_price(plan: Plan, group: Sequence[PlannedCall], now: LendingPosition) -> None:
    """Raise SendFailedError where a swap may give less than what it buys is worth by the block it is mined in.

    By the oracle's price of now and how fast it falls: each round of a plan is mined a block later than the one before.
    """
    drifts = plan.intent.assessment.drifts
    for planned in group:
        move = planned.step.move
        if not isinstance(move, Swap):
            continue
        sell, buy = (now.holding(move.route.tokens[i]) for i in (0, -1))
        away = drifts.get(sell.asset, STILL).down + drifts.get(buy.asset, STILL).up
        gives, gets = sell.usd_up(move.sold) * max(0, BPS - away), buy.usd_down(move.bought) * BPS
        if gives < gets:
            detail = f"{planned.call.purpose}: the price fell past what this round may give; what was done stands"
            raise SendFailedError(Reason.PRICE_MOVED, detail)


def at_prices(account: lending.Loan, position: LendingPosition) -> lending.Loan:
    """Return an account with the prices of an earlier snapshot: what the plan did, apart from what the market did."""
    prices = {h.asset: h.price.answer for h in position.holdings}
    return lending.at_prices(account, prices)


def bursts(calls: Sequence[PlannedCall], wallet: Wallet, slippage: Bps) -> list[list[int]]:
    """Return which calls go out together, by index.

    Approvals go with what follows. A round of withdraw, swap and repay goes out at once where the wallet could not
    pay for any later call by itself: then a call can only succeed if the one before it did. Otherwise each call
    that moves money waits for the receipt of the one before.
    """
    groups, current = list[list[int]](), list[int]()
    leftover = dict(wallet.tokens)
    for i, planned in enumerate(calls):
        current.append(i)
        if isinstance(planned.step.move, Approve):
            continue
        following = next((c.step.move for c in calls[i + 1 :] if not isinstance(c.step.move, Approve)), None)
        if not _depends(planned.step.move, following, leftover):
            groups.append(current)
            current = []
        if isinstance(planned.step.move, Swap):
            # what is not sold stays behind, more where the pool pays more by then: no later round may be payable of it
            given = planned.step.move.route.tokens[0]
            rest = planned.step.left_over + mul_div_up(planned.step.move.sold, slippage, BPS)
            leftover[given] = Amount(leftover.get(given, 0) + rest)
    if current and groups:
        groups[-1] += current  # taking back allowances needs no block of its own
        return groups
    return [*groups, current] if current else groups


def _depends(move: Move, following: Move | None, leftover: dict[Address, Amount]) -> bool:
    """Return whether the following move can only succeed with what this one brings in."""
    match move, following:
        case Unpledge(), Withdraw():
            return True
        case Redeem(asset, _, _), (Repay(paid_in, amount, _) | Supply(paid_in, amount)):
            return asset == paid_in and leftover.get(asset, 0) < amount
        case ((Withdraw() | Borrow()), Swap(route, sold_, _)):
            return route.tokens[0] == move.asset and leftover.get(move.asset, 0) < sold_
        case Swap(route, _, _), (Repay(asset, amount, _) | Supply(asset, amount)):
            return route.tokens[-1] == asset and leftover.get(asset, 0) < amount
        case _:
            return False


def _bursts(plan: Plan, script: Script, rehearsed: Rehearsed, warrant: Warrant) -> Iterator[list[Outgoing]]:
    """Yield what goes out together: everything in one batch, or burst by burst."""
    carrier = script.carrier
    if carrier.is_atomic:
        (used,), (call,) = rehearsed.gas_used, script.sent
        limit = gas_limit(used) + carrier.more_gas
        yield [Outgoing(call, warrant.decision_id, 0, plan.spend, limit, carrier.delegate, script.uses[0])]
        return
    slippage = plan.intent.rule.limits.max_slippage
    for burst in bursts(script.calls, warrant.wallet, slippage):
        yield [
            Outgoing(
                script.sent[i],
                warrant.decision_id,
                i,
                script.calls[i].step.spend,
                gas_limit(rehearsed.gas_used[i]) + carrier.more_gas,
                use=script.uses[i],
            )
            for i in burst
        ]
