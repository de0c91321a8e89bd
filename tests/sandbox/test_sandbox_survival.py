"""The survival harness: its paths, its model, and one crash in lockstep."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.demo_scene import read_equity, read_liquidations
from sandbox.survival.model import Hosted
from sandbox.survival.paths import STILL, Course, fall, gap, history
from sandbox.world import World


def test_a_fall_goes_down_by_the_same_share_each_block() -> None:
    """From one to the wanted depth, never faster than asked for, with quiet blocks around it."""
    prices = fall("20", "1")
    assert prices[:STILL] == (1,) * STILL
    assert prices[-1] == Decimal("0.8")
    assert all(then >= now * Decimal("0.99") for now, then in itertools.pairwise(prices))


def test_a_gap_is_one_block() -> None:
    """All of it between two blocks, after a slow slide."""
    moves = [then / now for now, then in zip(gap("30"), gap("30")[1:], strict=False)]
    assert min(moves) == Decimal("0.7")
    assert sum(move < Decimal("0.98") for move in moves) == 1


def test_a_history_is_played_at_the_speed_asked_for(tmp_path: Path) -> None:
    """No block moves further; the depth of the stretch stays."""
    file = tmp_path / "x.csv"
    rows = [f"{i * 3600},{price}" for i, price in enumerate([100, 101, 100, 90, 92, 70, 55, 56])]
    file.write_text("timestamp,price\n" + "\n".join(rows) + "\n")
    prices = history(file, "2")
    moves = [abs(then / now - 1) for now, then in itertools.pairwise(prices)]
    assert max(moves) <= Decimal("0.0205")
    assert min(prices) < Decimal("0.56")


def test_pools_lag_or_lead_by_a_block() -> None:
    """Where they stand when the oracle is at a block."""
    prices = tuple(Decimal(p) for p in ("1", "0.9", "0.8"))
    assert Course("x", prices, "lag").pool_price(1) == 1
    assert Course("x", prices, "lead").pool_price(1) == Decimal("0.8")
    assert Course("x", prices, "with").pool_price(1) == Decimal("0.9")


def _hosted() -> Hosted:
    one = Decimal(1)
    return Hosted(Decimal(20), Decimal(30_000), Decimal("0.83"), Decimal("0.05"), Decimal("1.10"), one + Decimal("0.2"))


def test_the_model_sells_a_block_later_for_a_quarter_percent() -> None:
    """Decided at one block, done at the pools' price of the next: it reaches its target and pays its fees."""
    hosted, price = _hosted(), Decimal(1980)
    hosted.block(price, price, Decimal(3))
    assert hosted.acted == 0
    hosted.block(price, price, Decimal(3))
    assert hosted.acted == 1
    assert abs(hosted.health(price) - Decimal("1.2")) < Decimal("0.005")
    assert Decimal(20) < hosted.cost < Decimal(60)


def test_the_model_is_liquidated_like_anybody() -> None:
    """A gap below liquidation: half of the debt at the bonus."""
    hosted = _hosted()
    hosted.block(Decimal(1800), Decimal(1800), Decimal(3))
    assert hosted.liquidated == 1
    assert hosted.cost == Decimal(15_000) * Decimal("0.05")


@pytest.mark.world
@pytest.mark.timeout(120)
def test_a_crash_in_lockstep_spares_who_has_means_and_not_the_twin() -> None:
    """One position with a wallet, a fall of 1 % a block: kept, cheaper than the model, its twin liquidated."""
    command = [
        sys.executable,
        "-m",
        "sandbox.survival",
        "--quick",
        "--json",
        "--only",
        "fall 1",
        "--position",
        "top-up",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert [row["liquidated"] for row in rows] == [0, 0]
    assert all(row["alone"] > 100 and row["cost"] < row["hosted"] for row in rows)


@pytest.mark.world
def test_what_is_lost_to_a_liquidation_includes_the_protocol_s_share() -> None:
    """A tenth of the bonus goes to the protocol: it is as lost to the owner as what the liquidator gets."""
    with World.start() as world:
        owner, begin = world.account(0).address, world.w3.eth.block_number
        world.open_position(owner, {"WETH": 10 * 10**18}, {"USDC": 14_000 * 10**6})
        world.set_price("WETH", 1650)
        world.mint("USDC", world.role("liquidator"), 7_000 * 10**6)
        before = read_equity(world, owner, world.w3.eth.block_number, world.w3.eth.block_number)
        pair = world.token("WETH").address, world.token("USDC").address
        call = world.pool.functions.liquidationCall(*pair, owner, 7_000 * 10**6, False)
        world.chain.send(call, world.role("liquidator"))
        (found,) = read_liquidations(world, begin)
        lost = before - read_equity(world, owner, world.w3.eth.block_number, world.w3.eth.block_number)
    assert abs(found.penalty_usd - Decimal(350)) < Decimal("0.1"), "the whole bonus of 5 %"
    assert abs(found.penalty_usd - lost) < Decimal("0.1")
