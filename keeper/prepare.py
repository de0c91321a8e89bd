"""From an intent to a rehearsed plan: ask the pools, work out the ways, run the best that works on its own block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.chain.errors import NodesDisagreeError
from keeper.chain.fees import LEAST_TIP, lowest, offer
from keeper.core.decisions import Hold, Intent, Memory, decide
from keeper.core.moves import GAS
from keeper.core.planning import Plan, plans
from keeper.core.positions import BlockRef, LendingPosition, Snapshot, Unreadable
from keeper.core.prices import Doubt, price_doubts, sequencer_doubts
from keeper.core.proposals import State, Terms
from keeper.core.quotes import Quotes
from keeper.core.reasons import Reason
from keeper.core.rules import assess
from keeper.core.stakes import Stake, fee_ceiling, stake, trigger_health
from keeper.core.trades import quotes_needed
from keeper.core.units import UINT256_MAX, Address, Usd, Wei, gwei_text, wei_text
from keeper.execution.encoding import Batch, Script, encode
from keeper.execution.rehearsal import Refused, Rehearsed, rehearse
from keeper.house import House
from keeper.venues import aave_v3, batch_account

REHEARSALS = 4
"""Plans that are rehearsed, best first, before a position is given up for this block."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that works on its block, its calls, and the better ones that did not work."""

    plan: Plan
    script: Script
    rehearsed: Rehearsed
    refused: tuple[tuple[Plan, Refused], ...]
    stake: Stake | None
    ceiling: Wei | None
    """Highest fee per gas: what is at stake over the gas it takes, within the owner's cap."""


async def look_again(house: House, name: str, own_spend: Usd) -> Prepared | Hold:
    """Return what would be done about a position at the newest block, were nothing under way. Raises NodeError.

    ``own_spend`` is what the plan under way was counted with: it must not stand in its own way.
    """
    snapshot = await house.watch.snapshot(await house.watch.blocks.head())
    (position,) = [p for p in snapshot.positions if p.name == name]
    assessed = assess(position, house.rules, doubts(house, snapshot, position))
    known = await house.recall(assessed, snapshot.block)
    spent = {rule: Usd(max(0, dollars - own_spend)) for rule, dollars in known.spent_today.items()}
    signer = house.watch.positions[name].spender
    decision = decide(assessed, Memory(spent_today=spent), house.safety, signer)
    if isinstance(decision, Hold):
        return decision
    ways = await find_plans(house, snapshot, decision, signer)
    return ways if isinstance(ways, Hold) else await first_that_works(house, snapshot, ways, signer)


def doubts(house: House, snapshot: Snapshot, position: LendingPosition | Unreadable) -> tuple[Doubt, ...]:
    """Return what speaks against trading with a position's assets at this block."""
    if isinstance(position, Unreadable):
        return ()
    now, bound = snapshot.block.timestamp, house.watch.network.max_deviation
    found = list(sequencer_doubts(snapshot.sequencer, now))
    for holding in position.held:
        second = snapshot.seconds.get(holding.reserve.asset)
        found += price_doubts(holding.reserve.price, second, bound, now)
    return tuple(found)


async def find_plans(house: House, snapshot: Snapshot, intent: Intent, signer: Address) -> tuple[Plan, ...] | Hold:
    """Return the plans worth rehearsing, best first. One read when a trade is allowed, for quotes and allowances."""
    position, watch, block = intent.assessment.position, house.watch, snapshot.block
    ceiling = lowest(house.max_fee, intent.rule.limits.max_fee)
    if offer(block.base_fee, LEAST_TIP, ceiling) is None:
        return intent.hold(Reason.FEE_LIMIT, f"base fee {gwei_text(block.base_fee)}, allowed {gwei_text(ceiling or 0)}")
    left = UINT256_MAX if intent.left_today is None else intent.left_today
    state = State(intent.assessment.account, snapshot.wallets[signer], left)
    terms = Terms(
        safety=house.safety,
        signer_is_owner=signer == position.owner,
        fee_per_gas=Wei(block.base_fee + block.base_fee // 4),
        native_price=snapshot.native_price,
        quotes=Quotes(),
        is_atomic=intent.rule.limits.max_spend_per_tx is None and await batch_of(house, block, signer) is not None,
    )
    requests = quotes_needed(intent, state, terms)
    quotes = await watch.quotes(block, requests) if requests else terms.quotes
    assets = [h.reserve.asset for h in position.holdings]
    allowances = await watch.allowances(block, signer, assets)
    found = plans(intent, state, terms.with_quotes(quotes), allowances)
    if isinstance(found, Hold):
        return found
    payable = tuple(plan for plan in found if gas_needed(plan, block.base_fee) <= state.wallet.native)
    if not payable:
        needed = min(gas_needed(plan, block.base_fee) for plan in found)
        detail = f"{signer} holds {wei_text(state.wallet.native)}, the plan takes about {wei_text(needed)}"
        return intent.hold(Reason.NO_GAS_MONEY, detail)
    return payable


def gas_needed(plan: Plan, base_fee: Wei) -> Wei:
    """Return what a plan's gas costs at the present base fee, from above."""
    return Wei(sum(GAS[type(step.move)] for step in plan.steps) * (base_fee + LEAST_TIP))


async def first_that_works(house: House, snapshot: Snapshot, ways: Sequence[Plan], signer: Address) -> Prepared | Hold:
    """Return the first plan whose rehearsal keeps its promise; a Hold with the first one's reason if none does."""
    refused = list[tuple[Plan, Refused]]()
    batch = await batch_of(house, snapshot.block, signer)
    await _ask_others(house, snapshot.block, ways[0])
    for plan in ways[:REHEARSALS]:
        block, name = snapshot.block, plan.intent.position
        script = encode(plan, house.venues, signer, block.timestamp + house.swap_deadline_s, _fits(batch, plan))
        result = await rehearse(plan, script, signer, house.simulator, house.watch.position_probe(name, block))
        if isinstance(result, Rehearsed):
            at_stake, ceiling = _ceiling(house, snapshot, plan, result)
            if offer(block.base_fee, LEAST_TIP, ceiling):
                house.observer.rehearsed(name, plan.label, result.where, result.after.health_factor)
                return Prepared(plan, script, result, tuple(refused), at_stake, ceiling)
            detail = f"base fee {gwei_text(block.base_fee)}, at stake is enough for {gwei_text(ceiling or 0)}"
            result = Refused(Reason.FEE_LIMIT, detail)
        house.observer.refused(name, plan.label, result.reason, result.detail)
        refused.append((plan, result))
    first = refused[0][1] if refused else Refused(Reason.NOTHING_HELPS, "")
    detail = "; ".join(f"{plan.label}: {why.detail}" for plan, why in refused)
    return ways[0].intent.hold(first.reason, detail)


async def _ask_others(house: House, block: BlockRef, plan: Plan) -> None:
    """Ask other nodes for the block and for the figures that decide. Raises NodesDisagreeError."""
    others = house.second_opinion
    if others is None:
        return
    await others.agree(block)
    read, answer = aave_v3.account_call(house.venues.market, plan.intent.assessment.position)
    if not await others.confirm(block, read.to, "0x" + read.data.hex(), "0x" + answer.hex()):
        raise NodesDisagreeError("nodes", "eth_call", f"the account's figures differ at block {block.number}")


def _ceiling(house: House, snapshot: Snapshot, plan: Plan, rehearsed: Rehearsed) -> tuple[Stake | None, Wei | None]:
    """Return what is at stake, and the fee per gas that it justifies; a boost risks nothing and has only the cap."""
    rule, assessed = plan.intent.rule, plan.intent.assessment
    cap = lowest(house.max_fee, rule.limits.max_fee)
    if rule.is_boost:
        return None, cap
    begins = trigger_health(rule.trigger, assessed.figures)
    found = stake(assessed.position, assessed.account, assessed.figures, begins, house.fee_share)
    return found, fee_ceiling(found, sum(rehearsed.gas_used), snapshot.native_price, cap)


def _fits(batch: Batch | None, plan: Plan) -> Batch | None:
    """Return the batch, unless everything in one transaction would break the limit per transaction."""
    most = plan.intent.rule.limits.max_spend_per_tx
    return batch if most is None or plan.spend <= most else None


async def batch_of(house: House, block: BlockRef, signer: Address) -> Batch | None:
    """Return the batch account to use, if the owner set one and the account is free to delegate to it."""
    contract = house.batches.get(signer)
    if contract is None:
        return None
    code = await house.watch.blocks.code(block, signer)
    delegated = batch_account.delegate_of(code)
    return Batch(contract, delegated == contract) if not code or delegated == contract else None
