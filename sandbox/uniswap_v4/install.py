"""Uniswap v4, fetched once, when first asked for: its packages bring what was compiled; Permit2 is compiled, 20 s."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.apart import Apart

HERE = Path(__file__).resolve().parent
MADE_FROM = ("package.json", "package-lock.json", ".npmrc", "compile.js")
V4 = Apart(HERE, MADE_FROM, (("npm", "ci"), ("node", "compile.js", "OUT")))
MODULES = HERE / "node_modules" / "@uniswap"
PLACES = {
    "PoolManager": "v4-core/out/PoolManager.sol/PoolManager.json",
    "PoolModifyLiquidityTest": "v4-core/out/PoolModifyLiquidityTest.sol/PoolModifyLiquidityTest.json",
    "UniversalRouter": "universal-router/artifacts/contracts/UniversalRouter.sol/UniversalRouter.json",
}
"""Those that were compiled already."""

ensure = V4.ensure


@cache
def artifact(name: str) -> tuple[list[dict[str, Any]], str]:
    """Interface and creation code of one of ``PLACES``, or of Permit2."""
    if name not in PLACES:
        return V4.artifact(name)
    ensure()
    built = json.loads((MODULES / PLACES[name]).read_text())
    code = built["bytecode"]
    return built["abi"], code if isinstance(code, str) else code["object"]
