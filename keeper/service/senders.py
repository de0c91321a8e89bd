"""What carries plans out, from the settings: a lane for each key, and how positions are read while a plan is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from keeper.chain.errors import NodeError
from keeper.chain.nodes import Nodes
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import BlockRef, LendingPosition
from keeper.core.units import Address, Amount
from keeper.execution.executor import Executor
from keeper.execution.holders import OfSafe, OwnKey
from keeper.execution.lane import Lane
from keeper.execution.lending_errand import LendingParts
from keeper.execution.perp_errand import PerpParts
from keeper.execution.send_state import Timings
from keeper.execution.settlement import OrderWatch
from keeper.execution.signer import TransactionSigner
from keeper.service.connections import private_first
from keeper.service.opened import Opened
from keeper.settings import Settings
from keeper.snapshot.reader import Watch
from keeper.venues.contracts import erc20
from keeper.venues.ports import PricesMovedError, Probe, ReadFailedError, ScopeOutdatedError

T = TypeVar("T")
READINGS = 5
"""Times a position is read before a plan under way counts a node as away."""


def executor(engine: Opened, settings: Settings, key: TransactionSigner, node: Nodes) -> Executor[Lane]:
    """Return what carries out the plans that a key signs."""
    block_time = settings.network.block_time_s
    timings = Timings(
        rebroadcast_s=max(2.0, block_time), bump_s=max(6.0, 4 * block_time), give_up_s=settings.daemon.confirm_s
    )
    private_s = settings.private_blocks * block_time
    wire = private_first(node, private_s, time.monotonic)
    poll_s, cap = settings.daemon.poll_s, settings.max_fee
    safe, blocks = next((s for s in engine.terms.safes.values() if s.owner == key.address), None), engine.reader.blocks
    holder = OfSafe(node, engine.journal.facts, safe, key.sign_hash) if safe else OwnKey(key.address)
    return around(
        Lane(node, blocks, engine.journal, key, timings, poll_s, time.monotonic, wire, cap, holder), engine, settings
    )


def around(lane: Lane, engine: Opened, settings: Settings) -> Executor[Lane]:
    """Return what carries out plans through a lane, by the settings as they are now."""

    async def read_position(name: str, number: int | None) -> LendingPosition:
        return await read_patiently(engine.reader, name, number, settings.daemon.poll_s)

    async def read_held(account: Address, assets: Sequence[Address]) -> Mapping[Address, Amount]:
        probe = erc20.wallet_probe(account, assets, settings.network.multicall3)
        _, held = await patiently(engine.reader, lambda _: probe, None, settings.daemon.poll_s)
        return held

    floor, cap = settings.safety.health_floor, settings.max_fee

    def is_wanted() -> bool:
        return lane.holder.address in engine.state.wanted

    lane.cap(cap)
    lending = LendingParts(lane, engine.venues, read_position, read_held, cap, floor)
    return Executor(lane, cap, lending, _perp_parts(engine, settings, is_wanted), is_wanted)


def _perp_parts(engine: Opened, settings: Settings, is_wanted: Callable[[], bool]) -> PerpParts:
    watch, poll_s = engine.reader, settings.daemon.poll_s

    async def read(name: str, number: int | None) -> PerpPosition:
        return await patiently(
            engine.reader, lambda block: engine.reader.perp_account(name).probe(name, block), number, poll_s
        )

    async def keep(name: str, keys: tuple[str, ...], decision_id: int, block: int, rests: bool) -> None:
        await engine.perps.created(name, keys, decision_id, block, rests=rests)

    logs, patience_s = engine.logs, settings.daemon.order_patience_s
    orders = OrderWatch(partial(logs.created, is_mined=True), keep, logs.outcomes, patience_s, poll_s, logs.carried_out)
    return PerpParts(watch.perp_account, read, orders, is_wanted)


async def read_patiently(watch: Watch, name: str, number: int | None, pause_s: float) -> LendingPosition:
    """Read a lending position as ``patiently`` does; where it uses what it did not use before, find that first."""

    async def anew(block: BlockRef) -> None:
        await watch.find_anew(name, block)

    return await patiently(watch, lambda block: watch.position_probe(name, block), number, pause_s, anew)


async def patiently(
    watch: Watch,
    probe: Callable[[BlockRef], Probe[T]],
    number: int | None,
    pause_s: float,
    anew: Callable[[BlockRef], Awaitable[None]] | None = None,
) -> T:
    """Read at a block, or at the head; again after a hiccup of the node, for a plan may be half sent.

    An answer that is missing is asked for again as well: many reads at once starve some nodes. ``anew`` finds out what
    a position uses, where that has changed.

    Raises NodeError, ReadFailedError when it fails ``READINGS`` times in a row.
    """
    for attempt in range(READINGS):
        try:
            block = await (watch.blocks.head() if number is None else watch.blocks.block_at(number))
            return await watch.blocks.read(block, probe(block))
        except (NodeError, ReadFailedError) as error:
            if attempt == READINGS - 1:
                raise
            if isinstance(error, PricesMovedError):
                continue
            if isinstance(error, ScopeOutdatedError) and anew is not None:
                await anew(block)
            else:
                await asyncio.sleep(pause_s)
    raise AssertionError("unreachable")
