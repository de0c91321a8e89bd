"""Log lines for people: time, network, whose it is, what happened, and the figures in the order they were given."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from string import Formatter
from typing import Any

from keeper.core.notices import printable

COLOURS = {"warning": "\033[33m", "error": "\033[31m", "critical": "\033[1;31m", "debug": "\033[2m"}
PLAIN = "\033[0m"
SUBJECTS = ("position", "book")
CALMING = "All clear"
"""How the end of a trouble begins: it is no alarm to whoever reads the log."""
WORDS = {
    "armed": "{plans} plans are ready for a price that has not come",
    "block": "block {number}: health {health}",
    "concluded": "plan ended, {kind}: {plan}",
    "held": "rule {rule} holds ({reason}): {detail}",
    "node_away": "the node does not answer: {detail}",
    "node_back": "the node answers again, it was away for {away_s} s",
    "over": "over: {was}",
    "planned": "rule {rule} fires, plan: {plan}, costs {cost}",
    "refused": "plan does not work: {plan}: {detail}",
    "rehearsed": "plan works in rehearsal: {plan}",
    "reload_refused": "the changed settings are refused, the old ones go on: {faults}",
    "reloaded": "settings reloaded: {changes}",
    "started": "started on {network} at block {block}: {positions}",
    "stopped": "stopped, nothing left in flight",
}
"""Events as sentences; what a sentence does not name follows it, in the order it was given."""


def rendered(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Return one line: ``22:41:07 live  eth-loop: rule protect holds (cooldown): 540 s left``."""
    given = dict(event)
    time, level, name = (str(given.pop(key, "")) for key in ("timestamp", "level", "event"))
    head = " ".join(str(given.pop(key)) for key in ("mode", "network") if given.get(key) and name != "started")
    trace = given.pop("exception", None)
    subject = next((str(given.pop(key)) for key in SUBJECTS if given.get(key)), "")
    text = _alarm(given) if name == "alarm" else f"{f'{subject}: ' if subject else ''}{_sentence(name, given)}"
    line = f"{_clock(time)} {head}  {text}"
    shown = [_coloured(level, printable(line)), *(printable(part) for part in str(trace or "").splitlines())]
    return "\n".join(shown)


def _alarm(given: dict[str, Any]) -> str:
    title = str(given.get("title", ""))
    head = "" if title.startswith(CALMING) else "ALARM "
    return f"{head}{title}. {given.get('body', '')}".rstrip()


def _sentence(name: str, given: dict[str, Any]) -> str:
    given.pop("exc_info", None)
    if given.get("reason") == given.get("kind"):
        given.pop("reason", None)  # a plan that was restored was restored
    template = WORDS.get(name, name.replace("_", " "))
    named = {field for _, field, _, _ in Formatter().parse(template) if field}
    if not named <= given.keys():
        template, named = name.replace("_", " "), set[str]()
    lead = (
        template.format(**{key: _value(given[key]) for key in named}).rstrip(": ").replace("rule None holds", "holds")
    )
    rest = {k: v for k, v in given.items() if k not in named and v not in (None, "", False)}
    return ", ".join([lead, *(f"{key.replace('_', ' ')} {_value(value)}" for key, value in rest.items())])


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
