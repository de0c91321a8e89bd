"""From an intent to a rehearsed plan: ask the pools, work out the ways, run the best that works on its own block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keeper.chain.fees import LEAST_TIP, is_payable, lowest
from keeper.chain.tolls import Toll
from keeper.core.decide import Hold
from keeper.core.family import Family
from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.moves import Repay, Supply, gas_of
from keeper.core.lending.plan import Plan, is_drip, plans
from keeper.core.lending.proposals import LoanOffer, Means, PlanTerms
from keeper.core.lending.quotes import Quotes
from keeper.core.lending.quotes_needed import quotes_needed
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot, Wallet
from keeper.core.units import NATIVE, UINT256_MAX, Address, Amount, Wei, gwei_text, wei_text
from keeper.engine.convoys import quotes_upon, stands_first
from keeper.engine.engine import Engine
from keeper.engine.lending.preflight import Prepared, carrier_of, try_plan
from keeper.engine.trials import Tried, first_that_works
from keeper.execution.carriers import Carrier
from keeper.execution.rehearsal import Refused
from keeper.venues.ports import Lender, ReadFailedError

SHARES = (1, 2, 4)
"""Parts of what a trade wants that are tried beside others in the same pool."""
TRIALS = 6
"""Plans that are tried, best first, before a position is given up for this block."""


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
    try:
        carrier = await carrier_of(engine, snapshot, signer)
    except ReadFailedError as error:
        return intent.hold(error.doubt.reason, error.doubt.detail)
    terms = terms_of(engine, snapshot, intent, signer, carrier=carrier)
    requests = quotes_needed(intent, state, terms)
    quotes = at(await quotes_upon(engine, block, signer, requests)).part(share) if requests else terms.quotes
    assets = [h.asset for h in position.holdings]
    allowances = await watch.allowances(block, position.name, signer, assets)
    found = plans(intent, state, terms.with_quotes(quotes), allowances)
    if isinstance(found, Hold):
        return found
    needs = [_native_needed(plan, block.base_fee, engine.fees.last_toll, is_atomic=terms.is_atomic) for plan in found]
    payable = tuple(plan for plan, needed in zip(found, needs, strict=True) if needed <= state.wallet.native)
    if not payable:
        needed = min(needs)
        detail = f"{signer} holds {wei_text(state.wallet.native)}, the plan takes about {wei_text(needed)}"
        return intent.hold(Reason.NO_GAS_MONEY, detail)
    return payable


def _native_needed(plan: Plan, base_fee: Wei, toll: Toll, *, is_atomic: bool) -> Wei:
    """Return what of the chain's own currency a plan takes: its gas, and what it pays by value."""
    paid = sum(m.amount for m in plan.moves if isinstance(m, Supply | Repay) and m.asset == NATIVE)
    return Wei(gas_needed(plan, base_fee, toll, is_atomic=is_atomic) + paid)


def state_of(wallet: Wallet, intent: LendingIntent) -> Means:
    """Return the account and the means to help it."""
    left = UINT256_MAX if intent.left_today is None else intent.left_today
    return Means(intent.assessment.account, wallet, left)


def terms_of(
    engine: Engine, snapshot: Snapshot, intent: LendingIntent, signer: Address, *, carrier: Carrier
) -> PlanTerms:
    """Return what plans are weighed with, before any pool was asked."""
    base_fee = snapshot.block.base_fee
    is_atomic = carrier.is_atomic and intent.rule.limits.max_spend_per_tx is None
    return PlanTerms(
        safety=engine.terms.safety,
        signer_is_owner=signer == intent.assessment.position.owner,
        fee_per_gas=Wei(base_fee + base_fee // 4),
        toll=toll_of(engine.fees.last_toll, base_fee),
        native_price=snapshot.native_price,
        quotes=Quotes(),
        is_atomic=is_atomic,
        between_others=not is_atomic and len(_loans_of(engine, signer)) > 1,
        offers=offers_of(engine, snapshot, intent, carrier),
    )


def _loans_of(engine: Engine, signer: Address) -> tuple[str, ...]:
    """Return the lending positions that a wallet pays for."""
    known = engine.reader.positions.items()
    return tuple(name for name, of in known if of.spender == signer and of.family is Family.LENDING)


def offers_of(engine: Engine, snapshot: Snapshot, intent: LendingIntent, carrier: Carrier) -> tuple[LoanOffer, ...]:
    """Return who lends within one transaction, of those that can speak to a position's market.

    In one transaction an approval is a part of the same, and cheaper than a permit; only an account of a key has one.
    """
    venues, is_keys = engine.venues(intent.position), carrier.sender == carrier.account
    known = venues.lenders
    sender = engine.senders.get(carrier.account)
    permits = is_keys and sender is not None and sender.lane.signer.is_at_hand and not carrier.is_atomic
    return tuple(
        LoanOffer(
            name,
            _named(there, known[name], snapshot.loan_fees.get(name, {})),
            permits,
            entrusted=known[name].agent(venues.market) is not None,
            by_wallet=known[name].spender is None,
            fees=snapshot.loan_fees.get(name, {}),
            most_fee=known[name].most_fee,
            held_to_raise=known[name].held_to_raise(venues.market),
        )
        for name, there in snapshot.lendable.items()
        if name in known
    )


def _named(
    there: Mapping[Address, Amount], lender: Lender, fees: Mapping[Address, LoanFee]
) -> Mapping[Address, Amount]:
    """Return what a lender has of assets whose fee it names; one that is taken to ask nothing names none."""
    return {asset: has for asset, has in there.items() if asset in fees} if lender.most_fee else there


def gas_needed(plan: Plan, base_fee: Wei, toll: Toll, *, is_atomic: bool) -> Wei:
    """Return what a plan's gas costs at the present base fee, from above, and what a rollup charges on top."""
    gas = gas_of([step.move for step in plan.steps], is_atomic=is_atomic)
    return Wei(gas * (base_fee + LEAST_TIP) + len(plan.steps) * toll_of(toll, base_fee))


def toll_of(toll: Toll, base_fee: Wei) -> Wei:
    """Return what a rollup charges for its parent chain, for one call of a plan."""
    return toll.typical(Wei(base_fee + LEAST_TIP))


async def first_loan_plan(engine: Engine, snapshot: Snapshot, ways: Sequence[Plan], signer: Address) -> Prepared | Hold:
    """Return the first plan that passes its trial and stands before those of this block; else why none does."""
    carrier, position = await carrier_of(engine, snapshot, signer), ways[0].intent.assessment.position

    async def trial(plan: Plan) -> Prepared | Refused:
        result = await try_plan(engine, snapshot, plan, carrier)
        if isinstance(result, Refused):
            return result
        return await stands_first(engine, snapshot.block, signer, result) or result

    def is_needless(plan: Plan, refused: Tried[Plan]) -> bool:
        return any(why.reason is Reason.FEE_LIMIT for _, why in refused) and is_drip(plan, engine.terms.safety)

    return await first_that_works(engine, snapshot.block, ways[:TRIALS], [position], trial, is_needless)
