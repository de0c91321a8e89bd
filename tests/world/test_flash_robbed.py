"""Somebody who wants the keeper to lose money by its loans: tokens that lie, pools that were moved, permits used up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lying_token import Liar, liar
from scenes import ETHER, Scene
from test_attacked import net_worth
from test_flash import endangered, left
from test_flash_attacked import pending
from web3 import Web3

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]
FIRST = {"maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12}
"""Whoever pays so much is first in the block."""


def thief(scene: Scene) -> str:
    return str(scene.world.account(8).address)


def stolen(scene: Scene) -> int:
    return sum(scene.world.balance(symbol, thief(scene)) for symbol in ("WETH", "USDC"))


def at(scene: Scene, contract: str, name: str) -> Any:
    return scene.world.chain.at(contract, scene.world.addresses["bundler"][name])


def all_of(it: Liar, hand: str) -> str:
    """What would move all that an adapter holds of the token to the thief."""
    return str(at(it.scene, "BundlerGeneralAdapter", hand).encode_abi(
        "erc20Transfer", [it.scene.world.token(it.symbol).address, thief(it.scene), 2**256 - 1]
    ))  # fmt: skip


def takes_a_fee(it: Liar) -> None:
    it.takes(100)


def begins_a_bundle_within_ours(it: Liar) -> None:
    bundler = at(it.scene, "Bundler", "bundler")
    hands = [it.scene.world.addresses["bundler"][hand] for hand in ("general_adapter", "adapter")]
    steps = [(hand, bytes.fromhex(all_of(it, "adapter")[2:]), 0, True, bytes(32)) for hand in hands]
    it.calls(bundler.address, bundler.encode_abi("multicall", [steps]))


def comes_back_in_our_place(it: Liar) -> None:
    bundler = at(it.scene, "Bundler", "bundler")
    step = (it.scene.world.addresses["bundler"]["adapter"], bytes.fromhex(all_of(it, "adapter")[2:]), 0, False)
    it.calls(bundler.address, bundler.encode_abi("reenter", [[(*step, bytes(32))]]))


def calls_the_adapter(it: Liar) -> None:
    it.calls(it.scene.world.addresses["bundler"]["adapter"], all_of(it, "adapter"))


def takes_by_the_router(it: Liar) -> None:
    """Everything that lies there in the middle of the sale."""
    router = it.scene.world.chain.at("SwapRouter02", it.scene.world.addresses["uniswap"]["swap_router_02"])
    token = it.scene.world.token("WETH").address
    it.calls(router.address, router.encode_abi("sweepToken(address,uint256,address)", [token, 1, thief(it.scene)]))


LIES: tuple[Callable[[Liar], None], ...] = (
    takes_a_fee,
    begins_a_bundle_within_ours,
    comes_back_in_our_place,
    calls_the_adapter,
    takes_by_the_router,
)


@pytest.mark.parametrize("symbol", ["WETH", "USDC"])
@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_lies_takes_nothing_from_a_bundle(scene: Scene, lie: Callable[[Liar], None], symbol: str) -> None:
    """What is sent helps, or nothing is sent and the reason is named; the thief has nothing either way."""
    endangered(scene, "1922.89")
    it = liar(scene, symbol)
    lie(it)
    nonce, before, worth = scene.nonce(), scene.health(), net_worth(scene)
    code, row = scene.once("--live")
    if scene.nonce() == nonce:
        assert code == 3, row
        assert row["decision"]["detail"], row
    else:
        assert scene.health() > before, row
    assert stolen(scene) == 0
    assert net_worth(scene) >= worth * 0.985, row
    assert {n for (_, hand), n in left(scene).items() if "may take" in hand} == {0}


def test_a_pool_moved_between_quote_and_mining_gets_no_sale(scene: Scene) -> None:
    """Sold into first, in our own block: the bundle is undone whole, and its reason is written down."""
    endangered(scene, "1922.89")
    world, robber = scene.world, scene.world.role("arbitrageur")
    router = world.chain.at("SwapRouter02", world.addresses["uniswap"]["swap_router_02"])
    tokens = [world.token(symbol).address for symbol in ("WETH", "USDC")]
    world.mint("WETH", robber, 4_000 * ETHER)
    sales = [
        bytes.fromhex(router.encode_abi("exactInputSingle", [(*tokens, fee, robber, 2_000 * ETHER, 0, 0)])[2:])
        for fee in (500, 3000)
    ]
    supplied, worth = world.supplied("WETH", scene.owner), net_worth(scene)
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene)
        data = router.encode_abi("multicall(bytes[])", [sales])
        moved = world.w3.eth.send_transaction({
            "from": Web3.to_checksum_address(robber), "to": router.address, "data": data,
            "gas": 3_000_000, **FIRST,
        })  # fmt: skip
        world.rpc("evm_mine")
        assert world.w3.eth.get_transaction_receipt(moved)["status"] == 1
        keeper.wait_for('"kind": "failed"')
    assert world.supplied("WETH", scene.owner) >= supplied, "nothing was sold"
    assert net_worth(scene) >= worth * 0.9999
    assert set(left(scene).values()) == {0}


@pytest.mark.parametrize("share", [0, 99], ids=["missing", "too small"])
def test_an_approval_that_is_not_there_when_mined_undoes_the_bundle_and_it_is_made_anew(
    scene: Scene, share: int
) -> None:
    """Another program of the owner's made a permit for less with our number, used first: ours is void and its fault is
    let pass, so that the pull stops all. Nothing is half done, and the next one is whole."""
    endangered(scene, "1922.89")
    world = scene.world
    adapter, value = world.addresses["bundler"]["general_adapter"], share * ETHER // 2
    used = permit(scene, adapter, value)
    supplied = world.supplied("WETH", scene.owner)
    world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        pending(scene)
        nonce = scene.nonce()
        sent = world.w3.eth.send_transaction({
            "from": Web3.to_checksum_address(world.role("lp")), "to": world.addresses["a_tokens"]["WETH"],
            "data": used, "gas": 200_000, **FIRST,
        })  # fmt: skip
        world.rpc("evm_mine")
        assert world.w3.eth.get_transaction_receipt(sent)["status"] == 1
        assert scene.nonce() == nonce + 1, "the bundle was mined too"
        assert world.supplied("WETH", scene.owner) >= supplied, "and undone whole"
        keeper.wait_for('"kind": "failed"')
        world.rpc("evm_setIntervalMining", 1)
        keeper.wait_for('"kind": "restored"', 120)
        world.rpc("evm_setIntervalMining", 0)
        world.rpc("evm_setAutomine", True)
    assert scene.health() == pytest.approx(1.6, rel=3e-3)
    assert set(left(scene).values()) == {0}


def permit(scene: Scene, spender: str, value: int) -> str:
    """The owner's words at his next number, signed by hand."""
    world = scene.world
    token = world.chain.at("TestnetERC20", world.addresses["a_tokens"]["WETH"])
    until = world.w3.eth.get_block("latest")["timestamp"] + 86_400
    words = [("owner", "address"), ("spender", "address"), ("value", "uint256"), ("nonce", "uint256")]
    signed = world.account(0).sign_typed_data(
        {"name": token.functions.name().call(), "version": "1", "chainId": 31337, "verifyingContract": token.address},
        {"Permit": [{"name": n, "type": t} for n, t in (*words, ("deadline", "uint256"))]},
        {"owner": scene.owner, "spender": spender, "value": value, "nonce": 0, "deadline": until},
    )
    proof = (signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))
    return Web3().eth.contract(abi=PERMIT_ABI).encode_abi("permit", (scene.owner, spender, value, until, *proof))


PERMIT_ABI = [{
    "type": "function", "name": "permit", "stateMutability": "nonpayable", "outputs": [],
    "inputs": [{"name": n, "type": t} for n, t in (
        ("owner", "address"), ("spender", "address"), ("value", "uint256"), ("deadline", "uint256"),
        ("v", "uint8"), ("r", "bytes32"), ("s", "bytes32"),
    )],
}]  # fmt: skip
