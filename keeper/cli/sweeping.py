"""``keeper backtest --sweep``: many settings on many accounts, and the frontier of cost against survival."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from html import escape
from pathlib import Path
from typing import Any

from rich.table import Table

from keeper.backtest.document import BadBacktestError
from keeper.backtest.frontier import Mark, frontier, marks
from keeper.backtest.grid import Grid
from keeper.backtest.sweep import Sweep, cores, swept
from keeper.cli.backtest_document import document_of
from keeper.cli.backtest_given import Given, Shown, Varied
from keeper.cli.charts import scatter
from keeper.cli.common import Exit, fail, finish, out
from keeper.cli.option_words import number
from keeper.cli.show_risk import STYLE
from keeper.cli.words import as_json_text
from keeper.core.units import duration
from keeper.observe.voice import silence

MOST_VALUES = 200
VARIED = ("healths", "triggers", "targets", "probabilities", "smaller", "goals")
HEAD = ("setting", "survived", "keeping it", "lost in all", "actions", "")


@dataclass(slots=True)
class Meter:
    """Progress on standard error: one line that is written again, once a second."""

    begun: float = field(default_factory=time.monotonic)
    first: int | None = None
    said: float = 0.0

    def __call__(self, done: int, of: int) -> None:
        """Say how far it is, and how long it will take."""
        now = time.monotonic()
        self.first = done if self.first is None else self.first
        if now - self.said < 1 and done < of:
            return
        self.said, rate = now, (done - self.first + 1) / max(1e-9, now - self.begun)
        text = f"{done} of {of} trials, {rate:.1f} a second, {duration((of - done) / rate)} left"
        end = "\n" if done == of or not sys.stderr.isatty() else "\r"
        sys.stderr.write(f"{text:<70}{end}")
        sys.stderr.flush()


def sweep(given: Given, varied: Varied, file: Path, shown: Shown) -> None:
    """Play what is varied, and show which settings none beats. Ends the command."""
    document, grid = document_of(given), _grid(varied)
    if "perp" in document:
        fail(Exit.BAD_SETTINGS, "--sweep: varies loans only; play a perpetual position without it")
    rule = next(way for way in document["ways"] if way["name"] == "fixed thresholds")["rules"][0]
    silence()
    try:
        made = Sweep(document | {"ways": []}, grid, rule)
        del document  # a year of minutes, which the sweep lets go once its courses are made
        rows = swept(made, file, varied.jobs or cores(), Meter())
    except BadBacktestError as error:
        fail(Exit.FAILED, str(error))
    except OSError as error:
        fail(Exit.FAILED, f"{file}: cannot be written ({error.strerror})")
    found = marks(rows)
    best = frontier(found)
    if shown.html is not None:
        _write(shown.html, found, best, made.digest)
    if shown.as_json:
        settings = [asdict(mark) | {"is_on_frontier": mark in best} for mark in found]
        as_json_text(out(), {"digest": made.digest, "settings": settings, "trials": rows})
    else:
        _table(found, best)
    finish(Exit.FINE)


def _table(found: Sequence[Mark], best: Sequence[Mark]) -> None:
    shown = Table(*HEAD, box=None, padding=(0, 1))
    for mark in found:
        shown.add_row(*_row(mark), "none beats it" if mark in best else "")
    out().print(shown)


def _row(mark: Mark) -> tuple[str, ...]:
    dollars = f"${mark.kept_usd:,.2f}", f"${mark.lost_usd:,.2f}"
    return mark.setting, f"{mark.survived:.1%}", *dollars, f"{mark.actions:.1f}"


def _write(file: Path, found: Sequence[Mark], best: Sequence[Mark], digest: str) -> None:
    points = [(m.setting, m.kept_usd, m.survived * 100, m in best) for m in found]
    rows = [(*_row(m), "none beats it" if m in best else "") for m in found]
    cells = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    head = "".join(f"<th>{escape(h)}</th>" for h in HEAD)
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Frontier</title><style>{STYLE}</style>"
        "<h1>Cost against survival</h1>"
        + scatter(points, "dollars for keeping", "% survived", "Each setting over all accounts; red: none beats it")
        + f"<table><tr>{head}</tr>{cells}</table>"
        f"<p class=small>Digest of the inputs: <code>{digest}</code>.</p></html>\n"
    )
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(Exit.FAILED, f"{file}: cannot be written ({error.strerror})")


def _grid(varied: Varied) -> Grid:
    values: dict[str, Any] = {key: _values(f"--{key}", getattr(varied, key)) for key in VARIED}
    return Grid(**values, widening=tuple(_widening(word) for word in varied.widening.split(",") if word.strip()))


def _widening(word: str) -> tuple[str, str]:
    base, is_pair, share = word.strip().partition("+")
    if not is_pair:
        fail(Exit.BAD_SETTINGS, f"--widening {word}: write BASE+PER_VOLATILITY, like 1.1+0.2")
    return number("--widening", base), number("--widening", share)


def _values(option: str, words: str) -> tuple[str, ...]:
    """Return the values of a list, or of LOW:HIGH:STEP, both ends among them."""
    try:
        found = [value for word in words.split(",") if word.strip() for value in _stretch(word)]
    except (InvalidOperation, ValueError):
        fail(Exit.BAD_SETTINGS, f"{option} {words!r}: write values like 1.1,1.2 or LOW:HIGH:STEP like 1.1:2.0:0.1")
    if len(found) > MOST_VALUES:
        fail(Exit.BAD_SETTINGS, f"{option} {words!r}: are more than {MOST_VALUES} values")
    return tuple(str(x) for x in dict.fromkeys(found))


def _stretch(word: str) -> list[Decimal]:
    """Return the values of one word, a few too many at the most. Raises ValueError, InvalidOperation."""
    low, high, step = (Decimal(x) for x in (word.split(":") if ":" in word else (word, word, "1")))
    if not (low.is_finite() and high.is_finite() and step.is_finite() and step > 0 and 0 < low <= high):
        raise ValueError(word)
    count = min(MOST_VALUES, int((high - low) / step)) + 1
    return [low + step * i for i in range(count)]
