"""The rungs of a ladder: what would be decided, planned and rehearsed for one position at prices not yet come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.core.armed.scenarios import Scenario, at_prices, quotes_at
from keeper.core.decide import decide
from keeper.core.lending.kind import LENDING
from keeper.core.lending.plan import Allowances, Plan, plans
from keeper.core.lending.quotes import Quotes
from keeper.core.lending.quotes_needed import quotes_needed
from keeper.core.lending.rules import LendingAssessment, LendingIntent
from keeper.core.lending.slippage import slippage_of
from keeper.core.rules import assess
from keeper.core.snapshot import LendingPosition, Snapshot
from keeper.core.units import Address, Bps, decimal_of
from keeper.engine.engine import Engine
from keeper.engine.lending.plan import state_of, terms_of
from keeper.engine.lending.preflight import Prepared, carrier_of, try_plan
from keeper.execution.carriers import Carrier
from keeper.execution.rehearsal import Overridden, Refused, Simulator

WAYS = 2
"""Plans tried for one rung, best first."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A snapshot as it would be at other prices, and the best plans there."""

    snapshot: Snapshot
    position: LendingPosition
    plans: tuple[Plan, ...]

    @property
    def prices(self) -> dict[Address, int]:
        """Every price of the position there."""
        return {h.asset: h.price.answer for h in self.position.holdings}

    def name(self, scenario: Scenario) -> str:
        """Return the prices that moved, for people."""
        moved = [self.position.holding(asset) for asset in scenario.moved]
        return " and ".join(f"{r.symbol} at {decimal_of(r.price.answer, 8, 2)}" for r in moved)


@dataclass(frozen=True, slots=True)
class LadderBase:
    """One position at one block, and what all rungs of its ladders have in common."""

    engine: Engine
    snapshot: Snapshot
    one: LendingAssessment
    signer: Address
    nonce: int | None
    carrier: Carrier
    allowances: Allowances

    async def ladder(self, scenario: Scenario, factors: Sequence[int], step: Bps) -> list[Rung]:
        """Return the rungs at which a rule fires and may act, with plans that leave ``step`` of the slippage unused.

        One read, for quotes of the size that the lowest rung needs: a share of them bounds the others.
        """
        account, intents = self.one.account, list[LendingIntent]()
        for factor in factors:
            position = self.one.position
            then = at_prices(position, scenario.prices(position, factor))
            intent = await self._intent(then)
            if intent is not None:
                intents.append(intent)
        if not intents:
            return []
        terms = [terms_of(self.engine, self.snapshot, i, self.signer, carrier=self.carrier) for i in intents]
        wallet = self.snapshot.wallets[self.signer]
        lowest = quotes_needed(_tight(intents[-1], step), state_of(wallet, intents[-1]), terms[-1])
        quotes = await self.engine.reader.quotes(self.snapshot.block, lowest) if lowest else Quotes()
        rungs_ = list[Rung]()
        for intent, term in zip(intents, terms, strict=True):
            tight, there = _tight(intent, step), intent.assessment
            followed = quotes_at(quotes, account, there.account, slippage_of(tight.rule, there).widened)
            state = state_of(wallet, intent)
            # pools may be there before the oracle, or stay behind
            for charged in dict.fromkeys((followed, quotes)):
                found = plans(tight, state, term.with_quotes(charged), self.allowances)
                ways = tuple(replace(plan, intent=intent) for plan in found[:WAYS]) if isinstance(found, tuple) else ()
                rungs_.append(Rung(replace(self.snapshot, positions=(there.position,)), there.position, ways))
                await asyncio.sleep(0)
        return rungs_

    async def _intent(self, then: LendingPosition) -> LendingIntent | None:
        """Return what would be decided at other prices. Doubts are for the block on which it is decided."""
        there = assess(LENDING, then, self.engine.state.rules, (), drifts=self.one.drifts)
        memory = replace(await self.engine.recall(there, self.snapshot.block), busy={})
        intents = decide(LENDING, there, memory, self.engine.terms.safety, self.signer).intents
        return intents[0] if intents and not intents[0].rule.is_boost else None

    async def trial(self, rung: Rung, plan: Plan, simulator: Simulator) -> Prepared | Refused:
        """Return the plan ready to be sent at the rung's prices, the oracle made to answer them."""
        pairs = zip(rung.position.holdings, self.one.position.holdings, strict=True)
        moved = [h for h, now in pairs if h.price.answer != now.price.answer]
        account = self.engine.reader.account(rung.position.name)
        there = Overridden(simulator, account.priced_at(rung.position, moved))
        return await try_plan(self.engine, rung.snapshot, plan, self.carrier, there)


async def site_of(engine: Engine, snapshot: Snapshot, one: LendingAssessment) -> LadderBase:
    """Return what all rungs share. Raises NodeError, ReadFailedError, JournalError."""
    block, signer = snapshot.block, engine.reader.positions[one.position.name].spender
    assets = [h.asset for h in one.position.holdings]
    executor = engine.senders.get(signer)
    nonce = executor.lane.ready_nonce(block) if executor else None
    carrier = await carrier_of(engine, snapshot, signer)
    if executor:
        await executor.lane.warm_up(carrier.delegate)
    return LadderBase(
        engine,
        snapshot,
        one,
        signer,
        nonce,
        carrier,
        await engine.reader.allowances(block, one.position.name, signer, assets),
    )


def _tight(intent: LendingIntent, step: Bps) -> LendingIntent:
    """Return an intent that leaves a step of its slippage to the prices between two rungs."""
    limits = intent.rule.limits
    usual, worst = (Bps(max(1, bps - step)) for bps in (limits.max_slippage, limits.worst))
    within = replace(limits, max_slippage=usual, worst_slippage=worst)
    return replace(intent, rule=replace(intent.rule, limits=within))
