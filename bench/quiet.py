"""A block on which nothing is to be done: requests as a proxy counts them, own CPU, and CPU while nothing comes."""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench import crowd
from bench.effort import Effort
from bench.proxy import Proxy
from bench.rows import Row
from bench.scene import write_settings
from keeper.engine.engine import Engine
from keeper.service.app import opened
from keeper.service.daemon import Daemon
from keeper.settings import load
from sandbox.world import World

COUNTS = (1, 10, 50)
"""Positions; the last counts are what is asserted."""
IDLE_S = 5.0
SETTLED_S = 0.25
"""After which a block that came is judged; one that is not by then is not counted."""


async def measure(effort: Effort) -> list[Row]:
    """All over WebSocket, and once over HTTP polling."""
    requests, cpu, rows = list[float](), list[float](), list[Row]()
    runs = effort.runs(20)
    with World.start() as world, Proxy(world.url) as proxy, tempfile.TemporaryDirectory() as temp:
        owners = crowd.owners(COUNTS[-1])
        crowd.settle(world, owners)
        for count in COUNTS:
            path = write_settings(fresh(temp, f"ws{count}"), world, owners[:count], rpc_url=proxy.ws_url)
            async with daemon(path) as engine:
                counted, cpu = await quiet(world, engine, proxy, runs)
                requests += counted
                idle = await resting(engine, proxy, 1 if effort.is_quick else IDLE_S)
        path = write_settings(fresh(temp, "http"), world, owners[:10], rpc_url=proxy.url)
        async with daemon(path) as engine:
            polled, _ = await quiet(world, engine, proxy, runs=3, before=1)
        floor = await bare_cpu(world, owners, runs)
    one = [1.0] * len(requests)
    note = f"requests a block over WebSocket, {', '.join(map(str, COUNTS))} positions, counted at a proxy"
    rows.append(Row("requests_quiet_block", "requests", requests, note, floor=one, at_most=1, most=1))
    note = "own CPU a block with 50 positions: read, judged, told; against sending and receiving the same bytes"
    rows.append(Row("cpu_quiet_block_ms", "ms", cpu, note, floor=floor))
    note = "CPU of some seconds without a block, 50 positions over WebSocket"
    rows.append(Row("cpu_idle_percent", "%", [idle], note))
    note = "the same over HTTP, polled four times a block or every 2 s: one read, and the head asked for"
    rows.append(Row("requests_quiet_block_http", "requests", polled, note, floor=one))
    return rows


def fresh(folder: str, name: str) -> Path:
    path = Path(folder) / name
    path.mkdir()
    return path


@asynccontextmanager
async def daemon(path: Path) -> AsyncIterator[Engine]:
    settings = load(path, {})
    async with opened(settings, is_live=False) as engine:
        keeper = Daemon(engine, settings)
        running = asyncio.create_task(keeper.run())
        await until(lambda: judged(engine) > 0)
        yield engine
        keeper.stop()
        await running


async def quiet(
    world: World, engine: Engine, proxy: Proxy, runs: int, before: int = 5
) -> tuple[list[float], list[float]]:
    """Requests and milliseconds of CPU of each of some blocks, after some that are not counted."""
    requests, cpu = list[float](), list[float]()
    for run in range(runs + before):
        proxy.seen()
        number = world.w3.eth.block_number + 1
        world.mine()
        bare = own_cpu()  # what mining took us; the head has not been taken yet, for nothing was awaited
        await asyncio.sleep(SETTLED_S)  # to look whether it is done would cost more than what is measured
        used, is_done = (own_cpu() - bare) * 1000, judged(engine) == number
        await until(lambda: judged(engine) == number)  # noqa: B023 - awaited at once
        if run >= before:
            requests.append(float(sum(proxy.seen().values())))
            cpu += [used] * is_done
    return requests, cpu


async def resting(engine: Engine, proxy: Proxy, seconds: float) -> float:
    """Percent of one core while nothing happens."""
    proxy.seen()
    begun = own_cpu()
    await asyncio.sleep(seconds)
    return (own_cpu() - begun) / seconds * 100


async def bare_cpu(world: World, owners: list[str], runs: int) -> list[float]:
    """Milliseconds of CPU of nothing but the bytes: the same call over a bare WebSocket."""
    with tempfile.TemporaryDirectory() as temp:
        path = write_settings(Path(temp), world, owners, rpc_url=world.url)
        async with opened(load(path, {}), is_live=False) as engine:
            await engine.reader.snapshot(await engine.reader.blocks.head())
            (chunk,) = engine.reader._joined.chunks(engine.reader.blocks.caps, engine.reader.blocks.multicall)
            multicall = engine.reader.blocks.multicall
    params = [{"to": multicall, "data": chunk.data}, "latest"]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": params})
    found = list[float]()
    url = world.url.replace("http", "ws")
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=2**28) as socket:
        for run in range(runs + 5):
            begun = own_cpu()
            await socket.send_str(body)
            await socket.receive()
            if run >= 5:
                found.append((own_cpu() - begun) * 1000)
    return found


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a metric knows no event
            await asyncio.sleep(0.02)


def judged(engine: Engine) -> float:
    return engine.observer.registry.get_sample_value("keeper_block") or 0
