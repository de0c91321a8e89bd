"""What the arithmetic promises of a move is what the real contract does; only interest comes between."""

import asyncio
from collections.abc import Callable

import pytest

from keeper.chain.blocks import Blocks
from keeper.chain.client import Node
from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.snapshot import AccountFigures
from keeper.core.units import UINT256_MAX, WAD, Address, Wad
from keeper.venues.aave_v3 import market as aave_v3
from keeper.venues.aave_v3.position import discover_scope, position_probe
from keeper.venues.contracts import multicall3
from sandbox.errors import RevertedError
from sandbox.world import World

pytestmark = pytest.mark.world

ETHER, BITCOIN, DOLLAR = 10**18, 10**8, 10**6
SECOND = 1e-8  # interest of a few seconds, relative
Mixed = tuple[str, Loan]


def seen(world: World, owner: str) -> Loan:
    """The keeper's reading at the newest block."""

    async def reading() -> Loan:
        node = Node(world.url)
        blocks = Blocks(node, world.addresses["chain_id"], multicall3.ADDRESS)
        head = await blocks.head()
        provider = Address(world.addresses["aave"]["pool_addresses_provider"])
        market = await blocks.discover(head, aave_v3.discover_market(provider))
        symbols = [x.symbol for x in market.listings]
        scope = await blocks.discover(head, discover_scope(market, Address(owner), [], symbols))
        position = await blocks.read(head, position_probe(market, scope, "p", head))
        await node.close()
        account = lending.proven(position)
        assert account
        return account

    return asyncio.run(reading())


@pytest.fixture
def mixed(world: World) -> Mixed:
    """Three collaterals, two debts, a month of interest; blocks a second apart from now on."""
    owner = world.account(0).address
    world.open_position(
        owner,
        {"WETH": 10 * ETHER, "WBTC": BITCOIN // 3, "wstETH": 2 * ETHER},
        {"USDC": 22_000 * DOLLAR, "DAI": 6_000 * ETHER},
    )
    world.warp(30 * 86_400)
    world.set_timestamp_interval(1)
    return owner, seen(world, owner)


def at_least(health: int) -> lending.Goal:
    return lambda figures: figures.health_factor >= health


def asset(world: World, symbol: str) -> Address:
    return Address(world.addresses["tokens"][symbol])


def assert_came_true(projected: AccountFigures, world: World, owner: str) -> None:
    """Health and both values, to the interest of the seconds that the transactions took."""
    real = world.account_data(owner)
    assert real.health_factor == pytest.approx(projected.health_factor, rel=SECOND)
    assert real.collateral == pytest.approx(projected.collateral_value, rel=SECOND)
    assert real.debt == pytest.approx(projected.debt_value, rel=SECOND)
    assert real.liquidation_threshold == projected.average_threshold
    assert real.ltv == projected.average_ltv


@pytest.mark.parametrize("symbol", ["WETH", "WBTC", "LINK", "USDT"])
def test_supply_to_reach_reaches(world: World, mixed: Mixed, symbol: str) -> None:
    """A held collateral and a new one alike, of 18, 8 and 6 decimals."""
    owner, account = mixed
    target = asset(world, symbol)
    account = lending.with_collateral(account, target)
    amount = lending.supply_to_reach(account, target, at_least(16 * WAD // 10), 10**30)
    assert amount
    world.mint(symbol, owner, amount)
    world.supply(owner, symbol, amount)
    assert_came_true(lending.figures(lending.after(account, target, supply=amount)), world, owner)
    assert float(world.health_factor(owner)) == pytest.approx(1.6, rel=1e-6)


@pytest.mark.parametrize("symbol", ["USDC", "DAI"])
def test_repay_to_reach_reaches(world: World, mixed: Mixed, symbol: str) -> None:
    """The least repayment, in 6 and in 18 decimals."""
    owner, account = mixed
    target = asset(world, symbol)
    amount = lending.repay_to_reach(account, target, at_least(15 * WAD // 10), UINT256_MAX)
    assert amount
    world.repay(owner, symbol, amount)
    assert_came_true(lending.figures(lending.after(account, target, debt=-amount)), world, owner)
    assert float(world.health_factor(owner)) == pytest.approx(1.5, rel=1e-6)


def test_repay_with_collateral_to_reach_reaches(world: World, mixed: Mixed) -> None:
    """Debt paid with the same asset's supply (repayWithATokens)."""
    owner, _ = mixed
    world.mint("USDC", owner, 20_000 * DOLLAR)
    world.supply(owner, "USDC", 20_000 * DOLLAR)
    account, target = seen(world, owner), asset(world, "USDC")
    goal = at_least(lending.health_factor(account) * 12 // 10)
    amount = lending.repay_with_collateral_to_reach(account, target, goal, UINT256_MAX)
    assert amount
    world.chain.send(world.pool.functions.repayWithATokens(target, amount, 2), owner)
    assert_came_true(lending.figures(lending.after(account, target, supply=-amount, debt=-amount)), world, owner)


def test_borrowing_does_what_it_was_projected_to(world: World, mixed: Mixed) -> None:
    """All of what the figures call available, less the interest of the block."""
    owner, account = mixed
    free = lending.figures(account).available_borrows
    amount = free * 9999 // 10_000 * 10**10  # DAI at a dollar
    world.borrow(owner, "DAI", amount)
    assert_came_true(lending.figures(lending.after(account, asset(world, "DAI"), debt=amount)), world, owner)
    with pytest.raises(RevertedError, match="CollateralCannotCoverNewBorrow"):
        world.borrow(owner, "DAI", free // 1000 * 10**10)


@pytest.mark.parametrize("symbol", ["WETH", "WBTC", "wstETH"])
def test_withdrawable_leaves_the_floor_and_one_more_step_is_below_it(world: World, mixed: Mixed, symbol: str) -> None:
    """The contract's own health after the withdrawal is the floor."""
    owner, account = mixed
    floor = Wad(max(102 * WAD // 100, lending.health_factor(account) * 9 // 10))
    amount = lending.withdrawable(account, asset(world, symbol), floor)
    world.withdraw(owner, symbol, amount)
    assert_came_true(lending.figures(lending.after(account, asset(world, symbol), supply=-amount)), world, owner)
    assert world.account_data(owner).health_factor == pytest.approx(floor, rel=1e-6)


def test_withdrawable_at_one_is_what_the_contract_refuses_to_exceed(world: World, mixed: Mixed) -> None:
    """The contract's own bound is health 1: a thousandth above what we call withdrawable is refused."""
    owner, account = mixed
    amount = lending.withdrawable(account, asset(world, "WETH"), Wad(WAD))
    with pytest.raises(RevertedError, match="HealthFactorLowerThanLiquidationThreshold"):
        world.withdraw(owner, "WETH", amount * 1001 // 1000)
    world.withdraw(owner, "WETH", amount * 999 // 1000)
    assert world.account_data(owner).health_factor >= WAD


@pytest.mark.parametrize("symbol", ["WETH", "WBTC"])
def test_a_liquidation_price_is_where_health_crosses_one(world: World, symbol: str) -> None:
    """A unit of the feed below it the contract says less than 1; a unit above, with nothing accrued, it does not."""
    owner = world.account(1).address
    world.open_position(
        owner, {"WETH": 10 * ETHER, "WBTC": BITCOIN // 2}, {"USDC": 32_000 * DOLLAR, "DAI": 5_000 * ETHER}
    )
    world.warp(10 * 86_400)
    crossing = lending.liquidation_price(seen(world, owner), asset(world, symbol))
    assert crossing
    assert health_at(world, owner, symbol, crossing - 1) < WAD
    assert health_at(world, owner, symbol, crossing + 1) >= WAD


def test_the_liquidation_price_of_a_dearer_debt_asset_counts_its_net_exposure(world: World) -> None:
    """ETH supplied and a little borrowed: the fall of its price takes both."""
    owner = world.account(1).address
    world.open_position(owner, {"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR, "WETH": 2 * ETHER})
    crossing = lending.liquidation_price(seen(world, owner), asset(world, "WETH"))
    assert crossing
    assert health_at(world, owner, "WETH", crossing - 1) < WAD
    assert health_at(world, owner, "WETH", crossing + 1) >= WAD


def health_at(world: World, owner: str, symbol: str, price: int) -> int:
    """The contract's health factor with the feed at a price, at the newest block's very second."""
    feed = world.chain.at("Feed", world.addresses["feeds"][symbol])
    snapshot = world.snapshot()
    world.set_timestamp_interval(0)
    world.chain.send(feed.functions.setAnswer(price), world.role("feeds"))
    assert world.price(symbol) * 10**8 == price
    health = world.account_data(owner).health_factor
    world.revert(snapshot)
    return health


def test_the_liquidation_distance_is_the_fall_of_all_collateral_that_liquidates(world: World) -> None:
    """All collateral a little less than that far down: safe. A little further: not."""
    owner = world.account(1).address
    world.open_position(owner, {"WETH": 10 * ETHER, "WBTC": BITCOIN // 2}, {"USDC": 25_000 * DOLLAR})
    distance = lending.liquidation_distance(lending.figures(seen(world, owner)))
    is_safe: Callable[[int], bool] = lambda fall: (  # noqa: E731
        world.set_prices({s: world.price(s) * (WAD - fall) / WAD for s in ("WETH", "WBTC")})
        or world.account_data(owner).health_factor >= WAD
    )
    snapshot = world.snapshot()
    assert is_safe(distance - WAD // 10**6)
    world.revert(snapshot)
    assert not is_safe(distance + WAD // 10**6)
