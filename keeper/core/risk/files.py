"""Price files, as people have them: bars as CSV, Binance klines, CryptoDataDownload, freqtrade's JSON. Pure: text in.

Which it is is seen from the text. What is not one of them, or contradicts itself, is refused with its row.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise

import orjson

from keeper.core.risk.series import MOST_TIME, BadHistoryError, Bar, bars

_TIMES = ("timestamp", "unix", "unix timestamp", "open_time", "open time", "time", "date")
_SYMBOLS = ("symbol", "pair")
_PRICES = ("open", "high", "low", "close")
_KLINE = 12
"""Columns of Binance's files, which may come without a head."""
MOST_ROWS = 20_000_000


class BadPriceFileError(ValueError):
    """A text that is no price file, and what to do about it."""


@dataclass(frozen=True, slots=True)
class PriceFile:
    """Bars in the order of time, and the symbol that the file names, where it names one."""

    bars: tuple[Bar, ...]
    symbol: str | None
    form: str


@dataclass(frozen=True, slots=True)
class _Rows:
    form: str
    rows: list[tuple[int, tuple[str, ...]]]
    """By number in the file: time, open, high, low, close."""
    symbol: str | None = None


def price_file(text: str) -> PriceFile:
    """Return the bars of a text. Raises BadPriceFileError, which names the row and the remedy."""
    if text[:4] == "PAR1":
        raise BadPriceFileError("is Parquet, which is not read here: write it as CSV (timestamp,open,high,low,close)")
    read = _json(text) if text.lstrip()[:1] in ("[", "{") else _csv(text)
    if not read.rows:
        raise BadPriceFileError("holds no row of prices")
    parsed = [(number, _numbers(number, row)) for number, row in read.rows]
    if len(parsed) > 1 and all(a[1][0] > b[1][0] for a, b in pairwise(parsed)):
        parsed.reverse()  # newest first, as CryptoDataDownload has them
    seconds = _step([row[0] for _, row in parsed])
    try:
        found = bars((row for _, row in parsed), seconds)
    except BadHistoryError as error:
        raise BadPriceFileError(f"line {parsed[error.row - 1][0]}: {error.why}") from None
    return PriceFile(found, read.symbol, read.form)


def _json(text: str) -> _Rows:
    try:
        rows = orjson.loads(text)  # which bounds how deep it nests
    except ValueError as error:
        raise BadPriceFileError(f"is no JSON ({error})") from None
    if not isinstance(rows, list) or not all(isinstance(r, list) and len(r) >= len(_PRICES) + 1 for r in rows):
        raise BadPriceFileError("is JSON, and no list of [time, open, high, low, close, volume] as freqtrade writes it")
    return _Rows("freqtrade", [(i, tuple(str(x) for x in row[:5])) for i, row in enumerate(rows, 1)])


def _csv(text: str) -> _Rows:
    lines = [(i, row) for i, row in enumerate(csv.reader(text.splitlines()), 1) if any(cell.strip() for cell in row)]
    if len(lines) > MOST_ROWS:
        raise BadPriceFileError(f"has more than {MOST_ROWS} rows")
    form = "CSV"
    if lines and "cryptodatadownload" in ",".join(lines[0][1]).lower():
        form, lines = "CryptoDataDownload", lines[1:]
    if not lines:
        raise BadPriceFileError("is empty")
    head = [cell.strip().lower() for cell in lines[0][1]]
    if head and head[0].replace(".", "", 1).isdigit():
        if len(head) < _KLINE - 1:
            raise BadPriceFileError("has no head: write timestamp,open,high,low,close above the rows")
        return _Rows("Binance klines", [(i, tuple(row[:5])) for i, row in lines])
    form = "Binance klines" if "open_time" in head or "open time" in head else form
    time = next((head.index(t) for t in _TIMES if t in head), None)
    places = [head.index(p) for p in _PRICES if p in head]
    if time is None or len(places) < len(_PRICES):
        raise BadPriceFileError(
            f"has the columns {', '.join(head)[:80]}; it needs timestamp, open, high, low and close"
        )
    return _Rows(form, list(_picked(lines[1:], (time, *places))), _one_symbol(head, lines[1:]))


def _picked(lines: Sequence[tuple[int, list[str]]], places: Sequence[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    for number, row in lines:
        if len(row) <= max(places):
            raise BadPriceFileError(f"line {number}: has {len(row)} columns only")
        yield number, tuple(row[i] for i in places)


def _one_symbol(head: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> str | None:
    place = next((head.index(s) for s in _SYMBOLS if s in head), None)
    if place is None:
        return None
    found = {row[place].strip().upper() for _, row in lines if len(row) > place}
    if len(found) > 1:
        raise BadPriceFileError(f"holds prices of several assets: {', '.join(sorted(found)[:3])}")
    return next(iter(found), None)


def _numbers(number: int, row: tuple[str, ...]) -> tuple[int, int, int, int, int]:
    try:
        at, first, high, low, last = (Decimal(cell.strip()) for cell in row)
        whole = [int(price.scaleb(8)) for price in (first, high, low, last)]
        time = int(at)
    except (InvalidOperation, ValueError, OverflowError):
        raise BadPriceFileError(
            f"line {number}: {', '.join(row)[:60]} are no time in unix seconds and prices"
        ) from None
    while time >= MOST_TIME:  # milliseconds, and microseconds as Binance has them since 2025
        time //= 1_000
    return time, whole[0], whole[1], whole[2], whole[3]


def _step(times: Sequence[int]) -> int:
    """Return the seconds that a bar lasts: the step that most rows are apart."""
    steps = Counter(b - a for a, b in pairwise(times))
    if not steps:
        raise BadPriceFileError("holds one row: nobody can tell how long a bar lasts")
    step, _ = steps.most_common(1)[0]
    if step <= 0:
        raise BadPriceFileError("is not in the order of time")
    return step
