"""Nodes as they are when something is sent: late receipts, refusals, lies about fees; real contracts, live."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from proxy import Answer, Request, RpcProxy, answered
from scenes import ETHER, Scene

from keeper.chain.tolls import ORACLE

pytestmark = pytest.mark.world
GWEI = 10**9
TOLD = hex(1_110_001 * GWEI)


def fields(request: Request) -> dict[str, Any]:
    """Return what was signed."""
    found: dict[str, Any] = TypedTransaction.from_bytes(HexBytes(request["params"][0])).as_dict()
    return found


def sends(proxy: RpcProxy) -> list[dict[str, Any]]:
    return [fields(r) for r in proxy.asked if r["method"] == "eth_sendRawTransaction"]


def error(request: Request, message: str) -> Answer:
    body = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": message}}
    return 200, "application/json", json.dumps(body).encode()


def null(request: Request) -> Answer:
    return 200, "application/json", json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": None}).encode()


def repaying(scene: Scene, proxy: RpcProxy) -> Scene:
    """Dollars at hand, a health factor below the trigger, and the keeper behind the proxy."""
    scene.url = proxy.url
    return scene.open(keep_debt=True).crash()


def test_receipts_that_are_late_by_twelve_seconds_blame_nobody(scene: Scene, proxy: RpcProxy) -> None:
    """The nonce is used and nothing is shown for it: restored all the same, one transaction for each call."""
    hidden_until: list[float] = []

    def late(request: Request) -> Answer | None:
        if request["method"] == "eth_sendRawTransaction" and not hidden_until:
            hidden_until.append(time.monotonic() + 12)
        hides = ("eth_getTransactionReceipt", "eth_getTransactionByHash")
        is_hidden = request["method"] in hides and hidden_until and time.monotonic() < hidden_until[0]
        return null(request) if is_hidden else None

    repaying(scene, proxy)
    proxy.fault = late
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    (made,) = [r for r in scene.data("journal") if r["transactions"]]
    assert {t["state"] for t in made["transactions"]} == {"mined"}


@pytest.mark.parametrize("wanted", [3, 25])
def test_a_tip_that_a_node_wants_is_paid_at_once(scene: Scene, proxy: RpcProxy, wanted: int) -> None:
    """One refusal for each call, and mined: not seventy-two steps of an eighth."""

    def refuses(request: Request) -> Answer | None:
        if request["method"] != "eth_sendRawTransaction":
            return None
        tip = fields(request)["maxPriorityFeePerGas"]
        return error(request, f"tip below the minimum needed {wanted} gwei") if tip < wanted * GWEI else None

    repaying(scene, proxy)
    proxy.fault = refuses
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert len(sends(proxy)) <= 2 * len({tx["nonce"] for tx in sends(proxy)})


def test_a_tip_of_1_110_001_gwei_is_not_paid(scene: Scene, proxy: RpcProxy) -> None:
    """Told by the only node, by every block of its history."""
    repaying(scene, proxy)
    proxy.fault = answered("eth_feeHistory", {"reward": [[TOLD]] * 10, "baseFeePerGas": [TOLD] * 11})
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert max(tx["maxFeePerGas"] for tx in sends(proxy)) <= 200 * GWEI


def test_a_gas_limit_that_a_node_finds_too_low_is_raised(scene: Scene, proxy: RpcProxy) -> None:
    """A rollup's part of its parent chain, charged as gas and told by nobody."""

    def refuses(request: Request) -> Answer | None:
        if request["method"] != "eth_sendRawTransaction":
            return None
        return error(request, "intrinsic gas too low") if fields(request)["gas"] < 110_000 else None

    repaying(scene, proxy)
    proxy.fault = refuses
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]


def test_what_a_rollup_charges_beside_the_gas_is_in_the_money_check(scene: Scene) -> None:
    """A GasPriceOracle that asks for more than the signer has: held before anything is signed, with the reason."""
    scene.open(keep_debt=True).crash()
    dear = (10**20).to_bytes(32, "big").hex()
    scene.world.rpc("anvil_setCode", ORACLE, f"0x7f{dear}60005260206000f3")
    scene.world.rpc("anvil_setBalance", scene.signer, hex(ETHER))
    before = scene.nonce()
    _, row = scene.once("--live")
    assert row["decision"]["reason"] == "no_gas_money", row["decision"]
    assert scene.nonce() == before


@pytest.mark.parametrize("more", [1, 55])
def test_one_node_of_two_that_tells_more_nonces_holds_nothing_up(
    scene: Scene, proxy: RpcProxy, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every plan was stale before: now journal and other node are heard, and the rescue goes out at its nonce."""

    def adds(request: Request, onward: Callable[[], Answer]) -> Answer:
        status, kind, body = onward()
        if request["method"] == "eth_getTransactionCount":
            answer = json.loads(body)
            answer["result"] = hex(int(answer["result"], 16) + more)
            body = json.dumps(answer).encode()
        return status, kind, body

    scene.open(keep_debt=True).crash()
    code, row = scene.once("--live")  # so that the journal knows the signer
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    scene.crash("1450")
    monkeypatch.setenv("KEEPER_RPC_URL", f"{scene.world.url} {proxy.url}")
    proxy.around = adds
    before = scene.nonce()
    code, row = scene.once("--live")
    assert (code, row["outcome"]["kind"]) == (0, "restored"), row["outcome"]
    assert scene.nonce() > before
