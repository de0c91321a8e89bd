"""``keeper backtest`` with a new user's file: from the words on the line to a page that recomputes itself."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from keeper.backtest.depth import Depth, fitted
from keeper.cli.commands import app
from keeper.core.units import USD, Usd

sys.path.insert(0, str(Path(__file__).parents[1] / "backtest"))

from plays import crash, walk


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """Bars as anybody would write them."""
    rows = crash(walk(9, volatility=0.5), 8, 0.3)
    lines = [f"{at},{o / 1e8:.8f},{h / 1e8:.8f},{low / 1e8:.8f},{c / 1e8:.8f}" for at, o, h, low, c in rows]
    file = tmp_path / "mine.csv"
    file.write_text("\n".join(["timestamp,open,high,low,close", *lines]))
    return file


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["backtest", *words])


@pytest.mark.slow  # plays days
def test_a_file_alone_is_enough(prices: Path) -> None:
    """Four ways, each with what came of it."""
    done = run("--prices", str(prices), "--health", "1.3", "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    ways = {way["name"]: way for way in made["report"]["ways"]}
    assert list(ways) == ["no keeper", "fixed thresholds", "adaptive", "hosted service"]
    assert not ways["no keeper"]["survived"]
    assert ways["fixed thresholds"]["survived"]
    wanted = (
        "survived", "lost_usd", "kept_usd", "actions", "ended_usd", "least_health", "danger_s", "drawdown", "sharpe",
        "sortino", "per_borrowed",
    )  # fmt: skip
    assert all(key in way for way in ways.values() for key in wanted)


@pytest.mark.slow  # plays days
def test_a_way_that_could_not_measure_says_so(prices: Path, tmp_path: Path) -> None:
    """A rule without a history holds: how long is said before anybody compares its figures."""
    given, page = ("--prices", str(prices), "--health", "1.3", "--warm-up", "6h"), tmp_path / "short.html"
    done = run(*given, "--json")
    assert done.exit_code == 0, done.output
    ways = {way["name"]: way["unmeasured_s"] for way in json.loads(done.stdout)["report"]["ways"]}
    assert 12 * 3600 < ways.pop("adaptive") <= 21 * 3600
    assert set(ways.values()) == {0}
    said = run(*given, "--html", str(page)).stdout
    assert "adaptive: for " in said
    assert "could not fire" in said
    assert "could not fire" in page.read_text()
    enough = run("--prices", str(prices), "--health", "1.3", "--json")
    assert {way["unmeasured_s"] for way in json.loads(enough.stdout)["report"]["ways"]} == {0}


@pytest.mark.slow  # plays days
def test_a_page_recomputes_itself_and_a_changed_figure_is_found(prices: Path, tmp_path: Path) -> None:
    """Offline, from the file alone, to the digit."""
    page = tmp_path / "report.html"
    done = run("--prices", f"WETH={prices}", "--health", "1.3", "--html", str(page))
    assert done.exit_code == 0, done.output
    assert "hosted service" in done.stdout
    text = page.read_text()
    assert "<svg" in text
    prices.unlink()
    again = run("--reproduce", str(page))
    assert again.exit_code == 0, again.output
    assert "to the digit" in again.stdout
    page.write_text(re.sub(r'"least_health":"1\.', '"least_health":"2.', text, count=1))
    forged = run("--reproduce", str(page))
    assert forged.exit_code == 1
    assert "differ" in forged.stderr


@pytest.mark.slow  # plays days
def test_gas_is_paid_at_the_native_currency_s_price(prices: Path) -> None:
    """Of a chain whose currency costs half a dollar, where the file is of another asset."""
    words = ("--prices", f"LINK={prices}", "--health", "1.3", "--json")
    ways = [json.loads(run(*words, *more).stdout)["report"]["ways"] for more in ((), ("--native-price", "0.5"))]
    dear, cheap = (float(next(w for w in of if w["name"] == "fixed thresholds")["gas_usd"]) for of in ways)
    assert cheap == pytest.approx(dear * 0.5 / 3000, abs=0.02)
    assert dear > 1


@pytest.mark.slow  # plays days
def test_a_lender_is_used_where_the_line_names_one(prices: Path) -> None:
    """Near liquidation the planner takes the loan by itself, as it does on a chain that has a lender."""
    words = ("--prices", str(prices), "--health", "1.3", "--fixed", "1.06:1.60", "--json")
    ways = [json.loads(run(*words, *more).stdout)["report"]["ways"] for more in ((), ("--lender", "10000000"))]
    without, lent = (next(w for w in of if w["name"] == "fixed thresholds") for of in ways)
    assert not any("loan of the same transaction" in deed["what"] for deed in without["deeds"])
    assert any("loan of the same transaction" in deed["what"] for deed in lent["deeds"])
    assert lent["survived"]


@pytest.mark.slow  # plays days
def test_a_report_of_an_older_version_is_recomputed_by_its_own_terms(prices: Path, tmp_path: Path) -> None:
    """It says nothing of what came later (lenders, borrow limits, time not measured): what it has is the same."""
    file = tmp_path / "old.json"
    done = run("--prices", f"WETH={prices}", "--health", "1.3", "--json")
    old = json.loads(done.stdout)
    for word in ("lends_usd", "absorbs", "frees_to_limit", "breaker", "exposure"):
        del old["inputs"]["terms"][word]
    del old["report"]["digest"]
    for way in old["report"]["ways"]:
        del way["unmeasured_s"], way["other_order"]["unmeasured_s"]
    file.write_text(json.dumps(old))
    again = run("--reproduce", str(file))
    assert again.exit_code == 0, again.output
    assert "to the digit" in again.stdout
    assert "older version" in again.stdout
    assert "unmeasured_s" in again.stdout
    old["report"]["ways"][0]["ended_usd"] = "1.00"
    file.write_text(json.dumps(old))
    assert run("--reproduce", str(file)).exit_code == 1


@pytest.mark.slow  # plays days
def test_the_settings_own_rules_are_played(prices: Path, tmp_path: Path) -> None:
    """As they are written, with the owner's safety, against the other ways."""
    settings = tmp_path / "keeper.toml"
    settings.write_text(
        '[network]\nfile = "ethereum"\nrpc_url = "http://127.0.0.1:1"\n[journal]\nurl = "k.sqlite"\n'
        '[[signers]]\nname = "me"\naddress = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"\nkeystore = "k.json"\n'
        '[[positions]]\nname = "loop"\nvenue = "aave_v3"\nowner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"\n'
        'signer = "me"\n[[rules]]\nname = "mine"\nposition = "loop"\nwhen = { health_factor_below = "1.15" }\n'
        'restore = { health_factor = "1.30" }\nactions = ["deleverage"]\n[rules.limits]\nmax_slippage_bps = 60\n'
    )
    done = run("--prices", str(prices), "--health", "1.3", "--config", str(settings), "--json")
    assert done.exit_code == 0, done.output
    mine = next(w for w in json.loads(done.stdout)["report"]["ways"] if w["name"] == "your rules")
    assert mine["actions"] >= 1
    assert float(mine["deeds"][0]["health"]) < 1.15


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--prices is missing"),
        (("--prices", "FILE", "--health", "x"), "no number"),
        (("--prices", "FILE", "--health", "0.9"), "liquidated"),
        (("--prices", "FILE", "--debt", "USDC"), "SYMBOL=AMOUNT"),
        (("--prices", "FILE", "--debt", "USDC=1", "--health", "2"), "one of them"),
        (("--prices", "FILE", "--collateral", "WBTC=1"), "nobody says what it costs"),
        (("--prices", "FILE", "--prices", "UNI=FILE"), "another's file"),
        (("--prices", "FILE", "--fixed", "1.6"), "TRIGGER:TARGET"),
        (("--prices", "FILE", "--fixed", "1.6:1.2"), "fixed"),
        (("--prices", "FILE", "--warm-up", "90d"), "warm-up"),
        (("--prices", "FILE", "--warm-up", "0"), "duration"),
        (("--prices", "FILE", "--depth", "0"), "dollar at least"),
        (("--prices", "FILE", "--quote", "1000=5"), "two sizes"),
        (("--prices", "FILE", "--venue", "bank"), "none of"),
        (("--prices", "FILE", "--gas", "FILE"), "timestamp,gwei"),
        (("--prices", "nowhere.csv",), "cannot be read"),
        (("--prices", "FILE", "--threshold", "83"), "between 0 and 1"),
        (("--prices", "FILE", "--native", "NaN"), "no usable number"),
        (("--prices", "FILE", "--pool-fee", "2"), "nothing is left of a sale"),
        (("--prices", "FILE", "--service-fee", "1"), "nothing is left of a sale"),
        (("--prices", "FILE", "--borrow-rate", "9999999"), "a year"),
        (("--prices", "FILE", "--measure", "1000d"), "longer than"),
        (("--prices", "FILE", "--block", "9d"), "longer than"),
        (("--prices", "FILE", "--lender", "-5"), "no usable number"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_clear_line(prices: Path, words: tuple[str, ...], said: str) -> None:
    """Exit 1 or 2, and what to write instead; never a traceback."""
    done = run(*(word.replace("FILE", str(prices)) for word in words))
    assert done.exit_code in (1, 2), done.output
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_quotes_fit_the_pool_they_come_from() -> None:
    """A fee of 5 basis points and 40 million of depth: two quotes are enough."""
    true = Depth(Usd(40_000_000 * USD), 500)
    quotes = [(float(size), (true.dollars_for(size * USD) / (size * USD) - 1) * 10_000) for size in (1_000, 200_000)]
    found = fitted(quotes)
    assert found.fee_ppm == pytest.approx(500, abs=2)
    assert found.depth / USD == pytest.approx(40_000_000, rel=0.01)


@pytest.mark.slow  # plays days
def test_a_sweep_shows_the_frontier_and_goes_on_from_its_file(prices: Path, tmp_path: Path) -> None:
    """As table, as picture, and as JSON; the second time nothing is played."""
    file, picture = tmp_path / "sweep.jsonl", tmp_path / "frontier.html"
    words = (
        "--prices", str(prices), "--sweep", str(file), "--healths", "1.2,1.5", "--triggers", "1.1:1.2:0.1",
        "--targets", "1.3,1.6", "--probabilities", "0.02", "--jobs", "1", "--html", str(picture),
    )  # fmt: skip
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "none beats it" in done.stdout
    assert "12 of 12 trials" in done.stderr
    assert "<circle" in picture.read_text()
    before = file.read_bytes()
    again = run(*words, "--json")
    made = json.loads(again.stdout)
    assert file.read_bytes() == before
    assert {row["setting"] for row in made["trials"]} >= {"no keeper", "fixed 1.1:1.3", "adaptive 0.02:0.004"}
    assert any(setting["is_on_frontier"] for setting in made["settings"])


@pytest.mark.parametrize("words", [("--healths", "x"), ("--triggers", "1:2:0"), ("--healths", "1.1:9:0.001")])
def test_a_sweep_of_nonsense_is_one_clear_line(prices: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    """No step, no number, too many values."""
    done = run("--prices", str(prices), "--sweep", str(tmp_path / "s"), *words)
    assert done.exit_code == 2
    assert words[0] in done.stderr
