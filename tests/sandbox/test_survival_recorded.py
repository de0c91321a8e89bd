"""Two recorded cases in which gas dripped away: call by call, in a slow fall, at a gas price that is dear for the size.

A staked-ether loop from a health factor of 1.055 took 37 plans and 599 dollars of gas to put off a penalty of 729. A
position of 3,000 dollars took 60 transactions and 228 dollars against 86. Gas never costs more than the owner's share
of what a liquidation would take, and a rescue that cannot be had for that is held, and not begun in parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.survival.cells import SALE, Setting, settle
from sandbox.survival.paths import Course, fall
from sandbox.survival.play import Line, Played, play
from sandbox.survival.verdict import verdicts
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]

LOOP = Setting("loop", "1.055", "1.05", "1.09", SALE, (("wstETH", "30"),), "WETH", emode=1)
SMALL = Setting("small", "1.15", "1.10", "1.20", SALE, (("WETH", "1.5"),))
DEPEG = Course("depeg", fall("6", "0.25"), gas=10, symbol="wstETH")
SLIDE = Course("slide", fall("16", "0.5"), gas=7)
HALF = Decimal("0.5")


@pytest.fixture
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


def played(world: World, setting: Setting, course: Course, folder: Path) -> tuple[Played, Line, Decimal]:
    """Play one position alone; with it, what could have been lost of it at the beginning."""
    (cell,) = settle(world, [setting])
    world.warp(600)
    world.refresh_feeds()
    data = world.account_data(cell.owner.address)
    bonus = Decimal("0.01") if setting.emode else Decimal("0.05")
    whole = Decimal(data.debt).scaleb(-8) * (1 + bonus) * bonus
    found = asyncio.run(play(world, course, [cell], folder, lambda *_: None))
    (line,) = found.lines
    return found, line, whole


@pytest.mark.parametrize(("setting", "course"), [(LOOP, DEPEG), (SMALL, SLIDE)], ids=["loop", "small"])
@pytest.mark.parametrize("is_batch", [False, True], ids=["calls", "batch"])
def test_gas_of_a_danger_costs_no_more_than_the_share_of_what_it_averts(
    world: World, setting: Setting, course: Course, is_batch: bool, tmp_path: Path
) -> None:
    """Half of the penalty at the most, in a few plans; and never gas on top of a liquidation that it put off."""
    found, line, whole = played(world, replace(setting, is_batch=is_batch), course, tmp_path)
    (verdict,) = verdicts(found)
    assert line.fired, "the fall reached the rule"
    assert line.alone, "nobody kept its twin"
    assert line.gas <= whole * HALF, verdict
    assert sum(line.outcomes.values()) <= 6, line.outcomes
    assert line.cost <= line.alone_lost * Decimal("1.05") + 2, verdict
    assert not verdict.is_fault, verdict
    if is_batch:
        assert not line.liquidated, verdict
