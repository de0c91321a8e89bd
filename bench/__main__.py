"""`python -m bench`: measure, print a table, write bench/results.json."""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address
from rich.console import Console
from rich.table import Table

from bench.proxy import Proxy
from bench.scene import open_loop, opened, write_settings
from keeper.cycle import cycle
from keeper.observe import configure_logging
from sandbox.world import World

RUNS = 30
RESULTS = Path(__file__).parent / "results.json"


def figure(values: list[float], note: str) -> dict[str, Any]:
    return {
        "ours": statistics.median(values),
        "runs": len(values),
        "min": min(values),
        "median": statistics.median(values),
        "max": max(values),
        "note": note,
    }


async def quiet_blocks(world: World, folder: Path, owners: list[str]) -> dict[str, dict[str, Any]]:
    """Requests and own CPU of a block on which nothing happens."""
    count = len(owners)
    async with Proxy(world.url) as proxy:
        path = write_settings(folder, world, owners, rpc_url=proxy.url)
        async with opened(path, live=False) as house:
            await cycle(house, await house.watch.blocks.head())
            requests, cpu = [], []
            for _ in range(RUNS):
                world.mine()
                head = await house.watch.blocks.head()
                proxy.seen.clear()
                begun = time.process_time()
                await cycle(house, head)
                cpu.append((time.process_time() - begun) * 1000)
                requests.append(float(sum(proxy.seen.values())))
    return {
        f"requests_quiet_block_{count}": figure(requests, f"requests per quiet block, {count} positions, head aside"),
        f"cpu_quiet_block_ms_{count}": figure(cpu, f"own CPU (and the proxy's) per quiet block, {count} positions, ms"),
    }


async def deleverage(world: World, folder: Path, *, batch: bool) -> tuple[int, float, float]:
    """Gas, blocks and requests of one deleverage."""
    snapshot = world.snapshot()
    owner = world.account(0).address
    open_loop(world, owner)
    world.set_price("WETH", 1850)
    world.align_pools()
    world.warp(600)
    world.refresh_feeds()
    async with Proxy(world.url) as proxy:
        path = write_settings(folder, world, [owner], rpc_url=proxy.url, batch=batch)
        async with opened(path, live=True) as house:
            await house.watch.snapshot(await house.watch.blocks.head())
            head = await house.watch.blocks.head()
            proxy.seen.clear()
            await cycle(house, head)
            await house.settle()
            (done,) = [d for d in await house.journal.decisions.recent(5) if d.kind == "act"]
            assert done.outcome_kind == "restored", done.outcome
            sent = await house.journal.transactions.of_decision(done.id)
    (folder / "bench.sqlite").unlink()
    world.revert(snapshot)
    requests = sum(n for m, n in proxy.seen.items() if m != "eth_getTransactionReceipt")
    return sum(t.gas_used or 0 for t in sent), float(len(sent)), float(requests)


async def measure() -> dict[str, dict[str, Any]]:
    results: dict[str, dict[str, Any]] = {}
    with World.start() as world, tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        in_one = await deleverage(world, folder, batch=True)
        in_sequence = await deleverage(world, folder, batch=False)
        results["gas_deleverage"] = {
            "ours": in_one[0],
            "peer": in_sequence[0],
            "ratio": round(in_one[0] / in_sequence[0], 3),
            "note": f"gas in one transaction against {in_sequence[1]:.0f} in sequence",
        }
        owners = [
            world.account(0).address,
            *(to_checksum_address(f"0x{i:040x}") for i in range(0xABC000, 0xABC000 + 49)),
        ]
        for owner in owners:
            world.open_position(owner, collateral={"WETH": 10**19}, debt={"USDC": 5000 * 10**6})
        for count in (1, 10, 50):
            results |= await quiet_blocks(world, folder, owners[:count])
            (folder / "bench.sqlite").unlink()
    return results


def main() -> None:
    configure_logging(as_json=True, verbose=False)
    logging.getLogger("aiohttp.access").disabled = True
    results = asyncio.run(measure())
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    table = Table("what", "ours", "peer", "ratio", "note", box=None, pad_edge=False)
    for name, r in results.items():
        table.add_row(name, f"{r['ours']:.6g}", str(r.get("peer", "")), str(r.get("ratio", "")), r["note"])
    Console().print(table)


main()
