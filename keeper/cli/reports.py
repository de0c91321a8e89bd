"""Reports that carry what they rest on: read again, and compared figure by figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from keeper.cli.common import Exit, fail

BEGIN, END = '<script type="application/json" id="inputs">', "</script>"
MOST_BYTES = 256 * 2**20


def differences(given: Any, made: Any, where: str = "report") -> list[str]:
    """Return where two reports differ."""
    if isinstance(given, dict) and isinstance(made, dict):
        keys = [*made, *(k for k in given if k not in made)]
        return [d for k in keys for d in differences(given.get(k), made.get(k), f"{where}.{k}")]
    if isinstance(given, list) and isinstance(made, list) and len(given) == len(made):
        return [d for i, (a, b) in enumerate(zip(given, made, strict=True)) for d in differences(a, b, f"{where}[{i}]")]
    return [] if given == made else [where]


def added(given: Any, made: Any, where: str = "report") -> list[str]:
    """Return which figures a report has not that is made of the same now: it is of an older version."""
    if isinstance(given, dict) and isinstance(made, dict):
        new = [f"{where}.{key}" for key in made if key not in given]
        return [*new, *(d for k in made if k in given for d in added(given[k], made[k], f"{where}.{k}"))]
    if isinstance(given, list) and isinstance(made, list) and len(given) == len(made):
        return [d for i, (a, b) in enumerate(zip(given, made, strict=True)) for d in added(a, b, f"{where}[{i}]")]
    return []


def read_report(file: Path, command: str) -> dict[str, Any]:
    """Return a report as it was written, as JSON or in its page."""
    try:
        if file.stat().st_size > MOST_BYTES:
            fail(Exit.FAILED, f"{file}: is too large for a report")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        fail(Exit.FAILED, f"{file}: cannot be read ({error.strerror})")
    except UnicodeDecodeError:
        fail(Exit.FAILED, f"{file}: is no report: it is no text")
    if BEGIN in text:
        text = text.partition(BEGIN)[2].partition(END)[0]
    try:
        found = orjson.loads(text)  # which bounds how deep it nests
    except ValueError:
        found = None
    if not isinstance(found, dict) or "inputs" not in found:
        fail(Exit.FAILED, f"{file}: is no report; write one with `{command} --json > FILE`, or --html FILE")
    return found
