"""The circuit breaker and the forecaster as settings: what is meant, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper.core.breaker import BreakerTerms
from keeper.core.units import Bps
from keeper.settings import SettingsError, load

FILE = """
[network]
file = "ethereum"
rpc_url = "http://127.0.0.1:1"
[[positions]]
name = "loop"
venue = "aave_v3"
owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
[safety]
"""


def loaded(folder: Path, safety: str):  # type: ignore[no-untyped-def]
    file = folder / "keeper.toml"
    file.write_text(FILE + safety)
    return load(file, {})


def test_a_breaker_is_read_and_left_out_there_is_none(tmp_path: Path) -> None:
    """15 % within five minutes, half an hour's rest."""
    of = loaded(tmp_path, 'breaker = { move = "0.15", within = "5m", pause = "30m" }\nforecaster = "har"\n')
    assert of.breaker == BreakerTerms(Bps(1_500), 300, 1_800)
    assert of.forecaster == "har"
    usual = loaded(tmp_path, "")
    assert (usual.breaker, usual.forecaster) == (None, "usual")


@pytest.mark.parametrize(
    "breaker",
    [
        '{ move = "15", within = "5m", pause = "30m" }',
        '{ move = "0", within = "5m", pause = "30m" }',
        '{ move = "0.1", within = "0s", pause = "30m" }',
        '{ move = "0.1", within = "5m", pause = "2d" }',
        '{ move = "0.1", within = "5m" }',
        '{ move = "0.1", within = "5m", pause = "1h", why = "x" }',
        '"0.1"',
    ],
)
def test_one_that_makes_no_sense_is_refused_with_its_place(tmp_path: Path, breaker: str) -> None:
    """Percent for a share, no time, days, a key missing or unknown."""
    with pytest.raises(SettingsError, match=r"safety\.breaker"):
        loaded(tmp_path, f"breaker = {breaker}\n")


def test_exposure_limits_are_read(tmp_path: Path) -> None:
    """Of underlyings, venues, the chain, and leverage in all; left out there are none."""
    of = loaded(
        tmp_path,
        '[exposure]\nleverage = "3"\nchain_usd = "2000000"\nvenues_usd = { aave_v3 = "5" }\n'
        'underlyings_usd = { ETH = "7" }\n',
    )
    assert of.exposure is not None
    assert (of.exposure.leverage, of.exposure.chain) == (3 * 10**18, 2_000_000 * 10**8)
    assert (of.exposure.venues, of.exposure.underlyings) == ({"aave_v3": 5 * 10**8}, {"ETH": 7 * 10**8})
    assert loaded(tmp_path, "").exposure is None


@pytest.mark.parametrize(
    "line",
    ['leverage = "0.5"', 'chain_usd = "0"', 'venues_usd = { bank = "5" }', 'underlyings_usd = { ETH = "-1" }', "x = 1"],
)
def test_exposure_limits_that_make_no_sense_are_refused(tmp_path: Path, line: str) -> None:
    """Less than no leverage, nothing, a venue that there is not."""
    with pytest.raises(SettingsError, match="exposure"):
        loaded(tmp_path, f"[exposure]\n{line}\n")
