"""The trial of one plan about a loan: the gate, the rehearsal on its own block, what gas may cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.chain.fees import lowest
from keeper.core.fee_budget import Stake, safe_health, stake
from keeper.core.lending.moves import raised
from keeper.core.lending.plan import Plan
from keeper.core.lending.slippage import slippage_of
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import WAD, Address, Usd, Wei, mul_div_up, usd_text
from keeper.engine.engine import Engine
from keeper.engine.lending.for_lenders import by_words
from keeper.engine.lending.for_safes import named, through
from keeper.engine.lending.permits import permits_for
from keeper.engine.preflight import SMALL_SHARE, bill_of, cap_of, deadline_at, forbidden, granted, not_payable
from keeper.execution import lending_errand, policy
from keeper.execution.carriers import Batch, Carrier, Plain
from keeper.execution.encoding import Script, encode
from keeper.execution.permit_signer import NoPermitError
from keeper.execution.rehearsal import Refused, Rehearsed, Simulator, rehearse
from keeper.venues.contracts import batch_account


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that works on its block, its calls, and the better ones that did not work."""

    plan: Plan
    script: Script
    rehearsed: Rehearsed
    stake: Stake | None
    ceiling: Wei | None
    """Highest fee per gas: what is at stake over the gas it takes, within the owner's cap."""
    refused: tuple[tuple[Plan, Refused], ...] = ()
    """Better ones that did not pass."""

    @property
    def came_to(self) -> tuple[str, int, str]:
        """Where it was rehearsed, and the figure it came to."""
        return self.rehearsed.where, self.rehearsed.after.health_factor, "health factor"


async def try_plan(
    engine: Engine,
    snapshot: Snapshot,
    plan: Plan,
    carrier: Carrier,
    simulator: Simulator | None = None,
) -> Prepared | Refused:
    """Return the plan ready to be sent, or why it may not be. Raises NodeError when the node cannot say."""
    deadline = deadline_at(engine, snapshot.block)
    venues, fitting = engine.venues(plan.intent.position), _fits(carrier, plan)
    permits = await permits_for(engine, snapshot.block, plan, carrier.account)
    try:
        script = encode(plan, venues, fitting, deadline, permits=permits)
    except NoPermitError as error:
        return Refused(Reason.PERMIT_UNAVAILABLE, str(error))
    result = await _tried(engine, snapshot, plan, script, simulator)
    is_blocked = isinstance(result, Refused) and result.reason is Reason.REHEARSAL_FAILED and script.before
    if is_blocked:  # by what it insists on, perhaps: no token of a fork keeps a rescue from the owner
        script = encode(plan, venues, fitting, deadline, insists=False, permits=permits)
        result = await _tried(engine, snapshot, plan, script, simulator)
    return named(snapshot, carrier.account, by_words(result, plan, venues)) if isinstance(result, Refused) else result


async def _tried(
    engine: Engine, snapshot: Snapshot, plan: Plan, script: Script, simulator: Simulator | None
) -> Prepared | Refused:
    forbidden = gate(engine, snapshot.block, plan, script)
    if forbidden:
        return forbidden
    probe = engine.reader.position_probe(plan.intent.position, snapshot.block)
    result = await rehearse(plan, script, simulator or engine.rehearser, probe)
    if isinstance(result, Refused):
        return result
    return priced(engine, snapshot, plan, script, result)


def priced(engine: Engine, snapshot: Snapshot, plan: Plan, script: Script, result: Rehearsed) -> Prepared | Refused:
    """Return a rehearsed plan with what gas may cost at this block, or why no offer is possible."""
    at_stake, ceiling = _ceiling(engine, snapshot, plan, script, result)
    return not_payable(snapshot.block, ceiling, _used_up(at_stake)) or Prepared(plan, script, result, at_stake, ceiling)


def _used_up(at_stake: Stake | None) -> str:
    """Return that earlier plans of the danger leave too little for gas, where that is why."""
    if at_stake is None or not at_stake.is_used_up or at_stake.budget is None:
        return ""
    return f": gas of this danger has cost {usd_text(at_stake.paid)} of {usd_text(at_stake.budget)}"


def _ceiling(
    engine: Engine, snapshot: Snapshot, plan: Plan, script: Script, rehearsed: Rehearsed
) -> tuple[Stake | None, Wei | None]:
    """Return what is at stake, and the fee per gas that it justifies, at most the cap.

    A boost risks nothing, and what serves more than the position's own health risks more than its liquidation: there
    gas may cost a hundredth of what is moved. What a rollup charges for its parent chain is paid out of the same money.
    """
    rule, assessed = plan.intent.rule, plan.intent.assessment
    cap, bill = cap_of(engine, rule.limits), bill_of(engine, snapshot, script.sent, rehearsed.gas_used)
    worth = bill.fee_for(plan.spend // SMALL_SHARE)
    if rule.is_boost:
        return None, lowest(cap, worth)
    paid = Usd(mul_div_up(plan.intent.gas_paid, snapshot.native_price, WAD))
    after = rehearsed.after if plan.is_partial else None
    found = stake(assessed, safe_health(rule, assessed.figures), engine.terms.fee_share, paid, after)
    ceiling = lowest(cap, bill.fee_for(found.left))
    if worth is not None and ceiling is not None and (plan.intent.for_more_than_health or rule.is_ordered):
        ceiling = lowest(cap, Wei(max(ceiling, worth)))
    return found, ceiling


def gate(engine: Engine, block: BlockRef, plan: Plan, script: Script) -> Refused | None:
    """Return why the policy would not let a plan be signed: dry runs meet the same gate as live ones."""
    signer = script.carrier.account
    grant = grant_of(engine, block, plan, signer, Usd(0) if plan.intent.left_today is None else _spent(plan))
    position, venues = plan.intent.assessment.position, engine.venues(plan.intent.position)
    return forbidden(lambda: lending_errand.gate(script, position, grant, venues))


def grant_of(engine: Engine, block: BlockRef, plan: Plan, signer: Address, spent: Usd) -> policy.Grant:
    """Return what a plan's rule may do now."""
    rule, position = plan.intent.rule, plan.intent.assessment.position
    bounds = slippage_of(rule, plan.intent.assessment, plan.intent.outrun)
    return replace(
        granted(engine, block, position.owner, signer, rule.limits, spent),
        may_lose=bounds.between(position),
        may_take=any(action.trades for action in rule.actions),
        most_owed=raised(plan.moves),
    )


def _spent(plan: Plan) -> Usd:
    """Return what the decision took as spent: the day's limit less what it left."""
    limit, left = plan.intent.rule.limits.max_spend_per_day, plan.intent.left_today
    return Usd(0) if limit is None or left is None else Usd(limit - left)


def _fits(carrier: Carrier, plan: Plan) -> Carrier:
    """Return the carrier; call by call where everything in one transaction would break the limit per transaction."""
    most = plan.intent.rule.limits.max_spend_per_tx
    return carrier if most is None or plan.spend <= most else carrier.one_by_one


def _delegated_already(engine: Engine, signer: Address) -> Address | None:
    """Return the network's batch account where the signer delegates to it, though the settings say nothing of it.

    Nodes keep one pending transaction of such an account: a burst would take a block for each of its calls.
    """
    sender, contract = engine.senders.get(signer), engine.reader.network.batch_account
    return contract if sender is not None and sender.lane.delegate == contract else None


async def carrier_of(engine: Engine, snapshot: Snapshot, account: Address) -> Carrier:
    """Return how an account's plans go out at a block. Raises NodeError, ReadFailedError where they cannot."""
    safe = engine.terms.safes.get(account)
    if safe is not None:
        return through(engine, snapshot, safe)
    return await batch_of(engine, snapshot.block, account) or Plain(account)


async def batch_of(engine: Engine, block: BlockRef, signer: Address) -> Batch | None:
    """Return the batch account to use, if the owner set one and the account is free to delegate to it."""
    contract = engine.terms.batches.get(signer) or _delegated_already(engine, signer)
    if contract is None:
        return None
    code = await engine.reader.code(block, signer)
    delegated = batch_account.delegate_of(code)
    return Batch(signer, contract, delegated == contract) if not code or delegated == contract else None
