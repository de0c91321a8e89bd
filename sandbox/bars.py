"""Price histories from CSV, and the path the price takes inside a bar. Pure; prices are Decimals, times epoch seconds.

Two kinds of file, with a header: `timestamp,open,high,low,close` or `timestamp,price`.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import NamedTuple

from sandbox.errors import SandboxError

OHLC, TICKS = ["timestamp", "open", "high", "low", "close"], ["timestamp", "price"]
DEFAULT_BAR_S = 3600
LARGEST_MOVE = Decimal("0.01")  # a feed answers at least this often on the way
MOST_STEPS = 200  # between two points, however far apart


class Point(NamedTuple):
    """The price at a time."""

    timestamp: int
    price: Decimal


class Bar(NamedTuple):
    """One row: `duration_s` seconds from `timestamp`."""

    timestamp: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    duration_s: int = DEFAULT_BAR_S


def read_points(path: Path) -> list[Point]:
    """The whole file as a path of the price, in time order; a bad file says which line and why."""
    try:
        with path.open(newline="") as file:
            return list(_parse(file, path.name))
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not a text file'}") from None


def _parse(lines: Iterable[str], name: str) -> Iterator[Point]:
    rows = csv.reader(lines)
    header = [column.strip().lower() for column in next(rows, [])]
    if header not in (OHLC, TICKS):
        raise SandboxError(f"{name}, line 1: the columns must be {','.join(OHLC)} or {','.join(TICKS)}")
    bars: list[Bar] = []
    for row in rows:
        if not row:
            continue
        bar = _bar(row, header, f"{name}, line {rows.line_num}")
        if bars and bar.timestamp <= bars[-1].timestamp:
            raise SandboxError(f"{name}, line {rows.line_num}: timestamp {bar.timestamp} is not after the one before")
        bars.append(bar)
    if not bars:
        raise SandboxError(f"{name}: no prices after the header")
    if header == TICKS:
        yield from (Point(bar.timestamp, bar.close) for bar in bars)
        return
    for bar in _with_durations(bars):
        yield from path_inside(bar)


def _bar(row: Sequence[str], header: Sequence[str], where: str) -> Bar:
    if len(row) != len(header):
        raise SandboxError(f"{where}: {len(row)} columns where {len(header)} belong")
    try:
        timestamp = int(row[0])
    except ValueError:
        raise SandboxError(f"{where}: timestamp {row[0]!r} is not a whole number of seconds") from None
    prices = [_price(text, column, where) for text, column in zip(row[1:], header[1:], strict=True)]
    first, high, low, close = prices if len(prices) > 1 else prices * 4
    bar = Bar(timestamp, first, high, low, close)
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        raise SandboxError(f"{where}: open and close must lie between low and high")
    return bar


def _price(text: str, column: str, where: str) -> Decimal:
    try:
        price = Decimal(text.strip())
    except InvalidOperation:
        raise SandboxError(f"{where}: {column} {text!r} is not a number") from None
    if not price.is_finite() or price <= 0:
        raise SandboxError(f"{where}: {column} {text!r} is not a price above zero")
    return price


def _with_durations(bars: Sequence[Bar]) -> Iterator[Bar]:
    """A bar lasts as long as the usual distance to the next one; a hole in the data stays a hole."""
    gaps = sorted(b.timestamp - a.timestamp for a, b in pairwise(bars))
    usual = gaps[len(gaps) // 2] if gaps else DEFAULT_BAR_S
    return (bar._replace(duration_s=usual) for bar in bars)


def path_inside(bar: Bar) -> list[Point]:
    """A falling bar goes open, high, low, close, a rising one open, low, high, close: a quarter of the bar apart."""
    falling = bar.close < bar.open
    middle = (bar.high, bar.low) if falling else (bar.low, bar.high)
    prices = (bar.open, *middle, bar.close)
    quarter = bar.duration_s / 4
    return [Point(bar.timestamp + int(i * quarter), price) for i, price in enumerate(prices)]


def in_small_steps(points: Sequence[Point], largest_move: Decimal = LARGEST_MOVE) -> list[Point]:
    """The same path with points between, so that no step moves further than `largest_move` (a fraction)."""
    steps = [points[0]]
    for start, end in pairwise(points):
        move = abs(end.price - start.price) / min(end.price, start.price)
        parts = min(max(1, ceil(move / largest_move)), MOST_STEPS, max(1, end.timestamp - start.timestamp))
        for i in range(1, parts + 1):
            share = Decimal(i) / parts
            timestamp = start.timestamp + int((end.timestamp - start.timestamp) * share)
            steps.append(Point(timestamp, start.price + (end.price - start.price) * share))
    return steps


def scaled_to(points: Sequence[Point], first_price: Decimal) -> list[Point]:
    """The same moves from another start."""
    factor = first_price / points[0].price
    return [Point(p.timestamp, p.price * factor) for p in points]
