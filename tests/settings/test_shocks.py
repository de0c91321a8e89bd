"""An owner's own shocks as settings: what is meant, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper.core.risk.shock_terms import ALL, Shock, plain_shock, shock_of
from keeper.core.units import WAD, Wad
from keeper.settings import SettingsError, load

FILE = """
[network]
file = "ethereum"
rpc_url = "http://127.0.0.1:1"
[[positions]]
name = "loop"
venue = "aave_v3"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
[[shocks]]
name = "ether breaks"
moves = { ETH = "-0.35", everything = "-0.2" }
borrow_rate = "0.5"
lasts = "1d"
gas_times = 100
"""


def test_a_shock_is_read(tmp_path: Path) -> None:
    """Shares become basis points, a rate a Wad; what is not named stays as it is."""
    (tmp_path / "keeper.toml").write_text(FILE)
    (found,) = load(tmp_path / "keeper.toml", {}).shocks
    assert found == Shock("ether breaks", {"ETH": -3_500, ALL: -2_000}, Wad(WAD // 2), seconds=86_400, gas=100)
    assert shock_of(plain_shock(found)) == found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"-0.35"', '"-1"', "above -1"),
        ('"-0.35"', '"nan"', "moves"),
        ("gas_times = 100", "gas_times = 0", "gas_times (in 'ether breaks'): must be 1"),
        ('"0.5"', '"-0.1"', "borrow_rate"),
        ('"1d"', '"0s"', "lasts"),
        ("gas_times = 100", "gas = 100", "gas"),
        ("moves = {", "moves = 5 #", "moves"),
    ],
)
def test_a_shock_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """With its place and a remedy."""
    (tmp_path / "keeper.toml").write_text(FILE.replace(old, new))
    with pytest.raises(SettingsError) as error:
        load(tmp_path / "keeper.toml", {})
    assert "shocks" in str(error.value)
    assert said in str(error.value)


def test_a_shock_of_nothing_is_refused(tmp_path: Path) -> None:
    """A name alone changes nothing."""
    (tmp_path / "keeper.toml").write_text(FILE.partition("moves =")[0])
    with pytest.raises(SettingsError, match="changes nothing"):
        load(tmp_path / "keeper.toml", {})
