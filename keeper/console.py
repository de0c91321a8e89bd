"""Log lines for people: time, network, whose it is, what happened, and the figures in the order they were given."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

COLOURS = {"warning": "\033[33m", "error": "\033[31m", "critical": "\033[1;31m", "debug": "\033[2m"}
PLAIN = "\033[0m"
SUBJECTS = ("position", "book")
WORDS = {
    "alarm": "ALARM",
    "armed": "plans are ready for a price that has not come",
    "block": "block",
    "concluded": "plan ended",
    "held": "holds",
    "node_away": "the node does not answer",
    "node_back": "the node answers again",
    "planned": "plan chosen",
    "refused": "plan does not work",
    "rehearsed": "plan rehearsed",
    "started": "started",
    "stopped": "stopped, nothing left in flight",
}
"""Events that read better in other words; the rest are their own name."""


def rendered(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Return one line: ``22:41:07 live  eth-loop: holds, rule protect, reason cooldown, detail 540 s left``."""
    told = dict(event)
    time, level, name = (str(told.pop(key, "")) for key in ("timestamp", "level", "event"))
    head = " ".join(str(told.pop(key)) for key in ("mode", "network") if told.get(key) and name != "started")
    trace = told.pop("exception", None)
    subject = next((str(told.pop(key)) for key in SUBJECTS if told.get(key)), "")
    text = _alarm(told) if name == "alarm" else _sentence(name, told)
    line = f"{_clock(time)} {head}  {f'{subject}: ' if subject else ''}{text}"
    return _coloured(level, line) + (f"\n{trace}" if trace else "")


def _alarm(told: dict[str, Any]) -> str:
    return f"ALARM {told.get('title', '')}. {told.get('body', '')}".rstrip()


def _sentence(name: str, told: dict[str, Any]) -> str:
    told.pop("exc_info", None)
    figures = [f"{key.replace('_', ' ')} {_value(value)}" for key, value in told.items() if value not in (None, "")]
    return ", ".join([WORDS.get(name, name.replace("_", " ")), *figures])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_value(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _clock(time: str) -> str:
    return time.partition("T")[2].partition(".")[0] or time


def _coloured(level: str, line: str) -> str:
    colour = COLOURS.get(level)
    return f"{colour}{line}{PLAIN}" if colour and sys.stderr.isatty() else line
