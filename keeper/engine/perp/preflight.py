"""The trial of one plan at a perpetual venue: the gate, the rehearsal on its own block, what gas may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.chain.fees import LEAST_TIP, lowest
from keeper.chain.fork import AnvilMissingError
from keeper.chain.gas import gas_limit
from keeper.chain.simulation import CannotPayError
from keeper.core.book.rules import BookIntent
from keeper.core.perp import margin as perps
from keeper.core.perp.grounds import grounds
from keeper.core.perp.kind import is_emergency
from keeper.core.perp.moves import Trade
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.pricing import base_usd
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import (
    BPS,
    WAD,
    Address,
    Bps,
    Usd,
    Wei,
    mul_div_up,
    ratio_text,
    usd_text,
    wei_text,
)
from keeper.engine.engine import Engine
from keeper.engine.perp.plan import fee_of, gas_price_for, market_price
from keeper.engine.preflight import (
    SMALL_SHARE,
    GasBill,
    bill_of,
    cap_of,
    deadline_at,
    forbidden,
    granted,
    not_payable,
)
from keeper.execution import policy
from keeper.execution.rehearsal import Refused
from keeper.venues.ports import ByKeepers, Call, PerpAccount

ORDERS_SHARE = Bps(400)
"""Most of a position's size that its orders may carry for the venue's keepers; about half of it comes back."""
FEE_SLACK = 3
"""Times the execution fee reckoned at present gas that an order may carry; the venue returns what is left."""


@dataclass(frozen=True, slots=True)
class PerpPrepared:
    """A plan that works on its block, its calls, and the better ones that did not work."""

    plan: PerpPlan
    calls: tuple[Call, ...]
    where: str
    gas_used: tuple[int, ...]
    after: PerpPosition
    ceiling: Wei | None
    gas_price: Wei
    """What execution fees were reckoned at."""
    refused: tuple[tuple[PerpPlan, Refused], ...] = ()

    @property
    def came_to(self) -> tuple[str, int, str]:
        """Where it was rehearsed, and the figure it came to."""
        return self.where, perps.margin_ratio(self.after), "margin ratio"


async def try_plan(engine: Engine, snapshot: Snapshot, plan: PerpPlan) -> PerpPrepared | Refused:
    """Return the plan ready to be sent, or why it may not be. Raises NodeError when the node cannot say."""
    block, position = snapshot.block, plan.before
    account, place = engine.reader.perp_account(position.name), engine.reader.positions[position.name]
    gas_price, deadline = await gas_price_for(engine, block), deadline_at(engine, block)
    try:
        calls = tuple(account.encode(position, step.move, place.spender, deadline, gas_price) for step in plan.steps)
        grant, allowed = grant_of(engine, block, plan, Usd(0), gas_price), account.decoders(position)
        refused = forbidden(lambda: policy.check(calls, block.chain_id, grant, allowed, grounds(position)))
    except ValueError as error:
        return Refused(Reason.NOT_ALLOWED_FOR_GUARDIAN, str(error))
    unpaid = refused or _cannot_pay(engine, snapshot, calls, plan) or _too_dear(snapshot, calls, plan)
    if unpaid:
        return unpaid
    result = await _rehearse(engine, plan, calls, account, block, market_price(block, gas_price))
    if isinstance(result, Refused):
        return result
    gas, where, after = result
    unpaid = _cannot_pay(engine, snapshot, calls, plan, gas)
    if unpaid:
        return unpaid
    ceiling = _ceiling(engine, plan, bill_of(engine, snapshot, calls, gas))
    if isinstance(account.settles, ByKeepers):
        # an order's fee is checked against the gas price paid: no more than it was reckoned at
        ceiling = lowest(ceiling, gas_price)
    return not_payable(block, ceiling) or PerpPrepared(plan, calls, where, gas, after, ceiling, gas_price)


def grant_of(engine: Engine, block: BlockRef, plan: PerpPlan, spent: Usd, gas_price: Wei) -> policy.Grant:
    """Return what a plan may do, from the settings alone."""
    place = engine.reader.positions[plan.before.name]
    account = engine.reader.perp_account(plan.before.name)
    return replace(
        granted(engine, block, place.owner, place.spender, plan.intent.rule.limits, spent),
        may_open=isinstance(plan.intent, BookIntent),
        most_fee=Wei(fee_of(account, gas_price) * FEE_SLACK),
    )


def _cannot_pay(
    engine: Engine, snapshot: Snapshot, calls: Sequence[Call], plan: PerpPlan, used: Sequence[int] = ()
) -> Refused | None:
    """Return that the signer lacks native currency for what the calls carry, and for their gas at this block's fee.

    What a rollup charges for its parent chain is part of it.
    """
    signer, toll = engine.reader.positions[plan.before.name].spender, engine.fees.last_toll.of(calls)
    native, value = snapshot.wallets[signer].native, sum(call.value for call in calls)
    gas = sum(gas_limit(one) for one in used) + toll.gas
    needed = value + gas * (snapshot.block.base_fee + LEAST_TIP) + toll.wei
    if needed <= native:
        return None
    orders = f", of it {wei_text(Wei(value))} for orders" if value else ""
    detail = f"{signer} holds {wei_text(native)}, {plan.label} takes about {wei_text(Wei(needed))}{orders}"
    return Refused(Reason.NO_GAS_MONEY, detail)


def _too_dear(snapshot: Snapshot, calls: Sequence[Call], plan: PerpPlan) -> Refused | None:
    """Return that what the orders carry for the venue's keepers is too much for the size they are about.

    The ceiling on our own gas does not bound it: an order's execution takes several times the gas of leaving it.
    """
    value = sum(call.value for call in calls)
    size = base_usd(plan.before, max(0, perps.basis(plan.before)))
    paid, most = mul_div_up(value, snapshot.native_price, WAD), max(plan.spend, size) * ORDERS_SHARE // BPS
    if paid <= most:
        return None
    return Refused(Reason.FEE_LIMIT, f"orders carry {usd_text(paid)} for their execution, at stake is {usd_text(most)}")


async def _rehearse(
    engine: Engine, plan: PerpPlan, calls: tuple[Call, ...], account: PerpAccount, block: BlockRef, price: Wei
) -> tuple[tuple[int, ...], str, PerpPosition] | Refused:
    """Run the calls on their block at a gas price. A venue that fills later can only show that it took the orders."""
    probe = account.probe(plan.before.name, block)
    signer = engine.reader.positions[plan.before.name].spender
    try:
        done = await engine.rehearser.run(block, signer, calls, probe.reads, price=price)
    except AnvilMissingError as error:
        return Refused(Reason.REHEARSAL_UNAVAILABLE, str(error))
    except CannotPayError as error:
        return Refused(Reason.NO_GAS_MONEY, f"{signer} cannot pay for {plan.label}: {error}")
    for call, outcome in zip(calls, done.calls, strict=False):
        if not outcome.succeeded:
            return Refused(Reason.REHEARSAL_FAILED, f"{call.purpose}: {outcome.error}")
    after = probe.decode(done.answers)
    gas = tuple(outcome.gas_used for outcome in done.calls)
    if isinstance(account.settles, ByKeepers):
        known = {order.key for order in plan.before.orders}
        keys = tuple(order.key for order in after.orders if order.key not in known)
        if not keys and any(step.spend for step in plan.steps):
            return Refused(Reason.POSTCONDITION_FAILED, "the venue lists no new order")
        if (
            not account.can_try
            and not engine.terms.trades_unrehearsed
            and any(isinstance(s.move, Trade) for s in plan.steps)
        ):
            return Refused(Reason.VENUE_UNTRIED, plan.label)
        unfit = await _as_if_executed(engine, calls, account, block, signer, price, keys)
        if unfit:
            return unfit
        return gas, engine.rehearser.where, plan.projected
    if not plan.postcondition.is_met(after):
        came = f"came to margin ratio {ratio_text(perps.margin_ratio(after))}"
        return Refused(Reason.POSTCONDITION_FAILED, f"wanted {plan.postcondition}, {came}")
    return gas, engine.rehearser.where, after


async def _as_if_executed(
    engine: Engine,
    calls: tuple[Call, ...],
    account: PerpAccount,
    block: BlockRef,
    signer: Address,
    price: Wei,
    keys: Sequence[str],
) -> Refused | None:
    """Return why the venue's keepers could not execute an order now: each is run as if they did, on the same block.

    Where the venue lets none be tried, what is left are the quote and the order's own bounds.
    """
    for i, call in enumerate(calls):
        try:
            attempt = account.as_if_executed(calls[: i + 1], block.timestamp, keys)
        except ValueError as unlisted:
            return Refused(Reason.REHEARSAL_FAILED, f"{call.purpose}: {unlisted}")
        if attempt is None:
            continue
        done = await engine.rehearser.run(block, signer, attempt.calls, (), price=price)
        error = done.calls[-1].error or ""
        if attempt.fine not in error:
            return Refused(Reason.REHEARSAL_FAILED, f"{call.purpose}: {error or 'the venue did not say'}")
    return None


def _ceiling(engine: Engine, plan: PerpPlan, bill: GasBill) -> Wei | None:
    """Return the fee per gas a plan is worth, what a rollup charges for its parent chain taken off, within the cap.

    Near liquidation the share the owner set of the maintenance margin, which is what a liquidation takes; else a
    hundredth of what is moved, or, where nothing is (an order placed or taken back), of the size it is about.
    """
    cap = cap_of(engine, plan.intent.rule.limits)
    guarded = base_usd(plan.before, max(0, perps.basis(plan.before)))
    moved = plan.spend or guarded  # an order placed or taken back moves nothing itself
    if not moved:
        return cap
    worth = moved // SMALL_SHARE
    if is_emergency(plan.before, engine.terms.safety.emergency_health):
        lost = base_usd(plan.before, perps.requirement(plan.before))
        worth = max(worth, lost * engine.terms.fee_share // BPS)
    return lowest(cap, bill.fee_for(worth))
