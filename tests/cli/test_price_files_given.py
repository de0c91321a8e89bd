"""Price files that an owner gives: of an asset that is held, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from core_builders import BLOCK, at, loop

from keeper.cli.price_files import sources_of

HOUR = 3600
HELD = loop().held


def bars(path: Path, last: float, symbol: str = "", ends: int = BLOCK.timestamp) -> Path:
    head = "timestamp,symbol,open,high,low,close" if symbol else "timestamp,open,high,low,close"
    rows = [head]
    for i in range(48, 0, -1):
        price = f"{last},{last * 1.01},{last * 0.99},{last}"
        rows.append(f"{ends - i * HOUR},{symbol + ',' if symbol else ''}{price}")
    path.write_text("\n".join(rows))
    return path


def test_a_file_takes_the_place_of_the_oracle_s_rounds(tmp_path: Path) -> None:
    """By the asset's symbol."""
    file = bars(tmp_path / "eth.csv", 2_000)
    sources, drivers = sources_of([f"WETH={file}"], HELD, BLOCK.timestamp)
    assert drivers == {at("WETH"): "file eth.csv"}
    assert len(sources["file eth.csv"].history.ticks) == 48


@pytest.mark.parametrize(
    ("word", "last", "symbol", "said"),
    [
        ("WETH={}", 60_000, "", "is it a file of another asset than WETH?"),
        ("WETH={}", 2_000, "BTC/USD", "is of BTC/USD, and not of WETH"),
        ("PEPE={}", 2_000, "", "no one asset of these loans"),
        ("{}", 2_000, "", "write SYMBOL=FILE"),
        ("WETH={}.gone", 2_000, "", "cannot be read"),
        ("WETH={}", -5, "", "has a price of"),
    ],
)
def test_a_file_that_cannot_be_the_asset_s_is_refused(
    tmp_path: Path, word: str, last: float, symbol: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another asset's by its price or its own words, one that is not held, none at all."""
    file = bars(tmp_path / "prices.csv", last, symbol)
    with pytest.raises(typer.Exit):
        sources_of([word.format(file)], HELD, BLOCK.timestamp)
    assert said in capsys.readouterr().err


def test_a_file_of_another_time_is_taken_and_measures_nothing(tmp_path: Path) -> None:
    """Its prices are not now's: nothing to compare, and what rests on it is unknown."""
    file = bars(tmp_path / "old.csv", 200, "ETHUSDT", BLOCK.timestamp - 365 * 86_400)
    sources, _ = sources_of([f"WETH={file}"], HELD, BLOCK.timestamp)
    assert sources["file old.csv"].history.ends < BLOCK.timestamp - 300 * 86_400


@pytest.mark.parametrize(("name", "symbol"), [("second.csv", "ETH/EUR"), ("Kraken_ETHEUR_1h.csv", "")])
def test_files_of_several_moneys_are_refused_by_the_one_that_is_not_in_dollars(
    tmp_path: Path, name: str, symbol: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its rows or by its own name, near as its prices are to the oracle's; the good one beside it is not blamed."""
    good, other = bars(tmp_path / "good.csv", 1, "USDC/USD"), bars(tmp_path / name, 1_900, symbol)
    with pytest.raises(typer.Exit):
        sources_of([f"USDC={good}", f"WETH={other}"], HELD, BLOCK.timestamp)
    said = " ".join(capsys.readouterr().err.split())
    assert name in said
    assert "counts in EUR" in said
    assert "give a file of ETH in USD, USDT or USDC" in said
    assert "good.csv" not in said
