"""The report for people: loans, perpetuals and books, on the terminal and on the page; an older file still counts."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from core_builders import BLOCK, loop, usd, wad
from perp_builders import short
from rich.console import Console
from risk_inputs import DAY, Json, inputs, of_ether
from typer.testing import CliRunner

from keeper.cli.main import app
from keeper.cli.reports import BEGIN, END
from keeper.cli.show_risk import page, table
from keeper.core.risk.put_terms import HeldPut
from keeper.core.risk.report import report


def made(given: Json | None = None) -> Json:
    found = inputs() if given is None else given
    return {"inputs": found, "report": report(found), "plans": {}}


def test_the_terminal_shows_each_kind_and_what_they_come_to() -> None:
    """The short by its margin ratio, the loan by its health, the book by its delta; who could not be read is named."""
    text = StringIO()
    table(Console(file=text, width=200), made(), ["lost"])
    for wanted in ("short: margin ratio", "loop: health", "hedged (loop, short): delta ETH $2,100", "funding ×10"):
        assert wanted in text.getvalue(), wanted
    assert "all once sales press prices" in text.getvalue()
    assert "lost: could not be read" in text.getvalue()


def test_the_page_holds_all_of_it_and_is_recomputed(tmp_path: Path) -> None:
    """Perpetuals and books too, to the digit, offline."""
    whole = made()
    file = tmp_path / "report.html"
    file.write_text(page(whole, f"{BEGIN}{json.dumps(whole)}{END}"))
    for wanted in ("margin ratio", "hedged", "with contagion", "sold within an hour", "viewport"):
        assert wanted in file.read_text().partition(BEGIN)[0], wanted
    again = CliRunner().invoke(app, ["risk", "--reproduce", str(file), "--json"])
    assert again.exit_code == 0, again.output
    assert json.loads(again.output)["report"] == whole["report"]


def test_a_report_of_an_earlier_version_is_recomputed_by_the_figures_it_has(tmp_path: Path) -> None:
    """What it did not know yet is no difference; what it knew and was changed still is."""
    older = made(inputs(perps=[of_ether(short())][:0], books={}, sales={}))
    older["inputs"]["version"] = 1
    for key in ("perps", "books", "forecaster"):
        del older["inputs"][key]
    older["report"] = {k: report(older["inputs"])[k] for k in ("digest", "positions", "together", "prices")}
    for of in older["report"]["positions"]:
        del of["concentration"], of["kind"]
    for spoilt, code in ((False, 0), (True, 1)):
        if spoilt:
            older["report"]["positions"][0]["taken_usd"] = "1"
        file = tmp_path / "older.json"
        file.write_text(json.dumps(older))
        found = CliRunner().invoke(app, ["risk", "--reproduce", str(file)])
        assert found.exit_code == code, found.output


def test_a_forecaster_of_its_owner_s_own_is_named_where_it_is_not_installed(tmp_path: Path) -> None:
    """The report cannot be recomputed here, and says by what it could."""
    whole = made()
    whole["inputs"]["forecaster"] = "mine"
    file = tmp_path / "report.json"
    file.write_text(json.dumps(whole))
    found = CliRunner().invoke(app, ["risk", "--reproduce", str(file)])
    assert found.exit_code == 1
    assert "'mine' is no forecaster" in " ".join(found.output.split())


def test_a_put_that_is_held_is_shown_with_what_it_cannot_do() -> None:
    """On the terminal and on the page: what it pays, that the keeper can't exercise it, and an expired one by name."""
    begin = BLOCK.timestamp
    live = HeldPut("january", "loop", "ETH", usd("1900"), begin + 30 * DAY, wad("10"))
    dead = HeldPut("last year's", "loop", "ETH", usd("1900"), begin - DAY, wad("10"))
    inputs_ = inputs([loop(dollars="14000")], [], puts=[live, dead], books={}, size=0.02)
    found, shown = made(inputs_), StringIO()
    table(Console(file=shown, width=200), found, [])
    for text in (shown.getvalue(), page(found, "")):
        assert "its puts pay $3,000" in text
        assert "put january for loop" in text
        assert "has expired: it counts nowhere" in text
    assert "the keeper can&#x27;t exercise one" in page(found, "")
