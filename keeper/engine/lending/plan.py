"""From an intent to a rehearsed plan: ask the pools, work out the ways, run the best that works on its own block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from keeper.chain.fees import LEAST_TIP, is_payable, lowest
from keeper.chain.tolls import Toll
from keeper.core.armed.scenarios import is_dollar
from keeper.core.decide import Hold, decide
from keeper.core.lending.kind import LENDING
from keeper.core.lending.moves import gas_of
from keeper.core.lending.plan import Plan, is_drip, plans
from keeper.core.lending.position import Beside
from keeper.core.lending.proposals import LoanOffer, Means, PlanTerms
from keeper.core.lending.quotes import Quotes
from keeper.core.lending.quotes_needed import quotes_needed
from keeper.core.lending.rules import LendingAssessment, LendingIntent, Rule
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt, each_its_own, price_doubts
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, assess, looks_ahead
from keeper.core.snapshot import LendingPosition, Snapshot, Unreadable, Wallet
from keeper.core.units import UINT256_MAX, Address, Usd, Wei, gwei_text, wei_text
from keeper.engine.agreement import ask_others
from keeper.engine.convoys import quotes_upon, stands_first
from keeper.engine.engine import Engine
from keeper.engine.lending.preflight import Prepared, batch_of, try_plan
from keeper.engine.recheck import Anew
from keeper.engine.trials import Tried, best_now, first_that_works, without_its_own
from keeper.execution.rehearsal import Refused

SHARES = (1, 2, 4)
"""Parts of what a trade wants that are tried beside others in the same pool."""
TRIALS = 6
"""Plans that are tried, best first, before a position is given up for this block."""


async def look_again(engine: Engine, name: str, own_spend: Usd) -> Anew[Prepared] | Hold:
    """Return what would be done about a position at the newest block, were nothing under way. Raises NodeError.

    ``own_spend`` is what the plan under way was counted with: it must not stand in its own way.
    """
    snapshot = await engine.reader.snapshot(await engine.reader.head())
    engine.state.saw_prices(snapshot)
    (position,) = [p for p in snapshot.positions if p.name == name and not isinstance(p, PerpPosition)]
    assessed = judge(engine, snapshot, position)
    known = await engine.recall(assessed, snapshot.block)
    signer, anew = engine.reader.positions[name].spender, without_its_own(known, own_spend)
    decided = decide(LENDING, assessed, anew, engine.terms.safety, signer)
    return await best_now(
        engine, snapshot, name, decided, lambda intent: rehearsed_now(engine, snapshot, intent, signer)
    )


async def rehearsed_now(engine: Engine, snapshot: Snapshot, intent: LendingIntent, signer: Address) -> Prepared | Hold:
    """Return the best plan that works on the snapshot's own block, upon what was decided before at it.

    Where it would take of a pool what an earlier one needs, it is made smaller. Raises NodeError.
    """
    found: Prepared | Hold | None = None
    for share in SHARES:
        ways = await find_plans(engine, snapshot, intent, signer, share)
        found = ways if isinstance(ways, Hold) else await first_loan_plan(engine, snapshot, ways, signer)
        if isinstance(found, Prepared) or found.reason is not Reason.POOL_SHARED:
            return found
    assert found is not None  # noqa: S101 - there are shares to try
    return found


def judge(engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable) -> LendingAssessment | Unjudged:
    """Judge a position by the rules, with what speaks against trading at this block.

    Where another node says otherwise of it the worse of the two figures binds, and nothing may be traded: topping up
    and repaying can be had for either.
    """
    other = snapshot.otherwise.get(position.name)
    if other is None or isinstance(other.position, PerpPosition):
        return _judge(engine, snapshot, position, ())
    doubt = (Doubt(Reason.NODES_DISAGREE, other.detail),)
    ours, theirs = (_judge(engine, snapshot, p, doubt) for p in (position, other.position))
    if isinstance(ours, LendingAssessment) and isinstance(theirs, LendingAssessment):
        return min(ours, theirs, key=lambda judged: judged.figures.health_factor)
    return ours if isinstance(ours, LendingAssessment) else theirs


def _judge(
    engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable, doubts: tuple[Doubt, ...]
) -> LendingAssessment | Unjudged:
    """Judge a position by the rules, with ``doubts`` beside what speaks against trading at this block.

    A doubt about an asset forbids trades of that asset, on the side that would lose; one about the chain forbids all.
    """
    if isinstance(position, Unreadable):
        return assess(LENDING, position, engine.state.rules_of(position.name), ())
    doubted = _doubts_of_assets(engine, snapshot, position)
    against, drifts = (*doubts, *engine.chain_doubts(snapshot)), engine.state.pace.drifts()
    rules, trail = engine.state.rules_of(position.name), engine.perps.trails.get(position.name)
    return assess(
        LENDING, _with_what_is_beside(engine, position, snapshot, rules), rules, against, doubted, drifts, trail
    )


async def judge_remembering(
    engine: Engine, snapshot: Snapshot, position: LendingPosition | Unreadable
) -> LendingAssessment | Unjudged:
    """Judge a position at a block that is seen first: averages of its rules take it in. Raises JournalError."""
    if isinstance(position, LendingPosition):
        await looked_back(engine, snapshot, position)
    return judge(engine, snapshot, position)


async def looked_back(engine: Engine, snapshot: Snapshot, position: LendingPosition) -> None:
    """Remember this block for every rule that measures an average. Raises JournalError."""
    rules = [r for r in engine.state.rules_of(position.name) if r.trigger.metric.remember is not None]
    if rules:
        await engine.perps.trail(_with_what_is_beside(engine, position, snapshot, rules), rules)


def _with_what_is_beside(
    engine: Engine, position: LendingPosition, snapshot: Snapshot, rules: Sequence[Rule]
) -> LendingPosition:
    """Return a position with what was read beside it, where rules look at that."""
    if not any(looks_ahead(rule) or rule.trigger.metric.looks_beside for rule in rules):
        return position
    return replace(position, beside=Beside(snapshot.seconds, snapshot.backings, engine.state.market))


def _doubts_of_assets(
    engine: Engine, snapshot: Snapshot, position: LendingPosition
) -> dict[Address, tuple[Doubt, ...]]:
    """Return what speaks against the price of each asset held; one price is looked at once for all positions."""
    now, bound = snapshot.block.timestamp, engine.reader.network.max_deviation
    known, found = engine.state.doubts_of(snapshot), dict[Address, tuple[Doubt, ...]]()
    for h in position.held:
        price = h.price
        doubted = known.get(h.asset)
        if doubted is None or doubted[0] is not price:
            doubted = known[h.asset] = price, price_doubts(price, snapshot.seconds.get(h.asset), bound, now)
        if doubted[1]:
            found[h.asset] = doubted[1]
    if not found:
        return found
    return each_its_own(found, snapshot.seconds, {h.asset for h in position.held if is_dollar(h)})


async def find_plans(
    engine: Engine,
    snapshot: Snapshot,
    intent: LendingIntent,
    signer: Address,
    share: int = 1,
    at: Callable[[Quotes], Quotes] = lambda asked: asked,
) -> tuple[Plan, ...] | Hold:
    """Return the plans worth rehearsing, best first. One read when a trade is allowed, for quotes and allowances.

    Trades are at most the ``share``-th part of what is wanted. ``at`` says what pools would charge where the snapshot's
    prices are not the block's own.
    """
    position, watch, block = intent.assessment.position, engine.reader, snapshot.block
    ceiling = lowest(engine.terms.max_fee, intent.rule.limits.max_fee)
    if not is_payable(block.base_fee, ceiling):
        return intent.hold(Reason.FEE_LIMIT, f"base fee {gwei_text(block.base_fee)}, allowed {gwei_text(ceiling or 0)}")
    await engine.fees.toll()
    state = state_of(engine.state.wallet(snapshot, signer, position.name), intent)
    terms = terms_of(engine, snapshot, intent, signer, has_batch=await batch_of(engine, block, signer) is not None)
    requests = quotes_needed(intent, state, terms)
    quotes = at(await quotes_upon(engine, block, signer, requests)).part(share) if requests else terms.quotes
    assets = [h.asset for h in position.holdings]
    allowances = await watch.allowances(block, position.name, signer, assets)
    found = plans(intent, state, terms.with_quotes(quotes), allowances)
    if isinstance(found, Hold):
        return found
    needs = [gas_needed(plan, block.base_fee, engine.fees.last_toll, is_atomic=terms.is_atomic) for plan in found]
    payable = tuple(plan for plan, needed in zip(found, needs, strict=True) if needed <= state.wallet.native)
    if not payable:
        needed = min(needs)
        detail = f"{signer} holds {wei_text(state.wallet.native)}, the plan takes about {wei_text(needed)}"
        return intent.hold(Reason.NO_GAS_MONEY, detail)
    return payable


def state_of(wallet: Wallet, intent: LendingIntent) -> Means:
    """Return the account and the means to help it."""
    left = UINT256_MAX if intent.left_today is None else intent.left_today
    return Means(intent.assessment.account, wallet, left)


def terms_of(
    engine: Engine, snapshot: Snapshot, intent: LendingIntent, signer: Address, *, has_batch: bool
) -> PlanTerms:
    """Return what plans are weighed with, before any pool was asked."""
    base_fee = snapshot.block.base_fee
    return PlanTerms(
        safety=engine.terms.safety,
        signer_is_owner=signer == intent.assessment.position.owner,
        fee_per_gas=Wei(base_fee + base_fee // 4),
        toll=toll_of(engine.fees.last_toll, base_fee),
        native_price=snapshot.native_price,
        quotes=Quotes(),
        is_atomic=has_batch and intent.rule.limits.max_spend_per_tx is None,
        offers=offers_of(engine, snapshot, intent),
    )


def offers_of(engine: Engine, snapshot: Snapshot, intent: LendingIntent) -> tuple[LoanOffer, ...]:
    """Return who lends within one transaction, of those that can speak to a position's market."""
    names = engine.venues(intent.position).lenders
    return tuple(LoanOffer(name, there) for name, there in snapshot.lendable.items() if name in names)


def gas_needed(plan: Plan, base_fee: Wei, toll: Toll, *, is_atomic: bool) -> Wei:
    """Return what a plan's gas costs at the present base fee, from above, and what a rollup charges on top."""
    gas = gas_of([step.move for step in plan.steps], is_atomic=is_atomic)
    return Wei(gas * (base_fee + LEAST_TIP) + len(plan.steps) * toll_of(toll, base_fee))


def toll_of(toll: Toll, base_fee: Wei) -> Wei:
    """Return what a rollup charges for its parent chain, for one call of a plan."""
    return toll.typical(Wei(base_fee + LEAST_TIP))


async def first_loan_plan(engine: Engine, snapshot: Snapshot, ways: Sequence[Plan], signer: Address) -> Prepared | Hold:
    """Return the first plan that passes its trial and stands before those of this block; else why none does."""
    batch, assessed = await batch_of(engine, snapshot.block, signer), ways[0].intent.assessment
    await ask_others(engine, snapshot.block, assessed.doubts, [assessed.position])

    async def trial(plan: Plan) -> Prepared | Refused:
        result = await try_plan(engine, snapshot, plan, signer, batch)
        if isinstance(result, Refused):
            return result
        return await stands_first(engine, snapshot.block, signer, result) or result

    def is_needless(plan: Plan, refused: Tried[Plan]) -> bool:
        return any(why.reason is Reason.FEE_LIMIT for _, why in refused) and is_drip(plan, engine.terms.safety)

    return await first_that_works(engine, ways[:TRIALS], trial, is_needless)
