"""Perpetual positions and books kept on the real Perp v2, through the keeper's own commands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene

from keeper.chain.errors import NodesDisagreeError
from keeper.core.decide import Hold
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.engine.cases import case_of
from keeper.engine.cycle import consider, cycle
from keeper.engine.perp.recheck import perp_look
from keeper.execution.recheck import Change, Drop, Keep
from keeper.service.app import opened
from keeper.settings import load
from sandbox.world import World

pytestmark = pytest.mark.world

SHORT = """
[[positions]]
name = "short"
venue = "perp_v2"
owner = "{owner}"
signer = "me"
market = "ETH"
"""
MARGIN = """
[[rules]]
name = "margin"
position = "short"
when = {{ margin_ratio_below = "0.15" }}
restore = {{ margin_ratio = "0.25" }}
actions = [{actions}]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 150
max_spend_per_day_usd = "20000"
"""
STOP = """
[[rules]]
name = "stop"
position = "short"
when = {{ {when} }}
restore = "close"
actions = ["close"]
[rules.limits]
max_slippage_bps = 200
"""
BOOK = """
[[books]]
name = "eth"
positions = ["eth-loop"]
hedge = ["short"]

[[rules]]
name = "delta"
book = "eth"
when = { delta_outside = { underlying = "ETH", band = "0.5" } }
restore = { delta = "0" }
actions = ["hedge"]
min_trade = "0.05"
[rules.limits]
max_slippage_bps = 150
"""


def perps(scene: Scene, *parts: str) -> Scene:
    """The settings of a scene with a short at Perp v2, and rules."""
    scene.rules = SHORT.format(owner=scene.owner) + "".join(parts)
    return scene


def once(scene: Scene, *options: str) -> tuple[int, dict[str, Any]]:
    """Run ``once``; return its exit code and the rows by name."""
    found = scene.keeper("once", "--json", *options)
    return found.exit_code, {row["name"]: row for row in json.loads(found.stdout)["positions"]}


def squeeze(world: World, price: str) -> None:
    """The price rises against the short, and the market follows."""
    world.set_price("WETH", price)
    world.perp.align()
    world.align_pools()
    world.warp(1800)
    world.refresh_feeds()


def test_a_quiet_short_is_shown_with_its_figures(scene: Scene) -> None:
    """Equity and requirement are the contract's own, and nothing is done."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    perps(scene, MARGIN.format(actions='"add_margin"'))
    status = scene.data("status")
    (short,) = [p for p in status["positions"] if p["name"] == "short"]
    assert short["readable"], short
    assert float(short["figures"]["margin_ratio"]) == pytest.approx(float(desk.margin_ratio(scene.owner)), rel=1e-6)
    assert short["legs"][0]["side"] == "short"
    code, rows = once(scene, "--live")
    assert rows["short"]["decision"]["reason"] == "healthy", rows
    assert code == 1  # the lending position of the scene does not exist, and that is told


def test_a_squeezed_short_is_reduced_live(scene: Scene) -> None:
    """Size is bought back until the margin ratio is at its target; nobody was liquidated."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    perps(scene, MARGIN.format(actions='"reduce"'))
    squeeze(scene.world, "2400")
    assert desk.margin_ratio(scene.owner) < 0.15
    _, rows = once(scene, "--live")
    assert (rows["short"]["outcome"] or rows["short"]["decision"])["kind"] == "restored", rows["short"]
    assert float(desk.margin_ratio(scene.owner)) >= 0.25
    assert -3 * ETHER < desk.size(scene.owner) < 0


def test_a_new_high_against_a_short_does_not_wait_for_the_cooldown(scene: Scene) -> None:
    """Reduced a while ago, and the market goes on rising: a new danger, also after a restart."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    perps(scene, MARGIN.format(actions='"reduce"').replace('cooldown = "10m"', 'cooldown = "3h"'))
    squeeze(scene.world, "2400")
    once(scene, "--live")
    after_one = desk.size(scene.owner)
    squeeze(scene.world, "2610")
    assert 0.12 < desk.margin_ratio(scene.owner) < 0.15, "a rule that fires, and no emergency"
    _, rows = once(scene, "--live")
    assert (rows["short"]["outcome"] or rows["short"]["decision"])["kind"] == "restored", rows["short"]
    assert after_one < desk.size(scene.owner) < 0


def test_our_own_reduction_is_no_stranger_s_after_a_restart(scene: Scene) -> None:
    """What was sent is in the journal, and the venue's event names its transaction; what a stranger did is told."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    perps(scene, MARGIN.format(actions='"reduce"'))
    squeeze(scene.world, "2400")
    once(scene, "--live")
    again = scene.keeper("once", "--json", "--live")
    assert "not by this keeper" not in again.stderr, again.stderr
    desk.close(scene.owner)
    told = scene.keeper("once", "--json", "--live").stderr
    assert "is gone, and not by this keeper" in told, told
    assert "ETH traded in 0x" in told, told


def test_margin_from_the_wallet_comes_first_where_it_is_cheaper(scene: Scene) -> None:
    """Approved exactly, deposited, and the size untouched."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    scene.world.mint("USDC", scene.owner, 5_000 * DOLLAR)
    perps(scene, MARGIN.format(actions='"reduce", "add_margin"'))
    squeeze(scene.world, "2400")
    _, rows = once(scene, "--live")
    assert (rows["short"]["outcome"] or rows["short"]["decision"])["kind"] == "restored", rows["short"]
    assert rows["short"]["plan"]["label"].startswith("add USDC margin")
    assert desk.size(scene.owner) == -3 * ETHER
    assert scene.world.token("USDC").functions.allowance(scene.owner, desk.vault.address).call() == 0


def test_a_dry_run_shows_the_same_and_sends_nothing(scene: Scene) -> None:
    """Rehearsed on a fork; the chain is as it was."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    perps(scene, MARGIN.format(actions='"reduce"'))
    squeeze(scene.world, "2400")
    before = scene.nonce()
    _, rows = once(scene)
    assert (rows["short"]["outcome"] or rows["short"]["decision"])["kind"] == "rehearsed", rows["short"]
    assert (scene.nonce(), desk.size(scene.owner)) == (before, -3 * ETHER)


def test_a_stop_loss_closes_the_short(scene: Scene) -> None:
    """At the index price, whatever the margin; a keeper that comes late closes at what the market gives."""
    desk = scene.world.perp
    desk.open(scene.owner, 4_000 * DOLLAR, -2 * ETHER)
    perps(scene, STOP.format(when='stop_loss = "2700"'))
    squeeze(scene.world, "2720")
    _, rows = once(scene, "--live")
    assert (rows["short"]["outcome"] or rows["short"]["decision"])["kind"] == "restored", rows["short"]
    assert desk.size(scene.owner) == 0


def test_a_trailing_stop_remembers_the_best_price_over_a_restart(scene: Scene) -> None:
    """Each command is a process of its own as far as memory goes: the best price is in the journal."""
    desk = scene.world.perp
    desk.open(scene.owner, 4_000 * DOLLAR, -2 * ETHER)
    perps(scene, STOP.format(when='trailing_stop = "0.06"'))
    squeeze(scene.world, "2300")
    _, rows = once(scene, "--live")
    assert rows["short"]["decision"]["reason"] == "healthy", rows["short"]
    squeeze(scene.world, "2460")
    _, rows = once(scene, "--live")
    assert (rows["short"]["outcome"] or rows["short"]["decision"])["kind"] == "restored", rows["short"]
    assert desk.size(scene.owner) == 0


def test_a_book_is_brought_back_into_its_band(scene: Scene) -> None:
    """A leveraged loop without its hedge: the short is opened to the exact delta; a second look finds nothing to do."""
    scene.open()
    desk = scene.world.perp
    desk.open(scene.owner, 12_000 * DOLLAR, 0)
    perps(scene, BOOK)
    _, rows = once(scene, "--live")
    assert (rows["eth"]["outcome"] or rows["eth"]["decision"])["kind"] == "restored", rows["eth"]
    assert desk.size(scene.owner) == pytest.approx(-10 * ETHER, rel=1e-3)
    code, rows = once(scene, "--live")
    assert rows["eth"]["decision"]["reason"] == "healthy", rows["eth"]
    assert code == 0
    (book,) = scene.data("status")["books"]
    assert abs(float(book["delta"])) < 0.05
    assert book["carry"]["break_even"]


def test_a_position_closed_by_hand_is_told_and_dropped(scene: Scene) -> None:
    """What went without us is an alarm, and no crash; afterwards there is nothing to judge."""
    desk = scene.world.perp
    desk.open(scene.owner, 4_000 * DOLLAR, -2 * ETHER)
    perps(scene, STOP.format(when='stop_loss = "9000"'))
    once(scene, "--live")
    desk.close(scene.owner)
    found = scene.keeper("once", "--json", "--live")
    assert "is gone" in found.stderr, found.stderr
    row = next(r for r in json.loads(found.stdout)["positions"] if r["name"] == "short")
    assert row["decision"]["reason"] == "healthy"


async def test_a_plan_that_waits_is_changed_or_dropped_once_another_or_nothing_is_right(scene: Scene) -> None:
    """Looked at again before more is offered: still squeezed, it is kept; more so, it is another; recovered, none."""
    desk = scene.world.perp
    desk.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    perps(scene, MARGIN.format(actions='"reduce"')).write()
    squeeze(scene.world, "2400")
    async with opened(load(scene.config, {}), is_live=False) as engine:
        snapshot = await engine.reader.snapshot(await engine.reader.blocks.head())
        (short,) = [p for p in snapshot.positions if isinstance(p, PerpPosition)]
        found = await case_of(engine, snapshot, short).open(consider)
        assert found.prepared is not None, found.decision
        look = perp_look(engine, found.prepared)
        assert isinstance(await look(False), Keep)
        squeeze(scene.world, "2460")
        assert isinstance(await look(False), Change)
        assert look.seen is not None
        assert look.seen.prepared.plan.weights != found.prepared.plan.weights
        squeeze(scene.world, "2000")
        assert await look(False) == Drop(Reason.HEALTHY)
        assert isinstance(await look(True), Keep)


class Contrary:
    """Other nodes, on another history."""

    async def agree(self, block: BlockRef) -> None:
        raise NodesDisagreeError("other", "eth_getBlockByNumber", f"another block at {block.number}")

    async def confirm(self, block: BlockRef, to: Address, data: str, answer: str) -> bool:
        raise AssertionError("not asked")


async def test_nodes_on_another_history_hold_a_perpetual_too(scene: Scene) -> None:
    """Nothing is rehearsed, let alone sent, on a block that other nodes do not have."""
    scene.world.perp.open(scene.owner, 2_000 * DOLLAR, -3 * ETHER)
    perps(scene, MARGIN.format(actions='"reduce"')).write()
    squeeze(scene.world, "2400")
    async with opened(load(scene.config, {}), is_live=False) as engine:
        engine.others = Contrary()
        results = await cycle(engine, await engine.reader.blocks.head())
        (result,) = [one for one in results if one.name == "short"]
        assert isinstance(result.decision, Hold)
        assert result.decision.reason is Reason.NODES_DISAGREE
