"""`keeper risk` on what is no input: a clear error, or a figure marked unknown, which is never a healthy one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from core_builders import BLOCK, at, holding, position
from risk_inputs import HOUR, inputs
from typer.testing import CliRunner, Result

from keeper.cli.main import app
from keeper.core.risk.report import report

Json = dict[str, Any]
DAY = 24 * HOUR


def reproduced(tmp_path: Path, of: Json, made: Json | None = None) -> Result:
    """Run the command on a report of these inputs: JSON, offline."""
    file = tmp_path / "report.json"
    file.write_text(json.dumps({"inputs": of, "report": made}))
    return CliRunner().invoke(app, ["risk", "--reproduce", str(file), "--json"])


def shown(tmp_path: Path, of: Json) -> Json:
    """Return what the command reports, for inputs that can be reported on."""
    result = reproduced(tmp_path, of, report(of))
    assert result.exit_code == 0, result.output
    found: Json = json.loads(result.output)["report"]
    return found


def still(of: Json) -> None:
    """Zero volatility: a month of one price."""
    of["sources"]["eth"]["prices"] = [[t, "200000000000"] for t, _ in of["sources"]["eth"]["prices"]]


def one_round(of: Json) -> None:
    """One round of history."""
    of["sources"]["eth"]["prices"] = of["sources"]["eth"]["prices"][-1:]


def no_round(of: Json) -> None:
    """None at all."""
    of["sources"]["eth"]["prices"] = []


def gap(of: Json) -> None:
    """Nothing for the last three days."""
    prices = of["sources"]["eth"]["prices"]
    of["sources"]["eth"]["prices"] = [p for p in prices if p[0] <= BLOCK.timestamp - 3 * DAY]


def no_driver(of: Json) -> None:
    """Nobody says what the price of ether hangs on."""
    of["drivers"] = {a: d for a, d in of["drivers"].items() if d != "eth"}


@pytest.mark.parametrize("spoil", [still, one_round, no_round, gap, no_driver])
def test_too_little_of_a_history_is_unknown_and_never_healthy(tmp_path: Path, spoil: Callable[[Json], None]) -> None:
    """Neither probability nor loss nor stake is a figure; the stress needs no history, and stands."""
    of = inputs()
    spoil(of)
    made = shown(tmp_path, of)
    for p in made["positions"]:
        assert all("unknown" in x["used"] for x in p["probability"]), p["name"]
        for x in p["lost"]:
            assert all("unknown" in x[k] for k in ("value_at_risk_usd", "expected_liquidation_usd")), x
        assert any(x["is_liquidated"] for x in p["stress"])
    assert all("unknown" in t["any"] for t in made["together"])
    text = CliRunner().invoke(app, ["risk", "--reproduce", str(tmp_path / "report.json")]).output
    assert "unknown" in text


def test_no_debt_has_nothing_to_be_liquidated(tmp_path: Path) -> None:
    """A probability of nothing, by right: and no health factor is invented for it."""
    of = inputs([position(holding("WETH", "10"), name="idle")], (), books={}, sales={})
    (p,) = shown(tmp_path, of)["positions"]
    assert p["health_factor"] is None
    assert [x["used"] for x in p["probability"]] == [0.0, 0.0]
    assert p["taken_usd"] == "0"


def _price(of: Json, value: str) -> None:
    of["positions"][0]["holdings"][0]["price"] = value


def _row(of: Json, i: int, row: Any) -> None:
    of["sources"]["eth"]["prices"][i] = row


def _doubled(of: Json) -> None:
    of["sources"]["eth"]["prices"].insert(5, of["sources"]["eth"]["prices"][5])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda of: _price(of, "0"), "a price that cannot be"),
        (lambda of: _price(of, "NaN"), "NaN"),
        (lambda of: _row(of, 3, [BLOCK.timestamp, "0"]), "row 4 has a price of 0"),
        (lambda of: _row(of, 3, [BLOCK.timestamp, "nan"]), "nan"),
        (lambda of: _row(of, 3, [1, "200000000000"]), "before: a history is in order"),
        (_doubled, "the same time as the row before"),
        (lambda of: of.update(horizons_s=[0]), "a horizon that is no time"),
        (lambda of: of.update(horizons_s=[]), "a horizon that is no time"),
        (lambda of: of["positions"][0].update(money=["100000000", "0"]), "a money that cannot be"),
        (lambda of: of["perps"][0].update(usd_unit="0"), "a unit that cannot be"),
        (lambda of: of["perps"][0]["legs"][0].update(mark_price="0"), "a price or a unit that cannot be"),
        (lambda of: of.update(shocks=[{"name": "x"}]), "is no risk report"),
    ],
)
def test_what_is_no_figure_is_refused_by_name(tmp_path: Path, spoil: Callable[[Json], None], said: str) -> None:
    """A price of zero, NaN, rows out of order or twice, no horizon, no money: one line, no trace, exit 1."""
    of = inputs()
    spoil(of)
    result = reproduced(tmp_path, of)
    assert result.exit_code == 1, result.output
    assert said in " ".join(result.output.split()), result.output
    assert "Traceback" not in result.output


def test_moneys_are_never_mixed(tmp_path: Path) -> None:
    """A market that counts in ether: its figures are dollars, by its own rate."""
    of = inputs()
    loan = of["positions"][0]
    other = json.loads(json.dumps(of))
    held = other["positions"][0]
    held["money"] = [str(2_000 * 10**8), str(10**8)]
    for h in held["holdings"]:
        h["price"] = str(int(h["price"]) // 2_000)
    one, same = (shown(tmp_path, x)["positions"][0] for x in (of, other))
    assert loan["name"] == held["name"]
    for key in ("debt_usd", "collateral_usd", "taken_usd", "own_usd"):
        assert int(same[key]) == pytest.approx(int(one[key]), rel=1e-3), key
    assert one["probability"][1]["used"] == pytest.approx(same["probability"][1]["used"], rel=0.05)


@pytest.mark.parametrize("horizon", ["0h", "-1d", "nan", "soon"])
def test_a_horizon_of_nothing_is_refused_by_the_command(tmp_path: Path, horizon: str) -> None:
    """Before any node is asked."""
    (tmp_path / "keeper.toml").write_text("")
    words = ["risk", "--config", str(tmp_path / "keeper.toml"), f"--horizon={horizon}"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    assert "horizon" in result.output.lower()


def test_what_an_asset_is_called_changes_nothing_of_its_history() -> None:
    """The builders' own addresses are the drivers' keys: a guard for this file's spoilers."""
    assert at("WETH") in inputs()["drivers"]
