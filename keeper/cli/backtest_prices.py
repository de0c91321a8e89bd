"""The price files of a back-test: of which asset each is, several of one joined, and what is no history refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from keeper.backtest.course import LONGEST_GAP_S
from keeper.backtest.document import digest
from keeper.cli.common import Exit, fail
from keeper.cli.price_files import pair_of_file, read_prices
from keeper.cli.words import time_text
from keeper.core.risk.file_names import QuotedPair
from keeper.core.risk.file_times import time_of
from keeper.core.risk.files import PriceFile
from keeper.core.risk.series import Bar

USUAL = "WETH"
WRAPPED = {"ETH": "WETH", "BTC": "WBTC", "XBT": "WBTC"}
"""What an asset is called as collateral, where its file has the name of the coin."""
HOUR_S = 3600
EVER = 2**62
Span = Callable[[str], tuple[int, int]]
"""By asset: from when until when its file is played."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an asset."""

    path: Path
    read: PriceFile


def price_tables(words: Sequence[str], span: Span) -> dict[str, dict[str, Any]]:
    """Return the bars of each asset, as a document has them. Ends with what is wrong with a file."""
    parts = dict[str, list[Part]]()
    for word in words:
        symbol, part = _part(word)
        parts.setdefault(symbol, []).append(part)
    return {symbol: _table(symbol, of, *span(symbol)) for symbol, of in parts.items()}


def between(since: str | None, until: str | None) -> Span:
    """Return the time that the words of the line leave of every file."""
    begin = 0 if since is None else _moment("--since", since)
    end = EVER if until is None else _moment("--until", until)
    return lambda _: (begin, end)


def as_played(prices: Mapping[str, Any]) -> Span:
    """Return the time of each asset's file that a document was made of."""
    spans = {symbol: of.get("span") for symbol, of in prices.items()}
    return lambda symbol: tuple(spans.get(symbol) or (0, EVER))


def _part(word: str) -> tuple[str, Part]:
    symbol, is_named, name = word.partition("=")
    path = Path(name if is_named else word)
    read = read_prices(path)
    pair = pair_of_file(path, read)
    if pair is not None and not pair.is_in_dollars:
        _refuse_money(path, pair)
    if not is_named:
        asset = USUAL if pair is None else pair.asset
        return WRAPPED.get(asset, asset), Part(path, read)
    if pair is not None and not pair.is_of(symbol):
        fail(
            Exit.FAILED,
            f"{path}: is of {pair}, and not of {symbol.upper()}; name the asset that it is of: "
            f"{WRAPPED.get(pair.asset, pair.asset)}={path.name}",
        )
    return symbol.upper(), Part(path, read)


def _refuse_money(path: Path, pair: QuotedPair) -> NoReturn:
    fail(
        Exit.FAILED,
        f"{path}: is {pair}, and so counts in {pair.money}; a back-test counts in dollars: give a file of {pair.asset} "
        "in USD, USDT or USDC",
    )


def _table(symbol: str, parts: list[Part], begin: int, end: int) -> dict[str, Any]:
    joined = _joined(symbol, parts)
    bars = [bar for bar in joined if bar.at >= begin and bar.at + bar.seconds <= end]
    names = ", ".join(part.path.name for part in parts)
    if len(bars) < 2:
        first, last = time_text(joined[0].at), time_text(joined[-1].at + joined[-1].seconds)
        fail(Exit.BAD_SETTINGS, f"{names}: lasts from {first} to {last}: --since and --until leave nothing of it")
    _refuse_holes(parts, bars)
    rows = [[b.at, b.open, b.high, b.low, b.close] for b in bars]
    forms = ", ".join(dict.fromkeys(part.read.form for part in parts))
    return {
        "file": names, "form": forms, "seconds": bars[0].seconds, "digest": digest(rows),
        "span": [bars[0].at, bars[-1].at + bars[-1].seconds], "bars": rows,
    }  # fmt: skip


def _joined(symbol: str, parts: list[Part]) -> list[Bar]:
    """Return the bars of several files of one asset, which follow upon one another. Ends where they do not."""
    parts.sort(key=lambda part: part.read.bars[0].at)
    for before, after in pairwise(parts):
        a, b = before.read.bars, after.read.bars
        if a[0].seconds != b[0].seconds:
            lasts = f"{a[0].seconds} s, and those of {after.path.name} {b[0].seconds} s"
            fail(Exit.FAILED, f"{symbol}: bars of {before.path.name} last {lasts}: give files of one length of bar")
        if b[0].at < a[-1].at + a[-1].seconds:
            fail(
                Exit.FAILED,
                f"{symbol}: {after.path.name} begins {time_text(b[0].at)}, before {before.path.name} ends "
                f"{time_text(a[-1].at + a[-1].seconds)}: files of one asset follow upon one another; give each time "
                "once, and name what are files of different assets: SYMBOL=FILE",
            )
    return [bar for part in parts for bar in part.read.bars]


def _refuse_holes(parts: Sequence[Part], bars: Sequence[Bar]) -> None:
    for a, b in pairwise(bars):
        ended, hole = a.at + a.seconds, b.at - a.at - a.seconds
        if hole > LONGEST_GAP_S:
            fail(
                Exit.FAILED,
                f"{_where(parts, b)}: nothing is known for {hole // HOUR_S} h before it, from {time_text(ended)} on; "
                f"nobody knows what a position lived through then: play one side of the hole, --until {ended} or "
                f"--since {b.at}",
            )


def _where(parts: Sequence[Part], bar: Bar) -> str:
    """Return the file and the line of a bar."""
    part = next(p for p in reversed(parts) if p.read.bars[0].at <= bar.at)
    return f"{part.path}: line {part.read.lines[part.read.bars.index(bar)]}"


def _moment(option: str, word: str) -> int:
    try:
        return time_of(word.strip())
    except ValueError:
        fail(Exit.BAD_SETTINGS, f"{option} {word!r}: is no time; write a date like 2022-11-08, or unix seconds")
