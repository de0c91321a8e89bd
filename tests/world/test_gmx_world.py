"""The whole life of GMX orders on the stand-in exchange: our reads, calls and outcomes against a chain that moves.

The stand-in is ours, so it proves no arithmetic of GMX's (the recordings do); it proves that an order's life is
followed to its end, whatever that end is.
"""

from __future__ import annotations

from typing import Any

import pytest
from gmx_trader import DOLLARS, MARGIN, NOW, PRICE, Trader
from web3 import Web3

from keeper.core.perp import margin as perps
from keeper.core.perp.moves import AddMargin, AllowMargin, CancelOrder, ClaimFunding, TakeMargin, Trade, UpdateOrder
from keeper.core.perp.position import OrderKind
from keeper.core.units import Amount, Wei
from keeper.venues.gmx_v2.markets import claimable_probe
from keeper.venues.gmx_v2.moves import Execution, encode_move, least_gas
from keeper.venues.gmx_v2.outcomes import (
    Cancelled,
    Canceller,
    Executed,
    Fill,
    Frozen,
    OrderFault,
    Pending,
    behind_our_back,
)
from keeper.venues.gmx_v2.quotes import quote_probe, rehearsal, verdict
from sandbox.errors import RevertedError
from sandbox.gmx_actors import GmxKeeper, GmxLiquidator
from sandbox.world import World

pytestmark = pytest.mark.world


@pytest.fixture
def trader(world: World) -> Trader:
    return Trader(world)


# --- filled ----------------------------------------------------------------------------------------------------------


def test_a_market_is_found_on_the_stand_in(trader: Trader) -> None:
    """With the feeds of the world; and there is nothing yet."""
    assert trader.market.symbol == "ETH"
    assert trader.prices.struct[0] == (NOW, NOW)
    assert trader.position().is_empty


def test_an_order_is_pending_until_a_keeper_comes(trader: Trader) -> None:
    """Then there is a position, and the fill says at what price."""
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    key = trader.leave(trader.trade(10_000, MARGIN))
    assert isinstance(trader.outcome(key), Pending)
    (order,) = trader.position().orders
    assert (order.key, order.kind, order.is_frozen) == (key, OrderKind.MARKET_INCREASE, False)
    assert not trader.position().held
    trader.world.gmx.execute(key)
    done = trader.outcome(key)
    assert isinstance(done, Executed)
    assert done.fill
    assert (done.fill.size_usd, done.fill.cause) == (10_000 * DOLLARS, OrderFault.ORDER)
    held = trader.position()
    assert held.legs[0].size == -5 * 10**18
    assert done.fill.collateral_after * 10**24 == held.margin
    assert held.orders == ()


@pytest.mark.parametrize(("is_long", "symbol"), [(False, "USDC"), (True, "USDC"), (True, "WETH")])
@pytest.mark.parametrize("price", [1900, 2000, 2100])
def test_figures_are_the_exchange_s_after_time_and_moves(world: World, is_long: bool, symbol: str, price: int) -> None:
    """Pending funding and borrowing included, which the exchange's own flag leaves out."""
    trader = Trader(world, is_long=is_long, symbol=symbol)
    world.gmx.open(world.account(2).address, 20_000 * 10**6, 40_000, is_long=not is_long)
    if symbol == "WETH":
        trader.send(AllowMargin(trader.scope.collateral, Amount(2 * 10**18)))
        world.gmx.execute(trader.leave(trader.trade(10_000, 2 * 10**18)))
    else:
        trader.open()
    world.gmx.set_funding("0.5" if is_long else "-0.5")
    world.warp(30 * 86_400)
    world.set_price("WETH", price)
    held = trader.position()
    assert perps.figures(held) == held.reported
    assert held.legs[0].funding_owed > 0
    assert held.legs[0].funding_rate > 0
    assert held.indexed_margin == (0 if symbol == "USDC" else held.indexed_margin)


def test_margin_goes_in_and_out(trader: Trader) -> None:
    """As orders of size zero; what is free is what may go."""
    trader.open()
    before = trader.position()
    trader.send(AllowMargin(trader.scope.collateral, Amount(10**9)))
    trader.world.gmx.execute(
        trader.leave(AddMargin(trader.market.token, False, trader.scope.collateral, Amount(10**9)))
    )
    more = trader.position()
    assert 0 <= before.margin + 1000 * DOLLARS - more.margin < DOLLARS
    free = more.free_margin
    key = trader.leave(TakeMargin(trader.market.token, False, trader.scope.collateral, Amount(free - 10**6)))
    trader.world.gmx.execute(key)
    assert isinstance(trader.outcome(key), Executed)
    key = trader.leave(TakeMargin(trader.market.token, False, trader.scope.collateral, Amount(50 * 10**6)))
    trader.world.gmx.execute(key)
    gone = trader.outcome(key)
    assert isinstance(gone, Cancelled)
    assert gone.refusal
    assert gone.refusal.name in ("UnableToWithdrawCollateral", "LiquidatablePosition")


def test_a_position_is_reduced_and_closed(trader: Trader) -> None:
    """A part, then all of it: the money is back."""
    trader.open()
    trader.world.gmx.execute(trader.leave(trader.trade(-4_000)))
    left = trader.position().legs[0]
    assert abs(left.size + 3 * 10**18) <= 1
    close = Trade(trader.market.token, False, -left.size, left.entry_notional, 2**255, is_close=True)
    before = trader.world.balance("USDC", trader.who)
    key = trader.leave(close)
    trader.world.gmx.execute(key)
    done = trader.outcome(key)
    assert isinstance(done, Executed)
    assert done.fill
    assert done.fill.is_closed
    assert trader.position().is_empty
    assert trader.world.balance("USDC", trader.who) > before + MARGIN * 9 // 10


def test_a_quote_is_what_the_trade_gives(trader: Trader) -> None:
    """Price and impact of the same block."""
    trader.open()
    prices, held = trader.prices, trader.position()
    (quote,) = trader.read(quote_probe(trader.scope, held, prices, [-2 * 10**18]))
    key = trader.leave(Trade(trader.market.token, False, -2 * 10**18, 4_000 * DOLLARS, 0))
    trader.world.gmx.execute(key)
    done = trader.outcome(key)
    assert isinstance(done, Executed)
    assert done.fill
    assert (done.fill.price, done.fill.impact) == (quote.price, -quote.impact)
    assert quote.fee == 4_000 * DOLLARS * 6 // 10_000


# --- refused ---------------------------------------------------------------------------------------------------------


def test_a_market_order_that_cannot_be_filled_is_cancelled_with_its_reason(trader: Trader) -> None:
    """The price moved away: the collateral comes back."""
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    before = trader.world.balance("USDC", trader.who)
    key = trader.leave(trader.trade(10_000, MARGIN))
    trader.world.set_price("WETH", 1900)
    trader.world.gmx.execute(key)
    gone = trader.outcome(key)
    assert isinstance(gone, Cancelled)
    assert gone.by is Canceller.KEEPER
    assert gone.refusal
    assert gone.refusal.name == "OrderNotFulfillableAtAcceptablePrice"
    assert trader.world.balance("USDC", trader.who) == before
    assert trader.position().is_empty


def test_any_refusal_is_told_by_its_name(trader: Trader) -> None:
    """Also those that this exchange does not come to by itself."""
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    key = trader.leave(trader.trade(10_000, MARGIN))
    trader.world.gmx.refuse(key, "InsufficientReserve", 7, 5)
    trader.world.gmx.execute(key)
    gone = trader.outcome(key)
    assert isinstance(gone, Cancelled)
    assert gone.refusal
    assert (gone.refusal.name, gone.refusal.arguments) == ("InsufficientReserve", (7, 5))


def test_a_rehearsal_tells_beforehand(trader: Trader) -> None:
    """By eth_call: would it be executed now, and if not, why."""
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    block = trader.block()

    def tried(move: Trade) -> Any:
        call = rehearsal(trader.scope, trader.call(move), trader.prices, block.timestamp)
        frame: Any = {"from": trader.who, "to": call.to, "data": "0x" + call.data.hex(), "value": hex(call.value)}
        with pytest.raises(Exception) as failed:  # noqa: PT011  whatever web3 makes of it: the bytes count
            trader.world.w3.eth.call(frame)
        data = getattr(failed.value, "data", None)
        return verdict(bytes.fromhex(str(data).removeprefix("0x")))

    assert tried(trader.trade(10_000, MARGIN)) is None
    refusal = tried(trader.trade(10_000_000, MARGIN))
    assert refusal.name in ("InsufficientCollateralUsd", "LiquidatablePosition", "OrderNotFulfillableAtAcceptablePrice")


def test_a_keeper_that_reverts_leaves_nothing_to_see(trader: Trader) -> None:
    """The trigger is not met: pending before, pending after."""
    trader.open()
    key = trader.stop()
    with pytest.raises(RevertedError, match="InvalidOrderPrices"):
        trader.world.gmx.execute(key)
    assert isinstance(trader.outcome(key), Pending)
    assert [o.key for o in trader.position().orders] == [key]


def test_a_young_market_order_cannot_be_taken_back_and_an_old_one_not_be_filled(trader: Trader) -> None:
    """Five minutes either way."""
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    key = trader.leave(trader.trade(10_000, MARGIN))
    with pytest.raises(RevertedError, match="RequestNotYetCancellable"):
        trader.send(CancelOrder(key))
    trader.world.warp(301)
    with pytest.raises(RevertedError, match="RequestExpirationTime"):
        trader.world.gmx.execute(key)
    trader.send(CancelOrder(key))
    gone = trader.outcome(key)
    assert isinstance(gone, Cancelled)
    assert gone.by is Canceller.OWNER


# --- resting ---------------------------------------------------------------------------------------------------------


def test_a_stop_fires_and_takes_its_sister_with_it(trader: Trader) -> None:
    """The second line while the keeper is dead; what belonged to the position goes with it."""
    trader.open()
    stop, profit = trader.stop(), trader.stop(OrderKind.TAKE_PROFIT, 1_500)
    assert {o.key for o in trader.position().orders} == {stop, profit}
    trader.world.set_price("WETH", 2210)
    trader.world.gmx.execute(stop)
    assert isinstance(trader.outcome(stop), Executed)
    gone = trader.outcome(profit)
    assert isinstance(gone, Cancelled)
    assert gone.by is Canceller.AUTO
    assert gone in behind_our_back(trader.history(), trader.who)
    assert trader.position().is_empty
    assert trader.position().orders == ()


def test_a_resting_order_is_changed_and_taken_back(trader: Trader) -> None:
    """All its values; the whole fee comes back when the owner cancels, given gas enough."""
    trader.open()
    key = trader.stop()
    size = trader.position().legs[0].entry_notional
    trader.send(UpdateOrder(key, size // 2, 2_300 * PRICE, 2_400 * PRICE))
    (order,) = trader.position().orders
    assert (order.size_usd, order.trigger_price, order.acceptable_price) == (size // 2, 2_300 * PRICE, 2_400 * PRICE)
    with pytest.raises(RevertedError, match="InsufficientGasForCancellation"):
        trader.send(CancelOrder(key), gas=900_000)
    trader.send(CancelOrder(key), gas=least_gas(CancelOrder(key)))
    assert trader.position().orders == ()


def test_a_frozen_order_rests_and_is_revived_by_a_new_fee(trader: Trader) -> None:
    """Its fee is spent; without a new one it cannot be changed, with one it is as new."""
    trader.open()
    key = trader.stop()
    trader.world.gmx.refuse(key, "InsufficientReserve", 2, 1)
    trader.world.set_price("WETH", 2210)
    trader.world.gmx.execute(key)
    stuck = trader.outcome(key)
    assert isinstance(stuck, Frozen)
    assert stuck.refusal.name == "InsufficientReserve"
    (order,) = trader.position().orders
    assert (order.is_frozen, order.execution_fee) == (True, 0)
    with pytest.raises(RevertedError, match="InsufficientReserve"):
        trader.world.gmx.execute(key)
    trader.send(UpdateOrder(key, order.size_usd, order.trigger_price, order.acceptable_price))
    assert isinstance(trader.outcome(key), Pending)
    (order,) = trader.position().orders
    assert not order.is_frozen
    assert order.execution_fee > 0
    trader.world.gmx.refuse(key, None)
    trader.world.gmx.execute(key)
    assert isinstance(trader.outcome(key), Executed)


# --- behind our back -------------------------------------------------------------------------------------------------


def test_a_liquidation_comes_when_pending_fees_are_counted(trader: Trader) -> None:
    """The exchange's own flag still says no; ours says yes, and so does the liquidator."""
    trader.open(50_000)
    world = trader.world
    world.gmx.open(world.account(2).address, 20_000 * 10**6, 40_000, is_long=True)
    world.gmx.set_funding("-2")
    with pytest.raises(RevertedError, match="PositionShouldNotBeLiquidated"):
        world.gmx.liquidate(trader.who)
    world.warp(20 * 86_400)
    held = trader.position()
    assert perps.is_liquidatable(held)
    assert perps.figures(held) == held.reported
    world.gmx.liquidate(trader.who)
    (found,) = behind_our_back(trader.history(), trader.who)
    assert isinstance(found, Fill)
    assert (found.cause, found.is_closed) == (OrderFault.LIQUIDATION, True)
    assert trader.position().is_empty


def test_deleveraging_is_seen_and_no_order_of_ours(trader: Trader) -> None:
    """A part of the position is gone, and the events say why."""
    trader.open()
    trader.world.gmx.deleverage(trader.who, 4_000)
    (found,) = behind_our_back(trader.history(), trader.who)
    assert isinstance(found, Fill)
    assert (found.cause, found.size_usd, found.is_closed) == (OrderFault.ADL, 4_000 * DOLLARS, False)
    assert trader.position().legs[0].entry_notional == 6_000 * DOLLARS


# --- money -----------------------------------------------------------------------------------------------------------


def test_funding_received_is_claimed_beside_the_margin(trader: Trader) -> None:
    """It never adds to the collateral."""
    world = trader.world
    trader.open()
    world.gmx.open(world.account(2).address, 20_000 * 10**6, 40_000, is_long=True)
    world.gmx.set_funding("0.5")
    world.warp(10 * 86_400)
    assert trader.position().legs[0].funding_rate < 0
    world.gmx.execute(trader.leave(trader.trade(-1_000)))
    ((token, amount),) = trader.read(claimable_probe(trader.market, trader.who))
    assert token == trader.scope.collateral
    before = world.balance("USDC", trader.who)
    trader.send(ClaimFunding((trader.market.token,), (token,)))
    assert world.balance("USDC", trader.who) == before + amount
    assert trader.read(claimable_probe(trader.market, trader.who)) == ()


def test_too_small_a_fee_is_refused_at_the_gas_price_paid(trader: Trader) -> None:
    """The fee is checked against what the creating transaction pays for gas."""
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    move = trader.trade(10_000, MARGIN)
    trader.world.gmx.set_uint("INCREASE_ORDER_GAS_LIMIT", 6_000_000)
    key = trader.leave(move)
    assert isinstance(trader.outcome(key), Pending), "terms are read anew"
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    short = encode_move(trader.scope, move, Execution(trader.execution.terms, Wei(1)))
    frame: Any = {"from": trader.who, "to": short.to, "data": "0x" + short.data.hex(), "value": hex(short.value)}
    with pytest.raises(Exception, match="0x5dac504d"):
        trader.world.w3.eth.call({**frame, "gasPrice": hex(2 * 10**9)})


def test_the_unused_fee_comes_back(trader: Trader) -> None:
    """What the keeper did not use; his own is what his gas cost."""
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    key = trader.leave(trader.trade(10_000, MARGIN))
    (order,) = trader.position().orders
    before = trader.world.w3.eth.get_balance(Web3.to_checksum_address(trader.who))
    trader.world.gmx.execute(key)
    back = trader.world.w3.eth.get_balance(Web3.to_checksum_address(trader.who)) - before
    paid = [e.values["executionFeeAmount"] for e in trader.history() if e.name == "KeeperExecutionFee"]
    assert 0 < back < order.execution_fee
    assert back + paid[-1] == order.execution_fee


# --- actors ----------------------------------------------------------------------------------------------------------


def test_the_keeper_of_the_world_executes_what_is_old_enough(trader: Trader) -> None:
    """After its delay, and not for owners it is late for."""
    world = trader.world
    keeper = GmxKeeper(world, delay_s=60)
    trader.send(AllowMargin(trader.scope.collateral, Amount(MARGIN)))
    key = trader.leave(trader.trade(10_000, MARGIN))
    keeper.act(0)
    assert isinstance(trader.outcome(key), Pending)
    world.warp(60)
    keeper.late.add(trader.who)
    keeper.act(0)
    assert isinstance(trader.outcome(key), Pending)
    keeper.late.clear()
    keeper.act(0)
    assert isinstance(trader.outcome(key), Executed)
    keeper.act(0)
    assert len(keeper.actions) == 1


def test_the_liquidator_of_the_world_takes_only_what_it_may(trader: Trader) -> None:
    """Safe positions are left alone."""
    trader.open(50_000)
    liquidator = GmxLiquidator(trader.world)
    liquidator.act(0)
    assert liquidator.actions == []
    trader.world.set_price("WETH", 2_200)
    liquidator.act(0)
    assert [a.succeeded for a in liquidator.actions] == [True]
    assert trader.position().is_empty
