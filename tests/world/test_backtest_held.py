"""The back-test against the real contracts: the same window gives the same actions, and nearly the same end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from morpho_scene import MorphoScene
from scenes import DOLLAR, ETHER, Scene

sys.path.insert(0, str(Path(__file__).parents[1] / "backtest"))

from plays import BEGIN, document, fixed, way

from keeper.backtest import play
from keeper.backtest.course import Inside
from keeper.backtest.document import understood
from keeper.backtest.played import Played
from keeper.backtest.report import ground_of, play_on
from keeper.observe.voice import silence
from sandbox.morpho.desk import MorphoDesk

pytestmark = [pytest.mark.world, pytest.mark.timeout(400)]

WINDOWS = {
    "a fall of a third with two recoveries": (2000, 1810, 1690, 1740, 1500, 1290, 1340),
    "a slow decline, a rally and a gap": (2000, 1930, 1850, 1720, 1960, 1640, 1330, 1360),
}
"""Dollars, hour by hour."""
DEBT = 11_500
TOLERANCE = 2e-3
"""Of each balance at the end: pools are not of one formula (ticks, three fees), and clocks differ by minutes."""
RULE = """
[[rules]]
name = "protect"
position = "eth-loop"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["deleverage"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 100
"""


def on_paper(
    prices: Sequence[int], *rules: dict[str, Any], debt: int = DEBT, threshold: str = "0.83", ltv: str = "0.805"
) -> Played:
    """The same hours on paper, as the sandbox has them: each a step of oracle and pools."""
    before = [[BEGIN + h * 3600, *(4 * [prices[0] * 10**8])] for h in range(24)]
    rows = before + [[BEGIN + (24 + h) * 3600, *(4 * [p * 10**8])] for h, p in enumerate(prices)]
    made = document(
        rows, [way(*rules)], warm_up_s=23 * 3600, base_fee_gwei="0.1", in_one=False, lag_blocks=0,
        account={"collateral": {"WETH": "10"}, "debt": {"USDC": str(debt)}, "health": None},
    )  # fmt: skip
    made["assets"]["WETH"] |= {"ltv": ltv, "threshold": threshold}
    silence()
    read = understood(made)
    return play_on(read, ground_of(read, Inside.LOW_FIRST), 0)


def balances(of: Played) -> tuple[int, int]:
    """Collateral and debt at the end."""
    _, last = of.life.stands[-1]
    supplied, owed = last.holdings
    return supplied.supplied, owed.borrowed


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_the_same_window_gives_the_same_actions_and_nearly_the_same_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, window: tuple[int, ...]
) -> None:
    """A live keeper on real Aave and real pools, hour by hour, and the back-test of those hours.

    ``keeper once`` begins anew each hour and has seen no block before: nor has the one on paper.
    """
    monkeypatch.setattr(play, "PACE_BLOCKS", 0)
    scene.rules = RULE
    scene.open({"WETH": 10 * ETHER}, {"USDC": DEBT * DOLLAR})
    acted, healths = list[int](), list[float]()
    for hour, price in enumerate(window):
        scene.crash(str(price))
        healths.append(scene.health())
        _, row = scene.once("--live")
        if row["outcome"] is not None:
            assert row["outcome"]["kind"] == "restored", row["outcome"]
            assert row["plan"]["label"] == "sell WETH to repay USDC"
            acted.append(hour)
    of = on_paper(window, fixed("1.25", "1.60", actions=["deleverage"], limits={"max_slippage_bps": 100}))
    ours = list(of.life.deeds)
    assert [deed.what for deed in ours] == ["sell WETH to repay USDC"] * len(acted)
    assert [round((deed.at - BEGIN) / 3600 - 24) for deed in ours] == acted
    assert len(acted) >= 2, "the window asks for more than one rescue"
    for deed, hour in zip(ours, acted, strict=True):
        assert deed.health / 1e18 == pytest.approx(healths[hour], rel=1e-3)
    collateral, debt = balances(of)
    assert collateral == pytest.approx(scene.world.supplied("WETH", scene.owner), rel=TOLERANCE)
    assert debt == pytest.approx(scene.world.debt("USDC", scene.owner), rel=TOLERANCE)


MORPHO_DEBT, LLTV = 13_100, "0.86"
ROUNDS_DIFFER = 2e-2
"""Rounds are cut at what the pools quote: what the last ones sell beyond the target is not the same to the dollar."""
MORPHO_RULE = RULE.replace("eth-loop", "lent")


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_the_same_window_on_morpho_blue(scene: Scene, monkeypatch: pytest.MonkeyPatch, window: tuple[int, ...]) -> None:
    """Another real contract, with its own oracle and its own limit: the same hours, actions and nearly the end."""
    monkeypatch.setattr(play, "PACE_BLOCKS", 0)
    morpho = MorphoDesk(scene.world)
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, MORPHO_DEBT * DOLLAR)
    kept = MorphoScene(scene, morpho, id_, MORPHO_RULE, {})
    had = scene.world.token("WETH").functions.balanceOf(scene.owner).call()
    acted, healths = list[int](), list[float]()
    for hour, price in enumerate(window):
        scene.crash(str(price))
        healths.append(float(kept.health()))
        row = kept.once("--live")
        if row["outcome"] is not None:
            assert row["outcome"]["kind"] == "restored", row["outcome"]
            assert row["plan"]["label"] == "sell WETH to repay USDC"
            acted.append(hour)
    rule = fixed("1.25", "1.60", actions=["deleverage"], limits={"max_slippage_bps": 100})
    of = on_paper(window, rule, debt=MORPHO_DEBT, threshold=LLTV, ltv=LLTV)
    ours = list(of.life.deeds)
    assert [deed.what for deed in ours] == ["sell WETH to repay USDC"] * len(acted)
    assert [round((deed.at - BEGIN) / 3600 - 24) for deed in ours] == acted
    assert len(acted) >= 2, "the window asks for more than one rescue"
    for deed, hour in zip(ours, acted, strict=True):
        assert deed.health / 1e18 == pytest.approx(healths[hour], rel=1e-3)
    collateral, debt = balances(of)
    _, last = of.life.stands[-1]
    in_wallet = scene.world.token("WETH").functions.balanceOf(scene.owner).call() - had
    there, owes = morpho.position(id_, scene.owner)[2], morpho.debt(id_, scene.owner)
    assert collateral == pytest.approx(there, rel=ROUNDS_DIFFER)
    assert debt == pytest.approx(owes, rel=ROUNDS_DIFFER)
    ours_in_all = collateral + last.wallet[last.holdings[0].asset]
    has = [
        ether / ETHER * window[-1] - owed / DOLLAR for ether, owed in ((ours_in_all, debt), (there + in_wallet, owes))
    ]
    assert has[0] == pytest.approx(has[1], rel=TOLERANCE), "what the owner has in all, in dollars"


@pytest.mark.parametrize("price", [1370, 1300], ids=["half", "all"])
def test_liquidation_takes_what_the_real_contract_takes(scene: Scene, price: int) -> None:
    """Half of the debt just below 1, all of it where health fell to 0.95: as Aave's own code does."""
    scene.open({"WETH": 10 * ETHER}, {"USDC": DEBT * DOLLAR})
    scene.crash(str(price))
    assert scene.health() < 1
    world, liquidator = scene.world, scene.world.account(7).address
    world.mint("USDC", liquidator, 2 * DEBT * DOLLAR)
    tokens = world.addresses["tokens"]
    world.chain.send(world.token("USDC").functions.approve(world.pool.address, 2**256 - 1), liquidator)
    call = world.pool.functions.liquidationCall(tokens["WETH"], tokens["USDC"], scene.owner, 2**256 - 1, False)
    world.chain.send(call, liquidator)
    of = on_paper((2000, price))
    (deed,) = (deed for deed in of.life.deeds if deed.how == "liquidated")
    collateral, debt = balances(of)
    assert collateral == pytest.approx(world.supplied("WETH", scene.owner), rel=1e-3)
    assert debt == pytest.approx(world.debt("USDC", scene.owner), rel=1e-3, abs=2)
    assert deed.health < 10**18
