"""Morpho Blue is kept like any other market: figures to the wei by the contract's own judge, and rescues on it."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from typing import Any

import pytest
from scenes import DOLLAR, ETHER, RULE, Scene
from typer.testing import CliRunner
from web3 import Web3
from web3.exceptions import ContractLogicError

from keeper.cli.main import app
from sandbox.morpho.desk import MorphoDesk

pytestmark = pytest.mark.world
POSITION = """
[[positions]]
name = "{name}"
venue = "morpho_blue"
market = "{id}"
owner = "{owner}"
signer = "me"

[[rules]]
name = "protect {name}"
position = "{name}"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["top_up", "repay", "deleverage"]
[rules.limits]
max_slippage_bps = 100
"""


@pytest.fixture
def morpho(scene: Scene) -> MorphoDesk:
    """Morpho in the scene's world; its owner has no account anywhere else."""
    return MorphoDesk(scene.world)


def keep(scene: Scene, morpho: MorphoDesk, *ids: str, rules: str = POSITION) -> None:
    """Settings for positions in these markets and nowhere else."""
    named = [("lent" if i == 0 else f"lent {i + 1}", id_) for i, id_ in enumerate(ids)]
    scene.rules = "".join(rules.format(name=name, id=id_, owner=scene.owner) for name, id_ in named)
    scene.write()
    file = scene.folder / "network.toml"
    file.write_text(file.read_text() + morpho.table())
    text = scene.config.read_text()
    begin, end = text.index("[[positions]]"), text.index('[[positions]]\nname = "lent"')
    scene.config.write_text(text[:begin] + text[end:])


def once(scene: Scene, *options: str) -> dict[str, Any]:
    (row,) = json.loads(scene.keeper("once", "--json", *options).stdout)["positions"]
    return dict(row)


def refusal(call: Any, sender: str) -> str | None:
    try:
        call.call({"from": Web3.to_checksum_address(sender)})
    except ContractLogicError as error:
        return str(error)
    return None


def test_its_figures_are_the_contract_s_own(scene: Scene, morpho: MorphoDesk) -> None:
    """Interest to the block, shares rounded up, health to the wei: after half a year without anybody touching it."""
    id_ = morpho.create("WETH", "USDC", fee="0.1")
    morpho.open(id_, scene.owner, 10 * ETHER, 9_876_543_210)
    scene.world.warp(180 * 86_400)
    scene.world.refresh_feeds()
    keep(scene, morpho, id_)
    (row,) = scene.data("status")["positions"]
    most = 10 * ETHER * morpho.oracles[id_].functions.price().call() // 10**36 * 86 // 100
    debt = morpho.debt(id_, scene.owner)
    assert debt > 9_876_543_210
    assert int(Decimal(row["figures"]["health_factor"]) * ETHER) == most * ETHER // debt
    assert Decimal(row["figures"]["debt_usd"]) == pytest.approx(Decimal(debt) / DOLLAR, rel=Decimal("1e-6"))


def test_it_is_sold_out_of_danger(scene: Scene, morpho: MorphoDesk) -> None:
    """Withdraw, swap and repay in rounds: its own calls, through the one gate, to the target, and nothing left over."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    scene.crash("1890")
    assert morpho.health(id_, scene.owner) < Decimal("1.25")
    keep(scene, morpho, id_)
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert float(morpho.health(id_, scene.owner)) == pytest.approx(1.6, rel=0.01)
    assert morpho.position(id_, scene.owner)[2] < 10 * ETHER
    for symbol in ("WETH", "USDC"):
        assert scene.world.token(symbol).functions.allowance(scene.owner, morpho.blue.address).call() == 0


def test_it_is_topped_up_from_the_wallet(scene: Scene, morpho: MorphoDesk) -> None:
    """What the wallet holds pays for it: nothing is sold."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    scene.world.mint("WETH", scene.owner, 20 * ETHER)
    scene.crash("1890")
    keep(scene, morpho, id_, rules=POSITION.replace(', "deleverage"', ""))
    shares = morpho.position(id_, scene.owner)[1]
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert morpho.position(id_, scene.owner)[2] > 10 * ETHER
    assert morpho.position(id_, scene.owner)[1] == shares


def test_a_debt_is_repaid_by_its_shares_so_that_nothing_is_left(scene: Scene, morpho: MorphoDesk) -> None:
    """By assets a share would stay, or the call be refused. What was approved beyond it is taken back."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    scene.world.mint("USDC", scene.owner, 20_000 * DOLLAR)
    scene.crash("1890")
    close = POSITION.replace('{{ health_factor = "1.60" }}', '"close"').replace('"top_up", ', "")
    keep(scene, morpho, id_, rules=close.replace(', "deleverage"', ""))
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert morpho.position(id_, scene.owner)[1] == 0
    assert scene.world.token("USDC").functions.allowance(scene.owner, morpho.blue.address).call() == 0


def test_two_markets_of_one_owner_are_two_positions(scene: Scene, morpho: MorphoDesk) -> None:
    """Each with its own health; the one in danger is kept, the other left alone."""
    safe, near = morpho.create("wstETH", "WETH", lltv="0.945"), morpho.create("WETH", "USDC")
    morpho.open(safe, scene.owner, 10 * ETHER, 5 * ETHER)
    morpho.open(near, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    scene.crash("1890")
    keep(scene, morpho, safe, near)
    rows = {row["name"]: row for row in json.loads(scene.keeper("once", "--json", "--live").stdout)["positions"]}
    assert rows["lent 2"]["outcome"]["kind"] == "restored", rows["lent 2"]
    assert not rows["lent"].get("outcome")
    assert morpho.position(safe, scene.owner)[2] == 10 * ETHER
    health = {row["name"]: Decimal(row["figures"]["health_factor"]) for row in scene.data("status")["positions"]}
    assert float(health["lent"]) == pytest.approx(1.2 * 10 * 0.945 / 5, rel=1e-3)


def test_one_owner_s_loans_on_two_protocols_live_through_one_crash(scene: Scene, morpho: MorphoDesk) -> None:
    """The same signer, the same block: both are decided together, each is rescued by its own calls."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    scene.open()
    scene.crash("1890")
    scene.rules = RULE + POSITION.format(name="lent", id=id_, owner=scene.owner)
    scene.write()
    file = scene.folder / "network.toml"
    file.write_text(file.read_text() + morpho.table())
    for _ in range(2):  # one signer: what waits in the first look is next
        rows = {row["name"]: row for row in json.loads(scene.keeper("once", "--json", "--live").stdout)["positions"]}
    assert set(rows) == {"eth-loop", "lent"}
    assert scene.health() > 1.5
    assert morpho.health(id_, scene.owner) > Decimal("1.5")


def test_leverage_is_added_where_there_is_room(scene: Scene, morpho: MorphoDesk) -> None:
    """Borrow, buy, supply: in rounds, and never past the target."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 6_000 * DOLLAR)
    scene.crash("2000")
    boost = POSITION.replace("health_factor_below", "health_factor_above").replace('"1.25"', '"2.20"')
    boost = boost.replace('"top_up", "repay", "deleverage"', '"leverage_up"').replace('"1.60"', '"2.00"')
    keep(scene, morpho, id_, rules=boost)
    row = once(scene, "--live")
    assert row["outcome"]["kind"] in ("restored", "boosted"), row
    assert 1.99 < float(morpho.health(id_, scene.owner)) < 2.2
    assert morpho.position(id_, scene.owner)[2] > 10 * ETHER


def test_a_guardian_pays_in_and_takes_nothing_out(scene: Scene, morpho: MorphoDesk) -> None:
    """Anybody may supply collateral for another; the contract asks nobody."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    scene.signer_index = 1
    scene.world.mint("WETH", scene.signer, 20 * ETHER)
    scene.crash("1890")
    keep(scene, morpho, id_, rules=POSITION.replace(', "deleverage"', ""))
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert morpho.position(id_, scene.owner)[2] > 10 * ETHER
    assert morpho.position(id_, scene.signer) == (0, 0, 0)


def test_a_guardian_repays_a_part_and_takes_nothing_out(scene: Scene, morpho: MorphoDesk) -> None:
    """Anybody may repay for another: what is owed falls, and nothing of the guardian's is left in the market."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    scene.signer_index = 1
    scene.world.mint("USDC", scene.signer, 20_000 * DOLLAR)
    scene.crash("1890")
    keep(scene, morpho, id_, rules=POSITION.replace('"top_up", "repay", "deleverage"', '"repay"'))
    shares = morpho.position(id_, scene.owner)[1]
    row = once(scene, "--live")
    assert row["outcome"]["kind"] == "restored", row
    assert morpho.position(id_, scene.owner)[1] < shares
    assert morpho.position(id_, scene.owner)[2] == 10 * ETHER
    assert morpho.position(id_, scene.signer) == (0, 0, 0)
    assert scene.world.token("USDC").functions.allowance(scene.signer, morpho.blue.address).call() == 0


def test_what_a_liquidation_leaves_unpaid_is_nobody_s_debt_any_more(scene: Scene, morpho: MorphoDesk) -> None:
    """Bad debt: all collateral is gone, the rest is written off; the position is empty, and that is reported."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    keep(scene, morpho, id_)
    once(scene)
    scene.world.set_price("WETH", "1000")
    morpho.liquidate(id_, scene.owner, seized=10 * ETHER)
    assert morpho.position(id_, scene.owner) == (0, 0, 0)
    found = scene.keeper("once")
    assert "was liquidated" in found.stdout + found.stderr
    (row,) = scene.data("status")["positions"]
    assert not row.get("holdings") or all(not float(h["borrowed"]) for h in row["holdings"]), row


def test_a_guardian_who_could_take_out_is_shown(scene: Scene, morpho: MorphoDesk) -> None:
    """Doctor reads the contract: an authorisation is for everything, and a guardian needs none."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 9_000 * DOLLAR)
    scene.signer_index = 1
    keep(scene, morpho, id_, rules=POSITION.replace(', "deleverage"', ""))
    assert "none is needed" in " ".join(scene.keeper("doctor").output.split())
    with scene.world.acting_as(scene.owner):
        scene.world.chain.send(morpho.blue.functions.setAuthorization(scene.signer, True), scene.owner)
    assert "revoke it" in " ".join(scene.keeper("doctor").output.split())


def test_what_another_did_to_it_is_reported(scene: Scene, morpho: MorphoDesk) -> None:
    """A liquidation, by the contract's own event."""
    id_ = morpho.create("WETH", "USDC")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    keep(scene, morpho, id_)
    once(scene)
    scene.world.set_price("WETH", "1500")
    morpho.liquidate(id_, scene.owner, seized=ETHER)
    found = scene.keeper("once")
    assert "was liquidated" in found.stdout + found.stderr


def test_a_market_that_is_not_there_blinds_its_position_with_the_remedy(scene: Scene, morpho: MorphoDesk) -> None:
    """The contract and the id are named."""
    keep(scene, morpho, "0x" + "ab" * 32)
    found = scene.keeper("once")
    said = " ".join((found.stdout + found.stderr).split())
    assert "has no market 0xabab" in said


def test_a_newcomer_s_markets_are_found_by_their_events(
    scene: Scene, morpho: MorphoDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`keeper init` names each by its id, leaves out what was closed, and writes settings that work."""
    first, second = morpho.create("WETH", "USDC"), morpho.create("wstETH", "WETH", lltv="0.945")
    morpho.open(first, scene.owner, 10 * ETHER, 9_000 * DOLLAR)
    morpho.open(second, scene.owner, ETHER, 0)
    params = morpho.markets[second]
    with scene.world.acting_as(scene.owner):
        out = morpho.blue.functions.withdrawCollateral(params, ETHER, scene.owner, scene.owner)
        scene.world.chain.send(out, scene.owner)
    monkeypatch.chdir(scene.folder)
    monkeypatch.delenv("KEEPER_RPC_URL", raising=False)
    file = scene.world.network_toml(scene.folder / "network.toml")
    file.write_text(file.read_text() + morpho.table())
    runner = CliRunner()
    found = runner.invoke(app, ["init", scene.owner, "--rpc", scene.url, "--network", "network.toml"])
    assert found.exit_code == 0, found.output
    (position,) = tomllib.loads(scene.config.read_text())["positions"]
    assert (position["venue"], position["market"]) == ("morpho_blue", first)
    for command in ("check", "status", "once", "doctor"):
        said = runner.invoke(app, [command, "-c", str(scene.config)])
        assert said.exit_code == 0 or command == "doctor", (command, said.output)
        assert "morpho" in said.output or command == "check"


def test_our_health_is_below_one_just_where_the_contract_liquidates(scene: Scene, morpho: MorphoDesk) -> None:
    """`_isHealthy` at prices around the border, one unit of a dollar apart: it says so by refusing a liquidation."""
    id_, who = morpho.create("WETH", "USDC"), scene.world.role("liquidator")
    morpho.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    keep(scene, morpho, id_)
    border = Decimal(13_100) / Decimal("8.6")
    seen = set[bool]()
    for step in range(-3, 4):
        scene.world.set_price("WETH", str(round(border, 6) + Decimal(step) / 1000))
        (row,) = scene.data("status")["positions"]
        said = refusal(morpho.blue.functions.liquidate(morpho.markets[id_], scene.owner, 10**15, 0, b""), who)
        healthy = said is not None and "position is healthy" in said
        assert (Decimal(row["figures"]["health_factor"]) >= 1) is healthy, (row["figures"], said)
        seen.add(healthy)
    assert seen == {True, False}
