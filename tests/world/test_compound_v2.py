"""Venus, of the Compound v2 family, is kept like any other market, on its real contracts."""

from __future__ import annotations

import json
import random
import time
from decimal import Decimal
from typing import Any

import pytest
from scenes import BITCOIN, DOLLAR, ETHER, Scene

from sandbox.venus.desk import VenusDesk

pytestmark = pytest.mark.world
LISTED = {"WETH": ("0.75", "0.80"), "USDC": ("0.80", "0.85"), "WBTC": ("0.70", "0.75")}
POSITION = """
[[positions]]
name = "lent"
venue = "compound_v2"
market = "venus"
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
def venus(scene: Scene) -> VenusDesk:
    """Venus in the scene's world; its owner has no account anywhere else."""
    return VenusDesk(scene.world, LISTED)


def keep(scene: Scene, venus: VenusDesk, rules: str = POSITION) -> None:
    """Settings for a position there and nowhere else; feeds give the prices their ages."""
    scene.rules = rules.format(owner=scene.owner)
    scene.write()
    file = scene.folder / "network.toml"
    text = file.read_text() + venus.table()
    for symbol in LISTED:
        head = f"[price_safety.assets.{symbol}]\n"
        text = text.replace(head, f'{head}feed = "{scene.world.addresses["feeds"][symbol]}"\n')
    file.write_text(text)
    text = scene.config.read_text()
    begin, end = text.index("[[positions]]"), text.index('[[positions]]\nname = "lent"')
    scene.config.write_text(text[:begin] + text[end:])


def once(scene: Scene, *options: str) -> dict[str, Any]:
    (row,) = json.loads(scene.keeper("once", "--json", *options).stdout)["positions"]
    return dict(row)


def allowed(scene: Scene, venus: VenusDesk) -> set[int]:
    tokens = venus.tokens.items()
    return {scene.world.token(s).functions.allowance(scene.signer, t.address).call() for s, t in tokens}


def test_its_figures_are_the_comptroller_s_own_at_every_block(scene: Scene, venus: VenusDesk) -> None:
    """Several assets, blocks without a touch, prices that move: accrued; liquidity is compared to the unit on the way.

    The comptroller's own view is as of the last touch: here everything is touched before it is asked.
    """
    draw = random.Random(16)  # noqa: S311 - amounts, no secrets
    venus.open(scene.owner, {"WETH": 10 * ETHER + 12_345, "WBTC": BITCOIN // 3}, {"USDC": 9_876_543_210})
    keep(scene, venus)
    for _ in range(8):
        scene.world.rpc("anvil_mine", hex(draw.choice([1, 2, 37, 500])))
        prices = {"WETH": f"{draw.uniform(900, 3000):.8f}", "WBTC": f"{draw.uniform(30_000, 90_000):.8f}"}
        scene.world.set_prices(prices)
        (row,) = scene.data("status")["positions"]
        assert "figures" in row, row
        ours = Decimal(row["figures"]["health_factor"])
        snapshot = scene.world.snapshot()
        before = scene.world.w3.eth.block_number
        venus.touch()  # each a block: what is owed grows by as many
        assert scene.world.w3.eth.block_number > before
        later = venus.health(scene.owner)
        assert later <= ours < later * Decimal("1.000001"), (ours, later)
        scene.world.revert(snapshot)


def test_it_is_topped_up_from_the_wallet(scene: Scene, venus: VenusDesk) -> None:
    """What the wallet holds pays for it: nothing is sold."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.world.mint("WETH", scene.owner, 20 * ETHER)
    scene.crash("1890")
    keep(scene, venus, POSITION.replace(', "deleverage"', ""))
    tokens = venus.snapshot(scene.owner, "WETH")[0]
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert venus.snapshot(scene.owner, "WETH")[0] > tokens
    assert allowed(scene, venus) == {0}


def test_a_debt_is_repaid_whole(scene: Scene, venus: VenusDesk) -> None:
    """By the contract's own value for all: nothing is owed afterwards, and no allowance is left."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.world.mint("USDC", scene.owner, 40_000 * DOLLAR)
    scene.crash("1890")
    close = POSITION.replace('{{ health_factor = "1.60" }}', '"close"').replace('"top_up", ', "")
    keep(scene, venus, close.replace(', "deleverage"', ""))
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert venus.snapshot(scene.owner, "USDC")[1] == 0
    assert allowed(scene, venus) == {0}


def test_it_is_sold_out_of_danger_in_rounds(scene: Scene, venus: VenusDesk) -> None:
    """Redeem, swap and repay, while the borrow limit lets collateral out."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.crash("1890")
    keep(scene, venus)
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    venus.touch()
    assert float(venus.health(scene.owner)) == pytest.approx(1.6, rel=0.01)
    assert allowed(scene, venus) == {0}


def test_a_guardian_pays_in_and_takes_nothing_out(scene: Scene, venus: VenusDesk) -> None:
    """`repayBorrowBehalf` and `mintBehalf` ask nobody: what he pays becomes the owner's."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.signer_index = 1
    scene.world.mint("USDC", scene.signer, 20_000 * DOLLAR)
    scene.crash("1890")
    keep(scene, venus, POSITION.replace(', "deleverage"', ""))
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert venus.snapshot(scene.owner, "USDC")[1] < 12_300 * DOLLAR
    assert venus.snapshot(scene.signer, "USDC")[:2] == (0, 0)
    assert allowed(scene, venus) == {0}


def test_what_another_did_to_it_is_reported(scene: Scene, venus: VenusDesk) -> None:
    """A liquidation, by the token's own event."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    keep(scene, venus)
    once(scene)
    scene.world.set_price("WETH", "1500")
    venus.liquidate(scene.owner, "USDC", "WETH", 1_000 * DOLLAR)
    found = scene.keeper("once")
    assert "was liquidated" in found.stdout + found.stderr


def test_a_supply_that_was_not_entered_secures_nothing(scene: Scene, venus: VenusDesk) -> None:
    """It is shown, and no top-up goes there."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR})
    venus.supply(scene.owner, "WBTC", BITCOIN)
    keep(scene, venus)
    (row,) = scene.data("status")["positions"]
    assert Decimal(row["figures"]["collateral_usd"]) == pytest.approx(Decimal(20_000), rel=Decimal("1e-6"))


def test_the_market_is_left_after_a_part_was_sold(scene: Scene, venus: VenusDesk) -> None:
    """Of the tokens are named those that the sales leave: a sale's own are burnt by then."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 6_000 * DOLLAR})
    leave = POSITION.replace('{{ health_factor = "1.60" }}', '"exit"').replace('"top_up", "repay", ', "")
    keep(scene, venus, leave.replace('"1.25"', '"9"'))
    row = once(scene, "--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert venus.snapshot(scene.owner, "USDC")[1] == 0
    tokens, _, exchange = venus.snapshot(scene.owner, "WETH")
    assert tokens * exchange // ETHER < ETHER // 10**6, tokens
    assert 6 * ETHER < scene.world.balance("WETH", scene.owner) < 8 * ETHER
    assert allowed(scene, venus) == {0}


REPAYS = "repayBorrowAllowed(address,address,address,uint256)"
CODE = "the comptroller refuses (error 3, info"


def fund(scene: Scene, venus: VenusDesk) -> None:
    """A loan in danger, and a wallet that could repay or top up; repaying is tried first."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.world.mint("USDC", scene.owner, 20_000 * DOLLAR)
    scene.world.mint("WETH", scene.owner, 20 * ETHER)
    scene.crash("1890")
    keep(scene, venus, POSITION.replace(', "deleverage"', ""))


def test_a_refusal_with_status_one_fails_the_rehearsal_and_the_next_way_is_taken(
    scene: Scene, venus: VenusDesk
) -> None:
    """The real token answers a code, logs it, and succeeds: nothing was repaid, and a top-up helps instead."""
    fund(scene, venus)
    venus.refuses(REPAYS)
    owed = venus.snapshot(scene.owner, "USDC")[1]
    found = scene.keeper("once", "--json", "--live")
    (row,) = json.loads(found.stdout)["positions"]
    assert row["outcome"]["kind"] == "restored", row
    assert CODE in found.stdout + found.stderr, found.output
    assert venus.snapshot(scene.owner, "USDC")[1] >= owed
    venus.touch()
    assert float(venus.health(scene.owner)) == pytest.approx(1.6, rel=0.01)
    assert allowed(scene, venus) == {0}


def test_a_refusal_with_status_one_that_is_mined_is_a_failure_and_the_next_way_is_taken(
    scene: Scene, venus: VenusDesk
) -> None:
    """The rehearsal passed; in the block that mines it the market refuses. Receipt, journal, alert, next best plan."""
    fund(scene, venus)
    scene.world.rpc("evm_setAutomine", False)
    with scene.running("--live") as keeper:
        for _ in range(200):
            if int(scene.world.rpc("txpool_status")["pending"], 16) >= 2:
                break
            time.sleep(0.1)
        first = venus.refuses(REPAYS, 10**12)
        scene.world.rpc("evm_setAutomine", True)
        scene.world.mine()
        keeper.wait_for(CODE, 30)
        for _ in range(20):
            scene.world.mine()
            if '"restored"' in keeper.log:
                break
            time.sleep(0.5)
        keeper.wait_for('"restored"', 30)
        assert keeper.stop() == 0
        said = keeper.log
    rows = json.loads(scene.keeper("journal", "--json").stdout)
    receipt = scene.world.w3.eth.get_transaction_receipt(first)
    assert receipt["status"] == 1
    assert said.index(CODE) < said.index('"restored"')
    assert CODE in json.dumps(rows), rows
    assert "rule protect failed" in said.lower() or "did not" in said, said
    assert venus.snapshot(scene.owner, "USDC")[1] >= 12_300 * DOLLAR
    assert allowed(scene, venus) == {0}
