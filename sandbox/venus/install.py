"""Venus, taken out of its package once, when first asked for: 8 s, and nothing of it when the sandbox is set up."""

import sys
from pathlib import Path
from typing import Any

from sandbox.apart import Apart

HERE = Path(__file__).resolve().parent
COMMANDS = (
    (sys.executable, "extract.py", "OUT"),
    ("node", "compile.js", "OUT"),
)
VENUS = Apart(HERE, ("extract.py", "compile.js", "contracts/VenusPrice.sol"), COMMANDS, uses_world=True)


def artifact(name: str) -> tuple[list[dict[str, Any]], str]:
    """Interface and creation code of one of the contracts that ``extract`` names, or of ``VenusPrice``."""
    return VENUS.artifact(name)
