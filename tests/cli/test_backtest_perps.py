"""``keeper backtest`` of a perpetual position: from the words on the line to a page that recomputes itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plays import BEGIN
from typer.testing import CliRunner

from keeper.cli.commands import app


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """Ten hours at 2,000 dollars, then 1,690: of a margin of a fifth 5.3 % are left."""
    lines = [f"{BEGIN + h * 3600},{p},{p},{p},{p}" for h, p in enumerate([2000] * 10 + [1690] * 3)]
    file = tmp_path / "mine.csv"
    file.write_text("\n".join(["timestamp,open,high,low,close", *lines]))
    return file


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["backtest", *words])


def test_a_position_is_played_and_its_page_recomputes_itself(prices: Path, tmp_path: Path) -> None:
    """Three ways, each with its figures; offline the same to the digit."""
    page = tmp_path / "perp.html"
    words = ("--venue", "perp_v2", "--warm-up", "2h", "--wallet", "USDC=5000", "--base-fee", "0.1")
    done = run("--prices", str(prices), *words, "--html", str(page), "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)["report"]
    assert (report["kind"], report["margin_ratio"]) == ("perp", "0.200000")
    ways = {way["name"]: way for way in report["ways"]}
    assert list(ways) == ["no keeper", "fixed thresholds", "adaptive"]
    assert (ways["no keeper"]["survived"], ways["no keeper"]["liquidated_usd"]) == (False, "422.50")
    assert "Margin ratio" in page.read_text()
    again = run("--reproduce", str(page))
    assert again.exit_code == 0, again.output
    assert "to the digit" in again.stdout


def test_the_settings_own_rules_are_played(prices: Path, tmp_path: Path) -> None:
    """A stop as its owner wrote it."""
    settings, who = tmp_path / "keeper.toml", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
    settings.write_text(
        '[network]\nfile = "optimism"\nrpc_url = "http://127.0.0.1:1"\n[journal]\nurl = "k.sqlite"\n'
        f'[[signers]]\nname = "me"\naddress = "{who}"\nkeystore = "k.json"\n'
        f'[[positions]]\nname = "perp"\nvenue = "perp_v2"\nowner = "{who}"\nsigner = "me"\n'
        '[[rules]]\nname = "out"\nposition = "perp"\nwhen = { stop_loss = "1800" }\nrestore = "close"\n'
        'actions = ["close"]\n[rules.limits]\nmax_slippage_bps = 100\n'
    )
    words = ("--warm-up", "2h", "--margin", "6000", "--base-fee", "0.1", "--config", str(settings), "--json")
    done = run("--prices", str(prices), *words)
    assert done.exit_code == 0, done.output
    mine = next(way for way in json.loads(done.stdout)["report"]["ways"] if way["name"] == "your rules")
    assert (mine["survived"], mine["actions"]) == (True, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--size", "0"), "above zero"),
        (("--margin", "NaN"), "no usable number"),
        (("--margin", "100"), "liquidated as it begins"),
        (("--side", "up"), "long or short"),
        (("--funding", "x"), "no number"),
        (("--funding", "5000"), "no rate of a year"),
        (("--position-fee", "2"), "between 0 and 1"),
        (("--maintenance", "7"), "between 0 and 1"),
        (("--health", "1.3"), "are of a loan"),
        (("--wallet", "WETH=1"), "paid in USDC"),
        (("--prices", "WBTC=FILE"), "hangs on one price"),
        (("--fixed", "0.2:0.1"), "fixed"),
        (("--sweep", "sweep.jsonl"), "varies loans only"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(prices: Path, words: tuple[str, ...], said: str) -> None:
    """Exit 1 or 2, and what to write instead; never a traceback."""
    given = ("--prices", "WETH=FILE", "--venue", "perp_v2", "--warm-up", "2h", *words)
    done = run(*(word.replace("FILE", str(prices)) for word in given))
    assert done.exit_code in (1, 2), done.output
    assert said in done.stderr
    assert "Traceback" not in done.output
