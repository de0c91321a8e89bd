"""The demo's keeper: the real daemon in a process of its own, `keeper run --live`, with a home that is thrown away."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount

from sandbox.errors import SandboxError
from sandbox.network_file import duration
from sandbox.world import World

POSITION = "eth-loop"
PASSWORD = "only for the demo"  # noqa: S105  a keystore of anvil's public test account
START_LIMIT_S, STOP_LIMIT_S, JOURNAL_LIMIT_S = 40.0, 60.0, 30.0
TAIL_LINES, TAIL_BYTES = 15, 100_000
JUDGED = re.compile(rb'"number": (\d+), [^\n]*"event": "block"')
LEAST_DEADLINE_S, DEADLINE_BLOCKS = 1800, 20

SETTINGS = """\
[network]
file = "network.toml"
rpc_url = "{url}"

[journal]
url = "keeper.sqlite"

[[signers]]
name = "owner"
address = "{owner}"
keystore = "keystore.json"
password_file = "password"
batch = {batch}

[[positions]]
name = "{position}"
venue = "aave_v3"
owner = "{owner}"
signer = "owner"

[[rules]]
name = "protect"
position = "{position}"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["top_up", "repay", "deleverage"]
cooldown = "10m"

[rules.limits]
max_slippage_bps = 50
max_spend_per_day_usd = "60000"
max_fee_gwei = 200

[safety]
swap_deadline = "{deadline}"

[daemon]
poll = "{poll}ms"
state_dir = "state"
"""


class Keeper:
    """The running daemon. `home` holds its settings, keystore, journal, and `keeper.log`: what it said.

    With a `page_port` its page is served beside it, and the link announced once it runs.
    """

    def __init__(self, home: Path, page_port: int | None = None, announce: Callable[[str], None] = print) -> None:
        self.home, self.log = home, home / "keeper.log"
        self.page_port, self._announce = page_port, announce
        self.config, self.journal = home / "keeper.toml", home / "keeper.sqlite"
        self.process: subprocess.Popen[bytes] | None = None

    def furnish(self, world: World, account: LocalAccount, block_s: int, batch: bool) -> Self:
        """Write its files. A block stands for `block_s` chain seconds: a swap is given some blocks to be mined.

        With `batch` the account delegates to the world's batch account, so that a plan is one transaction.
        """
        values = {"owner": account.address, "position": POSITION, "batch": str(batch).lower()}
        return self.settle(world, SETTINGS, {"keystore.json": account}, values, block_s)

    def settle(
        self,
        world: World,
        settings: str,
        keystores: Mapping[str, LocalAccount],
        values: Mapping[str, object],
        block_s: int,
    ) -> Self:
        """Write `settings` with `values` (url, deadline and poll are filled in), and a keystore for each file name."""
        world.network_toml(self.home / "network.toml")
        secrets = {"password": PASSWORD}
        secrets |= {
            name: json.dumps(Account.encrypt(account.key, PASSWORD, iterations=2))
            for name, account in keystores.items()
        }
        for name, text in secrets.items():
            (self.home / name).touch(0o600)
            (self.home / name).write_text(text)
        deadline = duration(max(LEAST_DEADLINE_S, DEADLINE_BLOCKS * block_s))
        poll = max(20, round((world.block_time or 1) * 250))
        known = {"url": world.url, "deadline": deadline, "poll": poll}
        page = f"\n[web]\nport = {self.page_port}\n" if self.page_port else ""
        self.config.write_text(settings.format(**known, **values) + page)
        return self

    def __enter__(self) -> Self:
        """Start it and wait until it has judged its first block."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command("run", "--live", "--verbose", *["--web"] * bool(self.page_port)),
                cwd=self.home,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us first; the keeper is asked to leave in order
            )
        try:
            self._await()
        except BaseException:
            self.stop()
            raise
        if link := self.page:
            self._announce(link)
        return self

    def _await(self) -> None:
        give_up = time.monotonic() + START_LIMIT_S
        while b'"event": "started"' not in self.log.read_bytes():
            self.check()
            if time.monotonic() > give_up:
                raise SandboxError(f"the keeper did not start within {START_LIMIT_S:.0f} s")
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def page(self) -> str | None:
        """The link to its page, where it has one."""
        if self.page_port is None:
            return None
        token = (self.home / "state" / "page-token").read_text().strip()
        return f"http://127.0.0.1:{self.page_port}/enter?token={token}"

    def check(self) -> None:
        """Raise when it is gone though nobody asked it to leave."""
        if self.process is not None and self.process.poll() is not None:
            raise SandboxError(f"the keeper ended by itself with code {self.process.returncode}")

    def stop(self) -> int | None:
        """SIGTERM, then wait: it finishes what is in flight. Returns its exit code; None if it never ran."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT_S)
            except BaseException:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode

    def judged(self) -> int:
        """The last block it has judged, as its log tells; -1 before the first."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            found = JUDGED.findall(log.read())
        return max(map(int, found), default=-1)

    def decisions(self) -> list[dict[str, Any]]:
        """What `keeper journal --json` prints, oldest first."""
        command = self._command("journal", "--json", "--limit", "10000")
        done = subprocess.run(
            command, cwd=self.home, env=_environment(), capture_output=True, timeout=JOURNAL_LIMIT_S, check=False
        )
        if done.returncode:
            raise SandboxError(f"keeper journal failed with code {done.returncode}: {done.stderr.decode().strip()}")
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found[::-1]

    def tail(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"the end of {self.log}:", *(f"  {line}" for line in lines[-TAIL_LINES:])])

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "keeper", *arguments, "--config", str(self.config)]


def _environment() -> Mapping[str, str]:
    """Ours, without settings of another keeper and without a proxy between it and 127.0.0.1."""
    return {k: v for k, v in os.environ.items() if not k.startswith("KEEPER_") and "proxy" not in k.lower()}
