"""How prices go: straight falls, gaps, and the steepest stretches of histories, block by block at a given speed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sandbox.bars import Point, in_small_steps, read_points
from sandbox.demo_crash import steepest

STILL = 3
"""Blocks in which nothing moves, before and after: the keeper meets a quiet market, and may finish."""
MOST_BLOCKS = 400


@dataclass(frozen=True, slots=True)
class Course:
    """One crash: what the price is of where it began, block by block, and how the market around it behaves."""

    name: str
    prices: tuple[Decimal, ...]
    """Shares of the first price."""
    pools: str = "with"
    """Whether pools stand with the oracle, lag one block behind it, or lead it by one."""
    gas: int = 1
    """By how much the base fee is multiplied."""
    symbol: str = "WETH"
    """Whose price it is."""

    def pool_price(self, block: int) -> Decimal:
        """Where the pools stand when the oracle is at `block`."""
        shift = {"with": 0, "lag": -1, "lead": 1}[self.pools]
        return self.prices[min(max(0, block + shift), len(self.prices) - 1)]


def fall(total: str, speed: str) -> tuple[Decimal, ...]:
    """A straight fall of `total`, `speed` a block; both are percent."""
    left, step = 1 - Decimal(total) / 100, 1 - Decimal(speed) / 100
    prices = [Decimal(1)]
    while prices[-1] * step > left:
        prices.append(prices[-1] * step)
    return still([*prices, left])


def gap(size: str, *, after: str = "4", speed: str = "1") -> tuple[Decimal, ...]:
    """A slow slide of `after` percent, then `size` percent in one block, then nothing: nobody acts inside it."""
    slide = fall(after, speed)[STILL:-STILL]
    return still([*slide, slide[-1] * (1 - Decimal(size) / 100)])


def history(file: Path, speed: str) -> tuple[Decimal, ...]:
    """The steepest stretch of a file, each move cut into steps of at most `speed` percent a block."""
    points = in_small_steps(_turns(steepest(read_points(file))), Decimal(speed) / 100)
    first = max(p.price for p in points[: len(points) // 2 + 1])
    begin = next(i for i, p in enumerate(points) if p.price == first)
    lowest = min(range(begin, len(points)), key=lambda i: points[i].price)
    return still([p.price / first for p in points[begin : lowest + 1 + 10]][:MOST_BLOCKS])


def _turns(points: Sequence[Point]) -> list[Point]:
    """Only where the price turns: what lies between is made again at the wanted speed."""
    kept = [points[0]]
    for before, here, then in zip(points, points[1:], points[2:], strict=False):
        if (here.price - before.price) * (then.price - here.price) < 0:
            kept.append(here)
    return [*kept, points[-1]]


def still(prices: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """The same with quiet blocks around it."""
    return (*[prices[0]] * STILL, *prices, *[prices[-1]] * STILL)


def courses(folder: Path, *, is_quick: bool) -> Iterator[Course]:
    """Everything that is played; histories where `folder` has some."""
    if is_quick:
        yield Course("fall 1 %", fall("24", "1"))
        yield Course("fall 2 % lag", fall("24", "2"), "lag")
        yield Course("gap 12 % gas ×100", gap("12"), gas=100)
        return
    for speed in ("4", "2", "1", "0.5"):
        yield Course(f"fall {speed} %", fall("26", speed))
    for pools in ("lag", "lead"):
        for speed in ("0.5", "2"):
            yield Course(f"fall {speed} % {pools}", fall("26", speed), pools)
    for size in ("10", "20", "30"):
        yield Course(f"gap {size} %", gap(size))
    yield Course("gap 12 % lag", gap("12"), "lag")
    for speed in ("0.5", "2"):
        yield Course(f"fall {speed} % gas ×100", fall("26", speed), gas=100)
    yield Course("gap 10 % gas ×100", gap("10"), gas=100)
    yield Course("depeg 1 %", fall("5", "1"), symbol="wstETH")
    for speed in ("2", "0.5"):
        for file in sorted(folder.glob("*.csv")):
            name = file.stem.removeprefix("eth-usd-1h-").removesuffix("-crash")
            yield Course(f"{name} {speed} %", history(file, speed))
    yield Course("fall 0.2 %", fall("26", "0.2"))
