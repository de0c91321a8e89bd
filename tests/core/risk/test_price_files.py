"""Price files as people have them: each form is recognised, and what is none is refused with its row."""

from __future__ import annotations

import json

import pytest

from keeper.core.risk.files import BadPriceFileError, price_file

OURS = """timestamp,open,high,low,close
1583020800,217.26,221.15,217.04,218.16
1583024400,218.02,223.82,216.1,223.61
1583028000,224.0,225.58,222.72,223.57
"""
DOWNLOADED = """https://www.CryptoDataDownload.com
unix,date,symbol,open,high,low,close,Volume ETH,Volume USD
1583028000000,2020-03-01 02:00:00,ETH/USD,224.0,225.58,222.72,223.57,1,2
1583024400,2020-03-01 01:00:00,ETH/USD,218.02,223.82,216.1,223.61,1,2
1583020800,2020-03-01 00:00:00,ETH/USD,217.26,221.15,217.04,218.16,1,2
"""
KLINES = "\n".join(
    f"{at}000000,{row},1,{at}999999,2,3,4,5,0"
    for at, row in (
        (1583020800, "217.26,221.15,217.04,218.16"),
        (1583024400, "218.02,223.82,216.1,223.61"),
        (1583028000, "224.0,225.58,222.72,223.57"),
    )
)
FREQTRADE = json.dumps(
    [
        [1583020800000, 217.26, 221.15, 217.04, 218.16, 5.0],
        [1583024400000, 218.02, 223.82, 216.1, 223.61, 5.0],
        [1583028000000, 224.0, 225.58, 222.72, 223.57, 5.0],
    ]
)


@pytest.mark.parametrize(
    ("text", "form", "symbol"),
    [
        (OURS, "CSV", None),
        (DOWNLOADED, "CryptoDataDownload", "ETH/USD"),
        (KLINES, "Binance klines", None),
        ("open_time,open,high,low,close,volume\n" + KLINES, "Binance klines", None),
        (FREQTRADE, "freqtrade", None),
    ],
)
def test_each_form_is_recognised_and_gives_the_same_bars(text: str, form: str, symbol: str | None) -> None:
    """Seconds, milliseconds or microseconds, the oldest or the newest first; prices exact to 10^-8."""
    found = price_file(text)
    assert (found.form, found.symbol) == (form, symbol)
    assert [b.at for b in found.bars] == [1583020800, 1583024400, 1583028000]
    assert {b.seconds for b in found.bars} == {3600}
    assert found.bars[1].high == 223_82000000
    assert found.bars[2].close == 223_57000000


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("PAR1\x00", "Parquet"),
        ("{}", "no list"),
        ("[[1]]", "no list"),
        ("[" * 100_000, "no JSON"),
        ("date,price\n1,2\n", "it needs timestamp"),
        ("1583020800,217.26,221.15\n", "has no head"),
        (OURS.splitlines()[0] + "\n", "no row"),
        ("\n".join(OURS.splitlines()[:2]), "one row"),
        (OURS.replace("216.1", "0"), "line 3: has a price of 0"),
        (OURS.replace("216.1", "nan"), "line 3"),
        (OURS.replace("216.1", "many"), "line 3"),
        (OURS.replace("223.61", "999"), "line 3: has a low"),
        (OURS.replace("1583028000", "1583024400"), "line 4: has the same time"),
        (OURS.replace("1583028000", "1583021000"), "line 4: has a time"),
        (OURS + OURS.splitlines()[1] + "\n", "line 5: has a time"),
        (DOWNLOADED.replace("ETH/USD", "BTC/USD", 1), "several assets"),
        (OURS.replace(",218.16", ""), "line 2: has 4 columns"),
    ],
)
def test_what_is_no_price_file_is_refused_with_its_row(text: str, why: str) -> None:
    """Unsorted or doubled rows, a price of zero, NaN, another asset's rows: a clear error, never a path of prices."""
    with pytest.raises(BadPriceFileError, match=why):
        price_file(text)


def test_a_gap_is_kept_as_one() -> None:
    """Hours that are missing are no flat hours: whoever estimates sees them."""
    found = price_file(OURS + "1583100000,224,225,223,224\n")
    assert found.bars[-1].at - found.bars[-2].at == 72_000


@pytest.mark.parametrize("row", ["218020,223820,216100,223610", "0.218,0.2238,0.2161,0.2236", "218,223,0.3,223"])
def test_a_price_of_another_unit_or_asset_is_refused_with_its_row(row: str) -> None:
    """Twenty times another from one row to the next is no move: cents for dollars, or another asset's row."""
    with pytest.raises(BadPriceFileError, match=r"line 3: goes from .* at once"):
        price_file(OURS.replace("218.02,223.82,216.1,223.61", row))


def test_a_fall_of_nine_tenths_in_a_bar_is_a_price() -> None:
    """Markets did that; whoever was there has it in his file."""
    assert (
        price_file(OURS.replace("218.02,223.82,216.1,223.61", "218.02,223.82,21.6,120.61")).bars[1].low == 216 * 10**7
    )
