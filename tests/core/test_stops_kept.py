"""Resting stops: one for each rule, kept in step, and only those of this keeper are touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from perp_builders import long, perp_rule, resting, short

from keeper.core.perp_moves import CancelOrder, PlaceOrder, UpdateOrder
from keeper.core.perp_rules import ExitTarget, PerpAction, PerpMeasure
from keeper.core.units import WAD
from keeper.perpetuals.stops import changes, wanted_order

HEDGE = short(margin="5000")


def stop(price: str = "2600", name: str = "stop") -> object:
    return perp_rule(PerpMeasure.STOP_LOSS, price, ExitTarget(), [PerpAction.CLOSE], name=name, rests=True)


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
