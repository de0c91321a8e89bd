"""Leverage up at Morpho Blue by a loan of one transaction: a plain account, to the target, nothing left in a hand."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from morpho_scene import MorphoScene, kept_in_market
from scenes import DOLLAR, ETHER, Scene

from keeper.core.units import Address
from keeper.venues.bundler3.calls import Inner, encode_bundle, flash_loan
from keeper.venues.bundler3.deployment import BundlerDeployment
from keeper.venues.codec.abi import address, load
from sandbox.morpho.desk import MorphoDesk

pytestmark = pytest.mark.world
BOOST = """
[[rules]]
name = "boost"
position = "lent"
when = { health_factor_above = "2.40" }
restore = { health_factor = "1.40" }
actions = ["leverage_up"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 100
max_fee_gwei = "200"
"""


@pytest.fixture
def lent(scene: Scene) -> MorphoScene:
    """Ten ether against 5,000 dollars in one market, and a bundler whose lender is Morpho."""
    morpho = MorphoDesk(scene.world)
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 5_000 * DOLLAR)
    return kept_in_market(scene, morpho, id_, BOOST)


def test_a_plain_account_is_boosted_to_its_target_in_one_transaction(lent: MorphoScene) -> None:
    """Two words of the owner's inside, as in a rescue; health at or a hair above the target, and not a unit left."""
    before, had = lent.scene.nonce(), lent.scene.world.balance("USDC", lent.scene.owner)
    row = lent.once("--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert len(row["outcome"]["transactions"]) == 1
    assert lent.scene.nonce() == before + 1
    assert 1.4 <= float(lent.health()) <= 1.4 * 1.01
    boost = next(s for s in row["plan"]["steps"] if s.get("lender"))
    owed = lent.morpho.debt(lent.id, lent.scene.owner)
    assert owed / DOLLAR == pytest.approx(5_000 + float(boost["amount"]), rel=1e-6)
    assert lent.position()[2] >= 10 * ETHER + round(float(boost["bought"]) * 10**6) * 10**12 - 10**12
    assert lent.gas_of(row) <= 600_000, lent.gas_of(row)
    assert not lent.adapter_may_act()
    assert lent.words_used() == 2
    assert set(lent.left().values()) == {0}
    assert lent.scene.world.balance("WETH", lent.scene.owner) == 0
    assert lent.scene.world.balance("USDC", lent.scene.owner) == had
    assert float(row["outcome"]["after"]["health_factor"]) == pytest.approx(float(lent.health()), abs=1e-4)


def test_what_the_owner_has_let_act_already_is_used_and_stays(lent: MorphoScene) -> None:
    """No word is signed, and nothing of the owner's own is taken back."""
    lent.authorise_adapter()
    row = lent.once("--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert 1.4 <= float(lent.health()) <= 1.4 * 1.01
    assert lent.adapter_may_act()
    assert lent.words_used() == 0
    assert set(lent.left().values()) == {0}


def test_where_morpho_has_not_twice_the_loan_it_goes_in_rounds(lent: MorphoScene) -> None:
    """Its loan is out while it lends the owner the same again: a bundle for more would revert."""
    lent.write()
    world, lp = lent.scene.world, lent.scene.world.role("lp")
    there = world.balance("USDC", lent.morpho.blue.address)
    with world.acting_as(lp):
        out = lent.morpho.blue.functions.withdraw(lent.morpho.markets[lent.id], there - 9_000 * DOLLAR, 0, lp, lp)
        world.chain.send(out, lp, 500_000)
    row = lent.once("--live")
    assert row["outcome"]["kind"] in ("restored", "partial"), row
    assert not any(s.get("lender") and float(s["amount"]) > 4_500 for s in row["plan"]["steps"])
    assert set(lent.left().values()) == {0}


@pytest.mark.parametrize("attack", ["receiver", "more", "sale"])
def test_a_bundle_that_strays_by_one_leaf_is_undone_whole_by_the_contracts(lent: MorphoScene, attack: str) -> None:
    """The borrowed money to a stranger, the sale to a stranger: the loan or the supply is missing. More is borrowed
    than was lent: the contracts let it lie in the adapter, where anybody may take it; so the gate refuses it unseen.
    """
    lent.authorise_adapter()
    lent.write()
    world, owner, stranger = lent.scene.world, lent.scene.owner, world_stranger(lent)
    at = {key: Address(address(lent.bundler[key])) for key in ("bundler", "general_adapter", "lender")}
    where = BundlerDeployment(at["bundler"], at["general_adapter"], at["lender"], at["general_adapter"])
    adapter, words = load("bundler3_general_adapter"), lent.morpho.markets[lent.id]
    usdc, weth = world.token("USDC").address, world.token("WETH").address
    router, general, sold = world.addresses["uniswap"]["swap_router_02"], at["general_adapter"], 2_000 * DOLLAR
    to = stranger if attack == "sale" else general
    path = bytes.fromhex(usdc[2:]) + (500).to_bytes(3, "big") + bytes.fromhex(weth[2:])
    swap = bytes.fromhex("b858183f") + encode(["(bytes,address,uint256,uint256)"], [(path, to, 0, 1)])
    borrowed = sold + (100 * DOLLAR if attack == "more" else 0)
    inner = [
        Inner(general, adapter.erc20Transfer.encode(usdc, router, sold)),
        Inner(Address(router), swap),
        Inner(general, adapter.morphoSupplyCollateral.encode(words, 2**256 - 1, owner, b"")),
        Inner(
            general, adapter.morphoBorrow.encode(words, borrowed, 0, 0, stranger if attack == "receiver" else general)
        ),
    ]
    call = encode_bundle(where.bundler, [flash_loan(where, Address(usdc), sold, inner)], "an attack")
    held, had = lent.position(), world.balance("USDC", stranger)
    with world.acting_as(owner):
        sent = world.w3.eth.send_transaction({"from": owner, "to": call.to, "data": call.data, "gas": 2_000_000})
    status = world.w3.eth.wait_for_transaction_receipt(sent)["status"]
    if attack == "more":
        assert status == 1
        assert lent.left()["USDC", "general_adapter"] == 100 * DOLLAR
        return
    assert status == 0
    assert lent.position() == held
    assert world.balance("USDC", stranger) == had


def world_stranger(lent: MorphoScene) -> str:
    """Nobody's friend."""
    return str(lent.scene.world.account(6).address)
