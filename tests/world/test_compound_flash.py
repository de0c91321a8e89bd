"""Compound v3 by a loan of one transaction: the only sale below the borrow limit, and whom the owner lets act."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene

from sandbox.compound.desk import CometDesk
from sandbox.errors import RevertedError

pytestmark = pytest.mark.world
POSITION = """
[[positions]]
name = "lent"
venue = "compound_v3"
market = "compound"
owner = "{owner}"
signer = "me"

[[rules]]
name = "protect"
position = "lent"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["deleverage"]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 100
max_fee_gwei = "200"
"""
DEBT = 152_000 * DOLLAR
LIQUIDATION = 152_000 / 100 / 0.895
"""The price of ether at which liquidation begins; the borrow limit is a twelfth above it."""


class Lent:
    """An owner's account in a market of the stand-in, the bundler and its adapter."""

    def __init__(self, scene: Scene) -> None:
        self.desk = desk = CometDesk(scene.world)
        self.scene, self.market, self.adapter = (
            scene,
            desk.create("USDC", WETH=("0.825", "0.895", "0.95")),
            desk.adapter(),
        )
        self.market.open(scene.owner, {"WETH": 100 * ETHER}, DEBT)

    def at(self, health: float) -> Lent:
        self.scene.crash(str(round(LIQUIDATION * health, 4)))
        return self

    def keep(self, rules: str = POSITION) -> Lent:
        """Settings for it and nothing else."""
        scene = self.scene
        scene.rules, scene.lends = rules.format(owner=scene.owner), True
        scene.write()
        file = scene.folder / "network.toml"
        text = file.read_text().replace("[bundler3.adapters]\n", f'[bundler3.adapters]\ncompound = "{self.adapter}"\n')
        file.write_text(text + self.market.table())
        text = scene.config.read_text()
        begin, end = text.index("[[positions]]"), text.index('[[positions]]\nname = "lent"')
        scene.config.write_text(text[:begin] + text[end:])
        return self

    def once(self, *options: str) -> dict[str, Any]:
        (row,) = json.loads(self.scene.keeper("once", "--json", *options).stdout)["positions"]
        return dict(row)

    @property
    def may_act(self) -> bool:
        return bool(self.market.comet.functions.isAllowed(self.scene.owner, self.adapter).call())

    @property
    def health(self) -> float:
        return float(self.market.health(self.scene.owner))

    def left(self) -> set[int]:
        """What the bundle's contracts and the router hold, and may still take."""
        world, at = self.scene.world, self.scene.world.addresses
        hands = [
            at["bundler"]["bundler"],
            at["bundler"]["general_adapter"],
            self.adapter,
            at["uniswap"]["swap_router_02"],
        ]
        tokens = [world.token(symbol).functions for symbol in ("WETH", "USDC")]
        held = {t.balanceOf(hand).call() for t in tokens for hand in hands}
        return held | {t.allowance(self.scene.owner, hand).call() for t in tokens for hand in hands}


@pytest.fixture
def lent(scene: Scene) -> Lent:
    return Lent(scene)


@pytest.mark.parametrize("health", [1.15, 1.08, 1.05, 1.016, 0.985])
def test_one_transaction_restores_it_at_any_health(lent: Lent, health: float) -> None:
    """Above the borrow limit, between the limits, and where it can be liquidated: one call, nobody allowed after it."""
    scene = lent.at(health).keep().scene
    assert lent.health == pytest.approx(health, rel=1e-3)
    before = scene.nonce()
    row = lent.once("--live")
    assert row["outcome"]["kind"] == "restored", row
    assert scene.nonce() == before + 1
    assert lent.health == pytest.approx(1.6, rel=2e-3)
    receipt = scene.world.w3.eth.get_transaction_receipt(row["outcome"]["transactions"][-1])
    assert receipt["gasUsed"] <= 600_000
    assert lent.left() == {0}
    assert not lent.may_act
    assert lent.market.comet.functions.userNonce(scene.owner).call() == 2
    assert scene.world.balance("WETH", scene.owner) == 0
    assert scene.world.balance("USDC", scene.owner) > 0
    assert lent.market.comet.functions.balanceOf(scene.owner).call() == 0


def test_a_dry_run_shows_whom_the_owner_would_let_act_and_that_it_is_taken_back(lent: Lent) -> None:
    """Without a key there is no word of the owner's: the right goes before, and is taken back after."""
    lent.at(1.05).keep()
    said = json.loads(lent.scene.keeper("explain", "lent", "--json").stdout)
    text = json.dumps(said)
    assert f"let {lent.adapter} act for all of the account" in text, text
    assert f"no longer let {lent.adapter} act for all of the account" in text, text
    assert lent.once()["outcome"]["kind"] == "rehearsed"
    assert not lent.may_act


def test_a_whole_position_is_closed_and_nothing_becomes_a_supply(lent: Lent) -> None:
    """Between the limits: all that is owed, measured in the block that mines it."""
    lent.at(1.03).keep(POSITION.replace('{{ health_factor = "1.60" }}', '"close"'))
    row = lent.once("--live")
    assert row["outcome"]["kind"] == "restored", row
    assert lent.market.comet.functions.userBasic(lent.scene.owner).call()[0] == 0
    assert lent.left() == {0}
    assert not lent.may_act


def test_a_right_that_the_owner_gave_himself_is_used_and_stays(lent: Lent) -> None:
    """It is his: no word is said, and nothing is taken back."""
    lent.market.allow(lent.scene.owner, lent.adapter)
    lent.at(1.05).keep()
    assert lent.once("--live")["outcome"]["kind"] == "restored"
    assert lent.may_act
    assert lent.market.comet.functions.userNonce(lent.scene.owner).call() == 0


def test_doctor_says_who_may_act_for_the_account(lent: Lent) -> None:
    """Between plans nobody need be allowed: one who is gets a warning with what to do."""
    lent.keep()
    assert "may not act: a plan lets it" in " ".join(lent.scene.keeper("doctor").output.split())
    lent.market.allow(lent.scene.owner, lent.adapter)
    said = " ".join(lent.scene.keeper("doctor").output.split())
    assert "may act for all of the account" in said, said


def test_who_used_the_owners_word_first_stops_nothing(lent: Lent) -> None:
    """A stranger lets the adapter act by the word that he saw, and cannot begin a bundle with it: nothing comes out."""
    lent.at(1.05).keep()
    scene, stranger = lent.scene, lent.scene.world.account(3).address
    lent.market.allow(scene.owner, lent.adapter)
    comet, token = lent.market.comet, scene.world.addresses["tokens"]["WETH"]
    before = comet.functions.collateralBalanceOf(scene.owner, token).call()
    adapter = lent.desk.at_adapter(lent.adapter)
    taken = adapter.encode_abi("compoundV3WithdrawFrom", [comet.address, token, ETHER, stranger])
    bundler = scene.world.chain.at("Bundler", scene.world.addresses["bundler"]["bundler"])
    with pytest.raises(RevertedError, match="0x1f2a2005"):  # ZeroAmount(): he has no account there himself
        scene.world.chain.send(bundler.functions.multicall([(lent.adapter, taken, 0, False, bytes(32))]), stranger)
    assert comet.functions.collateralBalanceOf(scene.owner, token).call() == before


def test_a_target_below_the_borrow_limit_goes_as_far_as_the_limit(scene: Scene) -> None:
    """Collateral leaves only where what stays is enough by the borrow factor: less would be refused."""
    lent = Lent(scene)
    lent.market.upgrade({"WETH": ("0.60", "0.895", "0.95")})
    lent.at(1.05).keep(POSITION.replace('"1.60"', '"1.30"'))
    row = lent.once("--live")
    assert row["outcome"]["kind"] == "restored", row
    assert float(lent.market.health(scene.owner, by_borrow_limit=True)) == pytest.approx(1.0, rel=2e-3)
    assert not lent.may_act
