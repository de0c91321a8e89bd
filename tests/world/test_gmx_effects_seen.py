"""Each move's effects at GMX v2, as the gate reads them, are what the sandbox's exchange does once its keepers came."""

from __future__ import annotations

import pytest
from gmx_trader import DOLLARS, MARGIN, PRICE, Trader

from keeper.core.perp.moves import AddMargin, AllowMargin, CancelOrder, PerpMove, PlaceOrder, TakeMargin, UpdateOrder
from keeper.core.perp.position import OrderKind
from keeper.core.units import Amount
from keeper.execution import policy
from keeper.venues.effects import Approves, Cancels, Carries, Changes, Closes, Leaf, Opens, Orders, Pays, Takes
from keeper.venues.gmx_v2 import effects as gmx_v2
from sandbox.world import World

pytestmark = pytest.mark.world


def leaves(trader: Trader, move: PerpMove) -> list[Leaf]:
    allowed = gmx_v2.decoders(trader.scope, trader.position())
    return [leaf for _, leaf in policy.opened(trader.call(move), allowed)]


def seen(trader: Trader, move: PerpMove) -> list[str]:  # noqa: C901, PLR0912 - one case for each effect
    """Send a move, let the keepers come, and hold what changed against each effect; return the effects' names."""
    read, before, world = leaves(trader, move), trader.position(), trader.world
    wallet = world.balance("USDC", trader.who)
    logs = trader.send(move)
    keys = [e.key() for e in trader.events(logs) if e.name == "OrderCreated"]
    left = {order.key: order for order in trader.position().orders}
    paid = wallet - world.balance("USDC", trader.who)
    for key in keys:
        if not left[key].kind.rests:
            world.gmx.execute(key)
    after = trader.position()
    grown = sum(leg.size for leg in after.legs) - sum(leg.size for leg in before.legs)
    for leaf in read:
        match leaf:
            case Approves(_, spender, amount):
                assert world.token("USDC").functions.allowance(trader.who, spender).call() == amount
            case Carries(amount):
                assert sum(left[key].execution_fee for key in keys) == amount
            case Pays(_, amount):
                assert paid == amount
            case Takes(_, amount):
                got = world.balance("USDC", trader.who) - wallet + paid
                assert amount is not None
                assert 0 < got <= amount
            case Opens(market, is_long, amount):
                assert (market, is_long) == (after.legs[0].market, False)
                assert abs(-grown - amount) * 1000 <= amount
            case Closes(market, is_long, amount):
                whole = abs(before.legs[0].size)
                assert (market, is_long) == (after.legs[0].market, False)
                assert abs(grown - (whole if amount is None else amount)) * 1000 <= whole
            case Orders(market, is_long, _, trigger, worst, opens):
                (key,) = keys
                assert (left[key].market, left[key].is_long, opens) == (market, is_long, False)
                assert (left[key].trigger_price, left[key].acceptable_price) == (trigger, worst)
                assert grown == 0
            case Changes(order, _, trigger, worst):
                assert (left[order].trigger_price, left[order].acceptable_price) == (trigger, worst)
            case Cancels(order):
                assert order not in left
            case _:
                raise AssertionError(f"{leaf} is not looked at")
    return [type(leaf).__name__ for leaf in read]


def test_what_calls_to_gmx_v2_do_is_what_they_are_read_as(world: World) -> None:
    """Opened with its margin, more and less of both, a stop that rests, is changed and taken back; all closed."""
    trader = Trader(world)
    token, coin = trader.market.token, trader.scope.collateral
    assert seen(trader, AllowMargin(coin, Amount(MARGIN))) == ["Approves"]
    assert set(seen(trader, trader.trade(10_000, MARGIN))) >= {"Pays", "Opens", "Carries"}
    assert seen(trader, AllowMargin(coin, Amount(10**9))) == ["Approves"]
    assert set(seen(trader, AddMargin(token, False, coin, Amount(10**9)))) >= {"Pays", "Carries"}
    assert set(seen(trader, TakeMargin(token, False, coin, Amount(5 * 10**8)))) >= {"Takes", "Carries"}
    assert set(seen(trader, trader.trade(-4_000))) >= {"Closes", "Carries"}
    leg = trader.position().legs[0]
    stop = PlaceOrder(OrderKind.STOP_LOSS, token, False, leg.entry_notional, 2_200 * PRICE, 2_200 * PRICE * 103 // 100)
    assert set(seen(trader, stop)) >= {"Orders", "Carries"}
    (order,) = trader.position().orders
    moved = UpdateOrder(order.key, leg.entry_notional, 2_300 * PRICE, 2_300 * PRICE * 103 // 100)
    assert "Changes" in seen(trader, moved)
    assert seen(trader, CancelOrder(order.key)) == ["Cancels"]
    assert "Closes" in seen(trader, trader.trade(-int(leg.entry_notional // DOLLARS)))
