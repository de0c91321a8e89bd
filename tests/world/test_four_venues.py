"""One owner, one signer, loans on five markets of four protocols, one crash: all are judged together, each rescued."""

from __future__ import annotations

from decimal import Decimal

import pytest
from scenes import DOLLAR, ETHER, RULE, Scene

from sandbox.aave_old.desk import OldAaveDesk
from sandbox.compound.desk import CometDesk
from sandbox.morpho.desk import MorphoDesk
from sandbox.venus.desk import VenusDesk

pytestmark = pytest.mark.world
POSITION = """
[[positions]]
name = "{name}"
venue = "{venue}"
market = "{market}"
owner = "{owner}"
signer = "me"

[[rules]]
name = "protect {name}"
position = "{name}"
when = {{ health_factor_below = "1.25" }}
restore = {{ health_factor = "1.60" }}
actions = ["deleverage"]
[rules.limits]
max_slippage_bps = 100
"""
BLOCKS = 8
"""One signer: what waits at one block is next at another."""


def test_loans_on_four_protocols_live_through_one_crash(scene: Scene) -> None:
    """All are well above their triggers; one Aave market is of the old revision. It owes another coin."""
    world, owner = scene.world, scene.owner
    morpho, venus = MorphoDesk(world), VenusDesk(world, {"WETH": ("0.75", "0.80"), "USDC": ("0.80", "0.85")})
    comet = CometDesk(world).create("USDC", WETH=("0.825", "0.895", "0.95"))
    id_, old = morpho.create("WETH", "USDC"), OldAaveDesk(world)
    scene.open()
    old.open(owner, {"WETH": 10 * ETHER}, {"DAI": 12_900 * ETHER})
    morpho.open(id_, owner, 10 * ETHER, 13_100 * DOLLAR)
    comet.open(owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    venus.open(owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    places = (
        ("blue", "morpho_blue", id_),
        ("comet", "compound_v3", "compound"),
        ("venus", "compound_v2", "venus"),
        ("old", "aave_v3", "old"),
    )
    scene.rules = RULE + "".join(POSITION.format(name=n, venue=v, market=m, owner=owner) for n, v, m in places)
    scene.crash("1890").write()
    file = scene.folder / "network.toml"
    text = file.read_text() + morpho.table() + comet.table() + venus.table() + old.table()
    head = "[price_safety.assets.WETH]\n"
    text = text.replace(head, f'{head}feed = "{world.addresses["feeds"]["WETH"]}"\n')
    head = "[price_safety.assets.USDC]\n"
    file.write_text(text.replace(head, f'{head}feed = "{world.addresses["feeds"]["USDC"]}"\n'))
    before = {row["name"]: Decimal(row["figures"]["health_factor"]) for row in scene.data("status")["positions"]}
    assert set(before) == {"eth-loop", "blue", "comet", "venus", "old"}
    assert all(1 < health < Decimal("1.25") for health in before.values()), before
    for _ in range(BLOCKS):
        scene.keeper("once", "--live")
        world.mine()
    found = {row["name"]: row for row in scene.data("status")["positions"]}
    assert all("figures" in row for row in found.values()), found
    healths = {name: Decimal(row["figures"]["health_factor"]) for name, row in found.items()}
    assert min(healths.values()) > Decimal("1.30"), {name: float(health) for name, health in healths.items()}
