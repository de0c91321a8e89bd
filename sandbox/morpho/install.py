"""Morpho Blue, fetched and compiled once, when first asked for: 5 s, and nothing of it when the sandbox is set up."""

from pathlib import Path
from typing import Any

from sandbox.apart import Apart

OWN = ("contracts/FeedOracle.sol", "contracts/MorphoGeneralAdapter.sol", "contracts/SecondLine.sol")
MADE_FROM = ("package.json", "package-lock.json", ".npmrc", "compile.js", *OWN)
MORPHO = Apart(Path(__file__).resolve().parent, MADE_FROM, (("npm", "ci"), ("node", "compile.js", "OUT")))


ensure = MORPHO.ensure


def artifact(name: str) -> tuple[list[dict[str, Any]], str]:
    """Interface and creation code of ``Morpho`` (with its events), ``IrmMock`` or one of the sandbox's own."""
    return MORPHO.artifact(name)
