"""The Comet stand-in, compiled once, when first asked for: 2 s with the world's own compiler."""

from pathlib import Path
from typing import Any

from sandbox.apart import Apart

HERE = Path(__file__).resolve().parent
CONTRACTS = tuple(f"contracts/{file.name}" for file in sorted((HERE / "contracts").glob("*.sol")))
COMPOUND = Apart(HERE, ("compile.js", *CONTRACTS), (("node", "compile.js", "OUT"),), uses_world=True)


def artifact(name: str) -> tuple[list[dict[str, Any]], str]:
    """Interface and creation code of ``Comet``, ``CometProxy``, ``CometTerms``, ``CometBulker`` and so on."""
    return COMPOUND.artifact(name)
