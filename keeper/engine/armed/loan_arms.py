"""Loans, as plans are made ready for them: pools are quoted once, and follow the oracle to each rung."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from keeper.core.armed.bounds import Bounds, OutOfBoundsError, price_bounds
from keeper.core.armed.loan_bounds import project
from keeper.core.armed.loan_prices import LOANS, quotes_at
from keeper.core.lending.kind import LENDING
from keeper.core.lending.plan import Allowances, Plan, plans
from keeper.core.lending.proposals import ATOMIC_FLOOR
from keeper.core.lending.quotes import Quotes
from keeper.core.lending.quotes_needed import quotes_needed
from keeper.core.lending.rules import LendingAssessment, LendingIntent, Rule
from keeper.core.lending.slippage import slippage_of
from keeper.core.rules import Unjudged
from keeper.core.snapshot import LendingPosition, Snapshot
from keeper.core.units import Address, Bps
from keeper.engine.armed.arms import Rung
from keeper.engine.armed.ladder import tight
from keeper.engine.armed.ready import Armed
from keeper.engine.engine import Engine
from keeper.engine.lending.assess import judge
from keeper.engine.lending.departure import LendingDeparture
from keeper.engine.lending.for_safes import is_carried_alike
from keeper.engine.lending.permits import used_up
from keeper.engine.lending.plan import gas_needed, state_of, terms_of
from keeper.engine.lending.preflight import Prepared, carrier_of, gate, priced, try_plan
from keeper.execution.armed import Watched, WatchedPools, check_lent, check_pools, watched_for
from keeper.execution.carriers import Carrier
from keeper.execution.rehearsal import SOURCE_GAS, Overridden, Refused, Simulator
from keeper.venues.ports import LendingAccount

WAYS = 2
"""Plans tried for one rung, best first."""
LoanRung = Rung[LendingPosition, Plan]
NOTHING_WATCHED: WatchedPools = Watched((), ())


@dataclass(slots=True)
class LoanBase:
    """One loan at one block, and what all rungs of its ladders have in common."""

    engine: Engine
    snapshot: Snapshot
    one: LendingAssessment
    signer: Address
    nonce: int | None
    carrier: Carrier
    allowances: Allowances
    watched: WatchedPools = field(default=NOTHING_WATCHED)

    async def rungs(self, intents: Sequence[LendingIntent], step: Bps) -> list[LoanRung]:
        """Return plans for intents. One read, for quotes of the size that the last wants: a share bounds the others."""
        account, wallet = self.one.account, self.snapshot.wallets[self.signer]
        terms = [terms_of(self.engine, self.snapshot, i, self.signer, carrier=self.carrier) for i in intents]
        lowest = quotes_needed(tight(intents[-1], step), state_of(wallet, intents[-1]), terms[-1])
        quotes = await self.engine.reader.quotes(self.snapshot.block, lowest) if lowest else Quotes()
        found_ = list[LoanRung]()
        for intent, term in zip(intents, terms, strict=True):
            narrow, there = tight(intent, step), intent.assessment
            followed = quotes_at(quotes, account, there.account, slippage_of(narrow.rule, there).widened)
            state = state_of(wallet, intent)
            # pools may be there before the oracle, or stay behind
            for charged in dict.fromkeys((followed, quotes)):
                found = plans(narrow, state, term.with_quotes(charged), self.allowances)
                ways = tuple(replace(plan, intent=intent) for plan in found[:WAYS]) if isinstance(found, tuple) else ()
                found_.append(Rung(there.position, ways))
                await asyncio.sleep(0)
        return found_

    async def watch(self, rungs: Sequence[LoanRung]) -> None:
        """From now on plans rest on the allowances, the permits and the quotes that these want. Raises NodeError."""
        ways, venues = [plan for rung in rungs for plan in rung.plans], self.engine.venues(self.one.position.name)
        permits = await used_up(self.engine, self.snapshot.block, ways, self.signer)
        self.watched = watched_for(ways, venues, self.signer, self.allowances, permits)

    def label(self, plan: Plan) -> str:
        """Return what people call a plan."""
        return plan.label

    async def trial(
        self, rung: LoanRung, plan: Plan, step: Bps, how: str, simulator: Simulator
    ) -> Armed[LendingIntent, Prepared] | Refused:
        """Return a plan ready to be sent at the rung's prices, the oracle made to answer them."""
        position, there = self.one.position, replace(self.snapshot, positions=(rung.position,))
        codes = self.engine.reader.account(position.name).priced_at(rung.position, position) or {}
        tried = await try_plan(self.engine, there, plan, self.carrier, Overridden(simulator, codes))
        if isinstance(tried, Refused):
            return tried
        prepared = replace(tried, rehearsed=replace(tried.rehearsed, how=how, spare_gas=len(codes) * SOURCE_GAS))
        prices = price_bounds(LOANS.prices(position), LOANS.prices(rung.position), step)
        bounds, watched = Bounds(self.snapshot.block, position, prices), self.watched
        fits = partial(_fitted, prepared=prepared, bounds=bounds, watched=watched, signer=self.signer)
        return Armed(plan.label, bounds, self.nonce, watched.reads, fits)


def _fitted(
    engine: Engine,
    snapshot: Snapshot,
    intent: LendingIntent,
    *,
    prepared: Prepared,
    bounds: Bounds[LendingPosition],
    watched: WatchedPools,
    signer: Address,
) -> Prepared:
    """Return the plan as it may be sent on a fresh state. Raises OutOfBoundsError."""
    block, wallet, script = snapshot.block, snapshot.wallets[signer], prepared.script
    if not is_carried_alike(engine, snapshot, script.carrier):
        raise OutOfBoundsError("the account's own nonce, or who has a say in it, is not what it was")
    floor, is_atomic = engine.terms.safety.health_floor, script.carrier.is_atomic
    figures = project(prepared.plan, bounds, intent, wallet, ATOMIC_FLOOR if is_atomic else floor)
    if figures.health_factor < min(floor, intent.assessment.figures.health_factor):
        raise OutOfBoundsError("it would end below the floor")
    check_pools(prepared.plan, watched, snapshot.also)
    check_lent(prepared.plan, snapshot.lendable, snapshot.loan_fees)
    plan = replace(prepared.plan, intent=intent, before=intent.assessment.figures, projected=figures)
    if gas_needed(plan, block.base_fee, engine.fees.last_toll, is_atomic=is_atomic) > wallet.native:
        raise OutOfBoundsError("the signer may not be able to pay for the gas")
    refused = gate(engine, block, plan, script)
    found = refused or priced(engine, snapshot, plan, script, replace(prepared.rehearsed, after=figures))
    if isinstance(found, Refused):
        raise OutOfBoundsError(f"{found.reason.short}: {found.detail}")
    return found


class LoanArms:
    """Loans, as plans are made ready for them."""

    kind, outlook = LENDING, LOANS

    def rules(self, engine: Engine, name: str) -> Sequence[Rule]:
        """Return the rules of a loan."""
        return engine.state.rules_of(name)

    def account(self, engine: Engine, name: str) -> LendingAccount:
        """Return its account. Raises ReadFailedError."""
        return engine.reader.account(name)

    def judge(self, engine: Engine, snapshot: Snapshot, position: LendingPosition) -> LendingAssessment | Unjudged:
        """Judge it at a state that was foretold."""
        return judge(engine, snapshot, position)

    async def base(self, engine: Engine, snapshot: Snapshot, one: LendingAssessment, signer: Address) -> LoanBase:
        """Return what all rungs share. Raises NodeError, ReadFailedError, JournalError."""
        block, assets = snapshot.block, [h.asset for h in one.position.holdings]
        executor = engine.senders.get(signer)
        nonce = executor.lane.ready_nonce(block) if executor else None
        carrier = await carrier_of(engine, snapshot, signer)
        if executor:
            await executor.lane.warm_up(carrier.delegate)
        allowances = await engine.reader.allowances(block, one.position.name, signer, assets)
        return LoanBase(engine, snapshot, one, signer, nonce, carrier, allowances)

    def departure(self, engine: Engine, snapshot: Snapshot, prepared: Prepared, how: str) -> LendingDeparture:
        """Return a plan about to go out, with how it was found."""
        rehearsed = replace(prepared.rehearsed, how=f"{prepared.rehearsed.how}, {how}")
        return LendingDeparture(engine, snapshot, replace(prepared, rehearsed=rehearsed))
