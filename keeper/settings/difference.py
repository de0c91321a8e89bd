"""What differs between two settings files, place by place, in the owner's own words. Nothing secret is ever shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keeper.settings.model import WrittenFiles

Place = tuple[str, ...]
"""Where something stands: a table, the name of one of several, keys."""
SECRETS = frozenset({"url", "urls", "rpc_url", "escalate_urls", "heartbeat_url", "remote", "api"})
"""Keys whose values may hold a token or a password."""
HIDDEN = "(not shown)"
NETWORK_FILE = "network file"
MOST_SHOWN = 100
MOST_CHANGES = 200


@dataclass(frozen=True, slots=True)
class Differing:
    """One difference; None where there was or is nothing."""

    place: Place
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """As an owner reads it."""
        where = where_of(self.place)
        if self.before is None:
            return f"{where}: added {self.after}"
        if self.after is None:
            return f"{where}: removed (was {self.before})"
        return f"{where}: changed" if HIDDEN in (self.before, self.after) else f"{where}: {self.before} → {self.after}"


def where_of(place: Place) -> str:
    """Return a place in words: ``rules "protect": when.health_factor_below``."""
    table, *rest = place
    if table in NAMED and rest:
        name, *keys = rest
        return f'{table} "{name}"' + (f": {'.'.join(keys)}" if keys else "")
    return ".".join(place)


def differences(old: WrittenFiles, new: WrittenFiles) -> tuple[Differing, ...]:
    """Return every difference of two settings files, and of the network files that they name."""
    found = [*_tables((), _named(old.own), _named(new.own))]
    if not any(change.place == ("network", "file") for change in found):
        found += _tables((NETWORK_FILE,), old.network, new.network)
    return (*found[:MOST_CHANGES], *_order(old.own, new.own))


NAMED = {
    "positions": "name",
    "rules": "name",
    "books": "name",
    "signers": "name",
    "panic": "position",
    "puts": "name",
    "shocks": "name",
}
"""Lists of tables → the key that each of theirs is known by."""


def _named(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file with its lists of tables as tables by name."""
    return {key: {t[NAMED[key]]: t for t in value} if key in NAMED else value for key, value in raw.items()}


def _order(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Differing]:
    """Yield that rules stand in another order: of two that ask for the same the first is asked."""
    names = [[rule["name"] for rule in raw.get("rules", ())] for raw in (old, new)]
    both = [[name for name in mine if name in names[0] and name in names[1]] for mine in names]
    if both[0] != both[1]:
        yield Differing(("rules",), ", ".join(both[0]), ", ".join(both[1]))


def _tables(place: Place, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Differing]:
    for key in dict.fromkeys((*old, *new)):
        yield from _values((*place, str(key)), old.get(key), new.get(key))


def _values(place: Place, old: Any, new: Any) -> Iterator[Differing]:
    if old == new:
        return
    is_top = len(place) == 1  # a table that is left out is one with nothing in it
    if is_top and isinstance(new if old is None else old, dict):
        old, new = old or {}, new or {}
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _tables(place, old, new)
        return
    yield Differing(place, _shown(place[-1], old), _shown(place[-1], new))


def _shown(key: str, value: Any) -> str | None:
    if value is None:
        return None
    text = _text(key, value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def _text(key: str, value: Any) -> str:
    if key in SECRETS:
        return HIDDEN
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_text(str(k), v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(key, v) for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return HIDDEN if "://" in value else f'"{value}"'
    return str(value)
