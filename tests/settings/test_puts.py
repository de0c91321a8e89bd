"""Puts as settings: what is meant, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper.core.risk.put_terms import HeldPut
from keeper.core.units import USD, WAD, Usd, Wad
from keeper.settings import SettingsError, load

FILE = """
[network]
file = "ethereum"
rpc_url = "http://127.0.0.1:1"
[[positions]]
name = "loop"
venue = "aave_v3"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
[[puts]]
name = "january"
protects = "loop"
underlying = "ETH"
strike_usd = "1800"
expiry = "2027-01-29T08:00:00Z"
size = "2.5"
"""


def test_a_put_is_read(tmp_path: Path) -> None:
    """A moment as text or as TOML's own is the same."""
    for text in (FILE, FILE.replace('"2027-01-29T08:00:00Z"', "2027-01-29T09:00:00+01:00")):
        (tmp_path / "keeper.toml").write_text(text)
        of = load(tmp_path / "keeper.toml", {})
        assert of.puts == (HeldPut("january", "loop", "ETH", Usd(1_800 * USD), 1_801_209_600, Wad(5 * WAD // 2)),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('protects = "loop"', 'protects = "lop"', "puts[0].protects: there is no position or book 'lop'"),
        ('"2027-01-29T08:00:00Z"', '"2027-01-29"', "write it with its zone"),
        ('"2027-01-29T08:00:00Z"', '"soon"', "write it with its zone"),
        ('"1800"', '"0"', "must be positive"),
        ('size = "2.5"', 'size = "-1"', "must be positive"),
        ('size = "2.5"', "", "size"),
    ],
)
def test_what_is_no_put_is_refused_by_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "keeper.toml").write_text(FILE.replace(old, new))
    with pytest.raises(SettingsError) as refused:
        load(tmp_path / "keeper.toml", {})
    assert said in str(refused.value)
