"""In dry run nothing is ever sent, and whatever the node does, the answer is one clear line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import proxy as faults
import pytest
from proxy import RpcProxy
from scenes import DOLLAR, ETHER, Scene

from keeper.chain.client import READING
from keeper.core.lending.rules import LendingAssessment
from keeper.engine.cycle import cycle
from keeper.service.app import opened
from keeper.settings import load
from sandbox.world import World

pytestmark = pytest.mark.world

FINE, FAILED, BAD_SETTINGS, IN_DANGER = 0, 1, 2, 3


@dataclass(frozen=True)
class Chain:
    """What would change if anything had been sent."""

    block: int
    hash: str
    nonces: tuple[int, ...]
    pending: str

    @staticmethod
    def of(world: World) -> Chain:
        head = world.w3.eth.get_block("latest")
        nonces = tuple(world.w3.eth.get_transaction_count(world.account(i).address) for i in range(15))
        return Chain(head["number"], head["hash"].to_0x_hex(), nonces, world.rpc("txpool_status")["pending"])


@pytest.fixture
def watched(scene: Scene, proxy: RpcProxy) -> Iterator[Scene]:
    """A position that every rule wants to save, behind a proxy that writes down all that is asked."""
    scene.url = proxy.url
    scene.open().crash()
    before = Chain.of(scene.world)
    yield scene
    assert proxy.sent == []
    assert Chain.of(scene.world) == before


# --- nothing is sent -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("once",), FINE),
        (("once", "--json"), FINE),
        (("once", "--dry-run", "--verbose"), FINE),
        (("status",), FINE),
        (("status", "--json"), FINE),
        (("explain", "eth-loop"), FINE),
        (("explain", "eth-loop", "--json"), FINE),
        (("journal",), FINE),
        (("check",), FINE),
    ],
)
def test_no_command_sends_without_live(watched: Scene, proxy: RpcProxy, command: tuple[str, ...], code: int) -> None:
    """The position needs help, the key is at hand, and the chain is as it was: block, nonces, pool."""
    assert watched.keeper(*command).exit_code == code
    assert set(proxy.methods) <= {*READING, *FORK_READS}


FORK_READS = {
    "eth_getStorageAt", "eth_gasPrice", "eth_getAccountInfo", "eth_getAccount", "eth_maxPriorityFeePerGas",
    "net_version", "eth_getBlockReceipts", "eth_getTransactionByHash", "eth_getProof", "eth_blobBaseFee",
    "eth_syncing", "eth_getTransactionReceipt",
}  # fmt: skip
"""What anvil asks of the chain it forks."""


NO_SIMULATION = faults.failing("eth_simulateV1", -32601, "the method eth_simulateV1 does not exist")


def test_a_dry_run_is_simulated_where_the_node_can(
    watched: Scene, proxy: RpcProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before and after, without a transaction, and without anvil."""
    monkeypatch.setenv("KEEPER_ANVIL", str(tmp_path / "no-anvil"))
    code, row = watched.once()
    assert code == FINE
    assert row["outcome"]["kind"] == "rehearsed"
    assert row["rehearsal"]["where"] == "eth_simulateV1"
    assert proxy.methods["eth_simulateV1"]
    assert float(row["outcome"]["after"]["health_factor"]) == pytest.approx(1.6, rel=1e-3)
    assert watched.health() < 1.25


def test_a_dry_run_takes_a_fork_only_where_the_node_cannot_simulate(watched: Scene, proxy: RpcProxy) -> None:
    """Asked once, refused, and rehearsed on a fork all the same."""
    proxy.fault = NO_SIMULATION
    code, row = watched.once()
    assert code == FINE
    assert row["outcome"]["kind"] == "rehearsed"
    assert row["rehearsal"]["where"] == "anvil fork"
    assert float(row["outcome"]["after"]["health_factor"]) == pytest.approx(1.6, rel=1e-3)
    assert watched.health() < 1.25


def test_the_daemon_sends_nothing_in_dry_run(watched: Scene, proxy: RpcProxy) -> None:
    """Over several cycles, and to its very end."""
    with watched.running() as keeper:
        keeper.wait_for("rehearsed")
        assert keeper.stop() == 0
        assert '"mode": "dry_run"' in keeper.log
    assert proxy.methods["eth_getBlockByNumber"] >= 1


def test_a_dry_run_needs_no_key(watched: Scene) -> None:
    """It holds none: keystore and password may be away."""
    watched.write()
    (watched.folder / "keystore.json").unlink()
    (watched.folder / "password").unlink()
    assert watched.once()[0] == FINE


def test_explain_shows_the_calldata_it_would_sign(watched: Scene) -> None:
    """Figures, rules, decision, plan, and each call in full."""
    shown = watched.data("explain", "eth-loop")
    assert shown["decision"]["kind"] == "act"
    assert all(step["data"].startswith("0x") for step in shown["plan"]["steps"])
    assert float(shown["position"]["figures"]["health_factor"]) == pytest.approx(watched.health(), rel=1e-6)


def test_the_proxy_would_notice(scene: Scene, proxy: RpcProxy) -> None:
    """The guard of all of the above: the same keeper live does send through it."""
    scene.url = proxy.url
    scene.open().crash()
    before = Chain.of(scene.world)
    assert scene.once("--live")[0] == FINE
    assert set(proxy.sent) == {"eth_sendRawTransaction"}
    assert Chain.of(scene.world) != before


# --- what a block costs ----------------------------------------------------------------------------------------------


def test_a_quiet_block_costs_one_call_and_one_head(scene: Scene, proxy: RpcProxy) -> None:
    """After the first block found out what matters, all of a block is one eth_call."""
    scene.url = proxy.url
    scene.open().write()

    async def two_blocks() -> None:
        async with opened(load(scene.config), is_live=False) as engine:
            await cycle(engine, await engine.reader.blocks.head())
            scene.world.mine()
            proxy.forget()
            (result,) = await cycle(engine, await engine.reader.blocks.head())
            assert result.decision.reason.code == "healthy"  # type: ignore[union-attr]

    asyncio.run(two_blocks())
    assert proxy.methods == {"eth_call": 1, "eth_getBlockByNumber": 1}


def change_nothing(scene: Scene) -> None:
    scene.world.mine()


def supply_another(scene: Scene) -> None:
    scene.world.mint("LINK", scene.owner, 1_000 * ETHER)
    scene.world.supply(scene.owner, "LINK", 1_000 * ETHER)


def borrow_another(scene: Scene) -> None:
    scene.world.borrow(scene.owner, "DAI", 500 * ETHER)


def supply_for_free(scene: Scene) -> None:
    """Somebody else supplies on the owner's behalf."""
    world, stranger = scene.world, scene.world.account(7).address
    world.mint("USDT", stranger, DOLLAR)
    token = world.token("USDT")
    world.chain.send(token.functions.approve(world.pool.address, DOLLAR), stranger)
    world.chain.send(world.pool.functions.supply(token.address, DOLLAR, scene.owner, 0), stranger)


def enter_emode(scene: Scene) -> None:
    scene.world.repay(scene.owner, "USDC", 2**256 - 1)
    scene.world.chain.send(scene.world.pool.functions.setUserEMode(1), scene.owner)
    scene.world.borrow(scene.owner, "WETH", 5 * ETHER)


@pytest.mark.parametrize("happen", [change_nothing, supply_another, borrow_another, supply_for_free, enter_emode])
def test_what_an_account_begins_to_use_is_seen_at_the_next_block(scene: Scene, happen: Callable[[Scene], None]) -> None:
    """A new collateral, a new debt, a gift, an e-mode: discovered anew, and judged to the wei again."""
    scene.open(keep_debt=True).write()
    scene.world.mint("USDC", scene.owner, 100 * DOLLAR)

    async def two_blocks() -> None:
        async with opened(load(scene.config), is_live=False) as engine:
            await cycle(engine, await engine.reader.blocks.head())
            happen(scene)
            (result,) = await cycle(engine, await engine.reader.blocks.head())
            assert isinstance(result.assessed, LendingAssessment), result.assessed
            assert result.assessed.figures.health_factor == scene.world.account_data(scene.owner).health_factor
            symbols = {h.symbol for h in result.assessed.position.held}
            real = {s for s in scene.world.addresses["tokens"] if holds(scene, s)}
            assert symbols == real

    asyncio.run(two_blocks())


def holds(scene: Scene, symbol: str) -> bool:
    return bool(scene.world.supplied(symbol, scene.owner) or scene.world.debt(symbol, scene.owner))


# --- a node that misbehaves ------------------------------------------------------------------------------------------

NODE_FAULTS: list[tuple[faults.Fault, str]] = [
    (faults.refuse, "cannot be reached"),
    (faults.html, "not JSON"),
    (faults.status(503), "503"),
    (faults.status(401), "401"),
    (faults.hang(5), "no answer within 2 s"),
    (faults.failing("eth_call", -32603, "internal error"), "internal error"),
    (faults.failing("eth_getBlockByNumber", -32005, "limit exceeded"), "limit exceeded"),
    (faults.answered("eth_getBlockByNumber", None), "no block"),
    (faults.answered("eth_getBlockByNumber", {"number": "0x1"}), "incomplete"),
    (faults.answered("eth_call", "0x"), "Multicall3"),
    (faults.answered("eth_call", "0x" + "00" * 64), "Multicall3"),
    (faults.answered("eth_chainId", "what"), "not a number"),
]


@pytest.mark.parametrize(("fault", "words"), NODE_FAULTS)
@pytest.mark.parametrize("options", [(), ("--live",)])
def test_a_node_that_fails_is_told_in_one_line(
    watched: Scene, proxy: RpcProxy, fault: faults.Fault, words: str, options: tuple[str, ...]
) -> None:
    """Exit code 1, the call and what is wrong; nothing is sent, live neither."""
    proxy.fault = fault
    found = watched.keeper("once", *options)
    assert found.exit_code == FAILED
    assert words in " ".join(found.stderr.split())


def test_nobody_listening_is_told(watched: Scene) -> None:
    """A port that nothing serves."""
    watched.url = "http://127.0.0.1:9"
    found = watched.keeper("once")
    assert found.exit_code == FAILED
    assert "127.0.0.1:9" in found.stderr


def test_an_answer_from_another_block_is_not_used(watched: Scene, proxy: RpcProxy) -> None:
    """A node behind a load balancer that is late: the figures are refused, not believed."""
    watched.write()
    proxy.fault = faults.of_another_block(watched.world.w3.eth.block_number - 1)
    found = watched.keeper("once", "--live")
    assert found.exit_code == FAILED
    assert "answered from" in " ".join(found.stderr.split())


def test_another_chain_is_bad_settings(watched: Scene, proxy: RpcProxy) -> None:
    """Both ids are named, and which line to correct."""
    proxy.fault = faults.answered("eth_chainId", "0x1")
    found = watched.keeper("once", "--live")
    assert found.exit_code == BAD_SETTINGS
    text = " ".join(found.stderr.split())
    assert "chain 1" in text
    assert "31337" in text


def test_no_multicall_is_bad_settings(watched: Scene, proxy: RpcProxy) -> None:
    """The network file's address has no contract here."""
    proxy.fault = faults.answered("eth_getCode", "0x")
    found = watched.keeper("once")
    assert found.exit_code == BAD_SETTINGS
    assert "multicall3" in found.stderr


def test_an_address_that_is_no_market_is_told(watched: Scene) -> None:
    """The provider's address is wrong: the call that failed is named, and nothing is healthy."""
    watched.write()
    network = watched.folder / "network.toml"
    provider = watched.world.addresses["aave"]["pool_addresses_provider"]
    network.write_text(network.read_text().replace(provider, watched.world.addresses["tokens"]["WETH"]))
    found = watched.keeper("once")
    assert found.exit_code == FAILED
    assert "getPool" in found.stderr


@pytest.mark.parametrize("command", ["status", "explain"])
def test_every_command_tells_of_a_node_that_is_away(watched: Scene, proxy: RpcProxy, command: str) -> None:
    """In the same words."""
    proxy.fault = faults.html
    found = watched.keeper(command, *(["eth-loop"] if command == "explain" else []))
    assert found.exit_code == FAILED
    assert "not JSON" in " ".join(found.stderr.split())


def test_a_secret_in_the_nodes_address_never_shows(watched: Scene, proxy: RpcProxy) -> None:
    """An API key in the path stays out of every message."""
    watched.url = f"{proxy.url}/v3/s3cr3tkey"
    proxy.fault = faults.status(401)
    found = watched.keeper("once")
    assert "s3cr3tkey" not in found.output
    assert found.exit_code == FAILED


def test_the_daemon_waits_for_a_node_that_is_away(watched: Scene, proxy: RpcProxy) -> None:
    """It alarms, asks again, and goes on when the node is back; the position is not called healthy meanwhile."""
    proxy.fault = faults.html
    with watched.running() as keeper:
        keeper.wait_for("node_away")
        assert '"block"' not in keeper.log
        proxy.fault = None
        keeper.wait_for("rehearsed")
        proxy.fault = faults.refuse
        keeper.wait_for("node_away", count=2)
        assert keeper.stop() == 0
        assert "Traceback" not in keeper.log


# --- the fork that a dry run stands on -------------------------------------------------------------------------------


def test_without_simulation_and_anvil_a_dry_run_says_so(
    watched: Scene, proxy: RpcProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both are named, with the node's own words, and what to install; nothing is sent instead."""
    monkeypatch.setenv("KEEPER_ANVIL", str(tmp_path / "no-anvil"))
    proxy.fault = NO_SIMULATION
    code, row = watched.once()
    assert code in (FAILED, IN_DANGER)
    assert row["decision"]["reason"] == "rehearsal_unavailable"
    assert "the method eth_simulateV1 does not exist" in row["decision"]["detail"]
    assert "KEEPER_ANVIL" in row["decision"]["detail"]


# --- what gas costs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("can_simulate", [True, False])
def test_a_signer_without_gas_money_is_seen_in_rehearsal(
    watched: Scene, proxy: RpcProxy, *, can_simulate: bool
) -> None:
    """The plan is run at the real gas price, out of the signer's own balance: on the node and on a fork alike."""
    proxy.fault = None if can_simulate else NO_SIMULATION
    kept = watched.world.w3.eth.get_balance(watched.signer)
    watched.world.rpc("anvil_setBalance", watched.signer, hex(10**12))
    code, row = watched.once()
    watched.world.rpc("anvil_setBalance", watched.signer, hex(kept))
    assert code == IN_DANGER
    assert row["decision"]["reason"] == "no_gas_money"
    assert watched.signer in row["decision"]["detail"]
