"""`keeper risk`: a report that says what is unknown, and that anybody recomputes from its file, to the digit."""

from __future__ import annotations

import copy
import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from core_builders import BLOCK, at, holding, loop, position
from typer.testing import CliRunner

from keeper.cli.main import app
from keeper.cli.risk import BEGIN, END, differences
from keeper.cli.show_risk import page
from keeper.core.risk.inputs import BadInputsError, document_of
from keeper.core.risk.market import Source
from keeper.core.risk.report import digest, report
from keeper.core.risk.series import Series, series

DAY, HOUR = 86_400, 3600
Json = dict[str, Any]


def waves(level: str, size: float, days: int = 30) -> Series:
    """Prices an hour apart that go up and down, until now."""
    count = days * 24
    begin = BLOCK.timestamp - count * HOUR
    return series(
        (begin + i * HOUR, round(float(level) * 10**8 * math.exp(size * math.sin(i * 0.7) + size * math.sin(i * 1.9))))
        for i in range(count + 1)
    )


def inputs(ether: Series | None = None) -> Json:
    loans = [
        loop(dollars="12500"),
        position(holding("WETH", "4"), holding("WBTC", "0.1"), holding("DAI", 0, "9000"), name="mixed"),
    ]
    sources = {
        "eth": Source(waves("2000", 0.004) if ether is None else ether, HOUR, "a test"),
        "btc": Source(waves("60000", 0.003), HOUR, "a test"),
        "usd": Source(waves("1", 0.0003), DAY, "a test"),
    }
    drivers = {at("WETH"): "eth", at("WBTC"): "btc", at("USDC"): "usd", at("DAI"): "usd"}
    return document_of(BLOCK, loans, sources, drivers, (DAY, 7 * DAY, 30 * DAY), 4_000, 1)


def written(tmp_path: Path, change: Callable[[Json], None] = lambda made: None) -> Path:
    made = {"inputs": inputs(), "report": report(inputs())}
    change(made)
    file = tmp_path / "report.json"
    file.write_text(json.dumps(made))
    return file


def test_a_report_is_recomputed_to_the_digit(tmp_path: Path) -> None:
    """Offline, from its file alone: no settings are read."""
    result = CliRunner().invoke(app, ["risk", "--reproduce", str(written(tmp_path))])
    assert result.exit_code == 0, result.output
    assert "every figure is the same, to the digit" in result.output


def test_a_figure_that_was_changed_is_found(tmp_path: Path) -> None:
    """In the report, or in what it rests on."""

    def better(made: Json) -> None:
        made["report"]["positions"][0]["probability"][0]["used"] = 0.0

    def calmer(made: Json) -> None:
        made["inputs"]["sources"]["eth"]["prices"][-5][1] = "190000000000"

    for change, named in ((better, "positions[0].probability[0].used"), (calmer, "report.digest")):
        result = CliRunner().invoke(app, ["risk", "--reproduce", str(written(tmp_path, change))])
        assert result.exit_code == 1
        assert named in " ".join(result.output.split())


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "{" * 100_000, '{"inputs": {}}', '{"inputs": {"version": 9}}', '{"inputs": [1]}', "<html>"]
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    """With one line, never with a trace."""
    file = tmp_path / "other"
    file.write_text(text)
    result = CliRunner().invoke(app, ["risk", "--reproduce", str(file)])
    assert result.exit_code == 1
    assert str(file) in result.output.replace("\n", "")
    assert "Traceback" not in result.output


def test_the_page_is_one_file_with_charts_and_can_be_recomputed(tmp_path: Path) -> None:
    """Inline pictures that are well formed, definitions and sources, the digest, nothing loaded from anywhere."""
    made = {"inputs": inputs(), "report": report(inputs())}
    whole = page(made, f"{BEGIN}{json.dumps(made)}{END}")
    pictures = [part.partition("</svg>")[0] for part in whole.split("<svg")[1:]]
    assert len(pictures) >= 5
    for picture in pictures:
        ET.fromstring(f"<svg{picture}</svg>")  # noqa: S314 - our own text
    for wanted in ("arXiv 2505.08100", made["report"]["digest"], "Kou", "mixed", "loop", "value at risk"):
        assert wanted in whole
    assert "http" not in whole.partition(BEGIN)[0]
    file = tmp_path / "report.html"
    file.write_text(whole)
    again = CliRunner().invoke(app, ["risk", "--reproduce", str(file), "--json"])
    assert again.exit_code == 0
    assert json.loads(again.output)["report"] == made["report"]


def test_what_is_unknown_is_said_and_is_no_figure() -> None:
    """A history of one round: no probability, no value at risk; the stress needs none, and stands."""
    of = report(inputs(series([(BLOCK.timestamp - HOUR, 2_000 * 10**8)])))["positions"][0]
    assert all("unknown" in p["used"] for p in of["probability"])
    assert all("unknown" in x["value_at_risk_usd"] for x in of["lost"])
    assert "unknown" in of["volatility"]
    assert any(x["is_liquidated"] for x in of["stress"])
    text = json.dumps(of)
    assert "NaN" not in text
    assert "Infinity" not in text


def test_each_way_to_the_probability_is_near_the_others() -> None:
    """The closed form and the paths, for one price and for several."""
    for of in report(inputs())["positions"]:
        for p in of["probability"]:
            assert p["moving"] == pytest.approx(p["paths"]["probability"], abs=5 * p["paths"]["error"] + 0.01)
            assert p["at_updates"] <= p["moving"]


def test_together_is_no_sum() -> None:
    """Any is at least the worst and at most the sum; all is at most the best: they hang on the same prices."""
    made = report(inputs())
    for i, both in enumerate(made["together"]):
        each = [of["probability"][i]["paths"]["probability"] for of in made["positions"]]
        assert max(each) - 1e-9 <= both["any"] <= sum(each) + 1e-9
        assert both["all"] <= min(each) + 1e-9
        if min(each) > 0.05:
            assert both["all"] > each[0] * each[1]


def test_the_digest_names_the_inputs() -> None:
    """One wei more is another report."""
    one, other = inputs(), copy.deepcopy(inputs())
    assert digest(one) == digest(other)
    other["positions"][0]["holdings"][0]["supplied"] = str(int(other["positions"][0]["holdings"][0]["supplied"]) + 1)
    assert digest(one) != digest(other)


def test_inputs_that_cannot_be_are_refused() -> None:
    """A price of zero, an amount below nothing, prices out of order."""
    for change in (
        lambda d: d["positions"][0]["holdings"][0].update(price="0"),
        lambda d: d["positions"][0]["holdings"][0].update(supplied="-1"),
        lambda d: d["sources"]["eth"]["prices"].reverse(),
        lambda d: d["sources"]["eth"].update(prices=[[1, "x"]]),
        lambda d: d.update(positions=None),
    ):
        given = inputs()
        change(given)
        with pytest.raises(BadInputsError):
            report(given)


def test_differences_name_their_place() -> None:
    """Down to the figure."""
    assert differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == ["report.a[1].b"]
    assert differences({"a": 1, "c": 1}, {"a": 1}) == ["report.c"]


@pytest.mark.parametrize("word", ["soon", "0s", "-1d", "5"])
def test_a_horizon_that_is_none_is_refused(tmp_path: Path, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any node is asked."""
    from keeper.cli.horizons import horizons_of  # noqa: PLC0415 - as the command does

    with pytest.raises(BaseException, match="2"):
        horizons_of([word])
    assert horizons_of([]) == (DAY, 7 * DAY, 30 * DAY)


@pytest.mark.parametrize(
    ("loans", "any_of_them", "all_of_them"),
    [
        ((loop(dollars="17500"), position(holding("WETH", "10"), name="free")), 1.0, 0.0),
        ((loop(dollars="17500"), loop(dollars="17000")), 1.0, 1.0),
        ((position(holding("WETH", "10")), position(holding("WETH", "5"), name="b")), 0.0, 0.0),
    ],
)
def test_a_loan_that_is_liquidated_already_counts_and_one_without_debt_is_never(
    loans: tuple[Any, ...], any_of_them: float, all_of_them: float
) -> None:
    """Neither makes what is known of the others unknown."""
    sources = {n: Source(waves(*w), DAY, "t") for n, w in {"eth": ("2000", 0.004), "usd": ("1", 0.0003)}.items()}
    drivers = {at("WETH"): "eth", at("USDC"): "usd"}
    given = document_of(BLOCK, loans, sources, drivers, (DAY,), 500, 1)
    (both,) = report(given)["together"]
    assert (both["any"], both["all"]) == (any_of_them, all_of_them)
