"""From the head of a block to the acknowledged transaction: the keeper as it runs, against a plain web3 bot.

Both are processes of their own, on the same position and the same trigger, over WebSocket through the same proxy. The
proxy takes the times: when the head left for the client, and when the answer to the sending did.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

import websockets

from bench.effort import Effort
from bench.proxy import Proxy
from bench.rows import Row
from bench.scene import E6, open_loop, write_settings
from sandbox import prices
from sandbox.world import World

TRIGGER, TARGET = "1.25", "1.60"
NEAR, THERE = "1965", "1955"
"""A price just above the one at which the rule fires (1957.8 for this position), and one below it."""
LOCAL_MS = 8.0
"""What we may take ourselves, beside the round trips."""
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Run:
    """Milliseconds from head to acknowledgement, and requests in between."""

    ms: float
    requests: float


async def measure(effort: Effort) -> list[Row]:
    runs, rows = effort.runs(10), list[Row]()
    with World.start() as world, tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        set_the_scene(world)
        trip_ms = await round_trip(world, 50)
        for delay_ms, name in ((50, "head_to_ack_50ms"), (0, "head_to_ack_local")):
            ours = [one(world, folder, delay_ms, ours=True) for _ in range(runs)]
            peer = [one(world, folder, delay_ms, ours=False) for _ in range(runs)]
            note = "head event to acknowledged, journal and policy included; peer: a plain web3 bot"
            most = 2 * trip_ms + LOCAL_MS if delay_ms else None
            at_most = 0.25 if delay_ms else None
            rows.append(Row(name, "ms", [r.ms for r in ours], note, [r.ms for r in peer], at_most=at_most, most=most))
            if delay_ms:
                asked, theirs = [r.requests for r in ours], [r.requests for r in peer]
                note = "from head event to acknowledged; peer: a plain web3 bot"
                rows.append(Row("requests_acting_block", "requests", asked, note, theirs, most=2))
        unread = [one(world, folder, 50, ours=True, early=True) for _ in range(runs)]
        note = "head event to acknowledged, on the oracle's pushed event; floor: one round trip"
        bound = trip_ms + LOCAL_MS
        rows.append(Row("no_read_to_ack_50ms", "ms", [r.ms for r in unread], note, [], [trip_ms], most=bound))
    return rows


async def round_trip(world: World, delay_ms: float) -> float:
    """A round trip through the proxy as it is on this machine: the median of bare requests on one WebSocket."""
    ask = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})
    took = list[float]()
    with Proxy(world.url, delay_ms) as proxy:
        async with websockets.connect(proxy.ws_url, proxy=None) as socket:
            for _ in range(20):
                begun = time.perf_counter()
                await socket.send(ask)
                await socket.recv()
                took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)


def set_the_scene(world: World) -> None:
    """A position just above its trigger, dollars in the wallet, and the allowance that the plain bot needs."""
    owner = world.account(0).address
    open_loop(world, owner)
    world.mint("USDC", owner, 20_000 * E6)
    with world.acting_as(owner):
        approval = world.token("USDC").functions.approve(world.addresses["aave"]["pool"], 10**12)
        world.chain.send(approval, owner)
    world.set_price("WETH", NEAR)
    world.align_pools()
    world.warp(600)
    world.refresh_feeds()


def one(world: World, folder: Path, delay_ms: float, *, ours: bool, early: bool = False) -> Run:
    """Let one of them see the price come."""
    snapshot = world.snapshot()
    start = plain_bot if not ours else partial(keeper, early=early)
    try:
        with Proxy(world.url, delay_ms) as proxy, start(world, folder, proxy):
            proxy.times()
            let_it_come(world)
            times, give_up = proxy.times(), time.monotonic() + PATIENCE_S
            while "ack" not in dict(times):
                assert time.monotonic() < give_up, f"nothing was sent: {times}"
                time.sleep(0.03)
                times += proxy.times()
        begun = next(at for what, at in times if what == "head")
        ended = next(at for what, at in times if what == "ack")
        asked = [what for what, at in times if what.startswith("eth_") and begun <= at <= ended]
        return Run((ended - begun) * 1000, float(len(asked)))
    finally:
        world.rpc("anvil_dropAllTransactions")
        world.revert(snapshot)
        world.rpc("evm_setAutomine", True)


def let_it_come(world: World) -> None:
    """Mine a block with the new price, and from there on nothing by itself: a node does not mine while it answers."""
    world.rpc("evm_setAutomine", False)
    wanted = prices.encode_prices(world.chain, world.addresses, {"WETH": Decimal(THERE)}, None, True)
    prices.send_together(world.chain, world.addresses, wanted)
    world.mine()


@contextmanager
def keeper(world: World, folder: Path, proxy: Proxy, *, early: bool) -> Iterator[None]:
    """The keeper, live, once its plans are ready on the block before."""
    owner = world.account(0).address
    path = write_settings(folder, world, [owner], rpc_url=proxy.ws_url, batch=True)
    safety = f"[safety]\nact_on_oracle_events = {str(early).lower()}\n"
    path.write_text(path.read_text().replace('["deleverage"]', '["repay"]') + safety)
    (folder / "bench.sqlite").unlink(missing_ok=True)
    with process([sys.executable, "-m", "keeper", "run", "--live", "--verbose", "-c", str(path)], folder) as said:
        said.wait_for('"event": "armed"')
        world.mine()
        said.wait_for('"event": "armed"', 2)
        if early:
            world.mine()
            said.wait_for('"event": "early_on"')
            said.wait_for('"event": "armed"', 3)
        time.sleep(0.2)
        yield


@contextmanager
def plain_bot(world: World, folder: Path, proxy: Proxy) -> Iterator[None]:
    """The bot, once it is subscribed and has seen a block."""
    aave = world.addresses["aave"]
    where = [aave["pool"], aave["oracle"], world.token("USDC").address]
    command = [sys.executable, "-m", "bench.plain_bot", proxy.ws_url, world.account(0).key.hex(), *where]
    with process([*command, TRIGGER, TARGET], folder) as said:
        said.wait_for("ready")
        world.mine()
        time.sleep(1)
        yield


@dataclass(frozen=True)
class Said:
    """What a process wrote so far."""

    log: Path
    of: subprocess.Popen[bytes]

    def wait_for(self, text: str, count: int = 1) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while self.log.read_text().count(text) < count:
            assert self.of.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up, f"no {text} in {self.log.read_text()}"
            time.sleep(0.01)


@contextmanager
def process(command: list[str], folder: Path) -> Iterator[Said]:
    log = folder / "log"
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as started:
        try:
            yield Said(log, started)
        finally:
            started.kill()
