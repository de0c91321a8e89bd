"""Price histories: how they are read, and that the feeds follow them."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from sandbox.bars import Bar, Point, in_small_steps, path_inside, read_points, scaled_to
from sandbox.errors import SandboxError
from sandbox.replay import Replay
from sandbox.world import World

HEADER = "timestamp,open,high,low,close\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "prices.csv"
    path.write_text(text)
    return path


def bar(*prices: int) -> Bar:
    return Bar(0, *map(Decimal, prices), 3600)


def test_falling_bar_goes_up_before_it_falls() -> None:
    assert [p.price for p in path_inside(bar(100, 110, 80, 90))] == [100, 110, 80, 90]


def test_rising_bar_goes_down_before_it_rises() -> None:
    assert [p.price for p in path_inside(bar(90, 110, 80, 100))] == [90, 80, 110, 100]


def test_no_step_moves_more_than_one_percent() -> None:
    steps = in_small_steps([Point(0, Decimal(100)), Point(3600, Decimal(50))])
    assert all(abs(b.price / a.price - 1) <= Decimal("0.01") for a, b in pairwise(steps))
    assert steps[-1] == Point(3600, Decimal(50))


def test_scaling_keeps_the_moves() -> None:
    points = scaled_to([Point(0, Decimal(200)), Point(1, Decimal(100))], Decimal(2000))
    assert [p.price for p in points] == [2000, 1000]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: the columns must be"),
        ("time,price\n", "line 1: the columns must be"),
        (HEADER, "no prices"),
        (HEADER + "0,1,1,1,1\n60,1,1,1\n", "line 3: 4 columns where 5 belong"),
        (HEADER + "noon,1,1,1,1\n", "line 2: timestamp 'noon'"),
        (HEADER + "0,1,x,1,1\n", "line 2: high 'x' is not a number"),
        (HEADER + "0,1,1,0,1\n", "line 2: low '0' is not a price above zero"),
        (HEADER + "0,1,1,nan,1\n", "line 2: low 'nan'"),
        (HEADER + "0,5,4,1,2\n", "line 2: open and close must lie between"),
        (HEADER + "60,1,1,1,1\n60,1,1,1,1\n", "line 3: timestamp 60 is not after"),
    ],
)
def test_bad_file_is_told_by_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SandboxError, match=complaint):
        read_points(write(tmp_path, text))


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot read"):
        read_points(tmp_path / "none.csv")


@pytest.mark.world
def test_feeds_follow_the_file_and_stay_fresh(world: World, tmp_path: Path) -> None:
    rows = "0,100,101,89,90\n3600,90,90,60,80\n"
    seen: list[Decimal] = []
    began = world.now
    Replay(
        world,
        read_points(write(tmp_path, HEADER + rows)),
        speed=1e6,
        betas={"WBTC": 0.5},
        scale_to_start=True,
        on_progress=lambda progress: seen.append(progress.price),
    ).run()
    assert world.price("WETH") == 1600
    assert abs(world.price("WBTC") - 60_000 * Decimal("0.8").sqrt()) < 1
    assert (min(seen), max(seen)) == (1200, 2020)
    assert 6300 <= world.now - began <= 6400
    assert set(world.updated_at().values()) == {world.now}


@pytest.mark.world
def test_under_interval_mining_time_runs_at_the_asked_speed(tmp_path: Path) -> None:
    points = read_points(write(tmp_path, "timestamp,price\n0,2000\n1200,1700\n2400,1900\n"))
    with World.start(block_time=0.2) as ticking:
        began, first = ticking.now, ticking.w3.eth.block_number
        seen: list[Decimal] = []
        Replay(ticking, points, speed=1200, on_progress=lambda progress: seen.append(progress.price)).run()
        blocks = ticking.w3.eth.block_number - first
        assert ticking.price("WETH") == 1900
        assert min(seen) == 1700
        assert abs((ticking.now - began) - 240 * blocks) <= 240


@pytest.mark.world
def test_replay_of_a_symbol_without_a_feed_is_refused(world: World) -> None:
    with pytest.raises(SandboxError, match="wstETH"):
        Replay(world, [Point(0, Decimal(1))], speed=1, symbol="wstETH")
