"""Perpetual positions at a venue that fills later, kept through the keeper's own commands: every end of an order."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene

from keeper.venues.codec.abi import load
from keeper.venues.gmx_v2.moves import Execution
from sandbox.gmx_actors import GmxKeeper
from sandbox.world import World

pytestmark = pytest.mark.world

SHORT = """
[[positions]]
name = "short"
venue = "gmx_v2"
owner = "{owner}"
signer = "me"
market = "ETH"
collateral = "USDC"
side = "short"
"""
RULE = """
[[rules]]
name = "{name}"
position = "short"
when = {{ {when} }}
restore = {restore}
actions = [{actions}]
{more}
[rules.limits]
max_slippage_bps = 100
"""
MARGIN = {"name": "margin", "when": 'margin_ratio_below = "0.15"', "restore": '{ margin_ratio = "0.25" }', "more": ""}
BOOK = """
[[books]]
name = "eth"
positions = ["eth-loop"]
hedge = ["short"]
unwind = "eth-loop"
naked_budget = {{ size = "1", time = "{time}" }}

[[rules]]
name = "delta"
book = "eth"
when = {{ delta_outside = {{ underlying = "ETH", band = "0.5" }} }}
restore = {{ delta = "0" }}
actions = ["hedge", "add_margin", "unwind"]
cooldown = "0s"
[rules.limits]
max_slippage_bps = 100
"""
PATIENCE = 'order_patience = "{0}"'


def kept(scene: Scene, *rules: str, patience: str = "10s") -> Scene:
    """The settings of a scene with a short at GMX, and rules."""
    scene.rules = SHORT.format(owner=scene.owner) + "".join(rules)
    scene.extra = PATIENCE.format(patience)
    return scene


def rule(actions: str, **what: str) -> str:
    return RULE.format(actions=actions, **(MARGIN | what))


def once(scene: Scene, *options: str) -> tuple[str, dict[str, Any]]:
    """Run ``once``; return what it told and the rows by name."""
    found = scene.keeper("once", "--json", *options)
    return found.stderr, {row["name"]: row for row in json.loads(found.stdout)["positions"]}


def made(row: dict[str, Any]) -> tuple[str, str]:
    told = row["outcome"] or row["decision"]
    return told["kind"], told["reason"]


def position(world: World) -> dict[str, Any]:
    """The one position there is; of nothing where there is none."""
    found = world.gmx.positions()
    return world.gmx.position(found[0]) if found else {"size_usd": 0, "size_tokens": 0, "collateral": 0}


def opened(scene: Scene, margin: int = 2_000, size_usd: int = 6_000) -> Scene:
    scene.world.gmx.open(scene.owner, margin * DOLLAR, size_usd)
    return scene


class Refuser(GmxKeeper):
    """Carries orders out only to find them impossible."""

    def act(self, block: int) -> None:
        for order in self.world.gmx.orders():
            self.world.gmx.refuse(order, "InsufficientReserve", 2, 1)
        super().act(block)


def filling(world: World) -> GmxKeeper:
    """The exchange's own keeper: at work while entered."""
    return GmxKeeper(world, poll_s=0.05)


# --- what is filled --------------------------------------------------------------------------------------------------


def test_a_squeezed_short_is_reduced_by_an_order(scene: Scene) -> None:
    """Ordered, filled by the exchange, and only then verified."""
    kept(opened(scene), rule('"reduce"'))
    scene.world.set_price("WETH", "2400")
    with filling(scene.world):
        _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("restored", "restored"), rows["short"]
    assert 0 < position(scene.world)["size_usd"] < 6_000 * 10**30
    assert not scene.world.gmx.orders()


def test_margin_is_added_by_an_order(scene: Scene) -> None:
    """Approved exactly to the router, and the size untouched."""
    kept(opened(scene), rule('"add_margin"'))
    scene.world.mint("USDC", scene.owner, 5_000 * DOLLAR)
    scene.world.set_price("WETH", "2400")
    with filling(scene.world):
        _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("restored", "restored"), rows["short"]
    assert position(scene.world)["size_usd"] == 6_000 * 10**30
    assert position(scene.world)["collateral"] > 2_000 * DOLLAR


def test_a_stop_closes_it(scene: Scene) -> None:
    """All of it, whatever is left of the margin comes home."""
    kept(opened(scene), rule('"close"', name="stop", when='stop_loss = "2150"', restore='"close"'))
    scene.world.set_price("WETH", "2200")
    with filling(scene.world):
        _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("restored", "restored"), rows["short"]
    assert not scene.world.gmx.positions()
    assert scene.world.balance("USDC", scene.owner) > 1_000 * DOLLAR


def test_a_dry_run_orders_nothing(scene: Scene) -> None:
    """The exchange's own simulation says that the order could be filled now."""
    kept(opened(scene), rule('"reduce"'))
    scene.world.set_price("WETH", "2400")
    before = scene.nonce()
    _, rows = once(scene)
    assert made(rows["short"]) == ("rehearsed", "rehearsed"), rows["short"]
    assert (scene.nonce(), scene.world.gmx.orders()) == (before, [])


def without_simulation(world: World) -> None:
    """The exchange as a later generation may be: nothing in its router simulates an order any more."""
    at, moved = world.gmx.addresses["exchange_router"], "0x" + "c0de" * 10
    world.rpc("anvil_setCode", moved, world.rpc("eth_getCode", at, "latest"))
    selector = load("gmx_v2_exchange_router").simulateExecuteLatestOrder.selector.hex()
    passes_on = f"365f5f375f5f365f73{moved[2:]}5af43d5f5f3e6037573d5ffd5b3d5ff3"  # all else, in its own name
    world.rpc("anvil_setCode", at, f"0x5f3560e01c63{selector}14603b57{passes_on}5b5f5ffd")


@pytest.mark.parametrize("is_allowed", [False, True])
def test_an_exchange_that_lets_no_order_be_tried_is_traded_at_only_if_the_owner_says_so(
    scene: Scene, *, is_allowed: bool
) -> None:
    """By quote and bounds alone then; else the position is held with that reason."""
    kept(opened(scene), rule('"reduce"'))
    without_simulation(scene.world)
    if is_allowed:
        scene.rules += "[safety]\ntrade_unrehearsed = true\n"
    scene.world.set_price("WETH", "2400")
    with filling(scene.world):
        _, rows = once(scene, "--live")
    wanted = ("restored", "restored") if is_allowed else ("hold", "venue_untried")
    assert made(rows["short"]) == wanted, rows["short"]


# --- what is not -----------------------------------------------------------------------------------------------------


def test_a_cancelled_order_is_told_with_the_exchange_s_reason(scene: Scene) -> None:
    """A position that did not change proves nothing: the event does."""
    kept(opened(scene), rule('"reduce"'))
    scene.world.set_price("WETH", "2400")
    with Refuser(scene.world, poll_s=0.05):
        _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("failed", "order_failed"), rows["short"]
    assert "InsufficientReserve" in rows["short"]["outcome"]["detail"]
    assert position(scene.world)["size_usd"] == 6_000 * 10**30


def test_a_late_order_is_followed_and_taken_back(scene: Scene) -> None:
    """Nothing else is ordered while it waits; once the exchange lets it, it is cancelled; then it is tried anew."""
    world = scene.world
    kept(opened(scene), rule('"reduce"', more='cooldown = "1s"'), patience="1s")
    world.set_price("WETH", "2400")
    _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("failed", "order_late"), rows["short"]
    world.mine()
    _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("hold", "order_pending"), rows["short"]
    world.warp(310)
    world.refresh_feeds()
    told, _ = once(scene, "--live")
    assert "An order is late" in told, told
    assert not world.gmx.orders()
    told, rows = once(scene, "--live")
    assert "was cancelled" in told, told


def test_a_late_order_that_is_filled_after_all_is_no_stranger(scene: Scene) -> None:
    """Its size that went is ours, and its decision's outcome is put right."""
    world = scene.world
    kept(opened(scene), rule('"reduce"'), patience="1s")
    world.set_price("WETH", "2400")
    _, rows = once(scene, "--live")
    assert made(rows["short"])[1] == "order_late", rows["short"]
    (order,) = world.gmx.orders()
    world.gmx.execute(order)
    told, rows = once(scene, "--live")
    assert "order_done" in told, told
    assert "not by this keeper" not in told, told
    assert rows["short"]["decision"]["reason"] == "healthy", rows["short"]
    journal = scene.data("journal")
    assert [d["outcome_kind"] for d in journal if d["kind"] == "act"] == ["restored"]


def test_what_was_deleveraged_by_the_exchange_is_told(scene: Scene) -> None:
    """Auto-deleveraging is nobody's order."""
    kept(opened(scene), rule('"reduce"'))
    once(scene, "--live")
    scene.world.gmx.deleverage(scene.owner, 2_000)
    told, rows = once(scene, "--live")
    assert "not by this keeper" in told, told
    assert "auto-deleveraged in 0x" in told, told
    assert rows["short"]["decision"]["reason"] == "healthy"


def test_a_liquidation_is_told_and_nothing_crashes(scene: Scene) -> None:
    """The position is gone; there is nothing left to keep."""
    kept(opened(scene), rule('"reduce"'))
    once(scene, "--live")
    scene.world.set_price("WETH", "2660")
    scene.world.gmx.liquidate(scene.owner)
    told, rows = once(scene, "--live")
    assert "is gone" in told, told
    assert "liquidated in 0x" in told, told
    assert rows["short"]["decision"]["reason"] == "healthy", rows["short"]


class Dearer(GmxKeeper):
    """Takes more for the first order than was told when it was left."""

    def act(self, block: int) -> None:
        desk = self.world.gmx
        if desk.orders():
            for is_better in (True, False):
                desk.set_uint("POSITION_FEE_FACTOR", 10**30 // 300, desk.market, is_better)
        super().act(block)


def test_a_near_miss_is_made_up_for_at_once(scene: Scene) -> None:
    """The position is short of its target and past its trigger: the same rule finishes what it began."""
    kept(opened(scene), rule('"reduce"', restore='{ margin_ratio = "0.18" }'))
    scene.world.set_price("WETH", "2400")
    with Dearer(scene.world, poll_s=0.05):
        _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("restored", "restored"), rows["short"]
    ends = [(d["outcome_kind"], d["outcome"]["reason"]) for d in scene.data("journal") if d["kind"] == "act"]
    assert ends == [("restored", "restored"), ("partial", "near_miss")]


# --- stops that rest -------------------------------------------------------------------------------------------------

STOP = {"name": "stop", "when": 'stop_loss = "2600"', "restore": '"close"', "more": "rest = true"}


def test_a_stop_rests_with_the_exchange_and_is_kept_in_step(scene: Scene) -> None:
    """Placed once, changed with the size, taken back with the rule; the owner's own order is left alone."""
    world = scene.world
    own = world.gmx.order(
        opened(scene).owner, 5, 1_000, trigger=1500, auto_cancel=True
    )  # a take-profit that the owner placed
    kept(scene, rule('"close"', **STOP))
    once(scene, "--live")
    placed = [o for o in world.gmx.orders() if o != own]
    assert len(placed) == 1
    once(scene, "--live")
    assert [o for o in world.gmx.orders() if o != own] == placed
    world.gmx.deleverage(scene.owner, 2_000)
    once(scene, "--live")
    assert [o for o in world.gmx.orders() if o != own] == placed
    assert world.gmx.order_of(placed[0])[1][2] == 4_000 * 10**30
    scene.config.unlink()
    kept(scene, rule('"reduce"'))
    once(scene, "--live")
    assert world.gmx.orders() == [own]


def test_the_resting_stop_works_while_the_keeper_is_dead(scene: Scene) -> None:
    """The exchange's keepers carry it out by themselves."""
    kept(opened(scene), rule('"close"', **STOP))
    once(scene, "--live")
    scene.world.set_price("WETH", "2605")
    with filling(scene.world):
        for _ in range(100):
            scene.world.mine()
            if not scene.world.gmx.positions():
                break
    assert not scene.world.gmx.positions()
    assert not scene.world.gmx.orders()


def test_a_stop_is_changed_although_gas_is_dearer_than_when_it_was_placed(scene: Scene) -> None:
    """The exchange wants the fee of the present gas price: what is missing goes with the change."""
    world = scene.world
    kept(opened(scene), rule('"close"', **STOP))
    once(scene, "--live")
    (placed,) = world.gmx.orders()
    world.gmx.deleverage(scene.owner, 2_000)
    world.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * 10**8))
    world.mine()
    once(scene, "--live")
    assert world.gmx.orders() == [placed]
    assert world.gmx.order_of(placed)[1][2] == 4_000 * 10**30
    (*_, last) = [d for d in reversed(scene.data("journal")) if d["kind"] != "hold"]
    assert (last["kind"], last["outcome_kind"], last["outcome"]["reason"]) == ("upkeep", "restored", "upkept")


def test_a_change_that_brings_too_little_is_seen_in_rehearsal(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rehearsed at the price of gas that would be paid: nothing is sent that would revert."""
    world = scene.world
    kept(opened(scene), rule('"close"', **STOP))
    once(scene, "--live")
    world.gmx.deleverage(scene.owner, 2_000)
    world.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * 10**8))
    world.mine()
    monkeypatch.setattr(Execution, "missing", lambda *_: None)
    before = scene.nonce()
    told, _ = once(scene, "--live")
    assert "InsufficientExecutionFee" in told, told
    assert scene.nonce() == before


def test_a_stop_that_froze_in_a_gap_leaves_the_rule_free_to_close(scene: Scene) -> None:
    """Placed a moment ago: that was upkeep, and starts no cooldown of the rule."""
    world = scene.world
    kept(opened(scene, 3_000), rule('"close"', **(STOP | {"more": 'rest = true\ncooldown = "10m"'})))
    once(scene, "--live")
    (placed,) = world.gmx.orders()
    world.gmx.refuse(placed, "OrderNotFulfillableAtAcceptablePrice", 1, 2)
    world.set_price("WETH", "2700")
    world.gmx.execute(placed)
    assert world.gmx.order_of(placed)[2][2]  # frozen
    with filling(world):
        _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("restored", "restored"), rows["short"]
    assert not world.gmx.positions()


class StopFirst(GmxKeeper):
    """Comes once the keeper's own order is there, and carries out what rested before it first."""

    def act(self, block: int) -> None:
        if len(self.world.gmx.orders()) > 1 or not self.world.gmx.positions():
            super().act(block)


def test_the_stop_that_is_carried_out_just_before_the_close_is_a_success(scene: Scene) -> None:
    """Both have their price at the same moment; the second finds nothing, and nothing failed."""
    world = scene.world
    kept(opened(scene, 3_000), rule('"close"', **STOP))
    once(scene, "--live")
    (stop,) = world.gmx.orders()
    world.set_price("WETH", "2610")
    with StopFirst(world, poll_s=0.05):
        _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("restored", "restored"), rows["short"]
    assert f"order {stop[:10]} was carried out first" in rows["short"]["outcome"]["detail"]
    assert not world.gmx.positions()


def test_the_owner_s_own_order_with_a_swap_path_is_waited_for(scene: Scene) -> None:
    """It closes the position as well: no second close beside it."""
    world = scene.world
    kept(opened(scene), rule('"close"', name="stop", when='stop_loss = "2150"', restore='"close"'))
    world.gmx.order(scene.owner, 4, 6_000, path=(world.gmx.market,))
    world.set_price("WETH", "2200")
    _, rows = once(scene, "--live")
    assert made(rows["short"]) == ("hold", "order_pending"), rows["short"]
    assert len(world.gmx.orders()) == 1


# --- books -----------------------------------------------------------------------------------------------------------


def test_a_book_is_hedged_from_nothing(scene: Scene) -> None:
    """The first order opens the position with its margin."""
    scene.open()
    scene.world.mint("USDC", scene.owner, 10_000 * DOLLAR)
    kept(scene, BOOK.format(time="10m"))
    with filling(scene.world):
        _, rows = once(scene, "--live")
    assert made(rows["eth"]) == ("restored", "restored"), rows["eth"]
    assert position(scene.world)["size_tokens"] == pytest.approx(10 * ETHER, rel=5e-3)
    _, rows = once(scene, "--live")
    assert rows["eth"]["decision"]["reason"] == "healthy", rows["eth"]


def test_a_book_whose_hedge_fails_is_unwound(scene: Scene) -> None:
    """Orders that came to nothing, and no budget left: the loop is sold down by what the hedge would have covered."""
    world = scene.open().world
    world.mint("USDC", scene.owner, 10_000 * DOLLAR)
    kept(scene, BOOK.format(time="10m"))
    with Refuser(world, poll_s=0.05):
        for _ in range(2):
            _, rows = once(scene, "--live")
            assert made(rows["eth"]) == ("failed", "order_failed"), rows["eth"]
        world.warp(600)
        world.refresh_feeds()
        told, rows = once(scene, "--live")
    assert "is not hedged: unwind" in told, told
    assert world.debt("USDC", scene.owner) < 100 * DOLLAR


def test_a_kill_while_an_order_waits_orders_nothing_twice(scene: Scene) -> None:
    """The next keeper finds the order, waits for it, and knows it for its own."""
    world = scene.world
    kept(opened(scene), rule('"reduce"'))
    world.set_price("WETH", "2400")
    with scene.running("--live") as first:
        first.wait_for('"planned"')
        for _ in range(200):
            if world.gmx.orders():
                break
            time.sleep(0.05)
        (order,) = world.gmx.orders()
        time.sleep(0.5)
        first.process.kill()
    with scene.running("--live") as second:
        for _ in range(3):
            world.mine()
            second.wait_for(f'"number": {world.w3.eth.block_number}')
        assert world.gmx.orders() == [order]
        world.gmx.execute(order)
        world.mine()
        second.wait_for('"order_done"')
        world.mine()
        second.wait_for(f'"number": {world.w3.eth.block_number}')
        assert "not by this keeper" not in second.log
        assert second.stop() == 0
    assert not world.gmx.orders()
