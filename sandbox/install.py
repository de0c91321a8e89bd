"""Prepares the sandbox once: npm packages, compiled contracts, the deployed world. Run: python -m sandbox.install

Each step leaves a stamp, a hash of what it was made from, so a second run has nothing to do. A lock lets several
processes (test workers, two terminals) ask at the same time.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.errors import SandboxError, ToolMissingError
from sandbox.paths import ADDRESSES, BUILD, CONTRACTS, HERE, MODULES, STATE

NODE_MAJOR = 20
PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
WORLD_FILES = (
    "spec.py",
    "deploy.py",
    "aave.py",
    "uniswap.py",
    "perp.py",
    "gmx.py",
    "bundler.py",
    "chain.py",
    "artifacts.py",
    "anvil.py",
)


def ensure(say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)) -> None:
    """Do what is missing or out of date; says nothing when there is nothing to do."""
    if _is_ready():
        return
    with _lock():
        for number, (title, stamp, wanted, step) in enumerate(_steps(), 1):
            if _read(stamp) == wanted():
                continue
            say(f"[{number}/3] {title} …")
            began = time.monotonic()
            stamp.unlink(missing_ok=True)
            step()
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(wanted())
            say(f"[{number}/3] {title} … {time.monotonic() - began:.1f} s")


def _steps() -> tuple[tuple[str, Path, Callable[[], str], Callable[[], None]], ...]:
    return (
        ("npm packages", MODULES / ".stamp", _packages_hash, _install_packages),
        ("compiling contracts", BUILD / "contracts.stamp", _contracts_hash, _compile),
        ("building the world", BUILD / "world.stamp", _world_hash, _build_world),
    )


def _is_ready() -> bool:
    return all(_read(stamp) == wanted() for _, stamp, wanted, _ in _steps())


def _install_packages() -> None:
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise ToolMissingError(f"{tool} is not on the PATH: install Node.js {NODE_MAJOR} or later (it brings npm)")
    version = _run(["node", "--version"], "node --version").strip()
    if int(version.removeprefix("v").split(".")[0]) < NODE_MAJOR:
        raise ToolMissingError(f"node is {version}: install Node.js {NODE_MAJOR} or later")
    _run(["npm", "ci"], "npm ci")


def _compile() -> None:
    shutil.rmtree(CONTRACTS, ignore_errors=True)
    _run(["node", "compile.js", str(CONTRACTS)], "compiling the contracts")


def _build_world() -> None:
    """Deploy onto a fresh chain that writes its state down when it is stopped."""
    from sandbox.anvil import Anvil  # noqa: PLC0415  web3 is slow to import; not needed when all is ready
    from sandbox.chain import Chain  # noqa: PLC0415
    from sandbox.deploy import deploy_world, warm_up  # noqa: PLC0415
    from sandbox.spec import DEFAULT  # noqa: PLC0415

    growing = STATE.with_suffix(".new")  # whoever loads the old one meanwhile is not disturbed
    growing.unlink(missing_ok=True)
    anvil = Anvil("--hardfork", "prague", "--timestamp", str(DEFAULT.timestamp), "--dump-state", str(growing))
    try:
        anvil.rpc("anvil_setBlockTimestampInterval", 1)
        chain = Chain(anvil.url)
        addresses = deploy_world(chain, DEFAULT)
        warm_up(chain, addresses)
        block = chain.w3.eth.get_block("latest")
    finally:
        anvil.stop()
    addresses |= {"timestamp": block["timestamp"], "block": block["number"]}
    growing.replace(STATE)
    ADDRESSES.write_text(json.dumps(addresses, indent=1) + "\n")


def _packages_hash() -> str:
    return _hash([HERE / name for name in PACKAGE_FILES])


def _contracts_hash() -> str:
    return _hash([HERE / "compile.js", *sorted((HERE / "contracts").glob("*.sol"))]) + _packages_hash()


def _world_hash() -> str:
    return _hash([HERE / name for name in WORLD_FILES]) + _contracts_hash()


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _read(stamp: Path) -> str | None:
    return stamp.read_text() if stamp.exists() else None


@contextmanager
def _lock() -> Iterator[None]:
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], action: str) -> str:
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise SandboxError(f"{action} failed with code {done.returncode}:\n  " + "\n  ".join(lines[-8:]))
    return done.stdout


def main() -> int:
    try:
        ensure(lambda line: print(line, flush=True))
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
