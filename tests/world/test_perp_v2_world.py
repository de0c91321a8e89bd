"""The real Perp v2 is the judge: figures, quotes, bounds and calls, on its own contracts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from perp_reading import TWO_MARKETS, Seen, carry_out, quote, see, shake

from keeper.core.perp import margin as perps
from keeper.core.perp.moves import AddMargin, AllowMargin, CancelOrder, PerpMove, TakeMargin, Trade
from keeper.core.perp.position import FACTOR, PerpPosition
from keeper.core.units import WAD, Address, Amount
from keeper.venues.perp_v2 import calls as perp_v2_calls
from keeper.venues.perp_v2.position import free_margin
from keeper.venues.ports import ReadFailedError, ScopeOutdatedError
from sandbox.actors import PerpArbitrageur, PerpLiquidator
from sandbox.errors import RevertedError
from sandbox.world import World

pytestmark = [pytest.mark.world, pytest.mark.xdist_group("perp_v2")]

DOLLAR = 10**6
STEP = 10**12
"""The contract counts worth in millionths of a dollar."""
FEED_STEP = 10**10
"""The feed's smallest change, in the 18 decimals of a price."""


@pytest.fixture(scope="module")
def two() -> Iterator[World]:
    with World.build(TWO_MARKETS) as world:
        yield world


@pytest.fixture(scope="module")
def tried() -> list[PerpPosition]:
    """Every position that the rule of equal figures was tried on."""
    return []


@pytest.fixture
def owner(world: World) -> str:
    return str(world.account(0).address)


def position_of(world: World, owner: str) -> PerpPosition:
    return see(world, [owner]).positions[owner]


def at(world: World, size: int, worst: int, *, close: bool = False, long: bool | None = None) -> Trade:
    return Trade(Address(world.perp.base), size > 0 if long is None else long, size, 0, worst, is_close=close)


# --- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_every_figure_equals_the_contracts_own_to_the_wei(two: World, seed: int, tried: list[PerpPosition]) -> None:
    """Worth, requirement and free margin after random trades, prices, gaps and funding in two markets."""
    dice = random.Random(seed)  # noqa: S311
    owners = [str(two.account(i).address) for i in range(6)]
    for who in owners if not seed else ():
        two.perp.deposit(who, dice.randrange(150, 900) * DOLLAR + dice.randrange(DOLLAR))
    for _ in range(3):
        shake(two, owners, dice, rounds=2)
        for position in see(two, owners).positions.values():
            assert perps.figures(position) == position.reported, position
            assert free_margin(position) == position.free_margin, position
            tried.append(position)


def test_the_accounts_are_as_varied_as_the_rule_needs(two: World, tried: list[PerpPosition]) -> None:
    """The rule above is worth what it was tried on: all of this was."""
    found = tried
    legs = [leg for position in found for leg in position.held]
    assert {(leg.symbol, leg.is_long) for leg in legs} == {(s, b) for s in ("ETH", "BTC") for b in (True, False)}
    assert any(len(position.held) == 2 for position in found)
    assert any(not leg.size and leg.entry_notional for position in found for leg in position.legs), (
        "a rest of a few wei"
    )
    assert any(leg.funding_owed > 0 for leg in legs)
    assert any(leg.funding_owed < 0 for leg in legs)
    assert any(perps.unrealized_pnl(leg) > 0 for leg in legs)
    assert any(perps.unrealized_pnl(leg) < 0 for leg in legs)
    assert {bool(position.free_margin) for position in found} == {True, False}


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_market_that_stopped_counts_at_its_last_price(world: World, owner: str, is_closed: bool) -> None:
    """Paused at the index it was paused at, closed at its closing price; funding stands still."""
    world.perp.open(owner, 1000 * DOLLAR, -2 * WAD)
    base, admin = world.chain.at("BaseToken", world.perp.base), world.role("admin")
    world.chain.send(base.functions.pause(), admin)
    if is_closed:
        world.chain.send(base.functions["close(uint256)"](2100 * WAD), admin)
    world.set_price("WETH", 1500)
    world.warp(7200)
    seen = see(world, [owner])
    position = seen.positions[owner]
    assert perps.figures(position) == position.reported
    assert position.legs[0].mark_price == (2100 if is_closed else 2000) * WAD
    assert position.legs[0].funding_rate == 0
    assert quote(world, seen, owner, WAD) is None


def test_an_index_is_as_old_as_the_feed_behind_it(world: World, owner: str) -> None:
    """The age is the Chainlink round's; refreshed feeds make it young again."""
    world.perp.open(owner, 1000 * DOLLAR, WAD)
    world.warp(5000)
    told = position_of(world, owner).legs[0].oracle
    assert told.updated_at == world.updated_at()["WETH"] < world.now - 4000
    assert told.source == world.addresses["feeds"]["WETH"]
    world.set_price("WETH", "1987.65")
    told = position_of(world, owner).legs[0].oracle
    assert (told.answer, told.updated_at) == (1987_65000000, world.now)


def test_who_provides_liquidity_is_refused(world: World) -> None:
    """Its size moves with the market: no figure is better than a wrong one."""
    with pytest.raises(ReadFailedError, match="provides liquidity to ETH"):
        see(world, [world.role("perp_maker")])


def test_a_new_market_is_discovered_again(two: World) -> None:
    """What was not read is not taken for nothing."""
    newcomer = str(two.account(8).address)
    two.perp.open(newcomer, 1000 * DOLLAR, WAD // 10)
    seen = see(two, [newcomer])
    narrow = {newcomer: replace(seen.scopes[newcomer], markets=seen.scopes[newcomer].markets[:1])}
    two.perps["BTC"].trade(newcomer, -WAD // 1000)
    with pytest.raises(ScopeOutdatedError):
        see(two, [newcomer], narrow)


# --- funding and liquidation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [1940, 2500])
@pytest.mark.parametrize("size", [2 * WAD, -2 * WAD])
def test_the_funding_rate_is_what_is_charged(world: World, owner: str, index: int, size: int) -> None:
    """Of the notional at the mark price, signed for this side, capped as the contract caps it."""
    world.perp.open(owner, 5000 * DOLLAR, size)
    world.set_price("WETH", index)
    world.warp(3600)
    before = position_of(world, owner).legs[0]
    world.warp(600)
    after = position_of(world, owner).legs[0]
    charged = after.funding_owed - before.funding_owed
    expected = perps.notional(before) * before.funding_rate * 600 // (365 * 86400 * WAD)
    assert abs(charged - expected) <= abs(expected) // 10**6 + 1
    assert (charged > 0) == ((index < 2000) == (size > 0))


def test_funding_alone_squeezes_an_account_out(world: World, owner: str) -> None:
    """A short whose market stays below the index pays 10 % a day; we see its liquidation when the contract does."""
    world.perp.open(owner, 700 * DOLLAR, -3 * WAD)
    world.set_price("WETH", 2300)
    world.warp(3600)
    leg = position_of(world, owner).legs[0]
    assert leg.funding_rate > 36 * WAD, "10 % of the index a day, of the lower mark price"
    assert abs(leg.mark_price - 2000 * WAD) < 2 * WAD, "the mark does not move"
    hours = 0
    while not perps.is_liquidatable(position := position_of(world, owner)):
        assert perps.figures(position) == position.reported
        with pytest.raises(RevertedError, match="CH_EAV"):
            world.perp.liquidate(owner)
        world.warp(3600)
        hours += 1
    assert 5 < hours < 20
    assert position.penalty == FACTOR * 25 // 1_000, "as the deployed configuration has it"
    world.perp.liquidate(owner)
    assert world.perp.size(owner) > -3 * WAD


@pytest.mark.parametrize("size", [3 * WAD, -3 * WAD])
def test_liquidated_at_the_price_and_not_one_feed_step_before(world: World, owner: str, size: int) -> None:
    """Where index and premium decide the mark price, the feed moves it step for step: the boundary is exact.

    Otherwise the mark follows the market's averages, in ticks and over half an hour; then the price is one of the mark.
    """
    world.perp.open(owner, 1000 * DOLLAR, size)
    down = size > 0
    world.set_price("WETH", 1750 if down else 2220)
    world.perp.set_market_price(1600 if down else 2400)
    world.warp(20)  # now the short average is on one side of the index with its premium, the long one on the other
    block = world.snapshot()
    answer = (1850 if down else 2120) * 10**8
    for _ in range(3):  # premium and funding move with time: aim, look at the very block, aim again
        world.revert(block)
        block = world.snapshot()
        world.set_price("WETH", Decimal(answer) / 10**8)
        leg = (position := position_of(world, owner)).legs[0]
        aim = perps.liquidation_price(replace(position, legs=(leg,)), "ETH")
        assert aim is not None
        answer += (aim - leg.mark_price) // FEED_STEP if down else -((leg.mark_price - aim) // FEED_STEP)
    marks = {}
    for step in (0, 1 if down else -1):
        world.revert(block)
        block = world.snapshot()
        world.set_price("WETH", Decimal(answer + step) / 10**8)
        position = position_of(world, owner)
        marks[step] = position.legs[0].mark_price
        assert perps.figures(position) == position.reported
        contract = world.perp.account_value(owner) < world.perp.requirement(owner)
        assert perps.is_liquidatable(position) == contract == (step == 0), (step, position)
    assert abs(marks[0] - next(m for s, m in marks.items() if s)) == FEED_STEP, "one step of the feed, no more"


def test_the_liquidator_takes_over_who_is_unhealthy(world: World, owner: str) -> None:
    """A crash with an arbitrageur behind it; the account that can bear it is left alone."""
    safe = str(world.account(1).address)
    world.perp.open(owner, 500 * DOLLAR, 2 * WAD)
    world.perp.open(safe, 4000 * DOLLAR, 2 * WAD)
    with PerpArbitrageur(world) as arbitrageur, PerpLiquidator(world) as liquidator:
        for price in (1950, 1900, 1850, 1800, 1750):
            world.set_price("WETH", price)
            world.warp(600)
            _until(lambda: world.perp.profitable_limit() is None)
        _until(lambda: any(a.succeeded and owner in a.text for a in liquidator.actions))
    assert world.perp.size(safe) == 2 * WAD
    assert 0 <= world.perp.size(owner) < 2 * WAD
    assert not any(safe in action.text for action in liquidator.actions)
    assert any("moved ETH" in action.text for action in arbitrageur.actions)
    position = position_of(world, owner)
    assert perps.figures(position) == position.reported


# --- trades ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WAD, -WAD, 12_345_678_901_234_567_891, -77 * WAD - 1, 400 * WAD, 10**9, -(10**9)])
def test_a_quote_is_what_the_trade_then_costs(world: World, owner: str, size: int) -> None:
    """Dollars, fee and average price, to the wei; and at exactly that price as its worst, it goes through."""
    world.perp.open(owner, 10**6 * DOLLAR, WAD // 2)
    seen = see(world, [owner])
    told = quote(world, seen, owner, size)
    assert told is not None
    before = world.w3.eth.block_number
    carry_out(world, seen, owner, at(world, size, told.price))
    (event,) = world.perp.house.events.PositionChanged().get_logs(from_block=before + 1)
    assert event["args"]["exchangedPositionSize"] == size
    assert abs(event["args"]["exchangedPositionNotional"]) == told.notional
    assert event["args"]["fee"] == told.fee
    assert perps.notional(seen.positions[owner].legs[0]) * abs(size) // (WAD // 2) == pytest.approx(
        told.notional + (told.impact if size < 0 else -told.impact), rel=1e-9
    )


@pytest.mark.parametrize("size", [200 * WAD, -200 * WAD])
def test_a_quote_across_liquidity_edges_is_never_too_low(world: World, owner: str, size: int) -> None:
    """The fee is rounded up in every stretch of liquidity: told a wei per edge above at most."""
    other, house = str(world.account(1).address), world.perp.house
    world.perp.deposit(other, 10**6 * DOLLAR)
    tick = world.chain.at("UniswapV3Pool", world.perp.market["pool"]).functions.slot0().call()[1] // 200 * 200
    for low, high in ((tick - 200, tick + 200), (tick - 400, tick - 200), (tick + 200, tick + 400)):
        order = (world.perp.base, 20 * WAD, 40_000 * WAD, low, high, 0, 0, False, 2**40)
        world.chain.send(house.functions.addLiquidity(order), other)
    world.perp.open(owner, 10**6 * DOLLAR, WAD)
    seen = see(world, [owner])
    told = quote(world, seen, owner, size)
    assert told is not None
    before = world.w3.eth.block_number
    carry_out(world, seen, owner, at(world, size, told.price))
    (event,) = house.events.PositionChanged().get_logs(from_block=before + 1)
    assert abs(abs(event["args"]["exchangedPositionNotional"]) - told.notional) <= (0 if size < 0 else 3)
    assert told.fee - 4 <= event["args"]["fee"] <= told.fee


@pytest.mark.parametrize(("size", "refusal"), [(5 * WAD, "CH_TMRL"), (-5 * WAD, "CH_TLRS")])
@pytest.mark.parametrize("close", [False, True])
def test_nothing_is_traded_beyond_its_worst_price(
    world: World, owner: str, size: int, refusal: str, close: bool
) -> None:
    """A billionth beyond the quote is refused by the contract, whether it opens, reduces or closes."""
    world.perp.open(owner, 10**5 * DOLLAR, -size if close else size // 5)
    seen = see(world, [owner])
    told = quote(world, seen, owner, size)
    assert told is not None
    hair = told.price // 10**9 * (1 if size < 0 else -1)
    with pytest.raises(RevertedError) as caught:
        carry_out(world, seen, owner, at(world, size, told.price + hair, close=close))
    assert caught.value.reason == refusal
    carry_out(world, seen, owner, at(world, size, told.price, close=close))
    assert world.perp.size(owner) == (0 if close else size // 5 + size)


def test_no_quote_where_the_market_would_refuse(world: World, owner: str) -> None:
    """Beyond the band around the index, or more than there is."""
    world.perp.open(owner, 10**8 * DOLLAR, 0)
    seen = see(world, [owner])
    for size in (3000 * WAD, -3000 * WAD, 10**9 * WAD):
        assert quote(world, seen, owner, size) is None
        with pytest.raises(RevertedError):
            world.perp.trade(owner, size)


# --- calls -----------------------------------------------------------------------------------------------------------


def test_a_position_lives_its_whole_life_by_our_calls(world: World, owner: str) -> None:
    """Allowed, deposited, opened, increased, reduced, closed, withdrawn: and nothing is left of it."""
    usdc = Address(world.token("USDC").address)
    world.mint("USDC", owner, 1000 * DOLLAR)
    base, amount = Address(world.perp.base), Amount(1000 * DOLLAR)
    carry_out(world, see(world, [owner]), owner, AllowMargin(usdc, amount), AddMargin(base, False, usdc, amount))
    assert world.balance("USDC", owner) == 0
    for size, left in ((-2 * WAD, -2 * WAD), (-WAD // 2, -5 * WAD // 2), (WAD, -3 * WAD // 2)):
        _trade(world, owner, size)
        assert position_of(world, owner).legs[0].size == left
    _trade(world, owner, 3 * WAD // 2, close=True)
    position = position_of(world, owner)
    assert not position.held
    carry_out(world, see(world, [owner]), owner, TakeMargin(base, False, usdc, position.free_margin))
    position = position_of(world, owner)
    assert position.margin < STEP, "less than a unit of the collateral"
    assert 980 * DOLLAR < world.balance("USDC", owner) < 1000 * DOLLAR, "fees were paid"


def test_more_than_is_free_is_not_let_go(world: World, owner: str) -> None:
    """Free margin is the most that goes out in the next block, but for the funding of its seconds."""
    world.perp.open(owner, 1000 * DOLLAR, -2 * WAD)
    seen = see(world, [owner])
    usdc, base = Address(world.token("USDC").address), Address(world.perp.base)
    free = seen.positions[owner].free_margin
    with pytest.raises(RevertedError, match="V_NEFC"):
        carry_out(world, seen, owner, TakeMargin(base, False, usdc, Amount(free + DOLLAR)))
    carry_out(world, seen, owner, TakeMargin(base, False, usdc, Amount(free - DOLLAR)))
    assert position_of(world, owner).free_margin < 2 * DOLLAR


def test_a_guardian_pays_in_for_the_owner_and_can_do_nothing_else(world: World, owner: str) -> None:
    """Deposits go to the owner's account; a trade or a withdrawal by another signer is not even encoded."""
    guardian = str(world.account(2).address)
    world.perp.open(owner, 1000 * DOLLAR, -2 * WAD)
    world.mint("USDC", guardian, 50 * DOLLAR)
    seen, usdc, base = see(world, [owner]), Address(world.token("USDC").address), Address(world.perp.base)
    amount = Amount(50 * DOLLAR)
    paid = (AllowMargin(usdc, amount), AddMargin(base, False, usdc, amount))
    before = seen.positions[owner].margin
    carry_out(world, seen, owner, *paid, signer=guardian)
    assert position_of(world, owner).margin == before + 50 * WAD
    for move in (TakeMargin(base, False, usdc, amount), at(world, WAD, 3000 * WAD)):
        with pytest.raises(ValueError, match="only the owner"):
            _encode(seen, owner, move, guardian)


def test_what_the_venue_does_not_have_is_refused(world: World, owner: str) -> None:
    """No resting orders on Perp v2, and no trade without a bound."""
    seen = see(world, [owner])
    with pytest.raises(ValueError, match="has no CancelOrder"):
        _encode(seen, owner, CancelOrder("0x00"), owner)
    with pytest.raises(ValueError, match="cannot be bounded"):
        _encode(seen, owner, at(world, -1, 1), owner)


def test_a_reduction_leaves_what_was_reckoned(world: World, owner: str) -> None:
    """Half a losing short bought back: size, entry and worth as `reduced` said, at the quote's own cost."""
    world.perp.open(owner, 1000 * DOLLAR, -2 * WAD)
    world.set_price("WETH", 2100)
    world.perp.align()
    world.warp(3600)
    seen = see(world, [owner])
    told = quote(world, seen, owner, WAD)
    assert told is not None
    cost = perps.TradeCost(-(-(told.fee + told.impact) * 10**30 // perps.notional(seen.positions[owner].legs[0]) * 2))
    expected = perps.reduced(seen.positions[owner], "ETH", WAD, cost)
    carry_out(world, seen, owner, at(world, WAD, told.price, long=False))
    found = position_of(world, owner)
    assert found.legs[0].size == expected.legs[0].size == -WAD
    assert found.legs[0].entry_notional == pytest.approx(expected.legs[0].entry_notional, abs=2)
    there = perps.at_price(expected, "ETH", found.legs[0].mark_price)
    seconds = abs(found.legs[0].funding_rate) * perps.notional(found.legs[0]) // (WAD * 365 * 86400) * 2 * 12
    assert abs(perps.equity(found) - perps.equity(there)) <= seconds + 2 * STEP


# --- small print -----------------------------------------------------------------------------------------------------


def _trade(world: World, owner: str, size: int, *, close: bool = False) -> None:
    seen = see(world, [owner])
    told = quote(world, seen, owner, size)
    assert told is not None
    carry_out(world, seen, owner, at(world, size, told.price, close=close, long=False))


def _encode(seen: Seen, owner: str, move: PerpMove, signer: str) -> None:
    perp_v2_calls.encode_move(seen.deployment, seen.scopes[owner], move, Address(signer), 2**40)


def _until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < give_up, "it never came"
        time.sleep(0.02)
