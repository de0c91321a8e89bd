"""One anvil process: started, awaited, stopped; never left behind, and nothing of it, however we end."""

import atexit
import os
import platform
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from keeper.chain.tether import tethered
from sandbox.errors import SandboxError, ToolMissingError
from sandbox.paths import MODULES

CHAIN_ID = 31337
MNEMONIC = "test test test test test test test test test test test junk"  # anvil's own, known to everyone
ACCOUNTS = 20
START_LIMIT_S = 20.0
ON_NO_DISK = ("--max-persisted-states", "0")
"""Old states stay in memory, 500 blocks of them. By default the older ones are written to ~/.foundry/anvil/tmp, 2 MB a
block, and a killed anvil leaves them there: 75 GB once. Mining 700 blocks of the world takes 7.2 s so, and 8.9 else."""


def anvil_binary() -> Path:
    """The platform's binary itself: the npm entry is a node wrapper that costs 50 ms and hides signals."""
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "?")
    system = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}.get(platform.system(), "?")
    binary = MODULES / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / "anvil"
    if not binary.exists():
        raise ToolMissingError(f"anvil for {system}-{machine} is not installed: run `python -m sandbox.install`")
    return binary


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def port_is_taken(port: int) -> bool:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class Anvil:
    """A running anvil on 127.0.0.1. Started in its own session so that Ctrl-C reaches us first."""

    def __init__(self, *args: str, port: int | None = None) -> None:
        if port is not None and port_is_taken(port):
            raise SandboxError(f"port {port} is in use: stop what runs there or choose another --port")
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        command = [str(anvil_binary()), "--port", str(self.port), "--accounts", str(ACCOUNTS), "--quiet"]
        command += [*ON_NO_DISK, *args]
        environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        self.process = subprocess.Popen(
            tethered(command), stdout=subprocess.DEVNULL, stderr=self._errors, env=environment, start_new_session=True
        )
        atexit.register(self.stop)
        self._await()

    def rpc(self, method: str, *params: Any) -> Any:
        return rpc(self.url, method, *params)

    def stop(self) -> None:
        """Ask it to leave (it writes its --dump-state then), insist after ten seconds."""
        atexit.unregister(self.stop)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._errors.close()

    def _await(self) -> None:
        give_up = time.monotonic() + START_LIMIT_S
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                self._errors.seek(0)
                detail = self._errors.read().decode(errors="replace").strip()[-300:]
                raise SandboxError(f"anvil ended with code {self.process.returncode}: {detail or 'no message'}")
            try:
                self.rpc("eth_chainId")
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.01)
            else:
                return
        self.stop()
        raise SandboxError(f"anvil did not answer on port {self.port} within {START_LIMIT_S:.0f} s")


_session = requests.Session()
_session.trust_env = False  # a proxy has no business between us and 127.0.0.1


def rpc(url: str, method: str, *params: Any) -> Any:
    """One JSON-RPC request to a local node; an error answer raises with the node's message."""
    body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    answer = _session.post(url, json=body, timeout=60).json()
    if "error" in answer:
        raise SandboxError(f"{method}: {answer['error'].get('message', answer['error'])}")
    return answer["result"]
