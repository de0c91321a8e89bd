"""Fetches Safe and Balancer v3, and compiles the vault once, when first asked for: a minute, and nothing at set-up."""

import fcntl
import hashlib
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.paths import BUILD

HERE = Path(__file__).resolve().parent
CONTRACTS = BUILD / "safe"
STAMP = BUILD / "safe.stamp"
OWN = tuple(f"contracts/{path.name}" for path in sorted((HERE / "contracts").glob("*.sol")))
MADE_FROM = ("package.json", "package-lock.json", ".npmrc", "compile.js", *OWN)


@cache
def artifact(name: str) -> tuple[list[dict[str, Any]], str]:
    """Interface and creation code of a contract of Safe, of the vault or of the sandbox."""
    ensure()
    built = json.loads((CONTRACTS / f"{name}.json").read_text())
    return built["abi"], built["bytecode"]


def ensure() -> None:
    """Do what is missing or out of date; several processes may ask at the same time."""
    wanted = _wanted()
    if _is_ready(wanted):
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".safe.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_ready(wanted):
            return
        STAMP.unlink(missing_ok=True)
        _run("npm", "ci")
        shutil.rmtree(CONTRACTS, ignore_errors=True)
        _run("node", "compile.js", str(CONTRACTS))
        STAMP.write_text(wanted)


def _is_ready(wanted: str) -> bool:
    return STAMP.exists() and STAMP.read_text() == wanted


def _wanted() -> str:
    digest = hashlib.sha256()
    for name in MADE_FROM:
        digest.update(name.encode() + b"\0" + (HERE / name).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise SandboxError(f"{' '.join(command[:2])} for Safe failed:\n  " + "\n  ".join(lines[-8:]))
