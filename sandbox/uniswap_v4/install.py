"""Fetches Uniswap v4 once, when first asked for: its packages bring what was compiled."""

import fcntl
import hashlib
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.paths import BUILD

HERE = Path(__file__).resolve().parent
STAMP = BUILD / "uniswap_v4.stamp"
MADE_FROM = ("package.json", "package-lock.json", ".npmrc")
MODULES = HERE / "node_modules" / "@uniswap"
PLACES = {
    "PoolManager": "v4-core/out/PoolManager.sol/PoolManager.json",
    "PoolModifyLiquidityTest": "v4-core/out/PoolModifyLiquidityTest.sol/PoolModifyLiquidityTest.json",
    "UniversalRouter": "universal-router/artifacts/contracts/UniversalRouter.sol/UniversalRouter.json",
}


@cache
def artifact(name: str) -> tuple[list[dict[str, Any]], str]:
    """Interface and creation code of one of ``PLACES``."""
    ensure()
    built = json.loads((MODULES / PLACES[name]).read_text())
    code = built["bytecode"]
    return built["abi"], code if isinstance(code, str) else code["object"]


def ensure() -> None:
    """Do what is missing or out of date; several processes may ask at the same time."""
    digest = hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in MADE_FROM)).hexdigest()
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".uniswap_v4.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == digest and MODULES.exists():
            return
        done = subprocess.run(["npm", "ci"], cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxError("npm ci for Uniswap v4 failed:\n  " + "\n  ".join(done.stderr.splitlines()[-8:]))
        STAMP.write_text(digest)
