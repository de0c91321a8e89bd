"""The hedge demo as a person runs it, in a short version: its promises, and a report that adds up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.demo_crash import START_PRICE, own_squeeze
from sandbox.hedge_result import Story, broken_promise
from sandbox.hedge_scene import ALONE, HEDGED, UNHEDGED, HedgeFrame
from sandbox.paths import HERE


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of one run."""
    folder = tmp_path_factory.mktemp("hedge")
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.demo", "hedge", "--seconds", "13", "--report", str(folder / "report.json")],
        cwd=HERE.parent,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


@pytest.mark.world
def test_both_legs_live_and_the_delta_comes_back(played: dict[str, Any]) -> None:
    """The loop was rescued, the short followed and was rescued itself; the one left alone was liquidated."""
    hedged, delta = played["hedged"], played["delta"]
    assert (hedged["loop_liquidations"], hedged["short_liquidations"], hedged["liquidated"]) == (0, 0, False)
    assert all(hedged["acted"][name] > 0 for name in ("eth-loop", "short", "eth"))
    assert hedged["min_health_factor"] > 1
    assert played["short"]["least_cushion_usd"] > 0
    assert played["short"]["start_size"] < played["short"]["final_size"] < 0
    assert abs(delta["final"]) <= delta["band"]
    assert delta["excursions"], "the rescue of the loop opens the delta"
    assert played["alone"]["liquidated"]


@pytest.mark.world
def test_the_figures_add_up(played: dict[str, Any]) -> None:
    """Equity moved by what prices did to the open delta, less the costs; the hedge softened the fall."""
    hedged, delta = played["hedged"], played["delta"]
    equity, costs = hedged["equity_usd"], hedged["costs_usd"]
    assert equity["end"] - equity["start"] == pytest.approx(delta["open_moves_usd"] - costs["total"], abs=2)
    parts = sum(costs[name] for name in ("gas", "perp_fees", "perp_impact", "funding", "sales"))
    assert costs["total"] == pytest.approx(parts, abs=0.05)
    assert costs["perp_fees"] > 0
    assert (
        costs["total"] < 0.01 * equity["start"]
    )  # less than nothing where pools lagged behind the fall: they paid more
    outside = sum(stretch["blocks"] for stretch in delta["excursions"])
    assert delta["share_inside"] == pytest.approx(1 - outside / delta["blocks"], abs=1e-4)
    bought = sum(trade["size"] for trade in hedged["perp_trades"])
    assert played["short"]["final_size"] - played["short"]["start_size"] == pytest.approx(bought, abs=1e-3)
    assert costs["perp_fees"] == pytest.approx(sum(trade["fee_usd"] for trade in hedged["perp_trades"]), abs=0.05)
    assert equity["worst"] > played["unhedged"]["equity_usd"]["worst"]
    assert all(t["hash"].startswith("0x") and t["block"] > 0 for t in hedged["transactions"])


def test_its_own_path_falls_by_a_third_and_ends_above_its_start() -> None:
    """The loop left alone is liquidated on the way down; the short is squeezed on the way up."""
    prices = [point.price for point in own_squeeze(10).points]
    assert prices[0] == START_PRICE
    assert Decimal("-0.36") < min(prices) / START_PRICE - 1 < Decimal("-0.33")
    assert prices[-1] > START_PRICE * Decimal("1.25")
    assert prices.index(min(prices)) < prices.index(max(prices))


def test_a_delta_left_outside_its_band_breaks_the_promise() -> None:
    """In the end, and for too long on the way."""
    calm = [0.0] * 40
    assert broken_promise(story(calm), own_path=False) is None
    assert "in the end the delta is -0.60" in str(broken_promise(story([*calm, -0.6]), own_path=False))
    long = [*calm, *calm, *[0.7] * 16, 0.0]
    assert "16 blocks in a row" in str(broken_promise(story(long), own_path=False))
    assert "of the blocks only" in str(broken_promise(story([0.0, 0.7] * 20 + [0.0]), own_path=False))


def test_a_leg_that_died_breaks_the_promise() -> None:
    """Liquidated, could have been, or gone."""
    assert broken_promise(story([0.0], loop=1), own_path=False) == "the hedged loop was liquidated"
    assert "the short was liquidated" in str(broken_promise(story([0.0], short=1), own_path=False))
    assert "could have been" in str(broken_promise(story([0.0], cushion=-1), own_path=False))
    assert broken_promise(story([0.0], size=0), own_path=False) == "a leg is gone"


def test_excursions_are_whole_stretches_with_their_worst() -> None:
    """Two of them, by block, length and time to the first block back inside."""
    found = story([0.0, 0.6, -0.9, 0.0, 0.0, 1.2]).excursions
    assert [(e.first_block, e.blocks, e.seconds, e.worst) for e in found] == [(1, 2, 24, -0.9), (5, 1, 0, 1.2)]


def story(deltas: list[float], loop: int = 0, short: int = 0, cushion: int = 1, size: float = -5.0) -> Story:
    """One frame for each delta; everything else stands still."""
    names = (HEDGED, UNHEDGED, ALONE)
    frames = [
        HedgeFrame(
            block=i,
            timestamp=12 * i,
            price=START_PRICE,
            health=dict.fromkeys(names, 1.5),
            collateral_usd={},
            debt_usd={},
            delta={HEDGED: delta},
            equity=dict.fromkeys(names, Decimal(1)),
            short=size,
            margin_ratio=0.2,
            margin_ratio_unaided=0.2,
            cushion=Decimal(cushion),
        )
        for i, delta in enumerate(deltas)
    ]
    ending: Any = SimpleNamespace(loop_liquidations=[None] * loop, short_liquidations=short)
    return Story(frames, {HEDGED: ending})
