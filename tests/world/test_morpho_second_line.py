"""A pre-liquidation contract as the second line: it works while no keeper runs, and the keeper knows of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from morpho_scene import MorphoScene, kept_in_market
from scenes import DOLLAR, ETHER, Scene
from typer.testing import CliRunner
from web3.contract import Contract

from keeper.cli.main import app
from sandbox.errors import RevertedError
from sandbox.morpho.desk import MorphoDesk

pytestmark = pytest.mark.world
RULE = """
[[rules]]
name = "protect"
position = "lent"
when = {{ health_factor_below = "{below}" }}
restore = {{ health_factor = "1.60" }}
actions = ["deleverage"]
[rules.limits]
max_slippage_bps = 150
"""


@pytest.fixture
def morpho(scene: Scene) -> MorphoDesk:
    """Morpho in the scene's world."""
    return MorphoDesk(scene.world)


@pytest.fixture
def id_(scene: Scene, morpho: MorphoDesk) -> str:
    """Ten ether against 13,100 dollars at 86 %."""
    made = morpho.create("WETH", "USDC")
    morpho.open(made, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    return made


@pytest.fixture
def line(morpho: MorphoDesk, id_: str) -> Contract:
    """It begins at 80 %: health 1.075."""
    return morpho.second_line(id_)


@pytest.fixture
def lent(scene: Scene, morpho: MorphoDesk, id_: str, line: Contract) -> MorphoScene:
    """Kept by a rule, with the contract named in the network file beside one of another market."""
    other = morpho.second_line(morpho.create("wstETH", "WETH", lltv="0.945"))
    made = kept_in_market(scene, morpho, id_, RULE.format(below="1.25"))
    made.more = f'\n[morpho_blue.pre_liquidations]\nmine = "{line.address}"\nother = "{other.address}"\n'
    return made


def let(lent: MorphoScene, line: Contract) -> None:
    """The owner's own act."""
    with lent.scene.world.acting_as(lent.scene.owner):
        call = lent.morpho.blue.functions.setAuthorization(line.address, True)
        lent.scene.world.chain.send(call, lent.scene.owner)


def seen(lent: MorphoScene) -> dict[str, Any]:
    if not lent.written:
        lent.write()
    (row,) = lent.scene.data("status")["positions"]
    return dict(row)


def test_what_it_may_is_shown_and_whether_the_owner_let_it(lent: MorphoScene, line: Contract) -> None:
    """Of the contracts named only the market's own; its terms as the contract says them."""
    (told,) = seen(lent)["second_lines"]
    assert (told["contract"], told["is_let"]) == (line.address, False)
    assert Decimal(told["begins_at_health"]) == Decimal("1.075")
    assert [Decimal(told["first"][k]) for k in ("share", "penalty")] == [Decimal("0.2"), Decimal("0.01")]
    assert "you have not let it" in " ".join(lent.scene.keeper("explain", "lent").output.split())
    assert "is yours to say" in " ".join(lent.scene.keeper("doctor").output.split())
    let(lent, line)
    assert seen(lent)["second_lines"][0]["is_let"] is True
    assert "with or without a keeper" in " ".join(lent.scene.keeper("explain", "lent").output.split())


def test_doctor_says_where_it_comes_before_every_rule(lent: MorphoScene, line: Contract) -> None:
    """A rule that fires below 1.05 leaves the first word to it."""
    let(lent, line)
    lent.write()
    assert "sells a part below health 1.075" in " ".join(lent.scene.keeper("doctor").output.split())
    lent.rules = RULE.format(below="1.05")
    lent.write()
    assert "it comes first" in " ".join(lent.scene.keeper("doctor").output.split())


def test_what_the_factory_did_not_make_is_no_second_line(
    lent: MorphoScene, morpho: MorphoDesk, id_: str, line: Contract
) -> None:
    """Of a contract that only looks like one nobody knows what it does: doctor fails where it may act."""
    other, factory = morpho.second_line(id_, "0.82"), morpho.factory_of(line)
    lent.table = f'pre_liquidation_factory = "{factory.address}"\n'
    lent.more = f'\n[morpho_blue.pre_liquidations]\nmine = "{line.address}"\nother = "{other.address}"\n'
    told = {one["contract"]: one["is_known"] for one in seen(lent)["second_lines"]}
    assert told == {line.address: True, other.address: False}
    let(lent, other)
    said = " ".join(lent.scene.keeper("doctor").output.split())
    assert "was not made by the protocol's factory" in said
    assert "take its authorisation back" in said


def test_a_newcomer_is_shown_what_could_stand_behind_the_keeper(
    lent: MorphoScene, line: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`keeper init` names it and its terms, and that to let it is the owner's own act."""
    lent.write()
    scene = lent.scene
    scene.config.unlink()
    monkeypatch.chdir(scene.folder)
    monkeypatch.delenv("KEEPER_RPC_URL", raising=False)
    asked = ["init", scene.owner, "--rpc", scene.url, "--network", "network.toml"]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 0, found.output
    said = " ".join(found.output.split())
    assert f"second line {line.address}: sells a part below health 1.075" in said
    assert "an act of your own" in said


def test_risk_says_what_its_first_sale_would_cost(lent: MorphoScene, line: Contract) -> None:
    """A fifth of 13,100 dollars for a hundredth of that, beside what liquidation would take; only once it was let."""
    lent.write()
    assert "sells a part: at first" not in " ".join(lent.scene.keeper("risk").output.split())
    let(lent, line)
    said = " ".join(lent.scene.keeper("risk").output.split())
    assert "before it, below health 1.075" in said
    assert "sells a part: at first for $26.2" in said, said


def test_it_works_while_no_keeper_runs_and_is_reported_when_one_does(lent: MorphoScene, line: Contract) -> None:
    """Where we say that it begins it begins; health rises by it; the next look says who took what."""
    let(lent, line)
    seen(lent)
    lent.once()
    who, world = world_liquidator(lent), lent.scene.world
    world.set_price("WETH", "1640")  # 1.0767
    world.mint("USDC", who, 20_000 * DOLLAR)
    with world.acting_as(who):
        world.chain.send(world.token("USDC").functions.approve(line.address, 20_000 * DOLLAR), who)
        shares = lent.position()[1] // 6
        call = line.functions.preLiquidate(lent.scene.owner, 0, shares, b"")
        with pytest.raises(RevertedError):
            world.chain.send(call, who, 2_000_000)
        world.set_price("WETH", "1630")  # 1.0701
        before = lent.health()
        assert before < Decimal(seen(lent)["second_lines"][0]["begins_at_health"])
        world.chain.send(call, who, 2_000_000)
    assert lent.health() > before
    assert lent.position()[2] < 10 * ETHER
    found = lent.scene.keeper("once")
    assert "lent" in found.stdout + found.stderr
    assert "changed" in found.stdout + found.stderr or "repaid" in found.stdout + found.stderr


def world_liquidator(lent: MorphoScene) -> str:
    return str(lent.scene.world.role("liquidator"))
