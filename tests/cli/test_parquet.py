"""Price files in Parquet: the same bars as from CSV, and one clear line where they cannot be read."""

from __future__ import annotations

import builtins
import datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from keeper.cli.price_files import read_prices

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
ROWS = [(1_600_000_000 + 3600 * i, 2000.0 + i, 2010.5 + i, 1990.25 + i, 2005.0 + i) for i in range(30)]
NAMES = ("open", "high", "low", "close")


def written(folder: Path, times: Any, name: str = "timestamp") -> Path:
    columns = {name: times, **{n: [row[k] for row in ROWS] for k, n in enumerate(NAMES, 1)}}
    file = folder / "prices.parquet"
    pq.write_table(pa.table(columns), file)
    return file


def seconds() -> list[int]:
    return [row[0] for row in ROWS]


def moments(unit: str) -> Any:
    when = [datetime.datetime.fromtimestamp(at, datetime.UTC) for at in seconds()]
    return pa.array(when, pa.timestamp(unit, tz="UTC"))


@pytest.mark.parametrize("name", ["timestamp", "date", "__index_level_0__"])
@pytest.mark.parametrize("unit", ["s", "ms", "ns", None])
def test_the_bars_are_those_of_the_csv(tmp_path: Path, unit: str | None, name: str) -> None:
    """Times as numbers or as moments, whatever their unit; pandas' index without a name."""
    found = read_prices(written(tmp_path, seconds() if unit is None else moments(unit), name))
    text = tmp_path / "prices.csv"
    text.write_text("\n".join(["timestamp,open,high,low,close", *(",".join(map(str, row)) for row in ROWS)]))
    assert found.form == "Parquet"
    assert found.bars == read_prices(text).bars


def test_half_a_file_and_other_columns_are_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Never a traceback."""
    file = written(tmp_path, seconds())
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(typer.Exit):
        read_prices(file)
    assert "no whole Parquet file" in capsys.readouterr().err
    pq.write_table(pa.table({"a": [1], "b": [2]}), file)
    with pytest.raises(typer.Exit):
        read_prices(file)
    assert "it needs timestamp, open, high, low and close" in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or how to do without."""
    file, real = written(tmp_path, seconds()), builtins.__import__

    def none(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", none)
    with pytest.raises(typer.Exit):
        read_prices(file)
    said = capsys.readouterr().err
    assert "position-keeper[parquet]" in said
    assert "CSV" in said
