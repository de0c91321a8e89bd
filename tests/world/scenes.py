"""A position in a world, the settings of a keeper for it, and the commands run on both."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import Result
from eth_account import Account
from typer.testing import CliRunner
from web3.exceptions import ContractPanicError

from keeper.cli.main import app
from sandbox.world import World

ETHER, BITCOIN, DOLLAR = 10**18, 10**8, 10**6
PASSWORD = "pw"

RULE = """
[[rules]]
name = "protect"
position = "eth-loop"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["top_up", "repay", "deleverage"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 50
max_spend_per_day_usd = "20000"
max_fee_gwei = "200"
"""


@dataclass
class Scene:
    """One owner in a world, and a folder with a keeper's settings."""

    world: World
    folder: Path
    owner_index: int = 0
    signer_index: int = 0
    url: str = ""
    rules: str = RULE
    extra: str = ""
    said: list[str] = field(default_factory=list)
    lends: bool = False
    """Whether the network file names the lender for the time of one transaction."""

    def __post_init__(self) -> None:
        self.url = self.url or self.world.url

    @property
    def owner(self) -> str:
        return str(self.world.account(self.owner_index).address)

    @property
    def signer(self) -> str:
        return str(self.world.account(self.signer_index).address)

    @property
    def config(self) -> Path:
        return self.folder / "keeper.toml"

    # --- the position ---

    def open(
        self, collateral: dict[str, int] | None = None, debt: dict[str, int] | None = None, *, keep_debt: bool = False
    ) -> Scene:
        """10 ETH against 13,000 USDC unless told otherwise; what was borrowed leaves the wallet."""
        collateral, debt = collateral or {"WETH": 10 * ETHER}, debt or {"USDC": 13_000 * DOLLAR}
        self.world.open_position(self.owner, collateral, debt)
        for symbol, amount in ({} if keep_debt else debt).items():
            away = self.world.token(symbol).functions.transfer(self.world.role("lp"), amount)
            self.world.chain.send(away, self.owner)
        return self

    def crash(self, price: str = "1890", symbol: str = "WETH") -> Scene:
        """The feed falls, the pools follow, and long enough passes for their averages to."""
        self.world.set_price(symbol, price)
        self.world.align_pools()
        self.world.warp(600)
        self.world.refresh_feeds()
        return self

    def health(self) -> float:
        for _ in range(5):
            # where the clock was just put forward, the local chain may answer at a time before the market's last update
            with contextlib.suppress(ContractPanicError):
                return float(self.world.health_factor(self.owner))
            time.sleep(0.2)
        return float(self.world.health_factor(self.owner))

    def nonce(self) -> int:
        return int(self.world.w3.eth.get_transaction_count(self.signer))

    # --- the keeper ---

    def write(self) -> Scene:
        """The settings, the keystore and its password."""
        self.world.network_toml(self.folder / "network.toml", lends=self.lends)
        key = self.world.account(self.signer_index).key
        (self.folder / "keystore.json").write_text(json.dumps(Account.encrypt(key, PASSWORD, iterations=2)))
        (self.folder / "password").write_text(PASSWORD + "\n")
        for name in ("keystore.json", "password"):
            (self.folder / name).chmod(0o600)
        self.config.write_text(
            f"""
[network]
file = "network.toml"
rpc_url = "{self.url}"
[[signers]]
name = "me"
address = "{self.signer}"
keystore = "keystore.json"
password_file = "password"
[[positions]]
name = "eth-loop"
venue = "aave_v3"
owner = "{self.owner}"
signer = "me"
{self.rules}
[daemon]
state_dir = "state"
rpc_timeout = "2s"
poll = "0.1s"
{self.extra}
"""
        )
        return self

    def keeper(self, *command: str) -> Result:
        """Run a command in this process. No failure ever shows a traceback."""
        if not self.config.exists():
            self.write()
        found = CliRunner().invoke(app, [*command, "-c", str(self.config)])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        assert "Traceback" not in found.output, found.output
        assert PASSWORD not in found.stderr.split()
        return found

    def data(self, *command: str) -> Any:
        """Run a command and return its JSON."""
        return json.loads(self.keeper(*command, "--json").stdout)

    def once(self, *options: str) -> tuple[int, Any]:
        """Run ``once``; return its exit code and the one position's row."""
        found = self.keeper("once", "--json", *options)
        (row,) = json.loads(found.stdout)["positions"]
        return found.exit_code, row

    def pending(self, count: int, said: Keeper, seconds: float = 30) -> None:
        """Wait until so many transactions are with the node, which mines none by itself now."""
        give_up = time.monotonic() + seconds
        while int(self.world.rpc("txpool_status")["pending"], 16) < count:
            assert time.monotonic() < give_up, f"nothing was sent:\n{said.log}"
            time.sleep(0.05)

    @contextlib.contextmanager
    def running(self, *options: str, verbose: bool = True) -> Iterator[Keeper]:
        """The daemon in a process of its own, ended when left; its log has a line for each block where ``verbose``."""
        if not self.config.exists():
            self.write()
        log = (self.folder / f"log-{time.monotonic_ns()}").open("w+")
        command = [sys.executable, "-m", "keeper", "run", *options, *["--verbose"] * verbose, "-c", str(self.config)]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ))
        try:
            yield Keeper(process, Path(log.name))
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            log.close()


@dataclass
class Keeper:
    """A daemon under way."""

    process: subprocess.Popen[bytes]
    path: Path

    @property
    def log(self) -> str:
        return self.path.read_text()

    def wait_for(self, text: str, seconds: float = 60.0, count: int = 1) -> str:
        """Return the log once a text is in it."""
        give_up = time.monotonic() + seconds
        while self.log.count(text) < count:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < give_up, f"no {text!r} in:\n{self.log}"
            time.sleep(0.02)
        return self.log

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)
