"""A world, a position in it, and a real keeper behind a proxy: killed, started again, watched until it is done."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from faults import Weather
from proxy import RpcProxy
from scenes import DOLLAR, ETHER, Scene

from keeper.chain.tether import tethered
from sandbox.anvil import Anvil, rpc
from sandbox.errors import SandboxError
from sandbox.world import HARDFORK, World

LAUNCH = Path(__file__).with_name("launch.py")
RULE = """
[[rules]]
name = "protect"
position = "eth-loop"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = [{actions}]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 50
max_spend_per_day_usd = "100000"
max_fee_gwei = "200"
"""
ALL_ACTIONS = '"top_up", "repay", "deleverage"'
SETTLED_BLOCKS = 4
RESTARTS = 25
UNDER_WAY = """select 1 from decisions where kind = 'act' and outcome_kind is null
  and id in (select decision_id from transactions)"""


class Miner:
    """A block every so often, unless paused: anvil's own interval knows whole seconds only."""

    def __init__(self, url: str, interval_s: float) -> None:
        self.url = url
        self.pausing = threading.Lock()
        """Held by whoever wants no blocks, and while one is made."""
        self._interval_s = interval_s
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        rpc(self.url, "evm_setIntervalMining", 0)
        rpc(self.url, "evm_setAutomine", False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._leave.wait(self._interval_s):
            # a node that is being restarted makes no blocks
            with self.pausing, contextlib.suppress(OSError, SandboxError):
                rpc(self.url, "evm_mine")


@dataclass
class Process:
    """One life of a keeper."""

    folder: Path
    place: str
    popen: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "died-at").unlink(missing_ok=True)
        with (self.folder / "keeper.log").open("ab") as log:
            log.write(f'{{"event": "life", "place": "{self.place}"}}\n'.encode())
            log.flush()
            environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and k[:7] != "KEEPER_"}
            command = [sys.executable, str(LAUNCH), self.place, "run", "--live", "--verbose", "-c", "keeper.toml"]
            self.popen = subprocess.Popen(tethered(command), cwd=self.folder, env=environment, stdout=log, stderr=log)

    @property
    def is_alive(self) -> bool:
        return self.popen.poll() is None

    @property
    def blocks(self) -> int:
        """How many blocks this life has judged. From the first on it hears SIGTERM."""
        log = (self.folder / "keeper.log").read_text(errors="replace")
        return log.rpartition('"event": "life"')[2].count('"event": "block"')

    def kill(self) -> None:
        """SIGKILL, by hand."""
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds: float = 60) -> int:
        """SIGTERM, and the exit code; killed when it does not leave."""
        until = time.monotonic() + seconds
        while self.is_alive and not self.blocks and time.monotonic() < until:
            time.sleep(0.02)
        if self.is_alive:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return -99


@dataclass
class Stage:
    """What a scenario plays on. ``places`` are where each life of the keeper ends, in turn; then it lives on."""

    seed: int
    world: World
    proxy: RpcProxy
    miner: Miner
    scene: Scene
    weather: Weather
    dice: random.Random
    is_batch: bool = False
    places: list[str] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)
    """Hashes of transactions that others sent with the same key."""
    restarts: int = 0
    ends: list[tuple[int, str]] = field(default_factory=list)
    """Exit codes of lives that nobody ended, and the place where they killed themselves."""
    process: Process | None = None
    twin: Process | None = None
    """A second keeper on the same key, with a folder of its own, as on another machine."""
    expects_action: bool = True
    """Whether the scenario cannot end well without one."""
    revived_nodes: list[Anvil] = field(default_factory=list)
    moved: float = 0.0
    """By how much the price changed after the first sale, as a share: what was sold before is worth more or less."""
    first_block: int = 0
    began: dict[str, int] = field(default_factory=dict)

    # --- the position ---

    def open(self, *, wallet: dict[str, int] | None = None, actions: str = ALL_ACTIONS, batch: bool = False) -> Self:
        """10 ETH against 13,000 USDC, health factor 1.28; the wallet holds nothing unless told otherwise."""
        scene, self.is_batch = self.scene, batch
        scene.rules, scene.extra = RULE.format(actions=actions), 'confirm = "10s"'
        scene.open({"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
        for symbol, amount in (wallet or {}).items():
            self.world.mint(symbol, scene.owner, amount)
        scene.write()
        if batch:
            text = scene.config.read_text().replace(
                'password_file = "password"', 'password_file = "password"\nbatch = true'
            )
            scene.config.write_text(text)
        self.first_block = self.world.w3.eth.block_number + 1
        self.began = self.holdings()
        return self

    def holdings(self) -> dict[str, int]:
        """What the owner has, smallest units."""
        world, owner = self.world, self.scene.owner
        return {
            "supplied": world.supplied("WETH", owner),
            "debt": world.debt("USDC", owner),
            "weth": world.balance("WETH", owner),
            "usdc": world.balance("USDC", owner),
        }

    # --- the keeper ---

    def start(self) -> Self:
        self.process = Process(self.scene.folder, self.places.pop(0) if self.places else "-")
        return self

    def start_twin(self) -> Self:
        folder = self.scene.folder / "twin"
        folder.mkdir()
        for name in ("keeper.toml", "network.toml", "keystore.json", "password"):
            shutil.copy(self.scene.folder / name, folder)
        if self.dice.random() < 0.6:  # else they sign the very same bytes
            config = folder / "keeper.toml"
            config.write_text(config.read_text().replace("slippage_bps = 50", "slippage_bps = 45"))
        self.twin = Process(folder, "-")
        return self

    def kill(self) -> None:
        assert self.process
        self.process.kill()

    def revive(self) -> None:
        """Start it again if it is gone, as a service manager does."""
        assert self.process
        if self.process.is_alive:
            return
        died = self.scene.folder / "died-at"
        self.ends.append((self.process.popen.returncode, died.read_text() if died.exists() else ""))
        assert self.restarts < RESTARTS, f"restarted {self.restarts} times: {self.ends[-5:]}"
        self.restarts += 1
        self.start()

    def watched_for(self, seconds: float) -> None:
        """Let time pass, and the keeper be revived."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.revive()
            time.sleep(0.02)

    def watched_until(self, is_reached: Callable[[], bool], seconds: float) -> None:
        """Let time pass, and the keeper be revived, until something holds; after so many seconds whether or not."""
        until = time.monotonic() + seconds
        while not is_reached() and time.monotonic() < until:
            self.watched_for(0.02)

    def has_bumped(self) -> bool:
        """Return whether more was offered for something than at first."""
        return bool(self.rows("select 1 from attempts group by transaction_id having count(*) > 1"))

    def wait_for(self, text: str, seconds: float = 120, count: int = 1) -> None:
        """Wait for a text in the log."""
        until = time.monotonic() + seconds
        while self.log.count(text) < count:
            assert time.monotonic() < until, f"no {text!r} within {seconds} s"
            self.revive()
            time.sleep(0.02)

    def wait_pending(self, seconds: float = 120) -> list[dict[str, Any]]:
        """Wait until the node's pool has something of the owner; return it, by nonce."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.revive()
            pool = self.world.rpc("txpool_content")["pending"]
            mine = next((txs for who, txs in pool.items() if who.lower() == self.scene.owner.lower()), None)
            if mine:
                return [mine[n] for n in sorted(mine, key=int)]
            time.sleep(0.02)
        raise AssertionError("nothing was sent")

    def settle(self, seconds: float = 180) -> bool:
        """Wait until the position is safe and nothing is open, for some blocks that the keeper judged.

        Whether that was reached: on a busy machine the chain may be blocks ahead of what is judged.
        """
        until, since = time.monotonic() + seconds, None
        while time.monotonic() < until:
            self.revive()
            assert self.process
            block = self.process.blocks
            if not self.is_settled():
                since = None
            elif since is None:
                since = block
            elif block - since >= SETTLED_BLOCKS:
                return True
            time.sleep(0.05)
        return False

    def is_settled(self) -> bool:
        assert self.process
        if self.process.blocks < SETTLED_BLOCKS or self.rows(UNDER_WAY):
            return False
        acted = bool(self.rows("select 1 from transactions limit 1")) or not self.expects_action
        return acted and not self.open_rows() and self.has_heard_of_reorgs() and self.scene.health() >= 1.25

    def has_heard_of_reorgs(self) -> bool:
        """Whether what landed by the journal has landed on this history: a reorg is heard of with the next head."""
        landed = "select max(nonce) n from transactions where state in ('mined', 'confirmed', 'reverted')"
        return all(row["n"] is None or row["n"] < self.scene.nonce() for row in self.rows(landed))

    def open_rows(self) -> list[dict[str, Any]]:
        return self.rows("select * from transactions where state in ('signed', 'pending')")

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What the journals hold, read beside the keepers."""
        paths = (process.folder / "keeper.sqlite" for process in (self.process, self.twin) if process)
        return [row for path in paths if path.exists() for row in _read(path, query)]

    @property
    def log(self) -> str:
        """What the keepers said, one after the other."""
        paths = (process.folder / "keeper.log" for process in (self.process, self.twin) if process)
        return "".join(path.read_text(errors="replace") for path in paths)

    def events(self) -> list[dict[str, Any]]:
        """The log's lines that are events."""
        lines = (line for line in self.log.splitlines() if line.startswith("{"))
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue  # cut off by a kill
        return found

    # --- the chain ---

    def crash(self, price: str | None = None) -> str:
        """The price falls, feed and pools in one block, and the pools' averages after it; returns it."""
        price = price or self.dice.choice(["1890", "1850", "1780", "1700", "1650"])
        before = float(self.world.price("WETH"))
        with self.no_blocks():
            self.world.move_together({"WETH": price})
            self.world.warp(600)
        self.world.refresh_feeds()
        self.world.align_pools()  # what staked tokens cost follows the feeds
        if self.rows("select 1 from transactions limit 1"):
            self.moved += abs(float(price) / before - 1)
        return price

    @contextmanager
    def stuck(self, price: str | None = None) -> Iterator[list[dict[str, Any]]]:
        """The price falls and the chain stands still: yields what the keeper sent, which is not mined."""
        assert self.process
        os.kill(self.process.popen.pid, signal.SIGSTOP)
        self.crash(price)
        with self.no_blocks():
            os.kill(self.process.popen.pid, signal.SIGCONT)
            yield self.wait_pending()

    @contextmanager
    def no_blocks(self) -> Iterator[None]:
        """The chain stands still; what is sent stays in the pool."""
        with self.miner.pausing:
            yield

    def restart_node(self, away_s: float) -> None:
        """The node is killed, and comes back with its blocks; its pool is empty."""
        old, now = self.world.anvil, self.world.now
        assert old
        with self.miner.pausing:
            state = self.world.rpc("anvil_dumpState")
            old.process.kill()
            old.process.wait()
            self.watched_for(away_s)
            kept = self.scene.folder / "node.json"
            kept.write_bytes(gzip.decompress(bytes.fromhex(state[2:])))
            anvil = Anvil(*HARDFORK, "--load-state", str(kept), "--timestamp", str(now))
            anvil.rpc("evm_setAutomine", False)
            anvil.rpc("anvil_setBlockTimestampInterval", 1)
            self.world = self.scene.world = World(anvil.url, self.world.addresses, anvil, self.world.block_time)
            self.miner.url, self.proxy.upstream = anvil.url, anvil.url.removeprefix("http://")
        self.revived_nodes.append(anvil)

    def close(self) -> None:
        for process in (self.process, self.twin):
            if process and process.is_alive:
                process.kill()
        for anvil in self.revived_nodes:
            anvil.stop()


def _read(path: Path, query: str) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as db:
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute(query)]
        except sqlite3.OperationalError:
            return []


@contextmanager
def staged(seed: int, folder: Path, block_time: float = 0.25) -> Iterator[Stage]:
    """Set a stage: everything random comes from the seed."""
    with (
        World.start(block_time=block_time) as world,
        RpcProxy(world.url) as proxy,
        Miner(world.url, block_time) as miner,
    ):
        proxy.around = weather = Weather(seed)
        scene = Scene(world, folder, url=proxy.url)
        dice = random.Random(f"stage {seed}")  # noqa: S311
        stage = Stage(seed, world, proxy, miner, scene, weather, dice)
        try:
            yield stage
        finally:
            stage.close()
