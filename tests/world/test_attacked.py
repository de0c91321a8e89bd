"""The owner, a liquidator, governance and a token act between a decision and its block: no wrong money, no silence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from armed_stage import REPAY, SELL, rule, staged
from scenes import BITCOIN, DOLLAR, ETHER, Scene

from keeper.core.reasons import Reason

pytestmark = pytest.mark.world


def endangered(scene: Scene, actions: str, *, batch: bool = True, dollars: int = 0) -> Scene:
    """The loop at health 1.21, its rule fires; nothing is mined by itself from here on."""
    scene.rules = rule(actions)
    scene.open()
    if dollars:
        scene.world.mint("USDC", scene.signer, dollars * DOLLAR)
    scene.crash("1890").write()
    if batch:
        scene.config.write_text(scene.config.read_text().replace('name = "me"', 'name = "me"\nbatch = true', 1))
    return scene


def repays_all(scene: Scene) -> None:
    scene.world.mint("USDC", scene.owner, 14_000 * DOLLAR)
    scene.world.repay(scene.owner, "USDC")


def supplies(scene: Scene) -> None:
    scene.world.mint("WETH", scene.owner, 5 * ETHER)
    scene.world.supply(scene.owner, "WETH", 5 * ETHER)


def withdraws(scene: Scene) -> None:
    scene.world.withdraw(scene.owner, "WETH", ETHER)


def is_liquidated(scene: Scene) -> None:
    scene.world.set_price("WETH", "1550")
    liquidator = scene.world.account(7).address
    scene.world.mint("USDC", liquidator, 13_000 * DOLLAR)
    usdc, weth = scene.world.token("USDC"), scene.world.token("WETH")
    with scene.world.acting_as(liquidator):
        scene.world.chain.send(usdc.functions.approve(scene.world.pool.address, 2**256 - 1), liquidator)
        seize = scene.world.pool.functions.liquidationCall(
            weth.address, usdc.address, scene.owner, 6_000 * DOLLAR, False
        )
        scene.world.chain.send(seize, liquidator)


@pytest.mark.parametrize("happen", [repays_all, supplies, withdraws, is_liquidated])
@pytest.mark.parametrize(("actions", "batch"), [(SELL, True), (SELL, False), (REPAY, False)])
async def test_what_happens_between_the_decision_and_its_block_costs_the_owner_nothing(
    scene: Scene, happen: Callable[[Scene], None], actions: str, batch: bool
) -> None:
    """The plan was made on a state that is gone when it is mined: health no worse, nothing lost, an outcome."""
    endangered(scene, actions, batch=batch, dollars=8_000)
    async with staged(scene) as stage:
        await stage.look()
        assert stage.engine.state.in_flight
        happen(scene)
        before, worth = scene.health(), net_worth(scene)
        await stage.engine.settle()
        (act, *_) = [d for d in await stage.engine.journal.decisions.recent(20) if d.kind == "act"]
        assert act.outcome is not None, "each plan comes to an end"
        for _ in range(4):
            await stage.look()
            await stage.engine.settle()
        assert scene.health() >= before - 0.001
        assert scene.health() > 1.24
    assert net_worth(scene) >= worth * 0.99


def net_worth(scene: Scene) -> float:
    """Dollars of the position and the wallet."""
    world, price = scene.world, float(scene.world.price("WETH"))
    ether = world.supplied("WETH", scene.owner) + world.balance("WETH", scene.owner)
    dollars = world.balance("USDC", scene.owner) - world.debt("USDC", scene.owner)
    return ether / ETHER * price + dollars / DOLLAR


def test_interest_at_a_thousand_percent_a_year_is_judged_as_the_chain_says(scene: Scene) -> None:
    """Health by our own arithmetic equals the market's, the rescue covers what accrues until it is mined."""
    scene.rules = rule(SELL)
    scene.open()
    usdc = scene.world.token("USDC").address
    steep = (scene.world.w3.codec.encode(["(uint16,uint32,uint32,uint32)"], [(100, 99_000, 500, 500)]),)
    scene.world.configure("setReserveInterestRateData", usdc, *steep)
    scene.world.borrow(scene.owner, "USDC", 10 * DOLLAR)  # the rate is set anew with each use
    scene.crash("1890").write()
    scene.world.warp(6 * 3600)
    scene.world.refresh_feeds()
    code, row = scene.once("--live")
    assert row["outcome"]["kind"] in ("restored", "partial"), row["outcome"]
    assert scene.health() > 1.25, code
    assert Reason.FIGURES_DISAGREE.code not in str(row)


async def test_an_e_mode_that_governance_changes_is_judged_by_its_new_bounds(scene: Scene) -> None:
    """Its threshold falls, then its assets leave it: health as the chain says at once, and the rescue works."""
    scene.rules = rule('"top_up", "repay", "deleverage"').replace('"1.25"', '"1.05"').replace('"1.60"', '"1.12"')
    world = scene.world
    world.open_position(scene.owner, {"wstETH": 10 * ETHER}, {"WETH": 10 * ETHER}, emode=1)
    scene.write()
    async with staged(scene) as stage:
        await stage.look()
        assert not stage.engine.state.in_flight
        world.configure("setEModeCategory", 1, 8600, 8750, 10100, "changed")
        await stage.look()
        await stage.engine.settle()
        seen = await stage.look()
        assert seen.decision.reason is not Reason.FIGURES_DISAGREE  # type: ignore[union-attr]
        assert scene.health() > 1.05
        world.configure("setAssetCollateralInEMode", world.token("wstETH").address, 1, False)
        for _ in range(4):
            seen = await stage.look()
            await stage.engine.settle()
        assert scene.health() > 1.0, seen
        figures = seen.assessed.figures.health_factor  # type: ignore[union-attr]
        assert abs(figures / 1e18 - scene.health()) < 0.01


def test_every_reserve_of_the_world_in_one_account_is_rescued(scene: Scene) -> None:
    """Five collaterals, three debts: all eight."""
    scene.rules = rule('"repay", "deleverage"')
    world = scene.world
    collateral = {"WETH": 10 * ETHER, "wstETH": ETHER, "WBTC": BITCOIN // 10, "DAI": 100 * ETHER, "LINK": 10 * ETHER}
    world.open_position(
        scene.owner, collateral, {"USDC": 15_000 * DOLLAR, "USDT": 3_000 * DOLLAR, "EURC": 500 * DOLLAR}
    )
    scene.crash("1500")
    code, row = scene.once("--live")
    assert code == 0, row
    assert scene.health() > 1.25


# --- tokens that lie -------------------------------------------------------------------------------------------------

TRANSFER, TRANSFER_FROM = "a9059cbb", "23b872dd"
SAYS_NO, SAYS_YES, REFUSES = "5f5f5260205ff3", "60015f5260205ff3", "5f5ffd"
"""Return false, return true, revert: and move nothing."""
BEHIND = "0x" + "be" * 20


def lies(scene: Scene, symbol: str, selector: str, how: str) -> None:
    """One function of a token does nothing from now on; all the others are as they were."""
    world = scene.world
    token = str(world.token(symbol).address)
    world.rpc("anvil_setCode", BEHIND, world.rpc("eth_getCode", token, "latest"))
    onward = f"365f5f375f5f365f73{BEHIND[2:]}5af43d5f5f3e"
    lead = f"5f3560e01c63{selector}14"
    ok = len(bytes.fromhex(f"{lead}6000 57{onward}600057 3d5ffd".replace(" ", "")))
    code = f"{lead}60{ok + 5:02x}57{onward}60{ok:02x}573d5ffd5b3d5ff35b{how}"
    world.rpc("anvil_setCode", token, "0x" + code)


@pytest.mark.parametrize("how", [SAYS_NO, SAYS_YES, REFUSES], ids=["false", "true", "refuses"])
@pytest.mark.parametrize("selector", [TRANSFER, TRANSFER_FROM], ids=["transfer", "transferFrom"])
def test_a_token_that_lies_is_found_out_before_anything_is_sent(scene: Scene, selector: str, how: str) -> None:
    """Nothing is lost to it: what is sent helps, else nothing is sent and the owner reads why."""
    endangered(scene, f"{REPAY}, {SELL}", dollars=8_000)
    lies(scene, "USDC", selector, how)
    nonce, before, worth = scene.nonce(), scene.health(), net_worth(scene)
    code, row = scene.once("--live")
    if scene.nonce() == nonce:
        assert code == 3, row
    assert scene.health() >= before - 0.001
    assert net_worth(scene) >= worth * 0.99


@pytest.mark.parametrize("how", [SAYS_NO, SAYS_YES, REFUSES], ids=["false", "true", "refuses"])
@pytest.mark.parametrize("selector", [TRANSFER, TRANSFER_FROM], ids=["transfer", "transferFrom"])
@pytest.mark.parametrize("batch", [True, False], ids=["batch", "calls"])
async def test_a_token_that_begins_to_lie_once_the_plan_is_decided_takes_nothing(
    scene: Scene, selector: str, how: str, batch: bool
) -> None:
    """A plan that passed its rehearsal fails on chain, and is told as failed; what left the position is brought back.

    Call by call, what a token lets nobody pay back stays in the owner's wallet: health stays above the floor.
    """
    endangered(scene, SELL, batch=batch)
    async with staged(scene) as stage:
        await stage.look()
        assert stage.engine.state.in_flight
        lies(scene, "USDC", selector, how)
        before, worth = scene.health(), net_worth(scene)
        await stage.engine.settle()
        act = [d for d in await stage.engine.journal.decisions.recent(20) if d.kind == "act"][-1]
    assert act.outcome_kind is not None
    if scene.health() < 1.25:
        assert act.outcome_kind == "failed", act.outcome
    cannot_return = not batch and selector == TRANSFER_FROM
    assert scene.health() >= (1.05 if cannot_return else before - 0.001), act.outcome
    assert net_worth(scene) >= worth * 0.99, act.outcome
