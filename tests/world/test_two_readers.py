"""With two readers the figures that decide are compared at each block: a liar of two hides no danger."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import proxy as faults
import pytest
from proxy import RpcProxy
from scenes import DOLLAR, ETHER, RULE, Scene
from test_nodes_as_they_are import judged, with_two
from test_perps_kept import MARGIN, perps, squeeze

from keeper.venues.feeds.fixed_price import price_source

pytestmark = pytest.mark.world


@pytest.fixture
def pair(scene: Scene, proxy: RpcProxy) -> Iterator[tuple[RpcProxy, RpcProxy]]:
    """Two nodes of the scene's chain."""
    scene.url = proxy.url
    with RpcProxy(scene.world.url) as second:
        yield proxy, second


def lying(scene: Scene, price: str, symbol: str = "WETH") -> faults.Fault:
    """A node that tells another price, and all that follows from it, of every block: nothing of it is inconsistent."""
    return overridden({scene.world.addresses["feeds"][symbol]: code_of(price)})


def code_of(price: str) -> dict[str, str]:
    return {"code": "0x" + price_source(int(float(price) * 10**8)).hex()}


def overridden(code: dict[str, dict[str, str]]) -> faults.Fault:
    def fault(request: faults.Request) -> None:
        if request["method"] == "eth_call" and len(request["params"]) == 2:
            request["params"].append(code)
        if request["method"] == "eth_simulateV1":
            for block in request["params"][0]["blockStateCalls"]:
                block["stateOverrides"] = {**code, **block.get("stateOverrides", {})}

    return fault


@pytest.mark.parametrize("liar", [0, 1])
@pytest.mark.parametrize("price", ["3000", "1700"])
def test_of_two_nodes_that_differ_the_worse_figure_binds_for_repaying(
    scene: Scene, pair: tuple[RpcProxy, RpcProxy], liar: int, price: str
) -> None:
    """Whichever lies, and whichever way: the debt is repaid from the wallet, nothing is sold, an alarm says why."""
    scene.open(keep_debt=True).crash()
    with_two(scene, pair[1])
    pair[liar].fault = lying(scene, price)
    found = scene.keeper("once", "--live", "--json")
    (row,) = json.loads(found.stdout)["positions"]
    assert row["outcome"]["kind"] == "restored", row
    assert row["plan"]["label"] == "repay USDC"
    assert "Two nodes give different figures" in found.stderr
    assert scene.health() >= 1.6
    assert scene.world.supplied("WETH", scene.owner) >= 10 * ETHER


def test_of_two_nodes_that_differ_nothing_is_sold_on_either_s_word(
    scene: Scene, pair: tuple[RpcProxy, RpcProxy]
) -> None:
    """Where only a sale would help, it is told instead."""
    scene.rules = RULE.replace('"top_up", "repay", "deleverage"', '"deleverage"')
    scene.open().crash()
    with_two(scene, pair[1])
    pair[0].fault = lying(scene, "3000")
    before = scene.nonce()
    found = scene.keeper("once", "--live", "--json")
    (row,) = json.loads(found.stdout)["positions"]
    assert row["decision"]["reason"] == "nodes_disagree", row
    assert found.exit_code == 3
    assert scene.nonce() == before


def test_a_lie_about_a_position_that_is_well_by_both_is_told_all_the_same(
    scene: Scene, pair: tuple[RpcProxy, RpcProxy]
) -> None:
    """No rule fires; the owner hears that one of the nodes lies."""
    scene.open()
    with_two(scene, pair[1])
    pair[0].fault = lying(scene, "2100")
    found = scene.keeper("once", "--live")
    assert found.exit_code == 0
    assert "Two nodes give different figures" in found.stderr


def test_nodes_that_agree_cost_one_read_more_and_alarm_nobody(scene: Scene, pair: tuple[RpcProxy, RpcProxy]) -> None:
    """One read of the other node a block, beside ours."""
    scene.open(debt={"USDC": 5_000 * DOLLAR})  # far from every rule: nothing is made ready
    with_two(scene, pair[1])
    order, lock = list[tuple[str, str]](), threading.Lock()

    def noted(name: str) -> faults.Fault:
        def fault(request: faults.Request) -> None:
            if request["method"] == "eth_call":
                with lock:
                    order.append((request["params"][1]["blockHash"], name))

        return fault

    with scene.running() as keeper:
        keeper.wait_for("started")
        for _ in range(2):
            scene.world.mine()
            judged(keeper, scene.world.w3.eth.block_number)
        for each, name in zip(pair, "ab", strict=True):
            each.fault = noted(name)
        for _ in range(4):
            scene.world.mine()
            judged(keeper, scene.world.w3.eth.block_number)
        assert keeper.stop() == 0
        assert "alarm" not in keeper.log
    blocks = list(dict.fromkeys(at for at, _ in order))
    assert len(blocks) == 4
    assert [sorted(n for at, n in order if at == block) for block in blocks] == [["a", "b"]] * 4


def test_a_second_node_that_hangs_holds_no_rescue_up(scene: Scene, pair: tuple[RpcProxy, RpcProxy]) -> None:
    """Its silence is no answer: the plan goes out."""
    scene.open(keep_debt=True).crash()
    with_two(scene, pair[1])
    hang = faults.hang(3)
    pair[1].fault = lambda r: hang(r) if r["method"] == "eth_call" else None
    found = scene.keeper("once", "--live", "--json")
    (row,) = json.loads(found.stdout)["positions"]
    assert row["outcome"]["kind"] == "restored", row


def test_perpetual_figures_are_compared_too(scene: Scene, pair: tuple[RpcProxy, RpcProxy]) -> None:
    """Margin may be added on the worse figure; nothing is traded on either."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    squeeze(scene.world, "2400")
    scene.world.mint("USDC", scene.owner, 5_000 * DOLLAR)
    for actions, expected in (('"reduce"', "nodes_disagree"), ('"add_margin"', "restored")):
        perps(scene, MARGIN.format(actions=actions))
        with_two(scene, pair[1])
        pair[0].fault = overridden({scene.world.addresses["perp"]["markets"]["ETH"]["price_feed"]: code_of("1500")})
        found = scene.keeper("once", "--live", "--json")
        row = next(r for r in json.loads(found.stdout)["positions"] if r["name"] == "short")
        got = row["outcome"]["kind"] if row.get("outcome") else row["decision"]["reason"]
        assert got == expected, (row, found.stderr)
        if expected == "nodes_disagree":  # the second time the owner knows
            assert "Two nodes give different figures" in found.stderr
