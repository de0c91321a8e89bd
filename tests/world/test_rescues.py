"""Rescues that a market in motion would break: fast falls, on real contracts, live."""

from __future__ import annotations

import pytest
from armed_stage import SELL, Stage, rule, staged
from scenes import BITCOIN, DOLLAR, ETHER, Scene

from keeper.core.decide import Hold
from keeper.core.lending.moves import gas_of
from keeper.core.reasons import Reason

pytestmark = pytest.mark.world


def falling(scene: Scene, *, batch: bool, start: str = "1965", slippage: str = "50") -> Scene:
    """An open loop just above its trigger, the settings written."""
    scene.rules = rule(SELL).replace("max_slippage_bps = 50", f"max_slippage_bps = {slippage}")
    scene.open().crash(start)
    scene.write()
    if batch:
        scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    return scene


def move(scene: Scene, price: float) -> None:
    """The oracle and the pools come to a price; three blocks go by."""
    scene.world.set_price("WETH", f"{price:.2f}")
    scene.world.set_pool_price("WETH", "USDC", f"{price:.2f}")


async def rows(stage: Stage) -> list[tuple[str | None, str]]:
    """Outcome and its reason of every plan, the oldest first."""
    found = [d for d in await stage.engine.journal.decisions.recent(50) if d.kind == "act"]
    return [(d.outcome_kind, str((d.outcome or {}).get("reason"))) for d in reversed(found)]  # type: ignore[union-attr]


async def settled(stage: Stage) -> None:
    await stage.engine.settle()


@pytest.mark.parametrize("batch", [True, False])
async def test_a_sale_survives_a_fall_of_one_percent_until_it_is_mined(scene: Scene, batch: bool) -> None:
    """Seen to fall block by block, it is decided at one price and mined at the next: no revert, restored."""
    falling(scene, batch=batch)
    async with staged(scene) as stage:
        price = 1965.0
        for _ in range(4):
            await stage.look()
            price *= 0.99
            move(scene, price)
            if stage.engine.state.in_flight:  # it was decided before the price moved, and is sent now
                break
        await settled(stage)
        found = await rows(stage)
    assert found[-1][0] == "restored", found
    assert ("failed", "price_moved") not in found
    assert scene.health() > 1.5


@pytest.mark.parametrize("batch", [True, False])
async def test_a_revert_for_the_price_is_asked_for_anew_at_once(scene: Scene, batch: bool) -> None:
    """Six per cent between decision and block: refused by the pool, quoted anew in the same breath, no try used up."""
    falling(scene, batch=batch, start="1930")
    async with staged(scene) as stage:
        await stage.look()
        assert stage.engine.state.in_flight
        move(scene, 1815.0)
        await settled(stage)
        found = await rows(stage)
        assert found[0] == ("failed", "price_moved"), found
        assert found[-1][0] in ("restored", "partial"), found
        block = await stage.engine.reader.blocks.head()
        past = await stage.engine.past_of(stage.engine.state.rules[0], block)
        assert past.failed == 0
        assert past.outrun == sum(row == ("failed", "price_moved") for row in found)
    assert scene.health() > 1.2


async def test_rounds_that_a_fall_leaves_no_room_for_are_decided_anew_at_once(scene: Scene) -> None:
    """3 % between the decision and the second round: what was done stands, and the rest is planned in the same breath.

    Not a block later: call by call each block brings one round, and the market does not wait.
    """
    falling(scene, batch=False, start="1692")
    async with staged(scene) as stage:
        await stage.look()
        move(scene, 1641.0)
        await settled(stage)
        found = await rows(stage)
    assert found[0] == ("partial", "floor_too_near"), found
    assert len(found) > 1, "the next plan is on its way before anything is looked at again"
    assert scene.health() > 1.10, found


@pytest.mark.parametrize("price", ["1890", "1600"])
async def test_gas_of_one_transaction_is_estimated_from_above_and_not_far(scene: Scene, price: str) -> None:
    """Three rounds and fourteen: plans are weighed by what they come to on the real contracts."""
    falling(scene, batch=True, start=price)
    async with staged(scene) as stage:
        result = await stage.look()
        assert result.prepared
        moves, used = [step.move for step in result.prepared.plan.steps], sum(result.prepared.rehearsed.gas_used)
        await settled(stage)
    assert used < gas_of(moves, is_atomic=True) < used * 3 // 2


@pytest.mark.parametrize(("batch", "words"), [(True, "HealthFactorLowerThanLiquidationThreshold"), (False, "STF")])
async def test_a_revert_for_the_price_says_what_the_chain_said(scene: Scene, batch: bool, words: str) -> None:
    """The owner reads the market's or the pool's own words in the journal, also from inside a batch."""
    falling(scene, batch=batch, start="1930")
    async with staged(scene) as stage:
        await stage.look()
        move(scene, 1815.0)
        await settled(stage)
        first = [d for d in await stage.engine.journal.decisions.recent(50) if d.kind == "act"][-1]
    assert first.outcome is not None
    assert Reason.PRICE_MOVED.code in str(first.outcome)
    assert str(first.outcome["detail"]).endswith(f": {words}")  # type: ignore[call-overload, index]


async def test_a_sandwich_takes_no_more_than_the_bound_from_the_oracle_s_price(scene: Scene) -> None:
    """At the edge of liquidation the bound is at its widest: a pool pushed past it gets nothing, within it no more."""
    scene.rules = rule(SELL).replace("max_slippage_bps = 50", "max_slippage_bps = { usual = 50, worst = 300 }")
    falling(scene, batch=True, start="1700", slippage="{ usual = 50, worst = 300 }")
    async with staged(scene) as stage:
        await stage.look()
        assert stage.engine.state.in_flight
        before = scene.world.supplied("WETH", scene.owner)
        debt = scene.world.debt("USDC", scene.owner)
        scene.world.set_pool_price("WETH", "USDC", str(1700 * 0.96))  # the oracle does not move
        await settled(stage)
        lost = before - scene.world.supplied("WETH", scene.owner)
        lost -= scene.world.balance("WETH", scene.owner)
        repaid = debt - scene.world.debt("USDC", scene.owner)
    assert lost * 1700 / 10**18 <= repaid / 10**6 * 1.0301 + 1


@pytest.mark.parametrize("batch", [True, False], ids=["batch", "calls"])
@pytest.mark.parametrize(
    ("slippage", "worst"), [("{ usual = 50, worst = 300 }", 300), ("{ usual = 20, worst = 120 }", 120), ("50", 500)]
)
@pytest.mark.parametrize(("collateral", "start"), [("WETH", "1640"), ("WBTC", "54500")])
async def test_who_stands_before_every_sale_takes_no_more_than_the_bound(
    scene: Scene, collateral: str, start: str, slippage: str, worst: int, batch: bool
) -> None:
    """Block after block the pool is where the bound just lets a sale through: all sales together stay within it."""
    world = scene.world
    scene.rules = rule(SELL).replace("max_slippage_bps = 50", f"max_slippage_bps = {slippage}").replace("20000", "2e6")
    opened = {"WETH": ({"WETH": 10 * ETHER}, 13_000), "WBTC": ({"WBTC": BITCOIN}, 40_500)}[collateral]
    scene.open(opened[0], {"USDC": opened[1] * DOLLAR}).crash(start, collateral)
    assert 1.04 < scene.health() < 1.055
    with_batch(scene, batch)
    supplied, debt = world.supplied(collateral, scene.owner), world.debt("USDC", scene.owner)
    unit = 10 ** world.addresses["decimals"][collateral]
    async with staged(scene) as stage:
        for away in (5, 25, 45, 65, 90):
            await stage.look()
            price = float(start) * (1 - worst * away / 100 / 10_000)
            for pool in (p for p in world.addresses["pools"] if {p["token0"], p["token1"]} == {collateral, "USDC"}):
                world.set_pool_price(collateral, "USDC", f"{price:.2f}", pool["fee"])
            await settled(stage)
    lost = supplied - world.supplied(collateral, scene.owner) - world.balance(collateral, scene.owner)
    repaid = debt - world.debt("USDC", scene.owner) + world.balance("USDC", scene.owner)
    assert repaid > 0, "something was sold"
    assert lost * float(start) / unit <= repaid / DOLLAR * (1 + (worst + 1) / 10_000) + 1


# --- the means of rescue ---------------------------------------------------------------------------------------------

BATCHES = pytest.mark.parametrize("batch", [True, False])


def with_batch(scene: Scene, batch: bool) -> None:
    scene.write()
    if batch:
        scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))


def gas_at(scene: Scene, gwei: int, blocks: int = 1) -> None:
    """Gas has been as dear for some blocks. On no chain it jumps, and the keeper pays no multiple of what it was."""
    for _ in range(blocks):
        scene.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * 10**9))
        scene.world.mine()
    scene.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * 10**9))


@BATCHES
def test_three_dollars_that_count_for_no_loan_do_not_block_a_rescue(scene: Scene, batch: bool) -> None:
    """8 WETH and three dollars of collateral whose LTV went to zero: switched off, and the sale follows.

    At 40 gwei, in one transaction and call by call.
    """
    world = scene.world
    scene.rules = rule(SELL)
    scene.open({"WETH": 8 * ETHER, "WBTC": BITCOIN // 20_000}, {"USDC": 10_500 * DOLLAR}).crash("1898")
    world.configure("configureReserveAsCollateral", world.addresses["tokens"]["WBTC"], 0, 7800, 10500)
    assert 1.19 < scene.health() < 1.21
    with_batch(scene, batch)
    gas_at(scene, 40)
    code, row = scene.once("--live")
    assert row["outcome"], row["decision"]
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert row["plan"]["label"] == "sell WETH to repay USDC"
    assert row["plan"]["steps"][0]["move"] == "Unpledge"
    assert scene.health() > 1.59
    assert world.supplied("WBTC", scene.owner) >= BITCOIN // 20_000 - 1, "it stays the owner's, supplied"


@BATCHES
@pytest.mark.parametrize(("bitcoin", "dai"), [("0.00005", "500"), ("0.005", "3")], ids=["dai", "bitcoin"])
def test_two_of_three_collaterals_that_count_for_no_loan_do_not_block_a_rescue(
    scene: Scene, batch: bool, bitcoin: str, dai: str
) -> None:
    """One a trifle, one more than that: back to the target in one plan."""
    world = scene.world
    scene.rules = rule(SELL).replace("20000", "200000")
    amounts = world.units({"WETH": "8", "WBTC": bitcoin, "DAI": dai})
    scene.open(amounts, {"USDC": 10_700 * DOLLAR}).crash("1898")
    for symbol, threshold in (("WBTC", 7800), ("DAI", 7700)):
        world.configure("configureReserveAsCollateral", world.addresses["tokens"][symbol], 0, threshold, 10500)
    assert 1.17 < scene.health() < 1.23
    with_batch(scene, batch)
    gas_at(scene, 60 if batch else 8, blocks=10)
    code, row = scene.once("--live")
    assert row["outcome"], row["decision"]
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.health() > 1.59


@BATCHES
def test_the_first_plan_of_two_collaterals_restores(scene: Scene, batch: bool) -> None:
    """50 WETH and 1 WBTC at health 1.09: one run, back to the target."""
    scene.rules = rule(SELL).replace('max_spend_per_day_usd = "20000"', 'max_spend_per_day_usd = "2000000"')
    scene.open({"WETH": 50 * ETHER, "WBTC": BITCOIN}, {"USDC": 118_000 * DOLLAR}).crash("1975")
    assert 1.08 < scene.health() < 1.10
    with_batch(scene, batch)
    code, row = scene.once("--live")
    assert row["outcome"]["kind"] in ("restored", "partial"), row
    assert scene.health() > 1.5, row["plan"]["label"]
    assert code == (0 if row["outcome"]["kind"] == "restored" else 3)


@pytest.mark.parametrize("price", ["1575", "1583", "1597"])
def test_a_gap_to_the_edge_is_rescued_by_one_transaction(scene: Scene, price: str) -> None:
    """Health 1.005, 1.01 and 1.02 after a gap: below the floor only inside a transaction in which nobody can act."""
    scene.rules = rule(SELL)
    scene.open().crash(price)
    assert 1.004 < scene.health() < 1.021
    with_batch(scene, batch=True)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row
    assert scene.health() > 1.59


GAPS = {
    "one of each": ({"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR}),
    "two kinds": ({"WETH": 6 * ETHER, "WBTC": BITCOIN // 10}, {"USDC": 12_450 * DOLLAR}),
    "two debts": ({"WETH": 10 * ETHER}, {"USDC": 6_500 * DOLLAR, "DAI": 6_500 * ETHER}),
    "three without a loan value": (
        {"WETH": 10 * ETHER, "WBTC": BITCOIN // 20_000, "DAI": 3 * ETHER},
        {"USDC": 13_004 * DOLLAR},
    ),
}


@pytest.mark.parametrize("kind", GAPS)
@pytest.mark.parametrize(("before", "after"), [("1760", "1583"), ("1980", "1585"), ("2260", "1590")])
async def test_a_gap_seen_by_a_running_keeper_is_rescued_by_one_transaction(
    scene: Scene, kind: str, before: str, after: str
) -> None:
    """10, 20 and 30 % in one block to health 1.01: the fall just seen widens nothing that keeps the rescue from it."""
    scene.rules = rule(SELL).replace("20000", "2000000").replace("1.25", "1.07").replace("1.60", "1.40")
    scene.open(*GAPS[kind]).crash(before)
    for symbol, threshold in (("WBTC", 7800), ("DAI", 7700)) if kind.startswith("three") else ():
        asset = scene.world.addresses["tokens"][symbol]
        scene.world.configure("configureReserveAsCollateral", asset, 0, threshold, 10500)
    with_batch(scene, batch=True)
    async with staged(scene) as stage:
        for _ in range(3):
            assert isinstance((await stage.look()).decision, Hold)
            scene.world.mine()
        move(scene, float(after))
        assert 1.004 < scene.health() < 1.03, scene.health()
        await stage.look()
        await settled(stage)
        found = await rows(stage)
    assert found[-1][0] in ("restored", "partial"), found
    assert scene.health() > (1.39 if found[-1][0] == "restored" else 1.1), found


def test_call_by_call_a_gap_to_the_edge_holds_and_says_why(scene: Scene) -> None:
    """Several transactions never go below the owner's floor."""
    scene.rules = rule(SELL)
    scene.open().crash("1583")
    with_batch(scene, batch=False)
    code, row = scene.once("--live")
    assert (code, row["decision"]["reason"]) == (3, "floor_too_near")


def test_a_pool_that_pays_more_than_the_oracle_is_sold_to(scene: Scene) -> None:
    """The oracle fell by four per cent and the pool lags: the sale goes out, at a price the oracle would not pay."""
    scene.rules = rule(SELL)
    scene.open().crash("1890")
    scene.world.set_price("WETH", "1800", reference=False)
    with_batch(scene, batch=True)
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row


def test_a_pool_that_pays_suspiciously_little_is_not_sold_to(scene: Scene) -> None:
    """The oracle stands four per cent above what others pay."""
    scene.rules = rule(SELL)
    scene.open().crash("1800")
    scene.world.set_price("WETH", "1880", reference=False)
    assert scene.health() < 1.25
    with_batch(scene, batch=True)
    code, row = scene.once("--live")
    assert (code, row["decision"]["reason"]) == (3, "price_deviates")
