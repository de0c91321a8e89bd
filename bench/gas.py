"""What a rescue costs in gas: one transaction against a sequence of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.effort import Effort
from bench.rows import Row
from bench.scene import open_loop, opened, write_settings
from keeper.engine.cycle import cycle
from sandbox.world import World


async def measure(_: Effort) -> list[Row]:
    with World.start() as world, tempfile.TemporaryDirectory() as folder:
        in_one, _count = await deleverage(world, Path(folder), batch=True)
        in_sequence, count = await deleverage(world, Path(folder), batch=False)
    note = f"a deleverage in one transaction against {count} in sequence"
    return [Row("gas_deleverage", "gas", [in_one], note, peer=[in_sequence], at_most=1)]


async def deleverage(world: World, folder: Path, *, batch: bool) -> tuple[int, int]:
    """Gas and number of transactions of one deleverage."""
    snapshot = world.snapshot()
    owner = world.account(0).address
    open_loop(world, owner)
    world.set_price("WETH", 1850)
    world.align_pools()
    world.warp(600)
    world.refresh_feeds()
    path = write_settings(folder, world, [owner], rpc_url=world.url, batch=batch)
    async with opened(path, live=True) as engine:
        await cycle(engine, await engine.reader.blocks.head())
        await engine.settle()
        (done,) = [d for d in await engine.journal.decisions.recent(5) if d.kind == "act"]
        assert done.outcome_kind == "restored", done.outcome
        sent = await engine.journal.transactions.of_decision(done.id)
    (folder / "bench.sqlite").unlink()
    world.revert(snapshot)
    return sum(t.gas_used or 0 for t in sent), len(sent)
