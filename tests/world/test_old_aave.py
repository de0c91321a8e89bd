"""A fork of Aave's old revision, by its address alone: figures to the wei, typed refusals, and a rescue on it."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, Scene
from typer.testing import CliRunner
from web3.exceptions import ContractLogicError

from keeper.cli.main import app
from keeper.venues.codec.abi import revert_reason
from sandbox.aave_old.desk import OldAaveDesk

pytestmark = pytest.mark.world
POSITION = """
[[positions]]
name = "old {index}"
venue = "aave_v3"
market = "old"
owner = "{owner}"
signer = "me"
"""
RULE = """
[[rules]]
name = "protect {index}"
position = "old {index}"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["top_up", "repay", "deleverage"]
[rules.limits]
max_slippage_bps = 100
"""


@pytest.fixture
def old(scene: Scene) -> OldAaveDesk:
    """The old market in the scene's world; its owner has no account in the newer one."""
    return OldAaveDesk(scene.world)


def keep(scene: Scene, old: OldAaveDesk, *owners: str, rules: str = RULE) -> None:
    """Settings for accounts in the old market and nowhere else."""
    named = list(enumerate(owners or (scene.owner,)))
    scene.rules = "".join((POSITION + rules).format(index=i, owner=owner) for i, owner in named)
    scene.write()
    file = scene.folder / "network.toml"
    file.write_text(file.read_text() + old.table())
    text = scene.config.read_text()
    begin, end = text.index("[[positions]]"), text.index('[[positions]]\nname = "old 0"')
    text = text[:begin] + text[end:]
    scene.config.write_text(text)


def once(scene: Scene, *options: str) -> dict[str, Any]:
    (row,) = json.loads(scene.keeper("once", "--json", *options).stdout)["positions"]
    return dict(row)


def agreed(scene: Scene, old: OldAaveDesk, owners: list[str]) -> None:
    """Every figure of every account is the protocol's own to the wei, at the newest block."""
    rows = scene.data("status")["positions"]
    assert len(rows) == len(owners)
    for row, owner in zip(rows, owners, strict=True):
        assert "figures" in row, row
        collateral, debt, _, _, _, health = old.account(owner)
        told = row["figures"]
        assert int(Decimal(told["collateral_usd"]) * 10**8) == collateral, (owner, told)
        assert int(Decimal(told["debt_usd"]) * 10**8) == debt, (owner, told)
        assert int(Decimal(told["health_factor"]) * ETHER) == health, (owner, told)
        # what trades far from the one price of its e-mode is said, and not sold at it
        assert {doubt["reason"] for doubt in row.get("doubts", ())} <= {"price_deviates"}, row


def test_its_figures_are_the_old_revision_s_own(scene: Scene, old: OldAaveDesk) -> None:
    """To the nearest, no virtual balances, months of interest: a crowd of accounts, several tokens and decimals."""
    draw = Random(16)  # noqa: S311 - dice
    owners = [str(scene.world.account(i).address) for i in range(2, 10)]
    for owner in owners:
        weth, wbtc = draw.randrange(1, 40 * ETHER), draw.randrange(1, 10**8)
        old.open(owner, {"WETH": weth, "WBTC": wbtc}, {"USDC": weth * 900 // 10**12, "DAI": weth * 300})
        scene.world.warp(draw.randrange(1, 40) * 86_400)
        scene.world.refresh_feeds()
    keep(scene, old, *owners, rules="")
    for _ in range(3):
        agreed(scene, old, owners)
        scene.world.warp(draw.randrange(1, 10_000_000))
        scene.world.refresh_feeds()


def test_it_is_sold_out_of_danger(scene: Scene, old: OldAaveDesk) -> None:
    """Nothing but the provider's address in the network file; the gate, the rehearsal and the target as anywhere."""
    old.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
    scene.crash("1890")
    assert old.health(scene.owner) < Decimal("1.25")
    keep(scene, old)
    row = once(scene, "--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert float(old.health(scene.owner)) == pytest.approx(1.6, rel=0.005)
    for symbol in ("WETH", "USDC"):
        allowed = scene.world.token(symbol).functions.allowance(scene.owner, old.pool.address).call()
        assert allowed == 0, symbol


def test_all_of_it_is_repaid_and_left(scene: Scene, old: OldAaveDesk) -> None:
    """`exit`: no debt, no supply."""
    old.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 9_000 * DOLLAR})
    scene.crash("1500")
    keep(scene, old, rules=RULE.replace('{{ health_factor = "1.60" }}', '"exit"').replace('"1.25"', '"1.60"'))
    row = once(scene, "--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert old.account(scene.owner)[:2] == (0, 0)


def test_a_guardian_repays_for_another(scene: Scene, old: OldAaveDesk) -> None:
    """An explicit amount, of which the old revision too takes no more than is owed."""
    old.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
    scene.crash("1890")
    scene.signer_index = 1
    scene.world.mint("USDC", scene.signer, 20_000 * DOLLAR)
    keep(scene, old, rules=RULE.replace('"top_up", "repay", "deleverage"', '"repay"'))
    row = once(scene, "--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert float(old.health(scene.owner)) == pytest.approx(1.6, rel=0.005)


def test_a_category_with_one_price_for_all_its_assets_is_read_so(scene: Scene, old: OldAaveDesk) -> None:
    """E-modes of 3.0 and 3.1 may name a price source: it stands for each asset of them, here and in liquidations."""
    world = scene.world
    ether = world.addresses["sources"]["WETH"]
    old.add_e_mode(1, ("WETH", "wstETH"), 9000, 9300, 10200, ether)
    old.open(scene.owner, {"wstETH": 10 * ETHER}, {"WETH": 8 * ETHER}, e_mode=1)
    keep(scene, old, rules=RULE)
    agreed(scene, old, [scene.owner])
    collateral = old.account(scene.owner)[0]
    assert collateral == 10 * int(world.price("WETH") * 10**8)  # staked ether counts as ether
    world.set_price("WETH", "1900")
    world.align_pools()
    world.refresh_feeds()
    agreed(scene, old, [scene.owner])


def test_a_category_whose_price_source_changes_is_read_anew(scene: Scene, old: OldAaveDesk) -> None:
    """The market's owner takes it away: from that block each asset counts by its own price."""
    old.add_e_mode(1, ("WETH", "wstETH"), 9000, 9300, 10200, scene.world.addresses["sources"]["WETH"])
    old.open(scene.owner, {"wstETH": 10 * ETHER}, {"WETH": 8 * ETHER}, e_mode=1)
    keep(scene, old, rules=RULE)
    agreed(scene, old, [scene.owner])
    old.add_e_mode(1, ("WETH", "wstETH"), 9000, 9300, 10200)
    agreed(scene, old, [scene.owner])
    assert old.account(scene.owner)[0] > 11 * int(scene.world.price("WETH") * 10**8)


def test_a_debt_at_a_stable_rate_counts_and_is_refused_by_name(scene: Scene, old: OldAaveDesk) -> None:
    """Health is the protocol's own, to the wei and over weeks, and the owner is warned of the true one.

    The keeper repays none of it, and says so with what to do; another debt of the account is repaid as ever.
    """
    old.lend_at_stable_rate("USDC")
    old.open(scene.owner, {"WETH": 10 * ETHER}, {"DAI": 4_000 * ETHER})
    old.borrow(scene.owner, "USDC", 9_000 * DOLLAR, rate=1)
    keep(scene, old)
    for _ in range(3):
        agreed(scene, old, [scene.owner])
        scene.world.warp(9 * 86_400)
        scene.world.refresh_feeds()
    scene.crash("1890")
    agreed(scene, old, [scene.owner])
    health = old.health(scene.owner)
    assert 1 < health < Decimal("1.25")
    row = once(scene, "--live")
    assert "stable_rate" in json.dumps(row), row
    assert "figures_disagree" not in json.dumps(row), row
    assert old.health(scene.owner) > health, row
    agreed(scene, old, [scene.owner])


def test_a_debt_that_is_all_at_a_stable_rate_is_alerted_with_its_remedy(scene: Scene, old: OldAaveDesk) -> None:
    """Nothing is sent, and the reason is not that figures disagree."""
    old.lend_at_stable_rate("USDC")
    old.open(scene.owner, {"WETH": 10 * ETHER}, {})
    old.borrow(scene.owner, "USDC", 13_000 * DOLLAR, rate=1)
    scene.crash("1890")
    keep(scene, old)
    row = once(scene, "--live")
    assert "stable_rate" in json.dumps(row), row
    assert row["outcome"] is None, row
    agreed(scene, old, [scene.owner])


def test_a_rescue_in_isolation_mode_is_as_anywhere(scene: Scene, old: OldAaveDesk) -> None:
    """The only collateral has a debt ceiling, the debt is one that may be had against it."""
    tokens, admin, set_up = old.tokens, scene.world.role("admin"), old.conf.functions
    lender = scene.world.role("lp")  # a ceiling is for a reserve that nobody has supplied yet
    with scene.world.acting_as(lender):
        old.chain.send(old.pool.functions.withdraw(tokens["wstETH"], 2**256 - 1, lender), lender, 2_000_000)
    old.chain.send(set_up.setDebtCeiling(tokens["wstETH"], 10_000_000 * 100), admin, 3_000_000)
    old.chain.send(set_up.setBorrowableInIsolation(tokens["USDC"], True), admin, 3_000_000)
    with scene.world.acting_as(scene.owner):
        pool = old.pool.functions
        scene.world.mint("wstETH", scene.owner, 10 * ETHER)
        approve = scene.world.token("wstETH").functions.approve(old.pool.address, 10 * ETHER)
        old.chain.send(approve, scene.owner)
        old.chain.send(pool.supply(tokens["wstETH"], 10 * ETHER, scene.owner, 0), scene.owner, 2_000_000)
        old.chain.send(pool.setUserUseReserveAsCollateral(tokens["wstETH"], True), scene.owner, 2_000_000)
    old.borrow(scene.owner, "USDC", int(10 * scene.world.price("wstETH") * 66 // 100) * DOLLAR)
    assert old.pool.functions.getReserveData(tokens["wstETH"]).call()[-1] > 0, "the debt counts against the ceiling"
    health = old.health(scene.owner)
    assert 1 < health < Decimal("1.25"), health
    keep(scene, old)
    agreed(scene, old, [scene.owner])
    row = once(scene, "--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert float(old.health(scene.owner)) == pytest.approx(1.6, rel=0.005)
    agreed(scene, old, [scene.owner])


def test_a_siloed_debt_is_repaid_and_nothing_is_borrowed_beside_it(scene: Scene, old: OldAaveDesk) -> None:
    """Whoever owes a siloed asset owes nothing else; the way out of danger is the usual one."""
    call = old.conf.functions.setSiloedBorrowing(old.tokens["USDC"], True)
    old.chain.send(call, scene.world.role("admin"), 3_000_000)
    old.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
    scene.crash("1890")
    keep(scene, old)
    agreed(scene, old, [scene.owner])
    row = once(scene, "--live")
    assert (row["outcome"] or {}).get("kind") == "restored", row
    assert float(old.health(scene.owner)) == pytest.approx(1.6, rel=0.005)


REFUSALS = {
    "HEALTH_FACTOR_LOWER_THAN_LIQUIDATION_THRESHOLD": lambda old, owner: old.pool.functions.withdraw(
        old.tokens["WETH"], 9 * ETHER, owner
    ),
    "COLLATERAL_CANNOT_COVER_NEW_BORROW": lambda old, owner: old.pool.functions.borrow(
        old.tokens["USDC"], 90_000 * DOLLAR, 2, 0, owner
    ),
    "NO_DEBT_OF_SELECTED_TYPE": lambda old, owner: old.pool.functions.repay(old.tokens["DAI"], 1, 2, owner),
    "NOT_ENOUGH_AVAILABLE_USER_BALANCE": lambda old, owner: old.pool.functions.withdraw(
        old.tokens["WETH"], 11 * ETHER, owner
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_number_for_a_refusal_is_said_in_words(scene: Scene, old: OldAaveDesk, name: str) -> None:
    """The old revision reverts with a string of digits: it is read as what it means."""
    old.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
    with pytest.raises(ContractLogicError) as found:
        REFUSALS[name](old, scene.owner).call({"from": scene.owner})
    data = found.value.data
    assert isinstance(data, str)
    assert name in revert_reason(bytes.fromhex(data[2:]))


def test_every_command_knows_it_through_the_ports(
    scene: Scene, old: OldAaveDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, explain, doctor, risk, watch and init: nobody asks which revision it is."""
    old.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
    keep(scene, old)
    for command in (("status",), ("explain", "old 0"), ("doctor",), ("risk",), ("watch", "--once")):
        found = scene.keeper(*command)
        assert "old 0" in found.output, (command, found.output)
        assert "could not be read" not in found.output, command
    scene.config.unlink()
    monkeypatch.chdir(scene.folder)
    monkeypatch.delenv("KEEPER_RPC_URL", raising=False)
    asked = ["init", scene.owner, "--rpc", scene.url, "--network", "network.toml"]
    found_ = CliRunner().invoke(app, asked)
    assert found_.exit_code == 0, found_.output
    (position,) = tomllib.loads(scene.config.read_text())["positions"]
    assert (position["venue"], position["market"]) == ("aave_v3", "old")
