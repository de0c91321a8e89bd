"""Plans made ready beforehand: when they go out at once, and everything that sends them back to the usual way."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from armed_stage import AS_USUAL, AT_ONCE, REPAY, SELL, near, rule, staged
from proxy import RpcProxy, answered, failing
from scenes import DOLLAR, ETHER, Scene

from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.journal import Entry, NewAttempt, NewDecision, NewTransaction
from sandbox.world import World

pytestmark = pytest.mark.world


@pytest.mark.parametrize("actions", [SELL, REPAY])
async def test_an_acting_block_is_one_read_and_one_send(scene: Scene, proxy: RpcProxy, actions: str) -> None:
    """The head aside, nothing is asked between the read and the bytes; the journal says how it was rehearsed."""
    scene.url = proxy.url
    near(scene, actions, dollars=20_000 if actions == REPAY else 0)
    before = scene.nonce()
    async with staged(scene) as stage:
        assert await stage.arm()
        stage.come()
        proxy.forget()
        assert (await stage.how()).startswith(AT_ONCE)
        asked = [request["method"] for request in proxy.asked]
        assert asked[: asked.index("eth_sendRawTransaction") + 1] == [
            "eth_getBlockByNumber",
            "eth_call",
            "eth_sendRawTransaction",
        ]
        (decision,) = [d for d in await stage.engine.journal.decisions.recent(9) if d.kind == "act"]
        assert decision.outcome_kind == "restored", decision.outcome
        assert "rehearsed with the oracle overridden" in decision.rehearsal["how"]  # type: ignore[index, call-overload]
    assert scene.health() >= 1.6
    assert scene.nonce() == before + 2, "the transaction, and the delegation it carries"


async def test_without_a_batch_account_every_call_of_a_burst_goes_at_once(scene: Scene, proxy: RpcProxy) -> None:
    """One read, and the approval and the payment side by side, with one durable commit before them."""
    scene.url = proxy.url
    near(scene, REPAY, dollars=20_000, batch=False)
    async with staged(scene) as stage:
        await stage.arm()
        stage.come()
        proxy.forget()
        assert (await stage.how()).startswith(AT_ONCE)
        asked = [r["method"] for r in proxy.asked if r["method"] in ("eth_call", "eth_sendRawTransaction")]
        assert asked[:3] == ["eth_call", "eth_sendRawTransaction", "eth_sendRawTransaction"]
    assert scene.health() >= 1.6


Move = Callable[[Scene, World], None]


def nothing(_: Scene, __: World) -> None:
    """Nothing."""


def gap(scene: Scene, world: World) -> None:
    """The price falls past every rung."""
    world.set_price("WETH", "1925")


def pool_away(scene: Scene, world: World) -> None:
    """The pool that the plan goes through falls below what it may give; the usual way finds another."""
    world.set_pool_price("WETH", "USDC", "1925", 500)


def borrow(scene: Scene, world: World) -> None:
    """The owner borrows more by hand."""
    world.borrow(scene.owner, "USDC", 50 * DOLLAR)


def lend_a_little(scene: Scene, world: World) -> None:
    """A stranger has a little to give away."""
    stranger = world.account(5).address
    world.mint("WETH", stranger, ETHER)
    with world.acting_as(stranger):
        world.chain.send(world.token("WETH").functions.approve(world.pool.address, ETHER), stranger)


def dust(scene: Scene, world: World) -> None:
    """The stranger supplies it for the owner: the account is not the one that was rehearsed."""
    stranger = world.account(5).address
    with world.acting_as(stranger):
        supply = world.pool.functions.supply(world.token("WETH").address, 10**15, scene.owner, 0)
        world.chain.send(supply, stranger)


def threshold(scene: Scene, world: World) -> None:
    """The market's owner sets another liquidation threshold."""
    world.configure("configureReserveAsCollateral", world.token("WETH").address, 8000, 8290, 10500)


@pytest.mark.parametrize(
    ("before", "move", "why"),
    [
        (nothing, gap, "beyond the rung"),
        (nothing, pool_away, "the pool asks"),
        (nothing, borrow, "nonce is not ready"),
        (lend_a_little, dust, "is not what it was"),
        (nothing, threshold, "is not what it was"),
    ],
)
async def test_what_is_not_as_it_was_armed_is_rehearsed_as_usual(
    scene: Scene, before: Move, move: Move, why: str
) -> None:
    """The position is rescued all the same, by a plan made and rehearsed for the block itself."""
    near(scene, SELL)
    before(scene, scene.world)
    async with staged(scene) as stage:
        assert await stage.arm()
        stage.come()
        move(scene, scene.world)
        await stage.keep_up()
        assert await stage.how() == AS_USUAL
        assert why in stage.why[0]
    assert scene.health() >= 1.59


async def test_an_allowance_given_meanwhile_is_not_run_into(scene: Scene) -> None:
    """Some tokens refuse to change an allowance that is not zero: a plan made without it would revert."""
    near(scene, SELL)
    async with staged(scene) as stage:
        assert await stage.arm()
        world = scene.world
        with world.acting_as(scene.owner):
            router = world.addresses["uniswap"]["swap_router_02"]
            world.chain.send(world.token("WETH").functions.approve(router, 5), scene.owner)
        world.rpc("anvil_setNonce", scene.signer, hex(scene.nonce() - 1))  # so that nothing else tells of it
        stage.come()
        await stage.keep_up()
        assert await stage.how() == AS_USUAL
        assert stage.why[0] == "an allowance is not what it was"
    assert scene.health() >= 1.6


async def test_a_wallet_that_was_emptied_meanwhile_sends_nothing(scene: Scene) -> None:
    """The armed payment cannot be made; the usual way says so."""
    near(scene, REPAY, dollars=20_000)
    async with staged(scene) as stage:
        assert await stage.arm()
        world = scene.world
        with world.acting_as(scene.owner):
            away = world.token("USDC").functions.transfer(world.role("lp"), world.balance("USDC", scene.owner))
            world.chain.send(away, scene.owner)
        stage.come()
        before = scene.nonce()
        assert await stage.how() == Reason.WALLET_EMPTY.code
    assert scene.nonce() == before


async def test_a_history_that_was_taken_back_arms_nothing(scene: Scene) -> None:
    """The trigger comes on other blocks than those the plan was made ready on."""
    near(scene, SELL)
    async with staged(scene) as stage:
        snapshot = scene.world.snapshot()
        scene.world.mine(2)
        assert await stage.arm()
        scene.world.revert(snapshot)
        scene.world.set_timestamp_interval(13)
        scene.world.mine(2)
        stage.come()
        assert await stage.how() == AS_USUAL
        assert "is not one of the last" in stage.why[0]
    assert scene.health() >= 1.6


async def test_plans_older_than_a_few_blocks_are_not_used(scene: Scene) -> None:
    """What was rehearsed four blocks ago is rehearsed anew."""
    near(scene, SELL)
    async with staged(scene) as stage:
        assert await stage.arm()
        scene.world.mine(3)
        stage.come()
        await stage.keep_up()
        assert await stage.how() == AS_USUAL
        assert "is not one of the last" in stage.why[0]


async def test_a_price_in_doubt_forbids_an_armed_sale(scene: Scene) -> None:
    """The feed's answer is older than its heartbeat when the price comes."""
    near(scene, SELL)
    async with staged(scene) as stage:
        assert await stage.arm()
        old = scene.world.w3.eth.get_block("latest")["timestamp"] - 200_000
        scene.world.set_price("WETH", "1955", updated_at=old)
        before = scene.nonce()
        assert await stage.how() == Reason.PRICE_STALE.code
    assert scene.nonce() == before


async def test_cooldown_and_limits_count_for_armed_plans(scene: Scene) -> None:
    """What the journal came to know since arming is asked for, not remembered."""
    near(scene, SELL)
    async with staged(scene) as stage:
        assert await stage.arm()
        journal, block = stage.engine.journal, await stage.engine.reader.blocks.head()
        done = NewDecision(
            chain_id=block.chain_id,
            block_number=block.number,
            block_hash=block.hash,
            block_timestamp=block.timestamp,
            position="eth-loop",
            rule="protect",
            mode="live",
            kind="act",
            reason="rule_fired",
            summary="",
            inputs={},
        )
        id_ = await journal.decisions.record(done)
        await journal.decisions.record_outcome(id_, "restored", {})
        stage.come()
        assert await stage.how() == Reason.COOLDOWN.code
        await journal.decisions.record_outcome(id_, "partial", {})
        stage.engine.state.rules = tuple(
            replace(r, limits=replace(r.limits, max_spend_per_day=None)) for r in stage.engine.state.rules
        )
        assert await stage.how() == AS_USUAL, "the limits are not those it was armed under"


async def test_a_limit_used_up_since_holds_an_armed_plan(scene: Scene) -> None:
    """What was signed under the rule meanwhile counts, whoever signed it."""
    near(scene, SELL)
    async with staged(scene) as stage:
        assert await stage.arm()
        journal, block = stage.engine.journal, await stage.engine.reader.blocks.head()
        where = {"chain_id": block.chain_id, "block_number": block.number, "block_hash": block.hash}
        what = {"rule": "protect", "mode": "live", "kind": "act", "reason": "rule_fired", "summary": "", "inputs": {}}
        other = NewDecision(**where, **what, position="another", block_timestamp=block.timestamp)  # type: ignore[arg-type]
        spent = NewTransaction(
            decision_id=0,
            step=0,
            chain_id=block.chain_id,
            signer=scene.world.account(9).address,
            nonce=0,
            to=scene.owner,
            value=0,
            data="0x",
            purpose="",
            spend_usd=20_000 * 10**8,
            gas_limit=1,
        )
        attempt = NewAttempt(hash="0x1", raw="0x", max_fee_per_gas=1, max_priority_fee_per_gas=1)
        await journal.bursts.add(Entry(other), [(spent, attempt)])
        stage.come()
        before = scene.nonce()
        assert await stage.how() == Reason.SPEND_LIMIT.code
        assert scene.nonce() == before


async def test_two_positions_of_one_signer_get_one_nonce_each_in_turn(scene: Scene) -> None:
    """Both are armed and both fire in one block: the first, which delegates, goes alone; nothing is sent twice."""
    near(scene, REPAY, dollars=40_000)
    world, other = scene.world, scene.world.account(3).address
    world.open_position(other, {"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
    second = f'\n[[positions]]\nname = "second"\nvenue = "aave_v3"\nowner = "{other}"\nsigner = "me"\n'
    scene.config.write_text(
        scene.config.read_text() + second + rule(REPAY, "second").replace('"protect"', '"protect-second"')
    )
    before = scene.nonce()
    async with staged(scene) as stage:
        await stage.arm()
        assert set(stage.engine.state.armed) == {"eth-loop", "second"}
        stage.come()
        await stage.look()
        assert all(isinstance(result.decision, LendingIntent) for result in stage.last)
        await stage.engine.settle()
        assert scene.nonce() == before + 2, "the transaction, and the delegation it carries"
        world.mine()
        await stage.look()
        await stage.engine.settle()
    assert scene.health() >= 1.6
    assert float(world.health_factor(other)) >= 1.6


@pytest.fixture
def second(world: World) -> Iterator[RpcProxy]:
    with RpcProxy(world.url) as running:
        yield running


async def test_several_nodes_are_asked_beside_the_read_and_must_agree(
    scene: Scene, proxy: RpcProxy, second: RpcProxy
) -> None:
    """Both say the same of the account: the plan goes at once, and was rehearsed nowhere else."""
    scene.url = proxy.url
    near(scene, SELL)
    two_nodes(scene, second)
    async with staged(scene) as stage:
        assert await stage.arm()
        stage.come()
        proxy.forget()
        second.forget()
        assert (await stage.how()).startswith(AT_ONCE)
        asked = proxy.asked + second.asked
        assert "eth_simulateV1" not in [request["method"] for request in asked]
        assert sum(request["method"] == "eth_call" for request in second.asked) >= 1
    assert scene.health() >= 1.6


async def test_a_node_that_says_otherwise_holds_an_armed_plan_too(
    scene: Scene, proxy: RpcProxy, second: RpcProxy
) -> None:
    """Of two that differ nobody can tell who lies: nothing is sent."""
    scene.url = proxy.url
    near(scene, SELL)
    two_nodes(scene, second)
    before = scene.nonce()
    async with staged(scene) as stage:
        assert await stage.arm()
        stage.come()
        figures = answered("eth_call", "0x" + "00" * 192)
        second.fault = lambda request: figures(request) if len(str(request)) < 500 else None
        assert await stage.how() == Reason.NODES_DISAGREE.code
    assert scene.nonce() == before


def two_nodes(scene: Scene, second: RpcProxy) -> None:
    """Name two nodes in the settings instead of one."""
    one = f'rpc_url = "{scene.url}"'
    nodes = ((scene.url, "a"), (second.url, "b"))
    tables = [f'[[network.nodes]]\nurl = "{url}"\nname = "{name}"\n' for url, name in nodes]
    scene.config.write_text(scene.config.read_text().replace(one, "") + "".join(tables))


async def test_a_node_that_does_not_simulate_arms_on_forks(scene: Scene, proxy: RpcProxy) -> None:
    """Few rungs, for each takes a fork of its own; the oracle is overridden there as well."""
    scene.url, proxy.fault = proxy.url, failing("eth_simulateV1", -32601, "the method does not exist")
    near(scene, SELL)
    async with staged(scene) as stage:
        assert await stage.arm() == 2
        stage.come("1956")
        assert (await stage.how()).startswith(AT_ONCE)
    assert scene.health() >= 1.6


async def test_a_dry_run_arms_where_the_node_simulates_and_sends_nothing(scene: Scene, proxy: RpcProxy) -> None:
    """It says what would have gone out at once."""
    scene.url = proxy.url
    near(scene, SELL)
    before = scene.nonce()
    async with staged(scene, is_live=False) as stage:
        assert await stage.arm()
        stage.come()
        assert (await stage.how()).startswith(AT_ONCE)
    assert proxy.sent == []
    assert scene.nonce() == before


async def test_a_dry_run_without_simulation_arms_nothing(scene: Scene, proxy: RpcProxy) -> None:
    """A fork for every rung of every block would be too much for a look at things."""
    scene.url, proxy.fault = proxy.url, failing("eth_simulateV1", -32601, "the method does not exist")
    near(scene, SELL)
    async with staged(scene, is_live=False) as stage:
        assert await stage.arm() == 0


async def test_far_from_every_trigger_nothing_is_asked(scene: Scene, proxy: RpcProxy) -> None:
    """A quiet block costs its one read."""
    scene.url = proxy.url
    near(scene, SELL)
    scene.crash("2600")
    async with staged(scene) as stage:
        await stage.arm()
        proxy.forget()
        assert await stage.arm() == 0
        assert [r["method"] for r in proxy.asked] == ["eth_getBlockByNumber", "eth_call"]


def test_killed_between_journal_and_wire_it_is_sent_once(scene: Scene) -> None:
    """The decision and its bytes were one commit: the next run says them, and signs nothing new for it."""
    near(scene, REPAY, dollars=20_000)
    before = scene.nonce()
    launch = Path(__file__).parents[1] / "chaos" / "launch.py"
    command = [sys.executable, str(launch), "after_journal_at_once:1", "run", "--live", "-v", "-c", str(scene.config)]
    log = scene.folder / "killed"
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=scene.folder) as process:
        try:
            give_up = time.monotonic() + 30
            while '"event": "armed"' not in log.read_text():
                assert time.monotonic() < give_up, log.read_text()
                time.sleep(0.05)
            scene.world.set_price("WETH", "1955")
            process.wait(30)
        finally:
            process.kill()  # whatever came of it, nobody acts in the world of the next test
    assert (scene.folder / "died-at").exists(), log.read_text()
    assert scene.nonce() == before
    with scene.running("--live") as keeper:
        keeper.wait_for('"event": "reconciled"')
        scene.world.mine()
        keeper.wait_for('"event": "block"')
        assert keeper.stop() == 0
    assert scene.health() >= 1.6
    assert scene.nonce() == before + 2, "the transaction, and the delegation it carries"
