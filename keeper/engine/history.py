"""What is remembered of perpetual positions and books between blocks and restarts: in the journal, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from keeper.core.book.position import Book
from keeper.core.book.rules import BookRule, subject_of
from keeper.core.book.unhedged import Naked
from keeper.core.metrics import P, Trigger
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpRule
from keeper.core.trail import Sample, Trail
from keeper.journal.ports import History

MOST_KEYS = 64
"""Keys of own resting orders that are remembered; a venue holds fewer for a position."""
LOOK_BACK = 5000
"""Blocks in which it is sought why a position shrank, where nobody wrote down when it was last seen."""


@dataclass(frozen=True, slots=True)
class Left:
    """An order of ours that the venue had not carried out when its plan ended."""

    key: str
    decision_id: int
    block: int
    since: int
    """Unix seconds; zero where it is not known."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A leg that lost size: signed sizes before and now, and the block of the last look."""

    symbol: str
    before: int
    now: int
    since: int


@dataclass(slots=True)
class PerpMemory:
    """Rules about perpetual positions and books, and what was seen of these. Written through to the journal."""

    journal: History
    scope: str
    """Chain and mode: a dry run remembers apart from a live one."""
    rules: tuple[PerpRule, ...]
    books: tuple[Book, ...]
    book_rules: tuple[BookRule, ...]
    is_look: bool = False
    """Whether this is only a look at things: then nothing is written down."""
    trails: dict[str, Trail] = field(default_factory=dict)
    naked: dict[str, Naked] = field(default_factory=dict)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    looked: dict[str, int] = field(default_factory=dict)
    """Position → the block of the last look at its sizes."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was read of the journal, and written to it."""
    expected: set[str] = field(default_factory=set)
    """Positions that a plan of ours may have changed since they were last looked at."""
    looks: dict[str, int] = field(default_factory=dict)
    """How often it was looked whether an order that nobody wrote down is ours."""

    @property
    def is_used(self) -> bool:
        """Whether there is anything to remember."""
        return bool(self.rules or self.books or self.sizes)

    def book(self, name: str) -> Book:
        """Return a book by name; StopIteration is a defect of the settings."""
        return next(book for book in self.books if book.name == name)

    def rules_of(self, name: str) -> tuple[PerpRule, ...]:
        """Return the rules about a position."""
        return tuple(rule for rule in self.rules if rule.position == name)

    async def trail(self, position: P, rules: Sequence[Looking[P]], *, is_sure: bool = True) -> Trail:
        """Return a position's trail with this block in it, for rules that look back; what is new is written down.

        A price in doubt (not ``is_sure``) is no best price: one false answer would make every later one a fall.
        """
        name = position.name
        known = self.trails.get(name)
        if known is None:
            known = _trail(await self._get(self._key("trail", name)))
        now = remembered(rules, position, known, is_sure=is_sure)
        if now != known:
            await self._write(self._key("trail", name), _plain(now))
        self.trails[name] = now
        return now

    async def naked_of(self, rule: BookRule) -> Naked:
        """Return how long a book has been outside its band."""
        key = subject_of(rule)
        if key not in self.naked:
            found = await self._get(self._key("naked", key))
            self.naked[key] = Naked(**found) if isinstance(found, dict) else Naked()
        return self.naked[key]

    async def set_naked(self, rule: BookRule, naked: Naked) -> None:
        """Remember it."""
        key = subject_of(rule)
        if self.naked.get(key) == naked:
            return
        plain = {"since": naked.since, "seen": naked.seen, "used": naked.used, "tries": naked.tries}
        await self._write(self._key("naked", key), plain if naked != Naked() else None)
        self.naked[key] = naked

    async def shrunk(self, position: PerpPosition) -> tuple[Shrunk, ...]:
        """Return the legs that lost size since the last look, unless a plan of ours is known to have changed them.

        What was last seen, and when it changed, is kept in the journal: a liquidation while the keeper was down
        shows as well.
        """
        key, at = self._key("sizes", position.name), self._key("sizes_at", position.name)
        before = self.sizes.get(position.name)
        if before is None:
            found = await self._get(key)
            before = {k: int(v) for k, v in found.items()} if isinstance(found, dict) else {}
        since = self.looked.get(position.name)
        if since is None:
            kept = await self._get(at)
            since = kept if isinstance(kept, int) else position.block.number - LOOK_BACK
        self.looked[position.name] = position.block.number
        now = {leg.symbol: leg.size for leg in position.legs if leg.size}
        is_ours = position.name in self.expected
        self.expected.discard(position.name)
        if now != before:
            await self._write(key, {k: str(v) for k, v in now.items()})
            await self._write(at, position.block.number)
        self.sizes[position.name] = now
        if is_ours:
            return ()
        return tuple(
            Shrunk(symbol, size, now.get(symbol, 0), max(0, since))
            for symbol, size in before.items()
            if abs(now.get(symbol, 0)) < abs(size) or (now.get(symbol, 0) > 0) != (size > 0)
        )

    async def may_be_empty(self, name: str) -> bool:
        """Return whether a position without size is no surprise: a book's hedge, or one that had a size once."""
        if any(name in book.hedges for book in self.books):
            return True
        return name in self.sizes or await self._get(self._key("sizes", name)) is not None

    async def own_orders(self, name: str) -> frozenset[str]:
        """Return the keys of the resting orders that this keeper placed for a position."""
        found = await self._get(self._key("resting", name))
        return frozenset(found) if isinstance(found, list) else frozenset()

    async def created(self, name: str, keys: Iterable[str], decision_id: int, block: int, *, rests: bool) -> None:
        """Remember orders as soon as they are known: a kill must not make them strangers."""
        if rests:
            known = await self._get(self._key("resting", name))
            kept = dict.fromkeys([*(known if isinstance(known, list) else ()), *keys])
            await self._write(self._key("resting", name), list(kept)[-MOST_KEYS:])
            return
        left = await self.left(name)
        await self.set_left(name, [*left, *(Left(key, decision_id, block, 0) for key in keys)])

    async def left(self, name: str) -> tuple[Left, ...]:
        """Return the orders of a position that were still with the venue when last seen."""
        found = await self._get(self._key("orders", name))
        return tuple(Left(**x) for x in found) if isinstance(found, list) else ()

    async def set_left(self, name: str, orders: Iterable[Left]) -> None:
        """Remember them."""
        plain = [{"key": o.key, "decision_id": o.decision_id, "block": o.block, "since": o.since} for o in orders]
        await self._write(self._key("orders", name), plain or None)

    async def _get(self, key: str) -> Any:
        """Return a fact: the disk is asked once, for nobody else writes what is of this scope."""
        if key not in self.facts:
            self.facts[key] = await self.journal.facts.get(key)
        return self.facts[key]

    async def _write(self, key: str, value: Any) -> None:
        if not self.is_look:
            await self.journal.facts.set(key, value)
        self.facts[key] = value

    def _key(self, what: str, name: str) -> str:
        return f"{what}:{self.scope}:{name}"


class Looking(Protocol[P]):
    """A rule, as far as it looks back."""

    @property
    def name(self) -> str:
        """How the owner calls it."""

    @property
    def trigger(self) -> Trigger[P]:
        """What it watches."""


def remembered(rules: Sequence[Looking[P]], position: P, trail: Trail, *, is_sure: bool) -> Trail:
    """Return the trail with this block in it, for every rule that looks back."""
    for rule in rules:
        if (remember := rule.trigger.metric.remember) is not None:
            trail = remember(trail, rule.name, position, rule.trigger.of, is_sure)
    return trail


def _plain(trail: Trail) -> dict[str, Any]:
    return {
        "best": {k: str(v) for k, v in trail.best.items()},
        "of": dict(trail.of),
        "samples": {k: [[s.at, str(s.rate)] for s in v] for k, v in trail.samples.items()},
    }


def _trail(plain: Any) -> Trail:
    if not isinstance(plain, dict) or "of" not in plain:
        return Trail()
    samples = {k: tuple(Sample(int(at), int(rate)) for at, rate in v) for k, v in plain["samples"].items()}
    return Trail({k: int(v) for k, v in plain["best"].items()}, dict(plain["of"]), samples)
