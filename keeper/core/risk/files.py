"""Price files, as people have them: bars as CSV, Binance klines, CryptoDataDownload, freqtrade's JSON. Pure: text in.

Which it is is seen from the text. What is not one of them, or contradicts itself, is refused with its row.
"""

from __future__ import annotations

import csv
import io
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import chain, islice, pairwise

import orjson

from keeper.core.risk.file_times import time_of
from keeper.core.risk.series import BadHistoryError, Bar, bars

_TIMES = (
    "timestamp", "unix", "unix timestamp", "unix_timestamp", "unixtime", "open_time", "open time", "opentime",
    "datetime", "time", "date", "ts",
)  # fmt: skip
_SYMBOLS = ("symbol", "pair")
_PRICES = ("open", "high", "low", "close")
_KLINE = 12
"""Columns of Binance's files, which may come without a head."""
_BARE = 5
"""Columns that rows without a head have at the least: time, open, high, low, close."""
_DELIMITERS = (",", ";", "\t", "|")
MOST_ROWS = 20_000_000
MOST_STEP = 20
"""No asset's price is so many times another from one row to the next: that is a slip, another unit or another asset."""


class BadPriceFileError(ValueError):
    """A text that is no price file, and what to do about it."""


@dataclass(frozen=True, slots=True)
class PriceFile:
    """Bars in the order of time, and the symbol that the file names, where it names one."""

    bars: tuple[Bar, ...]
    symbol: str | None
    form: str
    lines: Sequence[int] = field(default=(), repr=False, compare=False)
    """Where each bar stands in the file."""


Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rows:
    form: str
    rows: Iterator[tuple[int, Cells]]
    """By number in the file: time, open, high, low, close. One at a time: a year of minutes has half a million."""
    symbols: set[str] = field(default_factory=set)
    """Those that the rows read so far name."""


def price_file(text: str) -> PriceFile:
    """Return the bars of a text. Raises BadPriceFileError, which names the row and the remedy."""
    if text[:4] == "PAR1":
        raise BadPriceFileError("is Parquet, which is not read here: write it as CSV (timestamp,open,high,low,close)")
    read = _json(text) if text.lstrip()[:1] in ("[", "{") else _csv(text)
    parsed = [(number, _numbers(number, row)) for number, row in islice(read.rows, MOST_ROWS + 1)]
    if not parsed:
        raise BadPriceFileError("holds no row of prices")
    if len(parsed) > MOST_ROWS:
        raise BadPriceFileError(f"has more than {MOST_ROWS} rows")
    if len(read.symbols) > 1:
        raise BadPriceFileError(f"holds prices of several assets: {', '.join(sorted(read.symbols)[:3])}")
    if parsed[0][1][0] > parsed[-1][1][0]:
        parsed.reverse()  # newest first, as CryptoDataDownload has them
    seconds = _step([row[0] for _, row in parsed])
    try:
        found = bars((row for _, row in parsed), seconds)
    except BadHistoryError as error:
        raise BadPriceFileError(f"line {parsed[error.row - 1][0]}: {error.why}; mend that row, or delete it") from None
    _refuse_leaps(found, [number for number, _ in parsed])
    return PriceFile(found, next(iter(read.symbols), None), read.form, array("Q", (number for number, _ in parsed)))


def _refuse_leaps(found: Sequence[Bar], lines: Sequence[int]) -> None:
    before = found[0].open
    for bar, line in zip(found, lines, strict=True):
        low, high = min(before, bar.low), max(before, bar.high)
        if high > MOST_STEP * low:
            said = (
                f"goes from {low / 10**8:g} to {high / 10**8:g} at once: a slip, another unit, or rows of another asset"
            )
            raise BadPriceFileError(f"line {line}: {said}; mend that row, or delete it")
        before = bar.close


def _json(text: str) -> _Rows:
    try:
        rows = orjson.loads(text)  # which bounds how deep it nests
    except ValueError as error:
        raise BadPriceFileError(f"is no JSON ({error})") from None
    if not isinstance(rows, list) or not all(isinstance(r, list) and len(r) >= _BARE for r in rows):
        raise BadPriceFileError("is JSON, and no list of [time, open, high, low, close, volume] as freqtrade writes it")
    return _Rows("freqtrade", ((i, tuple(str(x) for x in row[:_BARE])) for i, row in enumerate(rows, 1)))


def _csv(text: str) -> _Rows:
    lines = _lines(text)
    form, first = "CSV", next(lines, None)
    if first is not None and "cryptodatadownload" in ",".join(first[1]).lower():
        form, first = "CryptoDataDownload", next(lines, None)
    if first is None:
        raise BadPriceFileError("is empty")
    head = [cell.strip().lower() for cell in first[1]]
    if _is_number(head[1] if len(head) > 1 else ""):
        return _without_head(head, chain((first,), lines))
    form = "Binance klines" if "open_time" in head or "open time" in head else form
    time = next((head.index(t) for t in _TIMES if t in head), None)
    places = [head.index(p) for p in _PRICES if p in head]
    if time is None or len(places) < len(_PRICES):
        raise BadPriceFileError(
            f"has the columns {', '.join(head)[:80]}; it needs timestamp, open, high, low and close"
        )
    symbols, named = set[str](), next((head.index(s) for s in _SYMBOLS if s in head), None)
    return _Rows(form, _picked(lines, (time, *places), named, symbols), symbols)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows by number in the file, divided by what divides the first of them most often."""
    begin = "\n".join(islice((line for line in io.StringIO(text) if line.strip()), 3))
    rows = csv.reader(io.StringIO(text), delimiter=max(_DELIMITERS, key=begin.count))
    try:
        yield from ((i, row) for i, row in enumerate(rows, 1) if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise BadPriceFileError(f"is no text of rows ({error})") from None


def _without_head(head: Sequence[str], lines: Iterator[tuple[int, list[str]]]) -> _Rows:
    """Return rows that only their order explains: another order than time, open, high, low, close is no bar."""
    if len(head) < _BARE:
        raise BadPriceFileError("has no head: write timestamp,open,high,low,close above the rows")
    form = "Binance klines" if len(head) >= _KLINE - 1 else "CSV"
    return _Rows(form, _picked(lines, range(_BARE), None, set()))


def _is_number(cell: str) -> bool:
    try:
        Decimal(cell)
    except InvalidOperation:
        return False
    return True


def _picked(
    lines: Iterator[tuple[int, list[str]]], places: Sequence[int], named: int | None, symbols: set[str]
) -> Iterator[tuple[int, Cells]]:
    """Yield the cells at some places, and add what symbols there are."""
    for number, row in lines:
        if len(row) <= max(places):
            raise BadPriceFileError(f"line {number}: has {len(row)} columns only")
        if named is not None and named < len(row):
            symbols.add(row[named].strip().upper())
        yield number, tuple(row[i] for i in places)


def _numbers(number: int, row: tuple[str, ...]) -> tuple[int, int, int, int, int]:
    try:
        time = time_of(row[0].strip())
        first, high, low, last = (int(Decimal(cell.strip()).scaleb(8)) for cell in row[1:])
    except (InvalidOperation, ValueError, OverflowError):
        raise BadPriceFileError(
            f"line {number}: {', '.join(row)[:60]} are no time (unix seconds, or a date like 2022-11-08 14:00) and "
            "prices; mend that row, or delete it"
        ) from None
    return time, first, high, low, last


def _step(times: Sequence[int]) -> int:
    """Return the seconds that a bar lasts: the step that most rows are apart."""
    steps = Counter(b - a for a, b in pairwise(times))
    if not steps:
        raise BadPriceFileError("holds one row: nobody can tell how long a bar lasts")
    step, _ = steps.most_common(1)[0]
    if step <= 0:
        raise BadPriceFileError("is not in the order of time: sort its rows by their time")
    return step
