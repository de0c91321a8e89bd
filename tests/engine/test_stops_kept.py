"""Resting stops: one for each rule, kept in step, and only those of this keeper are touched."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import wad
from perp_builders import assessed_perp, long, perp_rule, resting, short, snapshot, to_margin

from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import closed
from keeper.core.perp.moves import CancelOrder, PlaceOrder, UpdateOrder
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.rules import PerpIntent
from keeper.core.snapshot import Snapshot
from keeper.core.units import USD, WAD, Wei
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.perp.recheck import perp_look
from keeper.engine.perp.stops import changes, wanted_order
from keeper.engine.perp.upkeep import plan_of
from keeper.execution.recheck import Drop, Keep

HEDGE = short(margin="5000")


def stop(price: str = "2600", name: str = "stop") -> object:
    return perp_rule(perp_metrics.STOP_LOSS, price, closed(), [perp_actions.CLOSE], name=name, rests=True)


def moves(position: object, *rules: object, own: tuple[str, ...] = ()) -> list[object]:
    return [move for _, move in changes(position, rules, frozenset(own))]  # type: ignore[arg-type]


def test_a_rule_without_its_order_places_it_with_room_for_a_running_market() -> None:
    """For a short above, for a long below; three percent where the rule's own slippage is less."""
    (placed,) = moves(HEDGE, stop())
    assert isinstance(placed, PlaceOrder)
    assert (placed.trigger_price, placed.acceptable_price, placed.size_usd) == (2600 * WAD, 2678 * WAD, 6000 * WAD)
    at = long()
    assert wanted_order(at, at.legs[0], stop("1500")).acceptable_price == 1455 * WAD  # type: ignore[arg-type]


def test_an_order_in_step_is_left_alone() -> None:
    """Also one placed just before a kill, whose key was never written down."""
    for own in ((), ("0x01",)):
        assert moves(replace(HEDGE, orders=(resting(),)), stop(), own=own) == []


@pytest.mark.parametrize("change", [{"size_usd": 5000 * WAD}, {"trigger_price": 2500 * WAD}, {"is_frozen": True}])
def test_an_own_order_out_of_step_is_changed(change: dict[str, int]) -> None:
    """Size, price, or frozen."""
    (move,) = moves(replace(HEDGE, orders=(resting(**change),)), stop(), own=("0x01",))
    assert isinstance(move, UpdateOrder)
    assert move.size_usd == 6000 * WAD


def test_two_rules_of_a_kind_keep_an_order_each() -> None:
    """In whatever order the venue lists them."""
    far, near = resting("0xfa"), resting("0xee", trigger_price=2400 * WAD)
    rules = (stop("2400", "near"), stop("2600", "far"))
    for orders in ((far, near), (near, far)):
        assert moves(replace(HEDGE, orders=orders), *rules, own=("0xfa", "0xee")) == []


def test_only_own_orders_without_a_rule_are_taken_back() -> None:
    """What the owner placed stays."""
    orders = (resting("0x01"), resting("0x02", trigger_price=2700 * WAD))
    assert moves(replace(HEDGE, orders=orders), own=("0x01",)) == [CancelOrder("0x01")]
    gone = replace(short(size="0"), orders=orders)
    assert moves(gone, stop(), own=("0x01",)) == [CancelOrder("0x01")]


def test_an_order_of_the_other_side_or_collateral_is_another() -> None:
    """It would close something else."""
    for change in ({"is_long": True}, {"collateral": "0x00"}):
        (move,) = moves(replace(HEDGE, orders=(resting(**change),)), stop())
        assert isinstance(move, PlaceOrder)


def test_no_order_is_placed_that_would_be_carried_out_at_once() -> None:
    """A rule that has fired acts by itself, or is held back by a doubt; an order would go past that."""
    assert moves(short(price="2600"), stop()) == []


@pytest.mark.parametrize("change", [{"is_frozen": True}, {"trigger_price": 2900 * WAD}, {"size_usd": 5000 * WAD}])
def test_no_order_is_changed_or_revived_that_would_be_carried_out_at_once(change: dict[str, int]) -> None:
    """What froze would freeze again at every block, a full fee each time; nor is it taken back."""
    at = replace(short(price="2600"), orders=(resting(**change),))
    assert moves(at, stop(), own=("0x01",)) == []


async def test_a_stop_on_its_way_is_not_given_up_because_its_rule_rests() -> None:
    """That its rule asks for nothing yet is why it is placed: dearer gas is no reason to leave the position without."""
    (placed,) = moves(HEDGE, stop())
    plan = plan_of(HEDGE, stop(), placed)  # type: ignore[arg-type]
    sent = PerpPrepared(plan, (), "here", (), HEDGE, Wei(7), Wei(7))
    nobody: Any = None
    assert await perp_look(nobody, sent)(has_begun=False) == Keep(Wei(7))


@pytest.mark.parametrize(("margin", "found"), [("1000", Keep), ("5000", Drop)])
async def test_what_finishes_a_plan_is_kept_until_its_target_is_met(margin: str, found: type) -> None:
    """Its trigger is past, or there would be no near miss: that is no reason to give the rest up."""
    now = short(margin=margin)
    rule = perp_rule(bound="0.10", to="0.30")
    intent = PerpIntent(assessed_perp(now, rule), rule, to_margin(wad("0.30")), (), (), None, finishes=True)
    plan = replace(plan_of(now, rule, CancelOrder("0x01")), intent=intent, is_upkeep=False)

    async def nothing_paused(_: object) -> dict[str, str]:
        return {}

    engine: Any = SimpleNamespace(perps=SimpleNamespace(rules=(rule,)), reader=Watching(now), paused=nothing_paused)
    look = perp_look(engine, PerpPrepared(plan, (), "", (), now, None, Wei(7)))
    assert isinstance(await look(has_begun=False), found)


class Watching:
    """Shows one position."""

    def __init__(self, position: PerpPosition) -> None:
        self._seen = snapshot(position)

    async def head(self) -> None:
        return None

    async def snapshot(self, _: object) -> Snapshot:
        return self._seen


NEAR = {"stop": (2570 * USD, 2630 * USD)}


@pytest.mark.parametrize(
    ("trigger", "moved"), [("2571", False), ("2630", False), ("2569", True), ("2631", True), ("2600", False)]
)
def test_an_order_of_a_price_that_moves_follows_it_where_that_is_worth_it(trigger: str, moved: bool) -> None:
    """Within its span it stays, however often volatility changes; beyond it is moved to the price of now, once."""
    at = replace(HEDGE, orders=(resting(trigger_price=int(trigger) * WAD),))
    found = list(changes(at, (stop(),), frozenset({"0x01"}), NEAR))  # type: ignore[arg-type]
    assert bool(found) is moved
    for _, move in found:
        assert isinstance(move, UpdateOrder)
        assert move.trigger_price == 2600 * WAD


def test_a_size_that_is_out_of_step_moves_the_order_within_its_span_too() -> None:
    """It closes the whole leg, and is brought to the price of now on that occasion."""
    at = replace(HEDGE, orders=(resting(trigger_price=2580 * WAD, size_usd=5000 * WAD),))
    ((_, move),) = changes(at, (stop(),), frozenset({"0x01"}), NEAR)  # type: ignore[arg-type]
    assert isinstance(move, UpdateOrder)
    assert (move.trigger_price, move.size_usd) == (2600 * WAD, 6000 * WAD)


def test_what_the_owner_placed_near_the_price_is_not_taken_for_ours() -> None:
    """It is his; the rule wants its own beside it."""
    at = replace(HEDGE, orders=(resting(trigger_price=2580 * WAD),))
    ((_, move),) = changes(at, (stop(),), frozenset(), NEAR)  # type: ignore[arg-type]
    assert isinstance(move, PlaceOrder)
