"""A plan at a perpetual venue run on its own block: done at once, or its orders tried as the venue's keepers would."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.perp import margin as perps
from keeper.core.perp.moves import Trade
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei, ratio_text
from keeper.engine.engine import Engine
from keeper.execution.rehearsal import Refused, Simulator, ran
from keeper.venues.ports import ByKeepers, Call, PerpAccount


async def rehearse_perp(
    engine: Engine,
    plan: PerpPlan,
    calls: tuple[Call, ...],
    account: PerpAccount,
    block: BlockRef,
    price: Wei,
    run: Simulator,
) -> tuple[tuple[int, ...], str, PerpPosition] | Refused:
    """Run the calls on their block at a gas price. A venue that fills later can only show that it took the orders."""
    probe = account.probe(plan.before.name, block)
    signer = engine.reader.positions[plan.before.name].spender
    done = await ran(run, block, signer, calls, probe.reads, plan.label, price=price)
    if isinstance(done, Refused):
        return done
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
        unfit = await _as_if_executed(run, calls, account, block, signer, price, keys)
        if unfit:
            return unfit
        return gas, run.where, plan.projected
    if not plan.postcondition.is_met(after):
        came = f"came to margin ratio {ratio_text(perps.margin_ratio(after))}"
        return Refused(Reason.POSTCONDITION_FAILED, f"wanted {plan.postcondition}, {came}")
    return gas, run.where, after


async def _as_if_executed(
    run: Simulator,
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
        done = await run.run(block, signer, attempt.calls, (), price=price)
        error = done.calls[-1].error or ""
        if attempt.fine not in error:
            return Refused(Reason.REHEARSAL_FAILED, f"{call.purpose}: {error or 'the venue did not say'}")
    return None
