"""What would have become of an account: a history of prices, an account, rules, and what keeping it would have cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keeper.backtest.document import BadBacktestError
from keeper.backtest.report import report
from keeper.cli.backtest_document import document_of
from keeper.cli.backtest_given import Given, Shown
from keeper.cli.backtest_prices import as_played, price_tables
from keeper.cli.common import Exit, fail, finish, out
from keeper.cli.reports import BEGIN, END, added, differences, read_report
from keeper.cli.show_backtest import page, table
from keeper.cli.words import as_json_text

MOST_EMBEDDED = 60_000
"""Bars that are written into the report itself; of more the digest is."""


def play(given: Given, shown: Shown) -> None:
    """Play it, and show what came of it. Ends the command."""
    document = document_of(given)
    show(document, _made(document, all_blocks=shown.all_blocks), shown)
    finish(Exit.FINE)


def reproduce(file: Path, prices: Sequence[str], shown: Shown) -> None:
    """Recompute a report from what it says that it rests on; say whether every figure is the same."""
    given = read_report(file, "keeper backtest")
    document = given["inputs"]
    known = document.get("prices", {})
    for symbol, read in price_tables(prices, as_played(known)).items():
        of = known.get(symbol)
        if of is not None and of["bars"] is None:
            of["bars"] = read["bars"]
    made = _made(document)
    show(document, made, shown)
    new = added(given.get("report"), made)
    if differing := [where for where in differences(given.get("report"), made) if where not in new]:
        fail(Exit.FAILED, f"{file}: recomputed, {len(differing)} figures differ: {', '.join(differing[:5])}")
    if not shown.as_json:
        older = f" It is of an older version, and has not {', '.join(new[:5])}." if new else ""
        out().print(f"Recomputed from {file}: every figure is the same, to the digit.{older}", soft_wrap=True)
    finish(Exit.FINE)


def _made(document: dict[str, Any], *, all_blocks: bool = False) -> dict[str, Any]:
    from keeper.observe.voice import silence  # noqa: PLC0415 - what is played is no news

    silence()
    try:
        return report(document, all_blocks=all_blocks)
    except BadBacktestError as error:
        fail(Exit.FAILED, str(error))


def show(document: dict[str, Any], made: dict[str, Any], shown: Shown) -> None:
    """Print a report, and write its page where one is wanted."""
    whole = {"inputs": _without_long_prices(document), "report": made}
    html = shown.html
    if html is not None:
        text = json.dumps(whole, separators=(",", ":")).replace("<", "\\u003c")
        try:
            html.write_text(page(whole, f"{BEGIN}{text}{END}"), encoding="utf-8")
        except OSError as error:
            fail(Exit.FAILED, f"{html}: cannot be written ({error.strerror})")
    if shown.as_json:
        as_json_text(out(), whole)
        return
    table(out(), whole)
    if html is not None:
        out().print(f"Written to {html}.")


def _without_long_prices(document: dict[str, Any]) -> dict[str, Any]:
    prices = {
        symbol: of if of["bars"] is None or len(of["bars"]) <= MOST_EMBEDDED else {**of, "bars": None}
        for symbol, of in document["prices"].items()
    }
    return {**document, "prices": prices}
