"""A rescue on Morpho made ready beforehand rests on who may act for the owner: the acting block looks at that again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from armed_stage import AS_USUAL, AT_ONCE, Stage, staged
from morpho_scene import MorphoScene, kept_in_market
from scenes import DOLLAR, ETHER, Scene

from keeper.core.units import Address
from keeper.venues.ports import Mandate
from sandbox.morpho.desk import MorphoDesk

pytestmark = pytest.mark.world
RULE = """
[[rules]]
name = "protect"
position = "lent"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["deleverage"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 150
max_fee_gwei = "200"
"""
NEAR, THERE = "1910", "1900"
"""Just above and below the price at which the rule fires (1904)."""


@pytest.fixture
def lent(scene: Scene) -> MorphoScene:
    """Ten ether against 13,100 dollars, and a bundler whose lender is Morpho."""
    morpho = MorphoDesk(scene.world)
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    return kept_in_market(scene, morpho, id_, RULE)


@asynccontextmanager
async def ready(lent: MorphoScene) -> AsyncIterator[Stage]:
    """The price is just above the trigger, and plans are ready."""
    lent.scene.crash(NEAR)
    lent.write()
    async with staged(lent.scene) as stage:
        await stage.look()
        stage.arming.begin(stage.last)
        await stage.arming.settled()
        assert stage.engine.state.armed.get("lent")
        yield stage


def rescued(lent: MorphoScene) -> None:
    assert float(lent.health()) == pytest.approx(1.6, rel=0.01)
    assert set(lent.left().values()) == {0}


def authorise(lent: MorphoScene, *, is_on: bool) -> None:
    world = lent.scene.world
    with world.acting_as(lent.scene.owner):
        call = lent.morpho.blue.functions.setAuthorization(lent.bundler["general_adapter"], is_on)
        world.chain.send(call, lent.scene.owner)


async def test_what_was_made_ready_goes_out_at_once(lent: MorphoScene) -> None:
    """The owner's words were signed beforehand: they are not used up, and the plan is still what was rehearsed."""
    async with ready(lent) as stage:
        stage.come(THERE)
        assert (await stage.how()).startswith(AT_ONCE), stage.why
    rescued(lent)
    assert lent.words_used() == 2
    assert not lent.adapter_may_act()


async def test_a_standing_authorisation_that_is_still_there_is_used_at_once(lent: MorphoScene) -> None:
    """It is read with all else; nothing is signed, and what the owner let act stays."""
    authorise(lent, is_on=True)
    async with ready(lent) as stage:
        stage.come(THERE)
        assert (await stage.how()).startswith(AT_ONCE), stage.why
    rescued(lent)
    assert lent.words_used() == 0
    assert lent.adapter_may_act()


async def test_an_authorisation_taken_back_since_makes_the_plan_anew(lent: MorphoScene) -> None:
    """By somebody else's transaction, so that the signer's nonce is what it was: the bundle would have reverted."""
    authorise(lent, is_on=True)
    async with ready(lent) as stage:
        await used_by_a_stranger(lent, stage, Address(lent.bundler["general_adapter"]), is_on=False)
        assert not lent.adapter_may_act()
        stage.come(THERE)
        await stage.keep_up()
        assert await stage.how() == AS_USUAL
        assert "allowance" in stage.why[0]
    rescued(lent)
    assert not lent.adapter_may_act()


async def test_an_authorisation_given_since_is_not_taken_back_by_a_plan_made_before(lent: MorphoScene) -> None:
    """The plan's last word would have ended what the owner let stand himself: it is made anew without one."""
    async with ready(lent) as stage:
        await used_by_a_stranger(lent, stage, Address(lent.bundler["general_adapter"]), is_on=True)
        assert lent.adapter_may_act()
        stage.come(THERE)
        await stage.keep_up()
        assert await stage.how() == AS_USUAL
    rescued(lent)
    assert lent.adapter_may_act()


async def test_a_word_of_the_owner_s_used_since_makes_the_plan_anew(lent: MorphoScene) -> None:
    """About whomever: the numbers of those that were signed beforehand are gone."""
    async with ready(lent) as stage:
        await used_by_a_stranger(lent, stage, Address(lent.scene.world.account(6).address), is_on=True)
        assert lent.words_used() == 1
        stage.come(THERE)
        await stage.keep_up()
        assert await stage.how() == AS_USUAL
        assert "was used since" in stage.why[0]
    rescued(lent)
    assert lent.words_used() == 3


async def used_by_a_stranger(lent: MorphoScene, stage: Stage, about: Address, *, is_on: bool) -> None:
    """The owner's word about somebody, carried by another: the owner's own nonce stays as it is."""
    world, engine = lent.scene.world, stage.engine
    (key,) = (sender.lane.signer for sender in engine.senders.values())
    block, agency = engine.state.seen.block, engine.venues("lent").market.agency  # type: ignore[union-attr]
    assert agency is not None
    terms = await engine.reader.read(block, agency.terms_probe(key.address, block.chain_id))
    assert terms is not None
    said = Mandate(key.address, about, is_on, lent.words_used(), block.timestamp + 3_600)
    to, data = agency.encode_mandate(key.sign_mandate(terms, said))
    sent = world.w3.eth.send_transaction({"from": world.role("liquidator"), "to": to, "data": data, "gas": 200_000})
    assert world.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
