"""Perpetual positions, as plans are made ready for them: where a price can be put into the venue's oracle."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from keeper.core.armed.bounds import Bounds, OutOfBoundsError, price_bounds
from keeper.core.armed.perp_bounds import mark_bounds, project
from keeper.core.armed.perp_prices import PERPS, followed, quote_at
from keeper.core.perp.candidates import perp_plans
from keeper.core.perp.kind import PERP
from keeper.core.perp.moves import AddMargin, Trade, TradeQuote
from keeper.core.perp.plan import PerpPlan, PerpTerms
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpAssessment, PerpIntent, PerpRule
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged, assess
from keeper.core.snapshot import Snapshot
from keeper.core.units import Address, Bps, Usd
from keeper.engine.armed.arms import Rung
from keeper.engine.armed.ladder import tight
from keeper.engine.armed.ready import Armed
from keeper.engine.engine import Engine
from keeper.engine.perp.assess import perp_doubts
from keeper.engine.perp.departure import PerpDeparture
from keeper.engine.perp.plan import perp_terms
from keeper.engine.perp.preflight import PerpPrepared, gate, priced, try_plan
from keeper.execution.armed import Watched
from keeper.execution.rehearsal import Overridden, Refused, Simulator
from keeper.venues.contracts import erc20
from keeper.venues.ports import PerpAccount

WAYS = 2
"""Plans tried for one rung, best first."""
PerpRung = Rung[PerpPosition, PerpPlan]
Marks = Mapping[Address, tuple[int, int]]


@dataclass(slots=True)
class PerpBase:
    """One perpetual position at one block, and what all rungs of its ladders have in common."""

    engine: Engine
    snapshot: Snapshot
    one: PerpAssessment
    signer: Address
    nonce: int | None
    terms: PerpTerms
    watched: Watched[TradeQuote | None] = field(default=Watched((), ()))
    markets: tuple[Address, ...] = ()

    async def rungs(self, intents: Sequence[PerpIntent], step: Bps) -> list[PerpRung]:
        """Return plans for intents: with the markets as they are, and as if each had followed its index."""
        found_ = list[PerpRung]()
        for intent in intents:
            there = intent.perp
            pairs = [(q, self.one.position.leg(market), there.leg(market)) for market, q in self.terms.quotes.items()]
            stayed = {then.market: quote_at(q, then) for q, _, then in pairs}
            moved = {then.market: followed(q, now, then) for q, now, then in pairs}
            for quotes in (stayed, moved) if any(action.trades for action in intent.actions) else (stayed,):
                found = perp_plans(tight(intent, step), replace(self.terms, quotes=quotes))
                ways = tuple(replace(plan, intent=intent) for plan in found[:WAYS]) if isinstance(found, tuple) else ()
                found_.append(Rung(there, ways))
                await asyncio.sleep(0)
        return found_

    async def watch(self, rungs: Sequence[PerpRung]) -> None:
        """From now on plans rest on the allowance of what they pay in, and on a quote of each largest trade."""
        account, position = self.engine.reader.perp_account(self.one.position.name), self.one.position
        moves = [step.move for rung in rungs for plan in rung.plans for step in plan.steps]
        largest = dict[Address, int]()
        for trade in (move for move in moves if isinstance(move, Trade)):
            known = largest.get(trade.market, 0)
            largest[trade.market] = max(known, trade.size_change, key=abs)
        approved = erc20.allowance_probe(self.signer, account.collateral, account.spender)
        pays = any(isinstance(move, AddMargin) for move in moves)
        allowances = ((approved, int(self.terms.allowance).to_bytes(32, "big")),) if pays else ()
        quotes = tuple(account.quote_probe(position, market, change) for market, change in largest.items())
        self.markets, self.watched = tuple(largest), Watched(allowances, quotes)

    def label(self, plan: PerpPlan) -> str:
        """Return what people call a plan."""
        return plan.label

    async def trial(
        self, rung: PerpRung, plan: PerpPlan, step: Bps, how: str, simulator: Simulator
    ) -> Armed[PerpIntent, PerpPrepared] | Refused:
        """Return a plan ready to be sent at the rung's prices, the oracle made to answer them."""
        position, there = self.one.position, replace(self.snapshot, positions=(rung.position,))
        codes = self.engine.reader.perp_account(position.name).priced_at(rung.position, position) or {}
        tried = await try_plan(self.engine, there, plan, Overridden(simulator, codes))
        if isinstance(tried, Refused):
            return tried
        if PERPS.prices(tried.after) != PERPS.prices(rung.position):
            # it keeps what it cached in the same second: nothing was rehearsed at the rung
            return Refused(Reason.REHEARSAL_FAILED, "the venue did not take the oracle's answer")
        prices = price_bounds(PERPS.prices(position), PERPS.prices(rung.position), step)
        fits = partial(
            _fitted,
            prepared=replace(tried, how=how),
            bounds=(bounds := Bounds(self.snapshot.block, position, prices)),
            marks=mark_bounds(position, rung.position, step),
            watched=self.watched,
            markets=self.markets,
        )
        return Armed(plan.label, bounds, self.nonce, self.watched.reads, fits)


def _fitted(
    engine: Engine,
    snapshot: Snapshot,
    intent: PerpIntent,
    *,
    prepared: PerpPrepared,
    bounds: Bounds[PerpPosition],
    marks: Marks,
    watched: Watched[TradeQuote | None],
    markets: Sequence[Address],
) -> PerpPrepared:
    """Return the plan as it may be sent on a fresh state. Raises OutOfBoundsError."""
    block, wallet = snapshot.block, snapshot.wallets[engine.reader.positions[intent.position].spender]
    found = zip(markets, watched.found(snapshot.also), strict=True)
    quotes = {market: (quote,) for market, quote in found if quote is not None}
    after = project(prepared.plan, bounds, marks, intent, wallet, quotes)
    plan = replace(prepared.plan, intent=intent, before=intent.perp, projected=after)
    refused = gate(engine, block, plan, prepared.calls, prepared.gas_price, _spent(plan))
    fit = refused or priced(engine, snapshot, replace(prepared, plan=plan, after=after))
    if isinstance(fit, Refused):
        raise OutOfBoundsError(f"{fit.reason.short}: {fit.detail}")
    return fit


def _spent(plan: PerpPlan) -> Usd:
    """Return what the decision took as spent: the day's limit less what it left."""
    limit, left = plan.intent.rule.limits.max_spend_per_day, plan.intent.left_today
    return Usd(0) if limit is None or left is None else Usd(limit - left)


class PerpArms:
    """Perpetual positions, as plans are made ready for them."""

    kind, outlook = PERP, PERPS

    def rules(self, engine: Engine, name: str) -> Sequence[PerpRule]:
        """Return the rules of a position."""
        return [rule for rule in engine.perps.rules if rule.position == name]

    def account(self, engine: Engine, name: str) -> PerpAccount:
        """Return its account."""
        return engine.reader.perp_account(name)

    def judge(self, engine: Engine, snapshot: Snapshot, position: PerpPosition) -> PerpAssessment | Unjudged:
        """Judge it at a state that was foretold: no best price is remembered that was never read."""
        doubts, trail = perp_doubts(engine, snapshot, position), engine.perps.trails.get(position.name)
        return assess(PERP, position, engine.perps.rules, doubts, trail=trail)

    async def base(self, engine: Engine, snapshot: Snapshot, one: PerpAssessment, signer: Address) -> PerpBase:
        """Return what all rungs share. Raises NodeError, ReadFailedError, JournalError."""
        executor, position = engine.senders.get(signer), one.position
        nonce = executor.lane.ready_nonce(snapshot.block) if executor else None
        if executor:
            await executor.lane.warm_up(None)
        whole = {leg.market: -leg.size for leg in position.held}
        return PerpBase(engine, snapshot, one, signer, nonce, await perp_terms(engine, snapshot, position, whole))

    def departure(self, engine: Engine, snapshot: Snapshot, prepared: PerpPrepared, how: str) -> PerpDeparture:
        """Return a plan about to go out, with how it was found."""
        return PerpDeparture(engine, snapshot, replace(prepared, how=f"{prepared.how}, {how}"))
