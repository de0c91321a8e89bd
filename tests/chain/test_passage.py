"""A program beside us reaches the node through us: it learns no address and no token, and can only read."""

import json
import os
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from rpc_server import Bench, hash_of

from keeper.chain.errors import NodeAwayError
from keeper.chain.fork import AnvilMissingError, Fork
from keeper.chain.passage import MOST_AT_ONCE, PASSED, Passage
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address, Wei

MULTICALL = Address("0xcA11bde05977b3631167028862bE2a173976CA11")
BLOCK = BlockRef(31337, 100, hash_of(100), hash_of(99), 1_700_001_200, Wei(1))
TOKEN = "a-token-of-a-provider"


async def post(url: str, body: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(url, data=json.dumps(body)) as answer:
        return answer.status, await answer.json() if answer.status == 200 else None


def ask(method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}


async def test_anvil_is_never_shown_the_nodes_address(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither on its command line, which everybody may read, nor in its environment."""
    server, spy, seen = await bench.server(), tmp_path / "anvil", tmp_path / "seen"
    spy.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >{seen}\nexit 3\n')
    spy.chmod(spy.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("KEEPER_ANVIL", str(spy))
    monkeypatch.setenv("KEEPER_RPC_URL", f"https://node.example/{TOKEN}")
    monkeypatch.setenv("KEEPER_ALERT_URLS", "tgram://secret/1")
    with pytest.raises(NodeAwayError, match="ended"):
        async with Fork(f"{server.url}/{TOKEN}", BLOCK, MULTICALL):
            pass
    said = seen.read_text()
    assert "--fork-url http://127.0.0.1:" in said
    assert "--host 127.0.0.1" in said
    assert "--max-persisted-states 0" in said  # a kill leaves no states on the disk
    for hidden in (TOKEN, server.url, "node.example", "tgram", "KEEPER_"):
        assert hidden not in said
    assert f"PATH={os.environ['PATH']}" in said


async def test_a_fork_that_cannot_begin_leaves_no_way_open(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The way through ends with the fork, also with one that never was."""
    monkeypatch.setenv("KEEPER_ANVIL", str(tmp_path))
    fork = Fork((await bench.server()).url, BLOCK, MULTICALL)
    with pytest.raises(AnvilMissingError):
        await fork.__aenter__()
    with pytest.raises(aiohttp.ClientError):
        await post(fork._passage.url, ask("eth_chainId"))


async def test_reads_pass_and_nothing_else(bench: Bench) -> None:
    """What sends, signs, or changes a node is refused here, and never reaches it."""
    server = await bench.server()
    async with Passage(server.url) as passage:
        assert await post(passage.url, ask("eth_chainId")) == (200, {"jsonrpc": "2.0", "id": 7, "result": "0x7a69"})
        for method in (
            "eth_sendRawTransaction", "eth_sendTransaction", "eth_sign", "personal_unlockAccount", "anvil_setBalance",
            "admin_addPeer", "debug_setHead", "miner_start", "txpool_content", "eth_subscribe", "eth_sendBundle", "",
        ):  # fmt: skip
            _, answer = await post(passage.url, ask(method, "0x02"))
            assert answer["error"]["code"] == -32601, method
    assert set(server.asked) == {"eth_chainId"}
    assert not [
        m
        for m in PASSED
        if "send" in m.lower() or "sign" in m.lower() or not m.startswith(("eth_get", "eth_", "net_", "web3_"))
    ]


async def test_nobody_passes_without_the_path(bench: Bench) -> None:
    """It cannot be guessed, is another each time, and is on the loopback interface only."""
    server = await bench.server()
    async with Passage(server.url) as one, Passage(server.url) as other:
        parts = urlsplit(one.url)
        assert parts.hostname == "127.0.0.1"
        assert len(parts.path) > 40
        assert parts.path != urlsplit(other.url).path
        for path in ("/", "/x", urlsplit(other.url).path, parts.path + "/", parts.path[:-1]):
            assert (await post(f"http://{parts.netloc}{path}", ask("eth_chainId")))[0] == 404
    assert not server.asked


async def test_batches_and_nonsense_are_answered(bench: Bench) -> None:
    """Up to a bound; a refusal keeps its code, its words and its data."""
    server = await bench.server()
    server.refusals = {"eth_call": {"code": 3, "message": "execution reverted", "data": "0x1234567890"}}
    async with Passage(server.url) as passage:
        _, answers = await post(passage.url, [ask("eth_chainId")] * (MOST_AT_ONCE + 5))
        assert len(answers) == MOST_AT_ONCE
        for nonsense in (None, 5, {}, {"method": 5}, {"id": 1, "method": "eth_call", "params": "x"}):
            assert (await post(passage.url, nonsense))[1]["error"]["code"] == -32600
        _, refused = await post(passage.url, ask("eth_call", {}, "latest"))
        assert refused["error"] == server.refusals["eth_call"]
        server.body = "no JSON"
        assert (await post(passage.url, ask("eth_chainId")))[1]["error"]["code"] == -32603
