"""Compound v3 is kept like any other market, on a stand-in that does what the real one was recorded doing."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from scenes import BITCOIN, DOLLAR, ETHER, Scene

from sandbox.compound.desk import CometDesk, Market
from sandbox.errors import RevertedError

BLOCK = '"event": "block"'
pytestmark = pytest.mark.world
WETH = {"WETH": ("0.825", "0.895", "0.95")}
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
actions = ["top_up", "repay", "deleverage"]
[rules.limits]
max_slippage_bps = 100
"""


@pytest.fixture
def market(scene: Scene) -> Market:
    """A market in dollars in the scene's world; its owner has no account anywhere else."""
    return CometDesk(scene.world).create("USDC", **WETH, WBTC=("0.70", "0.77", "0.95"))


def keep(scene: Scene, market: Market, rules: str = POSITION, extra: str = "") -> None:
    """Settings for a position in the market and nowhere else."""
    scene.rules = rules.format(owner=scene.owner)
    scene.write()
    file = scene.folder / "network.toml"
    file.write_text(file.read_text() + market.table() + extra)
    text = scene.config.read_text()
    begin, end = text.index("[[positions]]"), text.index('[[positions]]\nname = "lent"')
    scene.config.write_text(text[:begin] + text[end:])


def once(scene: Scene, *options: str) -> dict[str, Any]:
    (row,) = json.loads(scene.keeper("once", "--json", *options).stdout)["positions"]
    return dict(row)


def allowed(scene: Scene, market: Market) -> set[int]:
    """What the market may still take from the signer."""
    tokens = [scene.world.token(s) for s in (market.base, *market.collaterals)]
    return {t.functions.allowance(scene.signer, market.address).call() for t in tokens}


def absorbs(market: Market, owner: str) -> bool:
    """Whether a liquidation passes; it accrues first."""
    try:
        market.absorb(owner)
    except RevertedError as error:
        assert "0xddeb79ba" in str(error), error  # noqa: PT017 - NotLiquidatable(), and nothing else
        return False
    return True


def test_its_figures_are_the_market_s_own_at_every_block(scene: Scene, market: Market) -> None:
    """Odd amounts, several collaterals, hours and months without a touch, prices that move: accrued, to the unit."""
    draw = random.Random(16)  # noqa: S311 - amounts, no secrets
    market.open(scene.owner, {"WETH": 10 * ETHER + 12_345, "WBTC": BITCOIN // 3}, 9_876_543_210)
    keep(scene, market)
    for _ in range(12):
        scene.world.warp(draw.choice([1, 13, 3_601, 86_400, 9_000_001]))
        if draw.random() < 0.3:
            scene.world.chain.send(market.comet.functions.accrueAccount(scene.owner), scene.world.role("lp"))
        prices = {"WETH": f"{draw.uniform(900, 3000):.8f}", "WBTC": f"{draw.uniform(30_000, 90_000):.8f}"}
        scene.world.set_prices(prices)
        (row,) = scene.data("status")["positions"]
        assert "figures" in row, row
        wanted = market.health(scene.owner)
        assert abs(Decimal(row["figures"]["health_factor"]) - wanted) < Decimal("1e-15"), row["figures"]
        (owed,) = (a["borrowed"] for a in row["balances"] if a["symbol"] == "USDC")
        assert Decimal(owed) == Decimal(market.account(scene.owner).debt) / DOLLAR


def test_what_may_leave_is_the_market_s_own_limit(scene: Scene, market: Market) -> None:
    """Our health says that liquidation begins just where `absorb` passes, at prices a millionth apart."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_100 * DOLLAR)
    keep(scene, market)
    border, seen = Decimal(13_100) / Decimal("8.95"), set[bool]()
    for step in range(-3, 4):
        scene.world.set_price("WETH", str(round(border, 6) + Decimal(step) / 1000))
        (row,) = scene.data("status")["positions"]
        snapshot = scene.world.snapshot()
        passes = absorbs(market, scene.owner)
        scene.world.revert(snapshot)
        assert (Decimal(row["figures"]["health_factor"]) < 1) is passes, row["figures"]
        seen.add(passes)
    assert seen == {True, False}


def test_it_is_topped_up_from_the_wallet(scene: Scene, market: Market) -> None:
    """What the wallet holds pays for it: nothing is sold."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.world.mint("WETH", scene.owner, 20 * ETHER)
    scene.crash("1890")
    keep(scene, market, POSITION.replace(', "deleverage"', ""))
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    found = market.account(scene.owner)
    assert found.collateral["WETH"] > 10 * ETHER
    assert found.debt >= 13_600 * DOLLAR
    assert allowed(scene, market) == {0}


def test_a_debt_is_repaid_and_never_into_a_supply(scene: Scene, market: Market) -> None:
    """The wallet has more than is owed: exactly the debt goes, measured in the block that mines it."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.world.mint("USDC", scene.owner, 40_000 * DOLLAR)
    scene.crash("1890")
    close = POSITION.replace('{{ health_factor = "1.60" }}', '"close"').replace('"top_up", ', "")
    keep(scene, market, close.replace(', "deleverage"', ""))
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert market.account(scene.owner).debt == 0
    assert market.comet.functions.balanceOf(scene.owner).call() == 0
    principal = market.comet.functions.userBasic(scene.owner).call()[0]
    assert principal == 0
    assert allowed(scene, market) == {0}


def test_it_is_sold_out_of_danger_above_the_borrow_limit(scene: Scene, market: Market) -> None:
    """In rounds, while the borrow limit still lets collateral out."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.crash("1890")
    assert market.health(scene.owner, by_borrow_limit=True) > 1
    keep(scene, market)
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert float(market.health(scene.owner)) == pytest.approx(1.6, rel=0.01)
    assert allowed(scene, market) == {0}


def test_between_the_limits_nothing_is_sold_and_the_reason_is_said(scene: Scene, market: Market) -> None:
    """Not one unit of collateral leaves there: no rounds are tried, nothing is sent."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.crash("1600")
    assert market.health(scene.owner) > 1 > market.health(scene.owner, by_borrow_limit=True)
    keep(scene, market)
    before = scene.nonce()
    row = once(scene, "--live")
    assert scene.nonce() == before
    assert row["decision"]["kind"] == "hold", row["decision"]
    assert "above the borrow limit" in json.dumps(row["decision"]), row["decision"]


def test_between_the_limits_the_wallet_helps(scene: Scene, market: Market) -> None:
    """Supply and repayment need no headroom."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.world.mint("USDC", scene.owner, 10_000 * DOLLAR)
    scene.crash("1600")
    keep(scene, market)
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert float(market.health(scene.owner)) == pytest.approx(1.6, rel=0.01)


def test_a_guardian_pays_in_and_takes_nothing_out(scene: Scene, market: Market) -> None:
    """`supplyTo` asks nobody: what he pays becomes the owner's."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.signer_index = 1
    scene.world.mint("WETH", scene.signer, 20 * ETHER)
    scene.crash("1890")
    keep(scene, market, POSITION.replace(', "deleverage"', ""))
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert market.account(scene.owner).collateral["WETH"] > 10 * ETHER
    assert market.account(scene.signer).collateral == {}
    assert allowed(scene, market) == {0}


def test_a_guardian_who_could_take_out_is_shown(scene: Scene, market: Market) -> None:
    """Doctor reads the market: `allow` is for everything, and a guardian needs none."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 9_000 * DOLLAR)
    scene.signer_index = 1
    keep(scene, market, POSITION.replace(', "deleverage"', ""))
    assert "none is needed" in " ".join(scene.keeper("doctor").output.split())
    market.allow(scene.owner, scene.signer)
    assert "revoke it" in " ".join(scene.keeper("doctor").output.split())


def test_what_another_did_to_it_is_reported(scene: Scene, market: Market) -> None:
    """An absorption, by the market's own event."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    keep(scene, market)
    once(scene)
    scene.world.set_price("WETH", "1500")
    market.absorb(scene.owner)
    found = scene.keeper("once")
    assert "was liquidated" in found.stdout + found.stderr


def test_a_supply_that_is_paused_is_a_reason_and_no_revert(scene: Scene, market: Market) -> None:
    """Liquidations may go on meanwhile: the owner hears that nothing can be paid in."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.world.mint("USDC", scene.owner, 10_000 * DOLLAR)
    scene.crash("1890")
    market.pause(supply=True)
    keep(scene, market, POSITION.replace(', "deleverage"', ""))
    before = scene.nonce()
    row = once(scene, "--live")
    assert scene.nonce() == before
    assert "paused" in json.dumps(row["decision"]), row["decision"]


def test_a_market_in_ether_is_kept_by_its_own_prices(scene: Scene) -> None:
    """Its prices are in ether: health is by those, limits are in dollars."""
    market = CometDesk(scene.world).create("WETH", money="WETH", WBTC=("0.75", "0.80", "0.95"))
    market.open(scene.owner, {"WBTC": BITCOIN}, 18 * ETHER)
    keep(scene, market)
    (row,) = scene.data("status")["positions"]
    assert abs(Decimal(row["figures"]["health_factor"]) - market.health(scene.owner)) < Decimal("1e-15")
    scene.world.mint("WETH", scene.owner, 20 * ETHER)
    scene.crash("50000", "WBTC")
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert float(market.health(scene.owner)) == pytest.approx(1.6, rel=0.01)


@pytest.mark.parametrize("changed", ["a curve", "a factor", "the list", "a feed"])
def test_what_is_known_of_a_market_dies_with_its_implementation(scene: Scene, market: Market, changed: str) -> None:
    """Governance upgrades between two blocks of a running keeper: the next block's figures are the new market's."""
    market.open(scene.owner, {"WETH": 10 * ETHER, "WBTC": BITCOIN // 10}, 9_000 * DOLLAR)
    keep(scene, market)
    with scene.running() as keeper:
        keeper.wait_for(BLOCK, 20)
        listed = dict(market.collaterals)
        match changed:
            case "a curve":
                market.upgrade(borrowPerSecondInterestRateBase=5 * 475_646_879, borrowKink=10**17)
            case "a factor":
                market.upgrade({**listed, "WETH": ("0.70", "0.75", "0.90")})
            case "the list":
                market.upgrade({**listed, "LINK": ("0.70", "0.75", "0.90")})
                market.supply(scene.owner, "LINK", 100 * ETHER)
            case _:
                scene.world.addresses["feeds"] |= {"WBTC": scene.world.addresses["feeds"]["WETH"]}
                market.upgrade()
        scene.world.warp(86_400)
        scene.world.refresh_feeds()
        keeper.wait_for(f'"number": {scene.world.w3.eth.block_number}', 20)
        wanted = f'"lent": "{market.health(scene.owner):.4f}'
        assert keeper.stop() == 0
        said = keeper.log
    assert "figures_disagree" not in said, said
    assert "unreadable" not in said, said
    assert wanted[:-1] in said, (wanted, said)  # its last digit is rounded otherwise


BEFORE_IT = """
[[rules]]
name = "before the limit"
position = "lent"
when = { borrow_limit_distance_below = "0.05" }
restore = { health_factor = "1.40" }
actions = ["deleverage"]
[rules.limits]
max_slippage_bps = 100
"""


def test_the_borrow_limit_has_a_trigger_of_its_own_and_it_fires_while_a_sale_is_possible(
    scene: Scene, market: Market
) -> None:
    """Health is far from liquidation; the fall to the borrow limit is not: it fires, sells, and is verified."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.crash("1700")
    assert 1 < market.health(scene.owner, by_borrow_limit=True) < Decimal("1.05")
    assert market.health(scene.owner) > Decimal("1.11")
    rules = POSITION[: POSITION.index("[[rules]]")].format(owner=scene.owner) + BEFORE_IT
    keep(scene, market, rules.replace("{", "{{").replace("}", "}}"))
    row = once(scene, "--live")
    assert row["decision"]["rule"] == "before the limit", row
    assert row["outcome"]["kind"] in ("restored", "partial"), row
    for _ in range(4):  # a hair above the limit little comes out at once
        row = once(scene, "--live")
        if row["decision"]["kind"] == "hold":
            break
    assert market.health(scene.owner, by_borrow_limit=True) > 1 / Decimal("0.95")
    assert market.account(scene.owner).debt < 13_600 * DOLLAR - 1_000 * DOLLAR
    assert allowed(scene, market) == {0}


def test_a_part_that_another_repaid_first_becomes_no_more_than_that_part_of_supply_and_is_shown(
    scene: Scene, market: Market
) -> None:
    """A friend pays all in our own block: our part stays the owner's, as a supply. No more goes."""
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    scene.world.mint("USDC", scene.owner, 10_000 * DOLLAR)
    scene.crash("1890")
    keep(scene, market, POSITION.replace('"top_up", ', "").replace(', "deleverage"', ""))
    friend, of = scene.world.role("liquidator"), market.comet.functions
    scene.world.mint("USDC", friend, 20_000 * DOLLAR)
    with scene.world.acting_as(friend):
        token = scene.world.token("USDC").functions
        scene.world.chain.send(token.approve(market.address, 2**255), friend)
        scene.world.rpc("evm_setAutomine", False)
        with scene.running("--live") as keeper:
            scene.pending(2, said=keeper)
            usdc = scene.world.addresses["tokens"]["USDC"]
            price = {"maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12}
            of.supplyTo(scene.owner, usdc, 2**256 - 1).transact({"from": friend, "gas": 500_000, **price})
            scene.world.rpc("evm_setAutomine", True)
            scene.world.mine()
            keeper.wait_for('"concluded"', 30)
            sent = scene.nonce()
            for _ in range(3):
                scene.world.mine()
                keeper.wait_for(f'"number": {scene.world.w3.eth.block_number}', 20)
            assert scene.nonce() <= sent + 1, "at the most the approval that was left is taken back"
            assert keeper.stop() == 0
    spent = 10_000 * DOLLAR - scene.world.balance("USDC", scene.owner)
    lent = of.balanceOf(scene.owner).call()
    assert 0 < spent - 3 <= lent <= spent + DOLLAR
    (row,) = scene.data("status")["positions"]
    (base,) = (a for a in row["balances"] if a["symbol"] == "USDC")
    assert Decimal(base["supplied"]) == pytest.approx(Decimal(lent) / DOLLAR, rel=Decimal("1e-6"))
    assert Decimal(base["borrowed"]) == 0
    assert allowed(scene, market) == {0}
