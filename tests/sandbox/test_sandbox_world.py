"""The world stands, and its contracts behave as the real ones do."""

import json
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.errors import RevertedError, SandboxError
from sandbox.spec import EMode, Pool, Reserve, WorldSpec
from sandbox.world import World

pytestmark = pytest.mark.world

ETHER, DOLLAR = 10**18, 10**6
STRANGER = "0x000000000000000000000000000000000000bEEF"


def open_eth_loop(world: World, owner: str | None = None) -> str:
    owner = owner or world.account(0).address
    world.open_position(owner, {"WETH": 10 * ETHER}, {"USDC": 14_000 * DOLLAR})
    return owner


def test_the_prebuilt_world_is_loaded_and_not_deployed_again() -> None:
    with World.start() as one, World.start() as other:
        assert one.price("WETH") == other.price("WETH") == 2000
        assert one.w3.eth.block_number == other.w3.eth.block_number
        assert one.addresses == other.addresses


def test_position_opens_with_the_health_factor_of_its_threshold(world: World) -> None:
    owner = open_eth_loop(world)
    assert world.account_data(owner).health_factor == 20_000 * 8300 * ETHER // (14_000 * 10_000)


def test_an_account_anvil_has_no_key_for_can_own_a_position(world: World) -> None:
    assert world.health_factor(open_eth_loop(world, STRANGER)) > 1
    with pytest.raises(Exception, match="No Signer"):
        world.rpc("eth_sendTransaction", {"from": STRANGER, "to": STRANGER})


def test_emode_raises_the_threshold(world: World) -> None:
    owner = world.account(1).address
    world.open_position(owner, {"wstETH": ETHER}, {"WETH": ETHER}, emode=1)
    data = world.account_data(owner)
    assert (data.ltv, data.liquidation_threshold) == (9300, 9500)


def test_debt_grows_with_time(world: World) -> None:
    owner = open_eth_loop(world)
    before = world.debt("USDC", owner)
    world.warp(86_400)
    assert world.debt("USDC", owner) > before


def test_staked_ether_follows_ether_and_has_no_rounds_of_its_own(world: World) -> None:
    world.set_price("WETH", "1750.5")
    assert world.price("wstETH") == Decimal("2100.6")
    adapter = world.chain.at("RatioAdapter", world.addresses["sources"]["wstETH"])
    assert adapter.functions.BASE_TO_USD_AGGREGATOR().call() == world.addresses["feeds"]["WETH"]
    with pytest.raises(Exception, match="revert"):
        world.chain.at("Feed", adapter.address).functions.latestRoundData().call()


def test_feed_keeps_its_rounds(world: World) -> None:
    feed = world.chain.at("Feed", world.addresses["feeds"]["WBTC"]).functions
    first = feed.latestRoundData().call()
    world.set_price("WBTC", 50_000)
    assert feed.latestRoundData().call()[:2] == [first[0] + 1, 50_000 * 10**8]
    assert feed.getRoundData(first[0]).call() == first


def test_second_feed_can_stay_behind(world: World) -> None:
    world.set_price("WETH", 1000, reference=False)
    second = world.chain.at("Feed", world.addresses["reference_feeds"]["WETH"])
    assert second.functions.latestAnswer().call() == 2000 * 10**8


def test_stale_feed_is_as_old_as_asked(world: World) -> None:
    world.make_stale("WETH", 7200)
    assert 7200 <= world.now - world.updated_at()["WETH"] <= 7200 + 12
    world.refresh_feeds()
    assert world.updated_at()["WETH"] == world.now


def test_frozen_reserve_refuses_supply_with_its_custom_error(world: World) -> None:
    world.freeze("DAI")
    with pytest.raises(RevertedError) as refused:
        world.open_position(STRANGER, {"DAI": ETHER})
    assert refused.value.reason == "ReserveFrozen"


def test_paused_reserve_refuses_repayment(world: World) -> None:
    owner = open_eth_loop(world)
    world.pause("USDC")
    with pytest.raises(RevertedError, match="ReservePaused"):
        world.repay(owner, "USDC", DOLLAR)


def test_supply_cap_holds(world: World) -> None:
    world.configure("setSupplyCap", world.token("LINK").address, 1)
    with pytest.raises(RevertedError, match="SupplyCapExceeded"):
        world.open_position(STRANGER, {"LINK": ETHER})


def test_sequencer_feed_says_since_when(world: World) -> None:
    feed = world.chain.at("SequencerFeed", world.addresses["sequencer_feed"]).functions
    assert feed.latestRoundData().call()[1] == 0
    world.set_sequencer(up=False)
    _, answer, started_at, *_ = feed.latestRoundData().call()
    assert answer == 1
    assert started_at <= world.now


def test_pools_can_be_observed_over_five_minutes(world: World) -> None:
    for pool in world.addresses["pools"]:
        world.chain.at("UniswapV3Pool", pool["address"]).functions.observe([300, 0]).call()


def test_selling_has_a_price(world: World) -> None:
    tokens = world.addresses["tokens"]
    quoter = world.chain.at("QuoterV2", world.addresses["uniswap"]["quoter_v2"]).functions
    got = [
        quoter.quoteExactInputSingle((tokens["WETH"], tokens["USDC"], amount * ETHER, 500, 0)).call()[0] / DOLLAR
        for amount in (1, 1000)
    ]
    assert 1990 < got[0] < 2000
    assert got[1] / 1000 < 0.97 * got[0]


def test_pool_moves_where_it_is_told(world: World) -> None:
    world.set_pool_price("USDC", "WETH", 1 / Decimal(1234), fee=500)
    assert abs(world.pool_price("WETH", "USDC", 500) - 1234) < Decimal("0.0001")


def test_wrapped_ether_unwraps(world: World) -> None:
    owner = world.account(3).address
    world.mint("WETH", owner, ETHER)
    before = world.w3.eth.get_balance(owner)
    world.chain.send(world.chain.at("WETH9Mocked", world.addresses["wrapped_native"]).functions.withdraw(ETHER), owner)
    assert world.w3.eth.get_balance(owner) - before > 0.99 * ETHER


def test_what_happens_on_a_fork_stays_there(world: World) -> None:
    owner = open_eth_loop(world)
    fork = world.fork()
    try:
        assert fork.account_data(owner) == world.account_data(owner)
        fork.set_price("WETH", 1500)
        assert fork.health_factor(owner) < 1 < world.health_factor(owner)
    finally:
        fork.stop()


def test_fork_of_an_earlier_block_sees_the_earlier_world(world: World) -> None:
    earlier = world.w3.eth.block_number
    world.set_price("WETH", 1234)
    fork = world.fork(earlier)
    try:
        assert (fork.price("WETH"), fork.w3.eth.block_number) == (2000, earlier)
    finally:
        fork.stop()


def test_files_for_others_hold_what_they_need(world: World, tmp_path: Path) -> None:
    network = tomllib.loads(world.network_toml(tmp_path / "network.toml").read_text())
    saved = json.loads(world.save(tmp_path / "world.json").read_text())
    assert network["aave_v3"]["pool_addresses_provider"] == saved["aave"]["pool_addresses_provider"]
    assert network["price_safety"]["assets"]["WETH"] == {"heartbeat": "1h"}
    assert World.attach(world.url).price("USDC") == 1


def test_attaching_to_nothing_says_what_to_do() -> None:
    with pytest.raises(SandboxError, match="sandbox up"):
        World.attach("http://127.0.0.1:1")


def odd_world() -> WorldSpec:
    return WorldSpec(
        reserves=(
            Reserve("WETH", 18, "3100.25", 7000, 7600, 10800, supply=1000),
            Reserve("GOLD", 7, "2650", 5000, 6000, 11000, supply=500, borrow_cap=100),
        ),
        pools=(Pool("GOLD", "WETH", 10000, 1_000_000),),
        emodes=(EMode(7, "odd", 8800, 9100, 10300, ("GOLD",), ("WETH",)),),
        sentinel=True,
    )


def test_another_world_is_built_from_its_spec() -> None:
    with World.build(odd_world()) as other:
        owner = other.account(0).address
        other.open_position(owner, {"GOLD": 10 * 10**7}, {"WETH": 5 * ETHER}, emode=7)
        assert other.account_data(owner).liquidation_threshold == 9100
        assert abs(other.pool_price("GOLD", "WETH") - Decimal(2650) / Decimal("3100.25")) < Decimal("1e-6")
        other.set_sequencer(up=False)
        with pytest.raises(RevertedError, match="PriceOracleSentinelCheckFailed"):
            other.borrow(owner, "WETH", 10**15)


def test_other_accounts_nonces_are_untouched(world: World) -> None:
    assert [world.w3.eth.get_transaction_count(world.account(i).address) for i in range(10)] == [0] * 10
