"""Venus, of the Compound v2 family, is kept like any other market, on its real contracts."""

from __future__ import annotations

import json
import random
import time
from decimal import Decimal
from typing import Any

import pytest
from scenes import BITCOIN, DOLLAR, ETHER, Scene

from sandbox.venus.desk import NATIVE, VenusDesk

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


@pytest.mark.parametrize("seed", range(4))
def test_any_account_is_read_to_the_unit_of_what_the_comptroller_says(scene: Scene, seed: int) -> None:
    """Other factors, tokens of 6, 8 and 18 decimals, the own currency as collateral and as debt, entered or not.

    Reading compares liquidity and borrowing power with the comptroller's own, accrued in the same call, to the unit.
    """
    draw = random.Random(seed)  # noqa: S311 - amounts, no secrets
    places = [draw.uniform(0.3, 0.8) for _ in range(5)]
    factors = [(f"{x:.6f}", f"{x + draw.uniform(0, 0.15):.6f}") for x in places]
    venus = VenusDesk(scene.world, dict(zip(("WETH", "USDC", "WBTC", "DAI"), factors, strict=False)))
    venus.list_native(*factors[4])
    units = {"WETH": ETHER, "USDC": 2_000 * DOLLAR, "WBTC": BITCOIN // 25, "DAI": 2_000 * ETHER, NATIVE: ETHER}
    held = draw.sample(list(units), draw.randint(1, 4))
    owed = draw.sample([s for s in units if s not in held or draw.random() < 0.3], 1)
    venus.open(scene.owner, {s: int(units[s] * draw.uniform(1, 9)) + draw.randint(0, 99) for s in held})
    if draw.random() < 0.5:
        venus.supply(scene.owner, spare := draw.choice(list(units)), units[spare] // 3)
    room = venus.comptroller.functions.getBorrowingPower(scene.owner).call()[1]
    price = venus.prices.functions.getUnderlyingPrice
    for symbol in owed:
        most = room * ETHER // price(venus.tokens[symbol].address).call() // len(owed)
        venus.open(scene.owner, {}, {symbol: int(most * draw.uniform(0.2, 0.95))})
    keep(scene, venus)
    for _ in range(3):
        scene.world.rpc("anvil_mine", hex(draw.choice([1, 3, 600])))
        scene.world.set_prices(
            {"WETH": f"{draw.uniform(1500, 3000):.8f}", "WBTC": f"{draw.uniform(40_000, 90_000):.8f}"}
        )
        (row,) = scene.data("status")["positions"]
        assert "figures" in row, row
        seen = {a["symbol"]: (Decimal(a["supplied"]), Decimal(a["borrowed"])) for a in row["balances"]}
        snapshot = scene.world.snapshot()
        venus.touch()
        left, missing = venus.liquidity(scene.owner)
        for symbol, token in venus.tokens.items():
            tokens, debt, exchange = venus.snapshot(scene.owner, symbol)
            unit = ETHER if symbol == NATIVE else 10 ** scene.world.addresses["decimals"][symbol]
            found = seen.get("ETH" if symbol == NATIVE else symbol, (Decimal(0), Decimal(0)))
            assert float(found[0]) == pytest.approx(tokens * exchange / ETHER / unit, rel=1e-6), (symbol, row)
            assert float(found[1]) == pytest.approx(debt / unit, rel=1e-6), (symbol, token.address)
        assert (Decimal(row["figures"]["health_factor"]) >= 1) is (missing == 0), (left, missing)
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


ENTERS = """
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
actions = ["top_up"]
[rules.limits]
max_slippage_bps = 100
"""


def test_a_top_up_where_nothing_was_entered_enters_first_so_that_it_counts(scene: Scene, venus: VenusDesk) -> None:
    """`enterMarkets` of that one market is a part of the plan; no other is entered, and none is left."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.world.mint("WBTC", scene.owner, BITCOIN)
    scene.crash("1890")
    keep(scene, venus, ENTERS)
    row = once(scene, "--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    steps = [step["move"] for step in row["plan"]["steps"]]
    assert steps == ["Pledge", "Approve", "Supply"], steps
    entered = set(venus.comptroller.functions.getAssetsIn(scene.owner).call())
    assert entered == {venus.tokens[s].address for s in ("WETH", "USDC", "WBTC")}
    venus.touch()
    assert float(venus.health(scene.owner)) == pytest.approx(1.6, rel=0.01)
    assert allowed(scene, venus) == {0}


def test_a_guardian_enters_nothing_and_says_what_has_to_come_first(scene: Scene, venus: VenusDesk) -> None:
    """It would be his own account that enters: he is told by name what the owner has to do."""
    venus.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.signer_index = 1
    scene.world.mint("WBTC", scene.signer, BITCOIN)
    scene.crash("1890")
    keep(scene, venus, ENTERS)
    row = once(scene, "--live")
    assert row["plan"] is None, row
    assert "enterMarkets comes first" in json.dumps(row), row
    assert venus.snapshot(scene.owner, "WBTC")[0] == 0


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
        scene.pending(2, said=keeper)
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


def keep_for_gas(scene: Scene, ether: str) -> None:
    """The network file says how much of a wallet's own currency stays: what is above may be paid into a market."""
    file = scene.folder / "network.toml"
    file.write_text(f'native_kept = "{ether}"\n' + file.read_text())


@pytest.mark.parametrize("says", [True, False])
def test_the_own_currency_tops_up_where_the_network_file_says_what_stays_for_gas(
    scene: Scene, venus: VenusDesk, says: bool
) -> None:
    """By value, without an approval; where nobody says how much stays, a wallet's gas money is nothing to pay with."""
    venus.list_native("0.75", "0.80")
    venus.open(scene.owner, {NATIVE: 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.crash("1890")
    keep(scene, venus, POSITION.replace(', "repay", "deleverage"', ""))
    if says:
        keep_for_gas(scene, "5")
    before, tokens = scene.nonce(), venus.snapshot(scene.owner, NATIVE)[0]
    row = once(scene, "--live")
    if not says:
        assert row["decision"]["kind"] == "hold", row
        assert scene.nonce() == before
        return
    assert row["outcome"]["kind"] == "restored", row
    assert scene.nonce() == before + 1, "one call, and no approval"
    assert venus.snapshot(scene.owner, NATIVE)[0] > tokens
    venus.touch()
    assert float(venus.health(scene.owner)) == pytest.approx(1.6, rel=0.01)


def test_of_the_gas_money_that_stays_nothing_is_paid(scene: Scene, venus: VenusDesk) -> None:
    """What is above is too little for the target: the part is paid that there is."""
    venus.list_native("0.75", "0.80")
    venus.open(scene.owner, {NATIVE: 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    scene.crash("1890")
    keep(scene, venus, POSITION.replace(', "repay", "deleverage"', ""))
    keep_for_gas(scene, "5")
    scene.world.rpc("anvil_setBalance", scene.owner, hex(6 * ETHER))
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "partial", row
    assert 4.9 * ETHER < scene.world.w3.eth.get_balance(scene.owner) <= 5 * ETHER


@pytest.mark.parametrize("by", ["its owner", "a guardian"])
def test_a_debt_in_the_own_currency_is_repaid_by_value(scene: Scene, venus: VenusDesk, by: str) -> None:
    """`repayBorrow` by its owner, `repayBorrowBehalf` by a guardian: what he pays is the owner's."""
    venus.list_native("0.75", "0.80")
    venus.open(scene.owner, {"USDC": 20_000 * DOLLAR}, {NATIVE: 7 * ETHER})
    scene.signer_index = 0 if by == "its owner" else 1
    keep(scene, venus, POSITION.replace('"top_up", ', "").replace(', "deleverage"', ""))
    keep_for_gas(scene, "5")
    before = scene.nonce()
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert scene.nonce() == before + 1, "one call, and no approval"
    assert venus.snapshot(scene.owner, NATIVE)[1] < 6 * ETHER
    venus.touch()
    assert float(venus.health(scene.owner)) == pytest.approx(1.6, rel=0.01)
