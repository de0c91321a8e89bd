"""Rules and reports on what may come, on real contracts: measured from the oracles' own rounds, on the chain itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene

from sandbox.past import give_past

pytestmark = pytest.mark.world
RULE = """
[[rules]]
name = "see-it-coming"
position = "eth-loop"
when = { liquidation_probability_above = { probability = "0.01", horizon = "24h" } }
restore = { liquidation_probability = "0.002" }
actions = ["repay", "deleverage"]
[rules.limits]
max_slippage_bps = 100
"""


def told(scene: Scene, size: float) -> None:
    """Nine days of rounds behind both feeds that end now, at the prices there are: hourly moves of ``size``."""
    give_past(scene.world, size)


def row(scene: Scene, *options: str) -> dict[str, Any]:
    (found,) = json.loads(scene.keeper("once", "--json", *options).stdout)["positions"]
    return dict(found)


def test_a_rule_on_the_probability_keeps_a_loan_in_a_storm_and_rests_afterwards(scene: Scene) -> None:
    """Calm: nothing to do. Stormy: it sells down to the target, by the chain's own history, and asks for no more."""
    scene.rules = RULE
    scene.open({"WETH": 10 * ETHER}, {"USDC": 14_000 * DOLLAR})
    scene.write()
    assert row(scene)["decision"]["reason"] == "history_short"
    told(scene, 0.001)
    assert row(scene)["decision"]["reason"] == "healthy"
    told(scene, 0.02)
    before = scene.health()
    found = row(scene, "--live")
    assert found["outcome"] is not None, found["decision"]
    assert found["outcome"]["kind"] == "restored", found
    assert scene.health() > before + 0.05
    again = row(scene, "--live")["decision"]["reason"]
    assert again in ("healthy", "at_target", "cooldown"), again


def test_the_report_is_made_from_the_chain_and_recomputed_without_it(scene: Scene) -> None:
    """Probabilities, stress and a page; whoever has the file recomputes it, to the digit."""
    scene.rules = RULE.replace(
        'liquidation_probability_above = { probability = "0.01", horizon = "24h" }', 'health_factor_below = "1.20"'
    ).replace('liquidation_probability = "0.002"', 'health_factor = "1.50"')
    scene.open({"WETH": 10 * ETHER}, {"USDC": 12_500 * DOLLAR})
    scene.write()
    told(scene, 0.01)
    made = json.loads(scene.keeper("risk", "--json").stdout)
    (of,) = made["report"]["positions"]
    assert float(of["health_factor"]) / 1e18 == pytest.approx(scene.health(), rel=1e-6)
    used = [p["used"] for p in of["probability"]]
    assert used == sorted(used)
    assert 0 < used[-1] < 1
    assert any(x["is_liquidated"] for x in of["stress"])
    rows = made["plans"]["eth-loop"]
    assert rows["everything but dollars −20 %"]["plan"], rows
    assert float(rows["everything but dollars −20 %"]["health_factor"]) > 1.2e18
    page = scene.folder / "report.html"
    shown = scene.keeper("risk", "eth-loop", "--html", str(page))
    assert shown.exit_code == 0, shown.output
    assert "eth-loop" in shown.output
    again = scene.keeper("risk", "--reproduce", str(page))
    assert again.exit_code == 0, again.output
    assert "every figure is the same" in again.output


def test_what_a_live_report_cannot_measure_is_unknown_and_never_calm(scene: Scene) -> None:
    """A horizon of zero is refused; one round of history, and prices that stand still, make no figure."""
    scene.open({"WETH": 10 * ETHER}, {"USDC": 14_000 * DOLLAR})
    scene.write()
    zero = scene.keeper("risk", "--horizon", "0h")
    assert zero.exit_code != 0
    assert "--horizon" in zero.output
    for is_still in (False, True):
        if is_still:
            told(scene, 0.0)
        made = scene.keeper("risk", "--json")
        assert made.exit_code == 0, made.output
        (of,) = json.loads(made.stdout)["report"]["positions"]
        assert all("unknown" in p["used"] for p in of["probability"])
        assert all("unknown" in x["expected_liquidation_usd"] for x in of["lost"])


def test_a_live_report_of_a_loan_without_debt_says_so(scene: Scene) -> None:
    """Nothing can liquidate it: no health factor, a probability of zero, nothing at stake."""
    scene.world.open_position(scene.owner, {"WETH": 10 * ETHER}, {})
    scene.write()
    told(scene, 0.01)
    made = scene.keeper("risk", "--json")
    assert made.exit_code == 0, made.output
    (of,) = json.loads(made.stdout)["report"]["positions"]
    assert of["health_factor"] is None
    assert {p["used"] for p in of["probability"]} == {0.0}
    assert of["taken_usd"] == "0"
