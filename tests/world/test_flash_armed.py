"""A rescue in one transaction made ready beforehand: the acting block is one read and one send."""

from __future__ import annotations

import pytest
from armed_stage import AS_USUAL, AT_ONCE, SELL, near, staged
from proxy import RpcProxy
from scenes import ETHER, Scene

from keeper.core.units import Address
from keeper.venues.contracts.permit import encode_permit, terms_probe
from sandbox.world import World

pytestmark = pytest.mark.world


def adapter(world: World) -> str:
    return str(world.addresses["bundler"]["general_adapter"])


async def test_an_armed_loan_of_one_transaction_is_one_read_and_one_send(scene: Scene, proxy: RpcProxy) -> None:
    """The permit was signed beforehand; allowances, permits, lender and pools are all in the block's one call."""
    scene.url, scene.lends = proxy.url, True
    near(scene, SELL, batch=False)
    before = scene.nonce()
    async with staged(scene) as stage:
        assert await stage.arm()
        stage.come()
        proxy.forget()
        assert (await stage.how()).startswith(AT_ONCE), stage.why
        asked = [request["method"] for request in proxy.asked]
        assert asked[: asked.index("eth_sendRawTransaction") + 1] == [
            "eth_getBlockByNumber",
            "eth_call",
            "eth_sendRawTransaction",
        ]
        (decision,) = [d for d in await stage.engine.journal.decisions.recent(9) if d.kind == "act"]
        assert decision.outcome_kind == "restored", decision.outcome
    assert scene.health() >= 1.6
    assert scene.nonce() == before + 1


async def test_a_permit_that_was_used_since_makes_the_plan_unfit(scene: Scene) -> None:
    """A stranger used it, or the owner signed another: the block is decided as usual, and the position rescued."""
    scene.lends = True
    near(scene, SELL, batch=False)
    world = scene.world
    token = world.chain.at("TestnetERC20", world.addresses["a_tokens"]["WETH"])
    async with staged(scene) as stage:
        assert await stage.arm()
        (key,) = (sender.lane.signer for sender in stage.engine.senders.values())
        block = stage.engine.state.seen.block  # type: ignore[union-attr]
        terms = await stage.engine.reader.read(block, terms_probe(Address(token.address), key.address, block.chain_id))
        assert terms is not None
        permit = key.sign_permit(terms, Address(adapter(world)), ETHER, block.timestamp + 3_600)
        data = encode_permit(key.address, Address(adapter(world)), permit)
        use = {"from": world.account(5).address, "to": token.address, "data": data, "gas": 200_000}
        world.rpc("anvil_setBalance", world.account(5).address, hex(ETHER))
        sent = world.w3.eth.send_transaction(use)
        assert world.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
        assert token.functions.allowance(scene.owner, adapter(world)).call() > 0
        stage.come()
        await stage.keep_up()
        assert await stage.how() == AS_USUAL
        assert "permit" in stage.why[0]
    assert scene.health() >= 1.59
    assert token.functions.allowance(scene.owner, adapter(world)).call() == 0


async def test_a_standing_approval_of_the_adapter_keeps_no_armed_plan_back(scene: Scene) -> None:
    """What was approved by hand once is read with all else; the permit replaces it, and nothing of it stays."""
    scene.lends = True
    near(scene, SELL, batch=False)
    world = scene.world
    token = world.chain.at("TestnetERC20", world.addresses["a_tokens"]["WETH"])
    with world.acting_as(scene.owner):
        world.chain.send(token.functions.approve(adapter(world), 7), scene.owner)
    async with staged(scene) as stage:
        assert await stage.arm()
        stage.come()
        assert (await stage.how()).startswith(AT_ONCE), stage.why
    assert scene.health() >= 1.6
    assert token.functions.allowance(scene.owner, adapter(world)).call() == 0
