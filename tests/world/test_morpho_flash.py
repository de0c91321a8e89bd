"""Morpho Blue in one transaction, at any health, end to end: who is let act, for how long, and that nothing is left."""

from __future__ import annotations

import pytest
from morpho_scene import MorphoScene, kept_in_market
from scenes import DOLLAR, ETHER, Scene
from test_flash_attacked import pending

from keeper.venues.codec.abi import load
from sandbox.morpho.desk import MorphoDesk

pytestmark = pytest.mark.world
FLASH = """
[[rules]]
name = "protect"
position = "lent"
when = { health_factor_below = "1.25" }
restore = { health_factor = "1.60" }
actions = ["deleverage"]
[rules.limits]
max_slippage_bps = 150
max_fee_gwei = "200"
"""


@pytest.fixture
def lent(scene: Scene) -> MorphoScene:
    """A hundred ether against 152,000 dollars in one market, and a bundler whose lender is Morpho."""
    morpho = MorphoDesk(scene.world)
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 100 * ETHER, 152_000 * DOLLAR)
    return kept_in_market(scene, morpho, id_, FLASH)


@pytest.mark.parametrize("health", ["1.15", "1.10", "1.05", "1.016", "0.985"])
def test_one_transaction_restores_a_market_at_any_health(lent: MorphoScene, health: str) -> None:
    """One, with the owner's two words inside: the adapter acts while it runs, and not before or after it."""
    lent.fall_to(health)
    before = lent.scene.nonce()
    row = lent.once("--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert float(lent.health()) == pytest.approx(1.6, rel=3e-3)
    assert lent.scene.nonce() == before + 1
    assert lent.gas_of(row) <= 600_000
    assert not lent.adapter_may_act()
    assert lent.words_used() == 2
    assert set(lent.left().values()) == {0}
    assert lent.scene.world.balance("WETH", lent.scene.owner) == 0
    assert lent.scene.world.balance("USDC", lent.scene.owner) > 0


def test_a_whole_debt_is_repaid_by_its_shares_and_all_comes_out(lent: MorphoScene) -> None:
    """`exit` below 1.05: not a share is left, no collateral, no authorisation, no allowance."""
    lent.rules = FLASH.replace('{ health_factor = "1.60" }', '"exit"')
    lent.fall_to("1.02")
    before = lent.scene.nonce()
    row = lent.once("--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert lent.position()[1:] == (0, 0)
    assert lent.scene.nonce() == before + 2
    assert not lent.adapter_may_act()
    assert set(lent.left().values()) == {0}
    assert lent.scene.world.balance("WETH", lent.scene.owner) > 0


def test_what_the_owner_has_let_act_already_stays_as_it_is(lent: MorphoScene) -> None:
    """Its standing is used, nothing is signed, and nothing of the owner's own is taken back."""
    lent.authorise_adapter()
    lent.fall_to("1.05")
    row = lent.once("--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert float(lent.health()) == pytest.approx(1.6, rel=3e-3)
    assert lent.adapter_may_act()
    assert lent.words_used() == 0


def test_in_a_dry_run_the_same_is_rehearsed_without_a_key(lent: MorphoScene) -> None:
    """The owner's own calls before and after take the words' place; nothing is sent."""
    lent.fall_to("1.05")
    before = lent.scene.nonce()
    row = lent.once()
    assert row["plan"], row
    assert "loan of the same transaction" in row["plan"]["label"], row["plan"]["label"]
    assert lent.scene.nonce() == before
    assert not lent.adapter_may_act()


def test_in_a_batch_it_is_one_transaction_without_a_word(lent: MorphoScene) -> None:
    """The account lets the adapter act, and no more, by calls of its own in the same transaction."""
    lent.batch = True
    lent.fall_to("1.05")
    before = lent.scene.nonce()
    row = lent.once("--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert lent.scene.nonce() <= before + 2  # a delegation uses one of its own
    assert len(row["outcome"]["transactions"]) == 1
    assert not lent.adapter_may_act()
    assert lent.words_used() == 0


def test_doctor_says_whether_the_adapter_may_act(lent: MorphoScene) -> None:
    """For all of the account, or for the time of a plan only."""
    lent.write()
    said = " ".join(lent.scene.keeper("doctor").output.split())
    assert "a plan lets it for one transaction" in said
    lent.authorise_adapter()
    assert "may act for all of the account, in every market" in " ".join(lent.scene.keeper("doctor").output.split())


@pytest.mark.parametrize(("used", "status"), [(1, 1), (2, 0)])
def test_a_stranger_who_uses_the_words_first_gains_nothing(lent: MorphoScene, used: int, status: int) -> None:
    """The first alone: the rescue goes through all the same. Both: it reverts whole, and nobody may act after it."""
    lent.fall_to("1.05")
    world = lent.scene.world
    before, held = world.snapshot(), lent.position()
    row = lent.once("--live")
    hash_ = row["outcome"]["transactions"][-1]
    raw = world.rpc("eth_getRawTransactionByHash", hash_)
    bundle = bytes(world.w3.eth.get_transaction(hash_)["input"])
    world.revert(before)
    (inner,) = load("bundler3").multicall.decode_inputs(bundle)
    words = [data for to, data, *_ in inner if to.lower() == lent.morpho.blue.address.lower()]
    stranger = world.role("liquidator")
    for data in words[:used]:
        sent = world.w3.eth.send_transaction({"from": stranger, "to": lent.morpho.blue.address, "data": data})
        assert world.w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
    assert lent.adapter_may_act() is (used == 1)
    again = world.rpc("eth_sendRawTransaction", raw)
    receipt = world.w3.eth.wait_for_transaction_receipt(again)
    assert (receipt["status"], lent.words_used()) == (status, 2)
    assert not lent.adapter_may_act()
    assert set(lent.left().values()) == {0}
    if status:
        assert float(lent.health()) == pytest.approx(1.6, rel=3e-3)
    else:
        assert lent.position() == held


def test_a_stranger_who_used_both_words_delays_the_rescue_by_a_block(lent: MorphoScene) -> None:
    """It is tried again at once, with new words; the owner hears why the first came to nothing."""
    lent.fall_to("1.05")
    lent.write()
    world, blue = lent.scene.world, lent.morpho.blue.address
    world.rpc("evm_setAutomine", False)
    with lent.scene.running("--live") as keeper:
        (inner,) = load("bundler3").multicall.decode_inputs(bytes.fromhex(pending(lent.scene)[0].removeprefix("0x")))
        for data in [data for to, data, *_ in inner if to.lower() == blue.lower()]:
            world.w3.eth.send_transaction({
                "from": world.role("liquidator"), "to": blue, "data": data, "gas": 200_000,
                "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12,
            })  # fmt: skip
        world.rpc("evm_mine")
        assert lent.words_used() == 2
        assert float(lent.health()) < 1.06, "the bundle was undone"
        world.rpc("evm_setAutomine", True)
        keeper.wait_for('"kind": "restored"', 120)
    assert "words_used" in keeper.log
    assert lent.words_used() == 4
    assert float(lent.health()) == pytest.approx(1.6, rel=5e-3)
    assert not lent.adapter_may_act()
    assert set(lent.left().values()) == {0}
