"""The engine of one chain: the ports it works with, the owner's terms, its state, and what the journal remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from keeper.chain.simulation import Turn
from keeper.core.breaker import BreakerTerms
from keeper.core.decide import Safety
from keeper.core.exposure import ON_NONE, ExposureLimits, OnOthers, crossed_by
from keeper.core.family import Family
from keeper.core.held_back import Bounded, Memory, failures_count_s
from keeper.core.lending.joint import Ahead
from keeper.core.pauses import from_plain, holding, key_of
from keeper.core.prices import Doubt, clock_doubts, earlier, sequencer_doubts
from keeper.core.rules import ORDERED, Assessment, Unjudged
from keeper.core.snapshot import BlockRef, Snapshot
from keeper.core.units import Address, Bps, Usd, Wei
from keeper.engine.history import PerpMemory
from keeper.engine.lending.balances import LentMemory
from keeper.engine.ports import Clock, Feed, FeeSource, Logs, OtherChains, PriceMovements, Reader
from keeper.engine.state import State
from keeper.execution.encoding import Venues
from keeper.execution.executor import Executor
from keeper.execution.rehearsal import Simulator, Upon
from keeper.execution.sender import Sender
from keeper.journal.decisions import Doing, Mode
from keeper.journal.past import Past, Recollection
from keeper.journal.ports import History
from keeper.observe.observer import Observer
from keeper.snapshot.quorum import Opinions, SecondOpinion
from keeper.venues.contracts.safe import Safe
from keeper.venues.ports import PriceFeed, priced_by

NOTHING_FIRED = Memory()
"""What is remembered for no rule: nobody looks into it."""


class Ruled(Bounded, Protocol):
    """Any rule: it is about something by name."""

    @property
    def position(self) -> str:
        """The position or book it is about."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the owner declared, beside the rules."""

    mode: Mode
    safety: Safety
    swap_deadline_s: int
    max_fee: Wei | None
    remembers: Mode
    """Whose cooldowns and limits count: a dry run has its own, a look at things sees the live ones."""
    fee_share: Bps
    """Share of the expected loss from liquidation that gas may cost."""
    trades_unrehearsed: bool = False
    """True when orders may be left with an exchange that lets none be tried."""
    exposure: ExposureLimits | None = None
    """The most there may be of anything; None for no limit."""
    breaker: BreakerTerms | None = None
    """When a move of a price suspends trades; None for never."""
    batches: dict[Address, Address] = field(default_factory=dict)
    """Signer → batch account it may delegate to, where the owner said so."""
    safes: dict[Address, Safe] = field(default_factory=dict)
    """Account → the Safe that it is, and who acts for it."""


@dataclass(slots=True)
class Engine:
    """All that the story of a block works with. ``senders`` is empty in dry run: there is nothing that could send."""

    terms: Terms
    state: State
    reader: Reader
    rehearser: Upon
    rehearser_ahead: Simulator
    """Rehearses for prices that have not come; in dry run never on a fork, which is too much for a look at things."""
    journal: History
    logs: Logs
    fees: FeeSource
    feed: Feed
    clock: Clock
    observer: Observer
    perps: PerpMemory
    """Rules about perpetual positions and books, and what was seen of these."""
    lent: LentMemory
    """What lending positions held when last looked at."""
    others: SecondOpinion | None = None
    """Other nodes to ask before money moves, where there are any."""
    quorum: Opinions | None = None
    """What those nodes say of the block that is being read."""
    movements: PriceMovements | None = None
    """How prices moved, where a rule looks ahead."""
    chains: OtherChains | None = None
    """What the same owner has on other chains, where several are kept together."""
    senders: Mapping[Address, Executor[Sender]] = field(default_factory=dict)
    recollection: Recollection = field(init=False)

    def __post_init__(self) -> None:
        self.recollection = Recollection(self.journal, self.terms.remembers)
        self.quorum = Opinions(self.others) if self.others else None

    def venues(self, name: str) -> Venues:
        """Return where the calls of a lending position's plans may go. Raises ReadFailedError."""
        market = self.reader.account(name).market
        can_be_called = self.reader.positions[name].spender in self.terms.safes
        lenders = {
            lender.name: lender
            for lender in self.reader.lenders.values()
            if lender.serves(market) and (can_be_called or not lender.calls_back)
        }
        return Venues(market, self.reader.exchanges, lenders, self.reader.known.savers.get(name, {}))

    @property
    def native_symbol(self) -> str:
        """What the chain's native currency is called when it is wrapped."""
        return self.reader.known.native_symbol

    def family(self, name: str) -> Family:
        """Return what kind of position one is."""
        return self.reader.positions[name].family

    # --- one block ---------------------------------------------------------------------------------------------------

    async def look_ahead(self, snapshot: Snapshot) -> None:
        """Take what is known of how prices moved, where a rule looks ahead."""
        if self.movements is not None:
            self.state.market = await self.movements.now(snapshot.block, self.price_feeds(snapshot))

    def price_feeds(self, snapshot: Snapshot) -> dict[Address, PriceFeed]:
        """Return who gives the price of each asset that a position hangs on: lent, borrowed, or traded."""
        return priced_by(self.reader.known.used, snapshot.perps)

    def goes_ahead(self, block: BlockRef, ahead: Ahead, turn: Turn) -> None:
        """A plan of this block is decided: what is planned after it, is planned and rehearsed upon it."""
        self.state.goes_ahead(ahead)
        self.rehearser.add(block, ahead.plan.intent.position, turn)

    def chain_doubts(self, snapshot: Snapshot) -> tuple[Doubt, ...]:
        """Return what speaks against any trade at a block: the sequencer, and a time that cannot be."""
        block = snapshot.block
        return (*sequencer_doubts(snapshot.sequencer, block.timestamp), *self.time_doubts(block))

    def time_doubts(self, block: BlockRef) -> tuple[Doubt, ...]:
        """Return what speaks against a block's time, where this chain's follows the clock."""
        return clock_doubts(block.timestamp, self.clock.wall() if self.reader.network.follows_clock else None)

    async def settle(self, within_s: float | None = None) -> frozenset[str]:
        """Wait for every plan under way; ``within_s`` at most, then leave the rest to the next run.

        What is left is in the journal, signed bytes and all. Returns whose plans were left.
        """
        in_flight, until = self.state.in_flight, None if within_s is None else self.clock.monotonic() + within_s
        while in_flight:
            left_s = None if until is None else until - self.clock.monotonic()
            if left_s is not None and left_s <= 0:
                break
            await asyncio.wait(in_flight.tasks(), timeout=left_s)
            await asyncio.sleep(0)
        left = in_flight.names()
        while in_flight:
            for task in in_flight.tasks():
                task.cancel()
            await asyncio.wait(in_flight.tasks())
            await asyncio.sleep(0)
        return left

    @property
    def elsewhere(self) -> OnOthers:
        """What the same owner has on other chains."""
        return ON_NONE if self.chains is None else self.chains.elsewhere()

    # --- what the journal remembers ----------------------------------------------------------------------------------

    async def recall(self, assessed: Assessment[Any] | Unjudged, block: BlockRef) -> Memory:
        """Return what the journal knows of the rules that fired; asks it nothing when none did."""
        fired = () if isinstance(assessed, Unjudged) else assessed.fired
        names = {r.position for r in fired if r.is_boost}
        others = [r for name in names for r in self.state.rules_of(name) if r not in fired]
        known = await self.recall_of((*fired, *others), block)
        return known if isinstance(assessed, Unjudged) else self._with_crossing(known, assessed)

    def _with_crossing(self, known: Memory, assessed: Assessment[Any]) -> Memory:
        """Return what is known, with the exposure limits that boosts which fired would pass at their targets."""
        p, seen = assessed.position, () if self.state.seen is None else self.state.seen.positions
        beyond = {
            (p.name, rule.name): "; ".join(crossed_by(self.terms.exposure, seen, p, rule.target, self.elsewhere))
            for rule in assessed.fired
            if rule.adds_leverage and self.terms.exposure is not None
        }
        return replace(known, crossing=beyond) if any(beyond.values()) else known

    async def recall_of(self, fired: Sequence[Ruled], block: BlockRef) -> Memory:
        """Return what the journal knows of rules, whatever they are about."""
        if not fired:
            return NOTHING_FIRED
        acted, failed, spent = dict[tuple[str, str], int](), dict[tuple[str, str], int](), dict[str, Usd]()
        acted_on, outrun = dict[tuple[str, str], dict[Address, int]](), dict[tuple[str, str], int]()
        paid = dict[str, Wei]()
        for rule in fired:
            key, past = (rule.position, rule.name), await self.past_of(rule, block)
            if past.acted_at is not None:
                acted[key] = past.acted_at
            failed[key], spent[rule.name] = past.failed, Usd(past.spent)
            outrun[key] = past.outrun
            acted_on[key] = {Address(asset): price for asset, price in past.prices.items()}
            paid[rule.position] = Wei(past.gas_paid)
        paused = await self.paused(fired)
        flights = self.state.in_flight
        busy, flying = flights.busy(), flights.names()
        signs, beyond = self.state.may_sign, self.state.exceeded
        return Memory(acted, spent, failed, busy, flying, signs, acted_on, paid, outrun, paused, beyond)

    async def paused(self, rules: Sequence[Ruled]) -> dict[tuple[str, str], str]:
        """Return which rules their owner paused: asked anew each time, for another process writes it."""
        network, now = self.reader.network, self.clock.wall()
        found = from_plain(await self.journal.facts.get(key_of(network.chain_id, network.name)))
        if not found:
            return {}
        mine = [r for r in rules if r.name != ORDERED]  # what its owner orders now, no pause holds
        held = {(r.position, r.name): holding(found, r.position, r.name, int(now)) for r in mine}
        return {key: pause.subject for key, pause in held.items() if pause is not None}

    async def past_of(self, rule: Ruled, block: BlockRef, doing: Doing = "act") -> Past:
        """Return what the journal knows of a rule, or of upkeep for it; asked only when something was written since.

        A day's limit looks back from the block's time, and from the machine's where that is the earlier one: whichever
        of them is put forward, no dollar is spent twice.
        """
        clock = self.clock.wall() if self.reader.network.follows_clock else None
        now, counts_s = earlier(block.timestamp, clock), failures_count_s(rule)
        return await self.recollection.of(rule.position, rule.name, block.chain_id, now, counts_s, doing)

    async def spent_today(self, rule: Ruled, block: BlockRef) -> Usd:
        """Return the dollars a rule moved in the last 24 hours of chain time."""
        return Usd((await self.past_of(rule, block)).spent)

    async def recall_alarms(self) -> None:
        """Take up what the owner heard before a restart. Raises JournalError."""
        self.observer.recall(await self.journal.facts.get(self._alarms_key))

    async def remember_alarms(self) -> None:
        """Write down what the owner heard, if there is anything new of it. Raises JournalError."""
        heard = self.observer.take_memory()
        if heard is not None and not self.perps.is_look:
            await self.journal.facts.set(self._alarms_key, heard)

    @property
    def _alarms_key(self) -> str:
        return f"alarms:{self.perps.scope}:{self.reader.network.name}"
