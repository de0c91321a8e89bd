"""The trial of one plan at a perpetual venue: the gate, the rehearsal on its own block, what gas may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.chain.fees import LEAST_TIP, lowest
from keeper.chain.gas import gas_limit
from keeper.core.book.rules import BookIntent
from keeper.core.perp import margin as perps
from keeper.core.perp.grounds import grounds
from keeper.core.perp.kind import is_emergency
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.pricing import base_usd
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import (
    BPS,
    WAD,
    Bps,
    Usd,
    Wei,
    mul_div_up,
    usd_text,
    wei_text,
)
from keeper.engine.engine import Engine
from keeper.engine.perp.plan import fee_of, gas_price_for, market_price
from keeper.engine.perp.rehearsal import rehearse_perp
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
from keeper.execution.rehearsal import Refused, Simulator
from keeper.venues.ports import ByKeepers, Call

NOTHING = Usd(0)
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
    how: str = "rehearsed at this block"

    @property
    def came_to(self) -> tuple[str, int, str]:
        """Where it was rehearsed, and the figure it came to."""
        return self.where, perps.margin_ratio(self.after), "margin ratio"


async def try_plan(
    engine: Engine, snapshot: Snapshot, plan: PerpPlan, simulator: Simulator | None = None
) -> PerpPrepared | Refused:
    """Return the plan ready to be sent, or why it may not be. Raises NodeError when the node cannot say."""
    block, position = snapshot.block, plan.before
    account, place = engine.reader.perp_account(position.name), engine.reader.positions[position.name]
    gas_price, deadline = await gas_price_for(engine, block), deadline_at(engine, block)
    try:
        calls = tuple(account.encode(position, step.move, place.spender, deadline, gas_price) for step in plan.steps)
    except ValueError as error:
        return Refused(Reason.NOT_ALLOWED_FOR_GUARDIAN, str(error))
    refused = (
        gate(engine, block, plan, calls, gas_price)
        or _cannot_pay(engine, snapshot, calls, plan)
        or _too_dear(snapshot, calls, plan)
    )
    if refused:
        return refused
    price, run = market_price(block, gas_price), simulator or engine.rehearser
    result = await rehearse_perp(engine, plan, calls, account, block, price, run)
    if isinstance(result, Refused):
        return result
    gas, where, after = result
    return priced(engine, snapshot, PerpPrepared(plan, calls, where, gas, after, None, gas_price))


def gate(
    engine: Engine, block: BlockRef, plan: PerpPlan, calls: Sequence[Call], gas_price: Wei, spent: Usd = NOTHING
) -> Refused | None:
    """Return why the policy would not let a plan be signed: dry runs meet the same gate as live ones."""
    position = plan.before
    allowed = engine.reader.perp_account(position.name).decoders(position)
    grant = grant_of(engine, block, plan, spent, gas_price)
    return forbidden(lambda: policy.check(calls, block.chain_id, grant, allowed, grounds(position)))


def priced(engine: Engine, snapshot: Snapshot, of: PerpPrepared) -> PerpPrepared | Refused:
    """Return a rehearsed plan with what gas may cost at this block, or why no offer is possible."""
    block, plan, calls = snapshot.block, of.plan, of.calls
    unpaid = _cannot_pay(engine, snapshot, calls, plan, of.gas_used)
    if unpaid:
        return unpaid
    ceiling = _ceiling(engine, plan, bill_of(engine, snapshot, calls, of.gas_used))
    if isinstance(engine.reader.perp_account(plan.before.name).settles, ByKeepers):
        # an order's fee is checked against the gas price paid: no more than it was reckoned at
        ceiling = lowest(ceiling, of.gas_price)
    return not_payable(block, ceiling) or replace(of, ceiling=ceiling)


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
