"""What the calls of a plan are given gas for: see ``execution.rounds``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from keeper.core.units import Address, Wei
from keeper.execution.rounds import _most_used
from keeper.venues.effects import Call

MARKET, ROUTER = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
TAKE, SELL, PAY = b"take", b"sell", b"pays"


def test_a_later_round_is_given_what_the_first_took() -> None:
    """In one block the first alone pays for the interest; mined in a block of its own, every round does."""
    calls = [Call(at, what + bytes(32), Wei(0), "") for at, what in ((MARKET, TAKE), (ROUTER, SELL), (MARKET, PAY))] * 2
    script: Any = SimpleNamespace(sent=tuple(calls))
    rehearsed: Any = SimpleNamespace(gas_used=(110_000, 150_000, 60_000, 60_000, 155_000, 61_000))
    assert _most_used(script, rehearsed) == [110_000, 155_000, 61_000] * 2
