"""Why a node refused signed bytes, read from its words (``client_words``) into a typed cause. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from keeper.chain.client_words import COST_AND_HELD, HELD_AND_COST, SHORT, TABLE, WANTED, Cause
from keeper.chain.errors import NodeError, NodeRefusedError


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal. The figures are None where the node did not say."""

    cause: Cause
    text: str
    wanted: int | None = None
    """The least that would do: wei of tip or cap per gas, gas, or the nonce that is next."""
    short_by: int | None = None
    """Wei the account lacks."""


_TIMES = {"wei": 1, "kwei": 10**3, "mwei": 10**6, "gwei": 10**9, "ether": 10**18, "eth": 10**18}
_CONSTANT = re.compile(r"(?<=[a-z])_(?=[a-z])")
"""Some services say causes as constants: NONCE_TOO_LOW."""
_ROWS = tuple((cause, re.compile("|".join(patterns))) for cause, patterns in TABLE)


def read(text: str) -> Refusal:
    """Return what a node's words mean."""
    said = _CONSTANT.sub(" ", " ".join(text.lower().split()))
    cause = next((cause for cause, pattern in _ROWS if pattern.search(said)), Cause.UNKNOWN)
    wanted = next((figure for p in WANTED.get(cause, ()) if (figure := _figure(p, said)) is not None), None)
    return Refusal(cause, text, wanted, _short(said) if cause is Cause.FUNDS_SHORT else None)


def of(error: NodeError) -> Refusal | None:
    """Return why a node refused bytes; None for a silence, which says nothing about them."""
    return read(f"{error.message} {error.data or ''}") if isinstance(error, NodeRefusedError) else None


def weightiest(errors: Sequence[NodeError]) -> NodeError | None:
    """Return of several nodes' errors the one to act on: a refusal that says most, before a silence."""
    order = list(Cause)
    refused = [e for e in errors if isinstance(e, NodeRefusedError)]
    # the table's own order, but what is unknown or passing last: it says nothing about the bytes
    return min(refused, key=lambda e: order.index(read(e.message).cause)) if refused else next(iter(errors), None)


def _figure(pattern: str, said: str) -> int | None:
    found = re.search(pattern, said)
    if found is None:
        return None
    unit = found.group(2) if found.re.groups > 1 else None
    return _number(found.group(1), unit)


def _number(text: str, unit: str | None = None) -> int:
    if text.startswith("0x"):
        return int(text, 16)
    plain = text.replace(",", "").replace("_", "")
    return int(Decimal(plain) * _TIMES[unit or "wei"])


def _short(said: str) -> int | None:
    for pattern in SHORT:
        if (found := _figure(pattern, said)) is not None:
            return found
    for patterns, held_at, cost_at in ((HELD_AND_COST, 1, 2), (COST_AND_HELD, 2, 1)):
        for pattern in patterns:
            if found_ := re.search(pattern, said):
                return max(0, _number(found_.group(cost_at)) - _number(found_.group(held_at)))
    return None
