"""Nodes as they are: late, short of time, stale, on another chain for a moment. The keeper keeps on keeping."""

from __future__ import annotations

import time
from collections.abc import Iterator

import proxy as faults
import pytest
from proxy import RpcProxy
from scenes import Keeper, Scene

pytestmark = pytest.mark.world


@pytest.fixture
def behind(scene: Scene, proxy: RpcProxy) -> Scene:
    """A healthy position, and the keeper's node behind the proxy."""
    scene.open()
    scene.url = proxy.url
    return scene


@pytest.fixture
def second(scene: Scene) -> Iterator[RpcProxy]:
    """Another node of the same chain."""
    with RpcProxy(scene.world.url) as running:
        yield running


def with_two(scene: Scene, second: RpcProxy) -> Scene:
    scene.write()
    one = f'rpc_url = "{scene.url}"'
    tables = [f'[[network.nodes]]\nurl = "{url}"\nname = "{n}"\n' for url, n in ((scene.url, "a"), (second.url, "b"))]
    scene.config.write_text(scene.config.read_text().replace(one, "") + "".join(tables))
    return scene


def judged(keeper: Keeper, number: int, seconds: float = 15.0) -> float:
    """Wait until a block was judged, and return how long that took."""
    begun = time.monotonic()
    while f"number={number} " not in plain(keeper.log):
        assert keeper.process.poll() is None, keeper.log
        assert time.monotonic() - begun < seconds, f"block {number} was not judged:\n{keeper.log}"
        time.sleep(0.02)
    return time.monotonic() - begun


def plain(log: str) -> str:
    import re  # noqa: PLC0415

    return (
        re.sub(r"\x1b\[[0-9;]*m", "", log) if "\x1b" in log else log.replace('"number": ', "number=").replace(",", " ")
    )


@pytest.mark.parametrize("words", ["header not found", "state is not available", "purple"])
def test_every_block_is_read_though_the_node_has_its_state_late(behind: Scene, proxy: RpcProxy, words: str) -> None:
    """For 0.4 s after each new head reads by its hash are refused: they are asked again within the block."""
    proxy.fault = faults.late(0.4, words)
    with behind.running() as keeper:
        keeper.wait_for("started")
        for _ in range(4):
            behind.world.mine()
            assert judged(keeper, behind.world.w3.eth.block_number) < 3
        assert "node_away" not in keeper.log
        behind.crash()
        keeper.wait_for("rehearsed", 30)
        assert keeper.stop() == 0


def test_a_block_that_could_not_be_read_is_read_again_without_a_newer_one(behind: Scene, proxy: RpcProxy) -> None:
    """Refused for longer than the patience within one read: the block still does not pass for seen."""
    with behind.running() as keeper:
        keeper.wait_for("block")
        proxy.fault = faults.times(2, faults.status(503))
        behind.world.mine()
        proxy.fault = faults.times(3, faults.failing("eth_call", -32603, "Internal error"))
        number = behind.world.w3.eth.block_number
        judged(keeper, number)
        proxy.fault = faults.times(2, lambda r: faults.status(503)(r) if r["method"] == "eth_call" else None)
        behind.world.mine()
        judged(keeper, number + 1)
        assert keeper.stop() == 0


@pytest.mark.parametrize(
    "answer",
    [
        (429, "text/plain", b"no"),
        (429, "application/json", b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"rate limit"}}'),
    ],
)
def test_a_rescue_is_sent_through_a_node_that_grants_ten_requests_a_second(
    behind: Scene, proxy: RpcProxy, answer: faults.Answer
) -> None:
    """A window that slides, 429 above: paced and asked again; no plan is given up for it, half sent or not."""
    proxy.fault = faults.limited(10, answer)
    with behind.running("--live") as keeper:
        keeper.wait_for("block", 30)
        behind.crash()
        keeper.wait_for("restored", 60)
        assert keeper.stop() == 0
    assert behind.health() == pytest.approx(1.6, rel=5e-3)


def test_two_nodes_that_are_stale_once_each_blind_nobody(behind: Scene, proxy: RpcProxy, second: RpcProxy) -> None:
    """Both answered from an earlier block: the next block is judged, and so is every one after it."""
    with with_two(behind, second).running() as keeper:
        keeper.wait_for("started")
        judged(keeper, behind.world.w3.eth.block_number)
        for misbehaving in ((proxy, second), (second, proxy)):
            for each in misbehaving:
                each.fault = faults.stale(1, behind.world.w3.eth.block_number - 2)
            behind.world.mine()
            judged(keeper, behind.world.w3.eth.block_number)
        for _ in range(3):
            behind.world.mine()
            assert judged(keeper, behind.world.w3.eth.block_number) < 3
        assert keeper.stop() == 0


def test_one_node_down_and_the_other_stale_once_blind_nobody(behind: Scene, proxy: RpcProxy, second: RpcProxy) -> None:
    """The one that is left is used."""
    with with_two(behind, second).running() as keeper:
        keeper.wait_for("started")
        judged(keeper, behind.world.w3.eth.block_number)
        second.fault = faults.refuse
        for count in (1, 3):
            proxy.fault = faults.stale(count, behind.world.w3.eth.block_number - 2)
            behind.world.mine()
            judged(keeper, behind.world.w3.eth.block_number)
        assert keeper.stop() == 0


def test_a_wrong_chain_id_after_the_first_meeting_is_an_outage(behind: Scene, proxy: RpcProxy) -> None:
    """The daemon goes on when the node is back on its chain: a unit never restarts exit code 2."""
    with behind.running() as keeper:
        keeper.wait_for("started")
        judged(keeper, behind.world.w3.eth.block_number)
        proxy.fault = lambda r: (
            faults.answered("eth_chainId", "0x1")(r)
            or (faults.refuse(r) if keeper.log.count("is on chain 1") == 0 and r["method"] != "eth_chainId" else None)
        )
        behind.world.mine()
        keeper.wait_for("is on chain 1")
        time.sleep(0.5)
        assert keeper.process.poll() is None
        proxy.fault = None
        behind.world.mine()
        judged(keeper, behind.world.w3.eth.block_number)
        assert keeper.stop() == 0


def test_a_json_rpc_error_in_an_http_error_does_not_stop_a_rescue(behind: Scene, proxy: RpcProxy) -> None:
    """eth_simulateV1 and eth_feeHistory answer 403 with "method not found" inside: a fork simulates, and it is sent."""
    body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"the method is not available"}}'

    def forbidden(request: faults.Request) -> faults.Answer | None:
        refused = request["method"] in ("eth_simulateV1", "eth_feeHistory")
        return (403, "application/json", body) if refused else None

    proxy.fault = forbidden
    behind.crash()
    code, row = behind.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row
