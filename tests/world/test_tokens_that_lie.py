"""Tokens that take a fee, ban or call back, as collateral and as debt: nothing is lost, nobody is silent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from armed_stage import REPAY, SELL, staged
from lying_token import Liar, liar
from scenes import DOLLAR, ETHER, Scene
from test_attacked import endangered, net_worth

pytestmark = pytest.mark.world

Lie = Callable[[Liar], None]


def thief(scene: Scene) -> str:
    return str(scene.world.account(8).address)


def stolen(scene: Scene) -> int:
    return sum(scene.world.balance(symbol, thief(scene)) for symbol in ("WETH", "USDC"))


def pool(it: Liar) -> str:
    return str(it.scene.world.pool.address)


def a_token(it: Liar) -> str:
    return str(it.scene.world.addresses["a_tokens"][it.symbol])


def router(it: Liar) -> str:
    return str(it.scene.world.addresses["uniswap"]["swap_router_02"])


def takes_a_fee(it: Liar) -> None:
    it.takes(100)


def bans_the_owner(it: Liar) -> None:
    it.bans(it.scene.owner)


def bans_our_spender(it: Liar) -> None:
    it.bans(router(it))


def bans_the_market(it: Liar) -> None:
    it.bans(a_token(it))


def calls_our_account(it: Liar) -> None:
    """The delegated account is asked to hand its money over."""
    world = it.scene.world
    account = world.chain.at("Simple7702Account", it.scene.owner)
    away = world.token("WETH").encode_abi("transfer", [thief(it.scene), 1])
    it.calls(it.scene.owner, account.encode_abi("executeBatch", [[(world.token("WETH").address, 0, away)]]))


def liquidates(it: Liar) -> None:
    """While our collateral is out and its debt is not yet repaid."""
    world = it.scene.world
    world.mint("USDC", str(world.token(it.symbol).address), 1_000 * DOLLAR)
    args = [world.token("WETH").address, world.token("USDC").address, it.scene.owner, 100 * DOLLAR, False]
    it.calls(pool(it), world.pool.encode_abi("liquidationCall", args))


def takes_what_was_approved(it: Liar) -> None:
    """By the router, whose allowance is open in the middle of our sale: of another token's, from the owner."""
    world = it.scene.world
    other = world.token("WETH" if it.symbol == "USDC" else "USDC")
    it.calls(str(other.address), other.encode_abi("transferFrom", [it.scene.owner, thief(it.scene), 1]))


def moves_the_price(it: Liar) -> None:
    """Sells into another pool of the pair in the middle of our sale."""
    world, token = it.scene.world, str(it.scene.world.token(it.symbol).address)
    other = world.token("WETH")
    world.mint("WETH", token, 500 * ETHER)
    swaps = world.chain.at("SwapRouter02", router(it))
    with world.acting_as(token):
        world.rpc("anvil_setBalance", token, hex(ETHER))
        world.chain.send(other.functions.approve(swaps.address, 2**256 - 1), token)
    sale = (other.address, world.token("USDC").address, 3000, token, 500 * ETHER, 0, 0)
    it.calls(str(swaps.address), swaps.encode_abi("exactInputSingle", [sale]))


LIES: tuple[Lie, ...] = (takes_a_fee, bans_the_owner, bans_our_spender, bans_the_market)
CALLS: tuple[Lie, ...] = (calls_our_account, liquidates, takes_what_was_approved, moves_the_price)
WAYS = [(SELL, True), (SELL, False), (f"{REPAY}, {SELL}", False)]


@pytest.mark.parametrize(("actions", "batch"), WAYS, ids=["batch", "calls", "wallet"])
@pytest.mark.parametrize("symbol", ["WETH", "USDC"])
@pytest.mark.parametrize("lie", LIES + CALLS)
def test_a_token_that_lies_is_found_out_in_rehearsal(
    scene: Scene, lie: Lie, symbol: str, actions: str, batch: bool
) -> None:
    """What is sent helps; else nothing is sent, the exit code says so and the owner reads why."""
    endangered(scene, actions, batch=batch, dollars=8_000 if REPAY in actions else 0)
    it = liar(scene, symbol)
    lie(it)
    nonce, before, worth = scene.nonce(), scene.health(), net_worth(scene)
    code, row = scene.once("--live")
    if scene.nonce() == nonce:
        assert code == 3, row
        assert row["decision"]["detail"], row
    else:
        assert scene.health() > before, row
    assert scene.health() >= before - 0.001
    assert net_worth(scene) >= worth * 0.985, row
    assert stolen(scene) == 0
    if lie in CALLS and actions == SELL:
        assert it.counts[0] > 1, "the token had its chance"


@pytest.mark.parametrize("batch", [True, False], ids=["batch", "calls"])
@pytest.mark.parametrize("symbol", ["WETH", "USDC"])
@pytest.mark.parametrize("lie", LIES + CALLS)
async def test_a_token_that_begins_to_lie_under_a_plan_takes_nothing(
    scene: Scene, lie: Lie, symbol: str, batch: bool
) -> None:
    """The plan comes to an end that is reported as what it was, and what it took out comes back as far as it can.

    Call by call, what a token lets nobody pay back stays in the owner's wallet: health stays above the floor.
    """
    endangered(scene, SELL, batch=batch)
    it = liar(scene, symbol)
    async with staged(scene) as stage:
        await stage.look()
        assert stage.engine.state.in_flight
        lie(it)
        before, worth = scene.health(), net_worth(scene)
        await stage.engine.settle()
        act = [d for d in await stage.engine.journal.decisions.recent(20) if d.kind == "act"][-1]
    assert act.outcome_kind is not None
    cannot_return = lie is bans_the_market and not batch
    assert scene.health() >= (1.05 if cannot_return else before * 0.995), act.outcome
    assert act.outcome_kind != "restored" or scene.health() > 1.25, act.outcome
    assert net_worth(scene) >= worth * 0.985, act.outcome
    assert stolen(scene) == 0
