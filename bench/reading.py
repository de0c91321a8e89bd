"""Reading: all positions of a block through the keeper's own code, against the raw bytes of the very same calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from bench import crowd
from bench.effort import Effort
from bench.rows import Row
from bench.scene import opened, write_settings
from keeper.chain.blocks import AT_ONCE
from keeper.engine.engine import Engine
from sandbox.world import World

COUNTS = {1: 60, 100: 40, 1000: 20, 10_000: 10}
"""Positions → runs."""
WARM_UP = 20
WITHIN = 1.5


async def measure(effort: Effort) -> list[Row]:
    rows = list[Row]()
    with World.start() as world, tempfile.TemporaryDirectory() as temp:
        counts = {n: runs for n, runs in COUNTS.items() if n <= (1000 if effort.is_quick else max(COUNTS))}
        owners = crowd.owners(max(counts))
        crowd.settle(world, owners)
        for count, runs in counts.items():
            path = write_settings(Path(temp), world, owners[:count], rpc_url=world.url)
            async with opened(path, live=False) as engine:
                rows.append(await reading(world, engine, count, effort.runs(runs)))
            (Path(temp) / "bench.sqlite").unlink()
    return rows


async def reading(world: World, engine: Engine, count: int, runs: int) -> Row:
    ours, floor = list[float](), list[float]()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as bare:
        await engine.reader.snapshot(await engine.reader.blocks.head())
        while len(engine.reader.known.accounts) < count:  # noqa: ASYNC110 - found in the background
            await asyncio.sleep(0.1)
        for run in range(runs + WARM_UP):
            world.mine()
            head = await engine.reader.blocks.head()
            with recorded(engine) as calls:
                begun = time.perf_counter()
                snapshot = await engine.reader.snapshot(head)
                took = (time.perf_counter() - begun) * 1000
            world.mine()
            anew = await engine.reader.blocks.head()  # each has a block that nobody has read yet
            least = await raw(bare, world.url, [body(*call).replace(head.hash, anew.hash).encode() for call in calls])
            if run >= WARM_UP:
                ours.append(took)
                floor.append(least)
            assert len(snapshot.positions) + len(snapshot.afar) == count
    note = f"read and decode {count} positions, against the bytes of the same {len(calls)} call(s)"
    return Row(f"read_{count}", "ms", ours, note, floor=floor, at_most=WITHIN)


@contextlib.contextmanager
def recorded(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The calls that are made meanwhile."""
    (member,) = engine.reader.blocks.node.members  # type: ignore[attr-defined]
    calls, real = list[tuple[str, Any]](), member.node.request

    async def request(method: str, *params: Any) -> Any:
        calls.append((method, params))
        return await real(method, *params)

    member.node.request = request
    try:
        yield calls
    finally:
        member.node.request = real


def body(method: str, params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


async def raw(bare: aiohttp.ClientSession, url: str, bodies: list[bytes]) -> float:
    """Milliseconds until the bytes of all answers are there, as many at once as the keeper has."""
    under_way = asyncio.Semaphore(AT_ONCE)

    async def one(body: bytes) -> None:
        async with (
            under_way,
            bare.post(url, data=body, headers={"Content-Type": "application/json"}) as answer,
        ):
            await answer.read()

    begun = time.perf_counter()
    await asyncio.gather(*(one(body) for body in bodies))
    return (time.perf_counter() - begun) * 1000
