"""Aave v3.0, taken out of its package once, when first asked for: 4 s, and nothing of it when the sandbox is set up."""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.apart import Apart

OLD = Apart(Path(__file__).resolve().parent, ("extract.py",), ((sys.executable, "extract.py", "OUT"),))


@cache
def artifact(name: str) -> dict[str, Any]:
    """Interface, creation code and the places of its libraries, of one of the contracts that ``extract`` names."""
    OLD.ensure()
    found: dict[str, Any] = json.loads((OLD.built / f"{name}.json").read_text())
    return found
