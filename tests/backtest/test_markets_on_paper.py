"""Positions of every lending venue in a back-test: its own liquidation, and what its market lets out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plays import came_of, crash, document, fixed, walk, way
from typer.testing import CliRunner

from keeper.cli.commands import app
from keeper.core.family import Family
from keeper.venues.registry import VENUES

LENDING = [key for key, venue in VENUES.items() if venue.family is Family.LENDING]
NETWORK = Path(__file__).parents[2] / "config" / "networks"
ROWS = crash(walk(9, volatility=0.5), 8, 0.3)
NAMES = {"morpho_blue": 'market = "0xb323495f7e4148be5643a4ea4a8221eef163e4bccfdedc2a6f4696baacbc86cc"\n'}
"""What a position must name beside its owner, where a venue asks for it."""


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    file = tmp_path / "ether.csv"
    lines = [f"{at},{o / 1e8:.8f},{h / 1e8:.8f},{low / 1e8:.8f},{c / 1e8:.8f}" for at, o, h, low, c in ROWS]
    file.write_text("\n".join(["timestamp,open,high,low,close", *lines]))
    return file


def played(prices: Path, *words: str) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(app, ["backtest", "--prices", str(prices), "--health", "1.3", "--json", *words])
    assert done.exit_code == 0, done.output
    return {way["name"]: way for way in json.loads(done.stdout)["report"]["ways"]}


@pytest.mark.parametrize("venue", LENDING)
def test_a_position_of_each_venue_is_played_by_its_own_settings(prices: Path, tmp_path: Path, venue: str) -> None:
    """Rules as they are written in a settings file about that venue, and liquidation as its registry entry says."""
    settings = tmp_path / "keeper.toml"
    settings.write_text(
        f'[network]\nfile = "ethereum"\nrpc_url = "http://127.0.0.1:1"\n[journal]\nurl = "k.sqlite"\n'
        '[[signers]]\nname = "me"\naddress = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"\nkeystore = "k.json"\n'
        f'[[positions]]\nname = "loop"\nvenue = "{VENUES[venue].key}"\n'
        f'owner = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"\n{NAMES.get(venue, "")}'
        'signer = "me"\n[[rules]]\nname = "mine"\nposition = "loop"\nwhen = { health_factor_below = "1.2" }\n'
        'restore = { health_factor = "1.50" }\nactions = ["deleverage"]\n[rules.limits]\nmax_slippage_bps = 60\n'
    )
    ways = played(prices, "--config", str(settings))
    assert not ways["no keeper"]["survived"]
    assert ways["your rules"]["survived"]
    assert ways["your rules"]["actions"] >= 1


@pytest.mark.parametrize("venue", LENDING)
def test_liquidators_take_what_the_venue_lets_them(prices: Path, venue: str) -> None:
    """Of a debt that is paid half a liquidation takes half its bonus, of one that is paid whole all of it, once."""
    of, alone = VENUES[venue], played(prices, "--venue", venue)["no keeper"]
    halves = any(deed["what"].startswith("liquidated") for deed in alone["deeds"]) and of.closes.usual < 10_000
    (first, *_) = [deed for deed in alone["deeds"] if deed["how"] == "liquidated"]
    if halves:
        assert first["health_after"] is not None
    else:
        assert first["health_after"] is None, "nothing is owed any more"
        assert alone["liquidations"] == 1


def kept(trigger: str, **terms: Any) -> dict[str, Any]:
    rule = fixed(trigger, "1.40", actions=["deleverage"], limits={"max_slippage_bps": 500})
    return came_of(document(ROWS, [way(rule)], account={"health": "1.3"}, **terms))


def test_past_the_borrow_limit_rounds_free_nothing_and_a_loan_does() -> None:
    """The limit is at health 0.83 / 0.80: a rule below it sells nothing where collateral leaves to the limit only."""
    free, stuck = kept("1.03"), kept("1.03", frees_to_limit=True)
    assert free["survived"]
    assert not stuck["survived"]
    assert kept("1.03", frees_to_limit=True, lends_usd="10000000")["survived"]
    assert kept("1.20", frees_to_limit=True)["survived"]


def test_a_market_that_takes_all_credits_what_its_penalty_leaves() -> None:
    """Compound v3's way: the whole collateral goes, each at its penalty, and what the debt leaves comes back."""
    alone = came_of(document(ROWS, [way(name="none")], account={"health": "1.3"}, absorbs=True))
    (deed,) = [deed for deed in alone["deeds"] if deed["how"] == "liquidated"]
    worth = float(deed["lost_usd"]) / 0.05
    usual = came_of(document(ROWS, [way(name="none")], account={"health": "1.3"}, close_bps=10_000))
    assert deed["health_after"] is None
    assert float(deed["lost_usd"]) > float(usual["lost_usd"]), "it keeps its share of all, not of the debt alone"
    assert 0.75 < 0.05 * 100 * ROWS[-1][4] / 1e8 / float(deed["lost_usd"]) < 1.25, worth
