"""An owner's own forecaster in a running keeper: whatever it does, the keeper goes on, and the owner hears of it."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from core_builders import BLOCK, at
from paper import market

from keeper.core.block import BlockRef
from keeper.core.prices import Doubt
from keeper.core.risk.forecast import of_own, usual
from keeper.core.risk.series import Series, series
from keeper.core.units import DAY_S, HOUR_S, Address
from keeper.service.guarded_forecaster import Guarded
from keeper.snapshot.movements import Movements

Own = Callable[[Sequence[int], Sequence[float], int, int], Any]


def walked() -> Series:
    """Ten days of hourly prices until the block."""
    prices = [2000 + 60 * math.sin(i) + 40 * math.sin(i / 7) for i in range(240)]
    return series((BLOCK.timestamp - (239 - i) * HOUR_S, round(p * 10**8)) for i, p in enumerate(prices))


WHOLE = walked()
USUAL = usual(WHOLE, BLOCK.timestamp, DAY_S, 2 * HOUR_S)


class Walked:
    """A history that is there at once."""

    async def of(self, _block: BlockRef, _feed: Address, _since: int) -> Series:
        return WHOLE


def asked(of: Guarded) -> float | Doubt:
    return of(WHOLE, BLOCK.timestamp, DAY_S, 2 * HOUR_S)


def raises(*_: object) -> float:
    raise ZeroDivisionError("no model")


def leaves(*_: object) -> float:
    sys.exit(1)


def breaks_off(*_: object) -> float:
    raise KeyboardInterrupt


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("own", "said"),
    [
        (raises, "ZeroDivisionError no model"),
        (leaves, "ended without an answer: SystemExit"),
        (breaks_off, "ended without an answer: KeyboardInterrupt"),
        (lambda *_: math.nan, "nan, which is no volatility"),
        (lambda *_: -0.8, "-0.8, which is no volatility"),
        (lambda *_: 0.0, "0.0, which is no volatility"),
        (lambda *_: math.inf, "inf, which is no volatility"),
        (lambda *_: 10.0**9, "which is no volatility"),
        (lambda *_: "calm", "ValueError"),
        (lambda *_: None, "TypeError"),
        (lambda: 0.8, "TypeError"),
    ],
    ids=[
        "raises",
        "exits",
        "breaks off",
        "nan",
        "negative",
        "zero",
        "infinite",
        "absurd",
        "text",
        "nothing",
        "takes nothing",
    ],
)
def test_where_it_has_no_answer_the_usual_one_speaks(own: Own, said: str) -> None:
    """Its rules are not blind for somebody else's mistake; why, is kept to be reported once."""
    guarded = Guarded(of_own(own))
    assert asked(guarded) == USUAL
    trouble = guarded.trouble()
    assert trouble is not None
    assert said in trouble
    assert guarded.trouble() is None


def test_its_answer_is_its_own() -> None:
    """And no trouble."""
    guarded = Guarded(of_own(lambda *_: 1.25))
    assert asked(guarded) == 1.25
    assert guarded.trouble() is None


def test_what_nobody_knows_is_no_fault_of_a_forecaster() -> None:
    """A history that is too short is unknown by the usual one as well: a Doubt, and no alarm about the forecaster."""
    guarded = Guarded(of_own(raises))
    assert isinstance(guarded(Series(()), BLOCK.timestamp, DAY_S, HOUR_S), Doubt)
    assert guarded.trouble() is None


def test_one_that_hangs_is_waited_for_once_and_asked_again_when_it_has_answered() -> None:
    """Never twice at once: a hundred markets do not make a hundred threads, nor wait a hundred times."""
    gate, calls = threading.Event(), list[int]()

    def hangs(*_: object) -> float:
        calls.append(1)
        gate.wait(20)
        return 1.25

    guarded = Guarded(of_own(hangs), within_s=0.05)
    began = time.monotonic()
    assert [asked(guarded) for _ in range(50)] == [USUAL] * 50
    assert time.monotonic() - began < 5
    assert len(calls) == 1
    assert "did not answer within" in (guarded.trouble() or "")
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "forecaster":
            thread.join(5)
    assert asked(guarded) == 1.25


async def measured(own: Own, within_s: float = 0.3) -> tuple[Movements, list[str]]:
    said, guarded = list[str](), Guarded(of_own(own), within_s)
    movements = Movements(
        Walked(),  # type: ignore[arg-type]
        lambda key, title, body: said.append(f"{key}: {title}: {body}"),
        lambda key, _: said.append(f"{key} calm"),
        waits=True,
        forecast=guarded,
        trouble=guarded.trouble,
    )
    listed = {x.asset: replace(x, feed=at("F" + x.symbol)) for x in market().listings[:2]}
    found = await movements.now(BLOCK, listed)
    assert found is not None
    assert all(m.volatility == USUAL for m in found.movements.values())
    return movements, said


async def test_its_owner_hears_of_it() -> None:
    """Which forecaster, why, and what speaks in its place; the measure is there all the same."""
    _, said = await measured(raises)
    (alarm,) = [line for line in said if line.startswith("forecaster")]
    assert "no answer" in alarm
    assert "ZeroDivisionError no model" in alarm
    assert "usual forecaster speaks in its place" in alarm


async def test_no_block_waits_for_one_that_hangs() -> None:
    """The loop turns while it is waited for."""
    gate, turns = threading.Event(), 0

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.005)

    beside = asyncio.create_task(turning())
    _, said = await measured(lambda *_: gate.wait(20))
    gate.set()
    beside.cancel()
    assert turns > 5
    assert any("did not answer within" in line for line in said)
