"""Signatures within calldata, put in when a plan is sent: it was rehearsed without them, in the same length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from keeper.execution.carriers import Carrier, Sealings, Sign
from keeper.execution.encoding import Script
from keeper.execution.policy import Allowed, calls_within
from keeper.venues.effects import Call


def sealed_script(script: Script, allowed: Allowed, sign: Sign) -> Script:
    """Return a script whose calls backs are signed, in what is sent and in what was meant alike."""
    found = _sealings(script.sent, script.carrier, allowed, sign)
    planned = _replaced([one.call for one in script.calls], found)
    calls = tuple(replace(one, call=call) for one, call in zip(script.calls, planned, strict=True))
    return replace(script, calls=calls, sent=_replaced(script.sent, found))


def sealed_calls(sent: Sequence[Call], carrier: Carrier, allowed: Allowed, sign: Sign) -> tuple[Call, ...]:
    """Return what is sent with the signatures that it waits for."""
    return _replaced(sent, _sealings(sent, carrier, allowed, sign))


def _sealings(sent: Sequence[Call], carrier: Carrier, allowed: Allowed, sign: Sign) -> Sealings:
    return carrier.signatures(sent, partial(_within, allowed), sign)


def _within(allowed: Allowed, call: Call) -> Iterator[Call]:
    return calls_within(call, allowed)


def _replaced(calls: Sequence[Call], found: Sealings) -> tuple[Call, ...]:
    """Return calls with each piece of calldata replaced where it stands first: several may be alike."""
    made = list(calls)
    for old, new in found:
        for i, call in enumerate(made):
            if old in call.data:
                made[i] = replace(call, data=call.data.replace(old, new, 1))
                break
    return tuple(made)
