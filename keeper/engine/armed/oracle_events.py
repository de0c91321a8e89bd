"""Acting on the oracle's own event, before anything is read: opt-in, armed plans only, one shot a block.

What the event implies is worked out from the last block's read; each block's read then says whether that was right.
Once it was not, this path is off, and says so, until ``CLEAN`` blocks in a row were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from keeper.chain.errors import NodeError
from keeper.chain.pushes import Log, Pushed
from keeper.core.armed.accrual import Answered
from keeper.core.snapshot import BlockRef, Snapshot, Unreadable
from keeper.core.units import Address, usd_text
from keeper.engine.armed.kinds import ARMS
from keeper.engine.armed.ladder import AnyArms
from keeper.engine.armed.match import fitting
from keeper.engine.decide import decided
from keeper.engine.engine import Engine
from keeper.engine.submit import submit
from keeper.journal import JournalError
from keeper.venues.feeds import oracle_events
from keeper.venues.ports import Account, ReadFailedError

CLEAN = 50
"""Blocks in a row on which all was as foretold, before this path is used again after it was not."""
HOW = "priced by the oracle's own event, nothing read"

Landed = Callable[[asyncio.Task[Any]], None]


class Early:
    """Follows the feeds of one engine. ``landed`` is called for what was sent, as for plans of the daemon."""

    def __init__(self, engine: Engine, landed: Landed) -> None:
        self._engine = engine
        self._landed = landed
        self._emitters: dict[Address, list[Address]] = {}
        self._known: object = None
        self._subscription: Pushed | None = None
        self._stated: dict[str, dict[Address, Answered]] = {}
        """What was pushed, by block hash."""
        self._owed: dict[str, dict[Address, int]] = {}
        """Prices that were read and no event announced yet, by block hash: it may still be on its way."""
        self._head: BlockRef | None = None
        self._before: Snapshot | None = None
        self._shot_at = -1
        self._unproven: BlockRef | None = None
        """The block of a shot, until its read bore it out."""
        self._wanting = 1
        """Blocks as foretold that are still wanted before this path may be used."""
        self._tasks = set[asyncio.Task[None]]()

    @property
    def is_on(self) -> bool:
        """Whether an event may be acted on now."""
        return not self._wanting and self._subscription is not None and self._subscription.is_live

    async def follow(self) -> None:
        """Subscribe to the feeds that matter now; call it after a block, off the path. Raises NodeError."""
        watch, node, seen = self._engine.reader, self._engine.feed, self._engine.state.seen
        if seen is None or watch.known is self._known:
            return
        known = watch.known
        plain = dict[Address, dict[Address, None]]()
        accounts: list[Account[Any]] = [*known.accounts.values(), *known.perp_accounts.values()]
        for account in accounts:
            for asset, feed in account.plain_feeds().items():
                plain.setdefault(feed, {})[asset] = None
        feeds = {source: list(assets) for source, assets in plain.items()}
        self._emitters = await watch.read(seen.block, oracle_events.aggregators_probe(feeds))
        await self.close()
        topics = [oracle_events.ANSWER_UPDATED]
        if self._emitters:
            self._subscription = node.subscribe_logs(list(self._emitters), topics, self.on_log, self.on_gap)
        self._known, self._wanting = known, max(1, self._wanting)

    async def close(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._subscription.cancel()
            self._subscription = None

    # --- an event and a head -----------------------------------------------------------------------------------------

    def head(self, block: BlockRef) -> None:
        """A block begins to be judged."""
        self._head = block
        if self._stated.get(block.hash):
            self._shoot(block)

    def on_log(self, log: Log) -> None:
        """A node pushed an event of a feed."""
        assets = self._emitters.get(log.address, [])
        try:
            stated = oracle_events.decode_answer(log.topics, log.data)
        except ValueError:
            return
        if log.removed or not log.block_hash:
            self._stated.pop(log.block_hash, None)
            return
        self._stated.setdefault(log.block_hash, {}).update(dict.fromkeys(assets, stated))
        while len(self._stated) > 8:
            del self._stated[next(iter(self._stated))]
        if self._head is not None and self._head.hash == log.block_hash:
            self._shoot(self._head)

    def on_gap(self) -> None:
        """Events may have been missed: a block must be as foretold again first."""
        self._wanting = max(1, self._wanting)

    def _shoot(self, block: BlockRef) -> None:
        if self.is_on and self._shot_at < block.number:
            task = asyncio.create_task(self._act(block))
            self._tasks.add(task)
            task.add_done_callback(self._acted)

    def _acted(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._turn_off(f"{type(error).__name__}: {error}")

    async def _act(self, block: BlockRef) -> None:
        """Send what was made ready for the prices that were just announced, for one position at most."""
        engine, last = self._engine, self._engine.state.seen
        if last is None or last.block.hash != block.parent_hash or self._shot_at >= block.number:
            return
        snapshot = self._foretold(last, block, {name for name, plans in engine.state.armed.items() if plans})
        for position in snapshot.positions:
            arms = ARMS[engine.family(position.name)]
            assessed = arms.judge(engine, snapshot, position)
            signer = engine.reader.positions[position.name].spender
            try:
                asked_for = await decided(engine, arms.kind, assessed, block, signer)
                intent = next(iter(asked_for.intents), None)
                prepared = await fitting(engine, snapshot, intent, signer) if intent else None
                if prepared is None or self._shot_at >= block.number:
                    continue
                self._shot_at, self._unproven = block.number, block
                sent = await submit(engine, arms.departure(engine, snapshot, prepared, HOW))
            except (JournalError, ReadFailedError, NodeError) as error:
                engine.observer.not_armed(block.number, str(error))
                return
            if isinstance(sent, asyncio.Task):
                sent.add_done_callback(self._landed)
            return

    def _foretold(self, last: Snapshot, block: BlockRef, names: Collection[str] | None = None) -> Snapshot:
        """Return those positions (or the named) that events say everything of, as they will be read at a block."""
        stated = self._stated.get(block.hash, {})
        followed = {asset for assets in self._emitters.values() for asset in assets}
        found = list[Any]()
        for position in last.positions:
            arms = None if isinstance(position, Unreadable) else self._arms_of(position.name)
            if arms is None or (names is not None and position.name not in names):
                continue
            # an asset may be followed for another market's sake: here it has to be priced by its feed as well
            account = arms.account(self._engine, position.name)
            is_followed = arms.outlook.held(position) <= followed & account.plain_feeds().keys()
            if is_followed and account.priced_at(position, position) is not None and not arms.kind.disagrees(position):
                found.append(arms.outlook.carried_on(position, block, stated))
        return replace(last, block=block, positions=tuple(found))

    def _arms_of(self, name: str) -> AnyArms | None:
        return ARMS.get(self._engine.family(name))

    # --- was it right? -----------------------------------------------------------------------------------------------

    def reconcile(self) -> None:
        """Compare the newest read with what would have been foretold for its block."""
        read, before = self._engine.state.seen, self._before
        if read is None or (before is not None and before.block.hash == read.block.hash):
            return
        self._before = read
        late = self._overdue()
        if late:
            self._turn_off(late)
        acted_on, self._unproven = self._unproven, None
        if acted_on is not None and acted_on.hash != read.block.hash:
            late = f"block {acted_on.number} was acted on and never read"
            self._turn_off(late)
        if before is None or read.block.parent_hash != before.block.hash:
            return
        foretold: dict[str, Any] = {p.name: p for p in self._foretold(before, read.block).positions}
        wrong = self._difference(foretold, read)
        if wrong:
            self._turn_off(wrong)
        elif self._wanting and foretold and not late:
            self._wanting -= 1
            if not self._wanting:
                self._engine.observer.early_on(read.block.number)

    def _overdue(self) -> str | None:
        """Return a price of an earlier block that no event announced."""
        owed, self._owed = self._owed, {}
        for hash_, prices in owed.items():
            for asset, price in prices.items():
                stated = self._stated.get(hash_, {}).get(asset)
                if stated is None or stated.answer != price:
                    return f"{asset} came to {usd_text(price)} and no event said so"
        return None

    def _difference(self, foretold: Mapping[str, Any], read: Snapshot) -> str | None:
        """Return in what a block's read differs from what its events and the block before foretold."""
        stated = self._stated.get(read.block.hash, {})
        for position in read.positions:
            expected, arms = foretold.get(position.name), self._arms_of(position.name)
            if expected is None or arms is None or isinstance(position, Unreadable):
                continue
            outlook, missing = arms.outlook, dict[Address, int]()
            prices, known = outlook.prices(position), outlook.prices(expected)
            for asset in (a for a in prices if a in outlook.held(position)):
                price = prices[asset]
                if asset in stated and stated[asset].answer != price:
                    said = f"the event said {usd_text(stated[asset].answer)}, the oracle {usd_text(price)}"
                    return f"{outlook.name(position, asset)}: {said}"
                if asset not in stated and known.get(asset, price) != price:
                    missing[asset] = price
            if missing:
                self._owed.setdefault(read.block.hash, {}).update(missing)
            elif outlook.is_same(expected, position) and (wrong := outlook.differs(expected, position)):
                return f"{position.name}: {wrong}"
        return None

    def _turn_off(self, why: str) -> None:
        self._wanting = CLEAN
        self._engine.observer.early_off(why, CLEAN)
