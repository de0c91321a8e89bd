"""Files of prices that nobody here has seen, in each form that people have them: the same bars, or one clear line."""

from __future__ import annotations

import datetime
import gzip
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from plays import BEGIN, walk
from typer.testing import CliRunner

from keeper.cli.backtest_prices import between, price_tables
from keeper.cli.commands import app

BARS = [[row[0] - BEGIN % 3600, *row[1:]] for row in walk(9, volatility=0.6)]
Row = Sequence[int]
OHLC = "timestamp,open,high,low,close"


def dollars(row: Row) -> list[str]:
    return [f"{p // 10**8}.{p % 10**8:08d}" for p in row[1:]]


def day(at: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime(form)


def plain(time: Callable[[int], object] = lambda at: at, head: str = OHLC, between: str = ",") -> str:
    rows = [between.join([str(time(row[0])), *dollars(row)]) for row in BARS]
    return "\n".join([*([head.replace(",", between)] if head else []), *rows])


def klines(scale: int, head: str = "") -> str:
    close = (BARS[1][0] - BARS[0][0]) * scale - 1
    rows = [",".join([str(r[0] * scale), *dollars(r), "12.5", str(r[0] * scale + close), "9,7,3,4,0"]) for r in BARS]
    return "\n".join([*([head] if head else []), *rows])


def switched() -> str:
    """Binance's own files: milliseconds until the end of 2024, microseconds from then on."""
    half = len(BARS) // 2
    return "\n".join([*klines(10**3).splitlines()[:half], *klines(10**6).splitlines()[half:]])


def downloaded(first: str = "https://www.CryptoDataDownload.com\n", symbol: str = "ETHUSDT", time: str = "unix") -> str:
    """Newest first, with a head, an address above it, and volumes behind."""
    rows = [
        ",".join([str(r[0] * 1000) if time == "unix" else day(r[0], "%Y-%m-%d %I-%p"), symbol, *dollars(r), "1", "2"])
        for r in reversed(BARS)
    ]
    return "\n".join([f"{first}{time},symbol,open,high,low,close,Volume ETH,Volume USDT", *rows]) + "\n"


def freqtrade() -> str:
    return json.dumps([[r[0] * 1000, *(float(p) for p in dollars(r)), 5.5] for r in BARS])


FORMS = {
    "ours": plain(),
    "no head": plain(head=""),
    "milliseconds": plain(lambda at: at * 1000),
    "microseconds": plain(lambda at: at * 10**6),
    "nanoseconds": plain(lambda at: at * 10**9),
    "seconds with a fraction": plain(lambda at: f"{at}.0"),
    "dates": plain(day, "Date,Open,High,Low,Close"),
    "dates with a zone": plain(lambda at: day(at) + "+00:00", "datetime,open,high,low,close"),
    "dates as ISO": plain(lambda at: day(at, "%Y-%m-%dT%H:%M:%SZ"), "time,open,high,low,close"),
    "semicolons": plain(between=";"),
    "tabs": plain(between="\t"),
    "lines of Windows, with a mark": "\ufeff" + plain().replace("\n", "\r\n") + "\r\n",
    "klines": klines(10**3),
    "klines since 2025": klines(10**6),
    "klines that switch": switched(),
    "klines with a head": klines(10**3, "open_time,open,high,low,close,volume,close_time,a,b,c,d,ignore"),
    "CryptoDataDownload": downloaded(),
    "CryptoDataDownload without its address": downloaded(""),
    "CryptoDataDownload of once": downloaded(symbol="ETHUSD", time="Date"),
    "freqtrade": freqtrade(),
}


def bars_of(*words: object, since: str | None = None, until: str | None = None) -> dict[str, Any]:
    return price_tables([str(word) for word in words], between(since, until))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_bars(tmp_path: Path, form: str) -> None:
    """Whoever wrote the file: to the last digit of 10^-8 dollars, in the order of time."""
    file = tmp_path / "prices.txt"
    file.write_text(FORMS[form], encoding="utf-8")
    found = bars_of(file)["WETH"]
    assert found["bars"] == BARS
    assert found["seconds"] == 3600


@pytest.mark.parametrize("packed", ["zip", "gz"])
def test_a_packed_file_is_read_as_exchanges_ship_it(tmp_path: Path, packed: str) -> None:
    """Nobody has to unpack it first."""
    file = tmp_path / f"ETHUSDT-1h-2022-11.{packed}"
    if packed == "gz":
        file.write_bytes(gzip.compress(klines(1000).encode()))
    else:
        with zipfile.ZipFile(file, "w") as out:
            out.writestr("ETHUSDT-1h-2022-11.csv", klines(1000))
    assert bars_of(file)["WETH"]["bars"] == BARS


@pytest.mark.parametrize("step", [60, 86_400])
def test_bars_of_minutes_and_of_days(tmp_path: Path, step: int) -> None:
    """How long a bar lasts is seen from the rows."""
    file = tmp_path / "bars.csv"
    rows = [f"{BEGIN + i * step},{','.join(dollars(row))}" for i, row in enumerate(BARS)]
    file.write_text("\n".join([OHLC, *rows]))
    assert bars_of(file)["WETH"]["seconds"] == step


@pytest.mark.parametrize(
    ("name", "asset"),
    [
        ("Binance_BTCUSDT_1h.csv", "WBTC"),
        ("BTC_USDT-1h.json", "WBTC"),
        ("eth-usd-1h-2022-11-crash.csv", "WETH"),
        ("SOLUSDC-1m-2024-08.csv", "SOL"),
        ("Kraken_XBTUSD.csv", "WBTC"),
        ("wsteth.csv", "WSTETH"),
        ("my prices of 2023.csv", "WETH"),
    ],
)
def test_a_file_s_own_name_says_of_which_asset_it_is(tmp_path: Path, name: str, asset: str) -> None:
    """Where no row does: bitcoin's bars are never taken for ether's."""
    file = tmp_path / name
    file.write_text(freqtrade() if name.endswith("json") else plain())
    assert list(bars_of(file)) == [asset]


def test_files_of_one_asset_are_joined_in_the_order_of_time(tmp_path: Path) -> None:
    """Month by month, as exchanges ship them, in whatever order they are given."""
    lines = klines(1000).splitlines()
    parts = [lines[:100], lines[100:150], lines[150:]]
    files = [tmp_path / f"ETHUSDT-1h-2022-{month}.csv" for month in ("10", "11", "12")]
    for file, part in zip(files, parts, strict=True):
        file.write_text("\n".join(part))
    assert bars_of(files[2], f"WETH={files[0]}", files[1])["WETH"]["bars"] == BARS


def test_several_assets_are_played_together_from_files_of_several_forms(tmp_path: Path) -> None:
    """The words on the line end to end: further files may stand behind the first, without their option."""
    ether, bitcoin = tmp_path / "ETH_USDT-1h.json", tmp_path / "Bitstamp_BTCUSD_1h.csv"
    ether.write_text(freqtrade())
    bitcoin.write_text(downloaded(symbol="BTC/USD"))
    words = ["--prices", str(ether), str(bitcoin), "--collateral", "WETH=50", "--collateral", "WBTC=20"]
    done = CliRunner().invoke(app, ["backtest", *words, "--health", "1.5", "--json"])
    assert done.exit_code == 0, done.output
    assert {s: of["form"] for s, of in json.loads(done.stdout)["inputs"]["prices"].items()} == {
        "WETH": "freqtrade", "WBTC": "CryptoDataDownload",
    }  # fmt: skip


def rows(change: Callable[[list[str]], list[str]]) -> str:
    return "\n".join(change(plain().splitlines()))


BAD = {
    "a price of zero": (rows(lambda r: [*r[:50], r[50].rsplit(",", 2)[0] + ",0," + r[50].rsplit(",", 1)[1], *r[51:]]),
                        "line 51", "price of 0", "mend that row"),
    "not a number": (rows(lambda r: [*r[:50], r[50].rsplit(",", 1)[0] + ",NaN", *r[51:]]), "line 51", "mend that row"),
    "nothing where a price should be": (rows(lambda r: [*r[:50], r[50].rsplit(",", 1)[0] + ",", *r[51:]]), "line 51"),
    "a doubled row": (rows(lambda r: [*r[:60], r[59], *r[60:]]), "line 61", "the same time", "delete it"),
    "rows out of order": (rows(lambda r: [*r[:60], r[61], r[60], *r[62:]]), "line 62", "in order"),
    "a doubled row, newest first": (rows(lambda r: [r[0], *reversed([*r[1:60], r[59], *r[60:]])]), "the same time"),
    "a gap of days": (rows(lambda r: [*r[:80], *r[150:]]), "line 81", "known for 70 h", "--until", "--since"),
    "a low above its close": (rows(lambda r: [*r[:50], r[50].rsplit(",", 2)[0] + ",999999,1", *r[51:]]), "line 51"),
    "three columns": (rows(lambda r: [",".join(row.split(",")[:3]) for row in r]), "it needs timestamp"),
    "euros": (downloaded(symbol="ETH/EUR"), "EUR", "counts in dollars", "USDT"),
    "bitcoins": (downloaded(symbol="ETHBTC"), "in BTC", "dollars"),
    "several assets": (downloaded() + downloaded("", symbol="BTCUSDT").split("\n", 1)[1], "several assets"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_history_names_file_row_and_remedy(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no figure comes of it."""
    text, *said = BAD[what]
    file = tmp_path / "prices.csv"
    file.write_text(text)
    with pytest.raises(typer.Exit):
        bars_of(file)
    err = capsys.readouterr().err.replace("\n", " ")
    assert "prices.csv" in err
    for word in said:
        assert word in err, err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("WETH={}/BTCUSDT-1h.csv",), "is of BTC/USDT, and not of WETH"),
        (("WBTC={}/ETHUSDT-1h.csv",), "is of ETH/USDT, and not of WBTC"),
        (("{}/ETHEUR-1h.csv",), "dollars"),
        (("{}/ETHUSDT-1h.csv", "{}/eth.csv"), "give each time once"),
        (("{}/ETHUSDT-1h.csv", "{}/ETHUSDT-1m.csv"), "one length of bar"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another asset's, another money's, the same time twice, minutes beside hours."""
    for name in ("BTCUSDT-1h.csv", "ETHUSDT-1h.csv", "ETHEUR-1h.csv", "eth.csv"):
        (tmp_path / name).write_text(plain())
    (tmp_path / "ETHUSDT-1m.csv").write_text(
        "\n".join([OHLC, *(f"{BARS[-1][0] + 3600 + i * 60},2000,2000,2000,2000" for i in range(9))])
    )
    with pytest.raises(typer.Exit):
        bars_of(*(word.format(tmp_path) for word in words))
    assert said in capsys.readouterr().err.replace("\n", " ")


def test_one_side_of_a_gap_is_played_as_the_error_says(tmp_path: Path) -> None:
    """With the very words of the remedy; and the report recomputes itself from the whole file."""
    file = tmp_path / "prices.csv"
    file.write_text(BAD["a gap of days"][0])
    found = bars_of(file, since=str(BARS[149][0]))["WETH"]
    assert found["bars"] == BARS[149:]
    assert bars_of(file, until=str(BARS[79][0]))["WETH"]["bars"] == BARS[:79]
