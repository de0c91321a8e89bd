"""The parts a cycle works with, put together once by ``app``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from keeper.chain.simulation import Turn
from keeper.chain.tolls import Tolls
from keeper.core.ancestry import Lineage
from keeper.core.decide import Bounded, Memory, Safety, failures_count_s
from keeper.core.lending.joint import Ahead, wallet_after
from keeper.core.pace import Pace
from keeper.core.reasons import Reason
from keeper.core.rules import Assessment, Rule, Unjudged
from keeper.core.snapshot import BlockRef, LendingPosition, Snapshot, Wallet
from keeper.core.units import Address, Bps, Usd, Wei
from keeper.engine.balances import LentMemory
from keeper.engine.history import PerpMemory
from keeper.engine.in_flight import Flights
from keeper.execution.armed import Armed
from keeper.execution.encoding import Venues
from keeper.execution.executor import Executor
from keeper.execution.perp_executor import PerpExecutor
from keeper.execution.rehearsal import Simulator, Upon
from keeper.journal import Journal
from keeper.journal.decisions import Doing, Mode
from keeper.journal.past import Past, Recollection
from keeper.observe.observer import Observer
from keeper.snapshot.order_events import VenueLogs
from keeper.snapshot.quorum import Opinions, SecondOpinion
from keeper.snapshot.reader import Watch

LOOK_S = 0.3
"""How long a block waits to be judged for what it may have mined of ours."""


class Ruled(Bounded, Protocol):
    """Any rule: it is about something by name."""

    @property
    def position(self) -> str:
        """The position or book it is about."""


@dataclass(slots=True)
class House:
    """Everything a cycle needs. ``executors`` is empty in dry run: there is nothing that could send."""

    mode: Mode
    watch: Watch
    journal: Journal
    observer: Observer
    simulator: Simulator
    rules: tuple[Rule, ...]
    safety: Safety
    swap_deadline_s: int
    max_fee: Wei | None
    remembers: Mode
    """Whose cooldowns and limits count: a dry run has its own, a look at things sees the live ones."""
    perps: PerpMemory
    """Rules about perpetual positions and books, and what was seen of these."""
    lent: LentMemory
    """What lending positions held when last looked at."""
    fee_share: Bps
    """Share of the expected loss from liquidation that gas may cost."""
    trades_unrehearsed: bool = False
    """Whether orders may be left with an exchange that lets none be tried."""
    second_opinion: SecondOpinion | None = None
    """Other nodes to ask before money moves, where there are any."""
    batches: dict[Address, Address] = field(default_factory=dict)
    """Signer → batch account it may delegate to, where the owner said so."""
    executors: dict[Address, Executor] = field(default_factory=dict)
    perp_executors: dict[Address, PerpExecutor] = field(default_factory=dict)
    in_flight: Flights = field(default_factory=Flights)
    """Plans under way, in live mode."""
    ahead: list[Ahead] = field(default_factory=list)
    """Plans decided at the block that is being judged, in their order: what comes later meets what they leave."""
    aloft: dict[str, Ahead] = field(default_factory=dict)
    """Position → the plan that is being sent for it: what it needs of a wallet is no other's."""
    wanted: set[Address] = field(default_factory=set)
    """Signers that a rule needs while a plan for something else is under way."""
    armed: dict[str, tuple[Armed, ...]] = field(default_factory=dict)
    """Position → plans ready for prices that have not come yet, the likeliest first."""
    opinions: Opinions | None = None
    """What those nodes say of the block that is being read."""
    seen: Snapshot | None = None
    """The newest snapshot that was judged."""
    warms_up: bool = True
    """Whether a signature and a commit are rehearsed while a block is read."""
    warming: asyncio.Task[None] | None = None
    lineage: Lineage = field(default_factory=Lineage)
    pace: Pace = field(default_factory=Pace)
    """How fast prices move now."""
    said: dict[str, frozenset[tuple[str | None, Reason]]] = field(default_factory=dict)
    """Position, or book under a rule → what was last written of its rules: a quiet month does not fill the journal."""
    upkept: dict[str, str] = field(default_factory=dict)
    """Position and rule → the upkeep that was last rehearsed for it in dry run: once is enough."""
    recollection: Recollection = field(init=False)
    tolls: Tolls = field(init=False)
    """What a rollup charges for its parent chain."""
    _sorted: tuple[tuple[Rule, ...], dict[str, tuple[Rule, ...]]] | None = None
    sending_errors: int = 0
    """Defects in a row in the sending."""
    may_sign: bool = True
    """Cleared when too much went wrong in a row."""

    def __post_init__(self) -> None:
        self.recollection = Recollection(self.journal, self.remembers)
        self.opinions = Opinions(self.second_opinion) if self.second_opinion else None
        self.tolls = Tolls(self.watch.blocks.node)

    def begin(self, block: BlockRef) -> None:
        """A block begins to be judged: nothing was decided at it yet."""
        self.ahead = []
        self.wanted = set()  # who waits says so again
        self.in_flight.settle()
        if isinstance(self.simulator, Upon):
            self.simulator.begin(block)

    def goes_ahead(self, block: BlockRef, ahead: Ahead, turn: Turn) -> None:
        """A plan of this block is decided: what is planned after it, is planned upon it."""
        self.ahead.append(ahead)
        if ahead.plan.intent.position in self.in_flight.names():
            self.aloft[ahead.plan.intent.position] = ahead
        if isinstance(self.simulator, Upon):
            self.simulator.add(block, ahead.plan.intent.position, turn)

    def wallet(self, snapshot: Snapshot, signer: Address, position: str) -> Wallet:
        """Return what a signer can spend on a position: without what is decided or on its way for others."""
        others = self.aloft | {one.plan.intent.position: one for one in self.ahead}
        others.pop(position, None)
        wallet = snapshot.wallets[signer]
        return wallet_after(wallet, others.values()) if others else wallet

    def landed(self, task: asyncio.Task[Any]) -> None:
        """A plan came to its end."""
        name = self.in_flight.end(task)
        if name is not None:
            self.aloft.pop(name, None)

    def rules_of(self, position: str) -> tuple[Rule, ...]:
        """Return the rules of one position, in their order."""
        if self._sorted is None or self._sorted[0] is not self.rules:
            mine = dict[str, list[Rule]]()
            for rule in self.rules:
                mine.setdefault(rule.position, []).append(rule)
            self._sorted = self.rules, {name: tuple(rules) for name, rules in mine.items()}
        return self._sorted[1].get(position, ())

    def ask_around(self, block: BlockRef) -> None:
        """Ask other nodes, where there are any, about positions that have plans ready: beside the read."""
        if self.opinions is not None and self.seen is not None:
            near = [p for p in self.seen.positions if isinstance(p, LendingPosition) and self.armed.get(p.name)]
            self.opinions.begin(block, self.watch.known.market, near)

    @property
    def venues(self) -> Venues:
        """Where calls may go."""
        return Venues(self.watch.known.market, self.watch.uniswap)

    async def recall(self, assessed: Assessment | Unjudged, block: BlockRef) -> Memory:
        """Return what the journal knows of the rules that fired; asks it nothing when none did."""
        fired = assessed.fired if isinstance(assessed, Assessment) else ()
        names = {r.position for r in fired if r.is_boost}
        others = [r for name in names for r in self.rules_of(name) if r not in fired]
        return await self.recall_of((*fired, *others), block)

    async def recall_of(self, fired: Iterable[Ruled], block: BlockRef) -> Memory:
        """Return what the journal knows of rules, whatever they are about."""
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
        flights = self.in_flight
        busy, flying = flights.busy(), flights.names()
        return Memory(acted, spent, failed, busy, flying, self.may_sign, acted_on, paid, outrun)

    def warm_up(self) -> None:
        """While the block is read, rehearse what its reading may ask for: a signature and a commit, undone again.

        Only for signers of plans that are ready. It takes the coldness out of the first of a quiet day.
        """
        if not self.warms_up:
            return
        signers = {self.watch.positions[name].spender for name, ready in self.armed.items() if ready}
        for signer in signers - self.in_flight.signers():
            executor = self.executors.get(signer)
            if executor is not None and (self.warming is None or self.warming.done()):
                self.warming = asyncio.create_task(executor.lane.warm_up(self.batches.get(signer)))
                self.warming.add_done_callback(lambda done: done.cancelled() or done.exception())

    def saw(self, snapshot: Snapshot) -> None:
        """Remember the prices of a block."""
        held = [h for p in snapshot.positions if isinstance(p, LendingPosition) for h in p.holdings]
        self.pace.saw(snapshot.block.number, {h.reserve.asset: h.reserve.price.answer for h in held})

    def is_perp(self, name: str) -> bool:
        """Tell whether a position is a perpetual one."""
        return self.watch.positions[name].is_perp

    @property
    def logs(self) -> VenueLogs:
        """What perpetual venues say."""
        return VenueLogs(self.watch.blocks, self.watch.seat)

    @property
    def native_symbol(self) -> str:
        """What the chain's native currency is called when it is wrapped."""
        listed = {x.asset: x.symbol for x in self.watch.known.market.listings}
        return listed.get(self.watch.network.wrapped_native, "native")

    async def past_of(self, rule: Ruled, block: BlockRef, doing: Doing = "act") -> Past:
        """Return what the journal knows of a rule, or of upkeep for it; asked only when something was written since."""
        now, counts_s = block.timestamp, failures_count_s(rule)
        return await self.recollection.of(rule.position, rule.name, block.chain_id, now, counts_s, doing)

    async def spent_today(self, rule: Ruled, block: BlockRef) -> Usd:
        """Return the dollars a rule moved in the last 24 hours of chain time."""
        return Usd((await self.past_of(rule, block)).spent)

    async def recall_alarms(self) -> None:
        """Take up what the owner was told before a restart. Raises JournalError."""
        self.observer.recall(await self.journal.facts.get(self._alarms_key))

    async def remember_alarms(self) -> None:
        """Write down what the owner was told, if there is anything new of it. Raises JournalError."""
        told = self.observer.take_memory()
        if told is not None and not self.perps.is_look:
            await self.journal.facts.set(self._alarms_key, told)

    @property
    def _alarms_key(self) -> str:
        return f"alarms:{self.perps.scope}:{self.watch.network.name}"

    async def hear_of_plans(self) -> None:
        """A block came: let what is on its way see whether it was mined, before anything is decided on it.

        What landed frees its position and its signer a block earlier. Nobody waits for long.
        """
        lanes = [e.lane for s, e in self.executors.items() if s in self.in_flight and e.lane.is_carrying]
        if not lanes:
            return
        signers = {lane.signer.address for lane in lanes}
        for lane in lanes:
            lane.look_now()
        clock = asyncio.get_running_loop().time
        until = clock() + LOOK_S
        while clock() < until:
            carrying = {lane.signer.address for lane in lanes if lane.is_carrying}
            is_looked = all(lane.is_pausing for lane in lanes if lane.is_carrying)
            if is_looked and not any(signer in self.in_flight for signer in signers - carrying):
                return
            await asyncio.sleep(0.002)

    async def settle(self) -> None:
        """Wait for every plan under way."""
        while self.in_flight:
            await asyncio.wait(self.in_flight.tasks())
            await asyncio.sleep(0)
