"""What lasts from block to block, and is lost with the process: what must not be lost is in the journal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from keeper.core import names
from keeper.core.ancestry import Lineage
from keeper.core.breaker import Breaker
from keeper.core.lending.joint import Ahead, wallet_after
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.lending.rules import Rule
from keeper.core.pace import Pace
from keeper.core.prices import Doubt, OraclePrice
from keeper.core.reasons import Reason
from keeper.core.snapshot import Snapshot, Wallet
from keeper.core.units import Address
from keeper.engine.armed.ready import AnyArmed
from keeper.engine.in_flight import Flights

if TYPE_CHECKING:
    from keeper.core.risk.market import Market

Doubted = tuple[OraclePrice, tuple[Doubt, ...]]
"""A price, and what speaks against trading on it."""


@dataclass(slots=True)
class State:
    """One engine's memory. Only the engine changes it, and only while it judges a block or a plan ends."""

    rules: tuple[Rule, ...]
    """The rules in force: one that waits for the outcome of a plan that a crash cut off is at rest."""
    in_flight: Flights = field(default_factory=Flights)
    """Plans under way, in live mode."""
    ahead: list[Ahead] = field(default_factory=list)
    """Plans decided at the block that is being judged, in their order: what comes later meets what they leave."""
    aloft: dict[str, Ahead] = field(default_factory=dict)
    """Position → the plan that is being sent for it: what it needs of a wallet is no other's."""
    wanted: set[Address] = field(default_factory=set)
    """Signers that a rule needs while a plan for something else is under way."""
    armed: dict[str, tuple[AnyArmed, ...]] = field(default_factory=dict)
    """Position → plans ready for prices that have not come yet, the likeliest first."""
    market: Market | None = None
    """How prices moved until now, where a rule looks ahead and it is known."""
    seen: Snapshot | None = None
    """The newest snapshot that was judged."""
    lineage: Lineage = field(default_factory=Lineage)
    exceeded: tuple[str, ...] = ()
    """Exposure limits that are passed at the newest block, in words."""
    breaker: Breaker | None = None
    """Which prices moved so far that nothing is traded on them; None where the owner wants no such thing."""
    has_tripped: bool = False
    """Whether one did at the newest block."""
    pace: Pace = field(default_factory=Pace)
    """How fast prices move now."""
    said: dict[str, tuple[tuple[str | None, Reason], ...]] = field(default_factory=dict)
    """Position, or book under a rule → what was last written of its rules: a quiet month does not fill the journal."""
    upkept: dict[str, str] = field(default_factory=dict)
    """Position and rule → the upkeep that was last rehearsed for it in dry run: once is enough."""
    sending_errors: int = 0
    """Defects in a row in the sending."""
    may_sign: bool = True
    """Cleared when too much went wrong in a row."""
    warms_up: bool = True
    """True when a signature and a commit are rehearsed while a block is read."""
    warming: asyncio.Task[None] | None = None
    _doubts: tuple[Snapshot | None, dict[Address, Doubted]] = (None, {})
    _sorted: tuple[tuple[Rule, ...], dict[str, tuple[Rule, ...]]] | None = None

    def begin(self) -> None:
        """A block begins to be judged: nothing was decided at it yet."""
        self.ahead = []
        self.wanted = set()  # who waits asks again
        self.in_flight.settle()

    def goes_ahead(self, ahead: Ahead) -> None:
        """A plan of this block is decided: what is planned after it, is planned upon it."""
        self.ahead.append(ahead)
        if ahead.plan.intent.position in self.in_flight.names():
            self.aloft[ahead.plan.intent.position] = ahead

    def landed(self, task: asyncio.Task[Any]) -> None:
        """A plan came to its end."""
        name = self.in_flight.end(task)
        if name is not None:
            self.aloft.pop(name, None)

    def saw(self, snapshot: Snapshot) -> None:
        """A block is being judged on this snapshot."""
        self.seen = snapshot
        self.saw_prices(snapshot)

    def saw_prices(self, snapshot: Snapshot) -> None:
        """Remember the prices of a block."""
        self._heed(snapshot)
        prices = {h.asset: h.price.answer for p in snapshot.loans for h in p.holdings}
        self.pace.saw(snapshot.block.number, prices)

    def _heed(self, snapshot: Snapshot) -> None:
        if self.breaker is None:
            return
        prices = {h.asset: h.price.answer for p in snapshot.loans for h in self.traded(p)}
        prices |= {leg.oracle.asset: leg.oracle.answer for p in snapshot.perps for leg in p.legs}
        self.has_tripped = self.breaker.saw(snapshot.block.timestamp, prices)

    def traded(self, p: LendingPosition) -> tuple[Holding, ...]:
        """Return what a plan of a loan may trade: what it has, and what its rules may swap into."""
        moving = [rule for rule in self.rules_of(p.name) if rule.rearranges]
        if not moving:
            return p.held
        if not all(rule.into for rule in moving):
            return p.holdings
        into = {h.asset for rule in moving for name in rule.into for h in names.meant(name, p.holdings)}
        return tuple(h for h in p.holdings if h.is_held or h.asset in into)

    def moved_too_far(self, price: OraclePrice, now: int) -> tuple[Doubt, ...]:
        """Return what the circuit breaker says against trading on a price."""
        doubt = None if self.breaker is None else self.breaker.doubt(price.asset, now, price.answer)
        return () if doubt is None else (doubt,)

    def wallet(self, snapshot: Snapshot, signer: Address, position: str) -> Wallet:
        """Return what a signer can spend on a position: without what is decided or on its way for others."""
        others = self.aloft | {one.plan.intent.position: one for one in self.ahead}
        others.pop(position, None)
        wallet = snapshot.wallets[signer]
        return wallet_after(wallet, others.values()) if others else wallet

    def doubts_of(self, snapshot: Snapshot) -> dict[Address, Doubted]:
        """Return what is known of the prices of a snapshot, to be added to: each is looked at once."""
        if self._doubts[0] is not snapshot:
            self._doubts = snapshot, {}
        return self._doubts[1]

    def rules_of(self, position: str) -> tuple[Rule, ...]:
        """Return the rules of one position, in their order."""
        if self._sorted is None or self._sorted[0] is not self.rules:
            mine = dict[str, list[Rule]]()
            for rule in self.rules:
                mine.setdefault(rule.position, []).append(rule)
            self._sorted = self.rules, {name: tuple(rules) for name, rules in mine.items()}
        return self._sorted[1].get(position, ())
