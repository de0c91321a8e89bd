"""One owner, one signer, loans on five markets of four protocols, one crash: all are judged together, each rescued."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from scenes import BITCOIN, DOLLAR, ETHER, RULE, Scene

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


def test_two_rescues_that_want_the_same_wallet_money_never_spend_it_twice(scene: Scene) -> None:
    """Other tokens, decimals and factors: bitcoin against DAI at two venues, ether at two; DAI for a rescue and a bit.

    Who has most to lose is helped whole, the other with what is left; nothing reverts, and no more goes than there is.
    """
    world, owner, there = scene.world, scene.owner, 10_000 * ETHER
    morpho, venus = MorphoDesk(world), VenusDesk(world, {"WBTC": ("0.60", "0.70"), "DAI": ("0.75", "0.80")})
    comet = CometDesk(world).create("DAI", WBTC=("0.65", "0.72", "0.93"))
    id_ = morpho.create("WETH", "USDC")
    scene.open()
    price = int(world.price("WBTC"))
    morpho.open(id_, owner, 10 * ETHER, 13_100 * DOLLAR)
    comet.open(owner, {"WBTC": BITCOIN}, price * 55 // 100 * ETHER)
    venus.open(owner, {"WBTC": BITCOIN}, {"DAI": price * 53 // 100 * ETHER})
    world.mint("DAI", owner, there)
    places = (("blue", "morpho_blue", id_), ("comet", "compound_v3", "compound"), ("venus", "compound_v2", "venus"))
    scene.rules = RULE + "".join(POSITION.format(name=n, venue=v, market=m, owner=owner) for n, v, m in places)
    for name in ("comet", "venus"):
        head = f'name = "protect {name}"'
        begin, rest = scene.rules.split(head)
        scene.rules = begin + head + rest.replace('["deleverage"]', '["repay"]', 1)
    scene.crash("1890").crash(str(price * 9 // 10), "WBTC").write()
    file = scene.folder / "network.toml"
    text = file.read_text() + morpho.table() + comet.table() + venus.table()
    for symbol in ("WBTC", "DAI", "WETH"):
        head = f"[price_safety.assets.{symbol}]\n"
        text = text.replace(head, f'{head}feed = "{world.addresses["feeds"][symbol]}"\n')
    file.write_text(text)
    before = healths(scene)
    assert set(before) == {"eth-loop", "blue", "comet", "venus"}
    assert all(1 < health < Decimal("1.25") for health in before.values()), before
    outcomes = list[tuple[str, str, str]]()
    for _ in range(BLOCKS):
        rows = json.loads(scene.keeper("once", "--json", "--live").stdout)["positions"]
        ended = [(row["name"], row["outcome"]) for row in rows if row["outcome"]]
        outcomes += [(name, found["kind"], f"{found['reason']} {found['detail']}") for name, found in ended]
        world.mine()
    after = healths(scene)
    assert {kind for _, kind, _ in outcomes} <= {"restored", "partial"}, "no round takes another plan's allowance"
    paid_by_wallet = [(name, kind) for name, kind, _ in outcomes if name in ("comet", "venus")]
    assert sorted(kind for _, kind in paid_by_wallet) == ["partial", "restored"], outcomes
    assert 0 <= world.balance("DAI", owner) < there // 100, "all of it helped"
    assert min(after["eth-loop"], after["blue"]) > Decimal("1.30"), after
    assert max(after["comet"], after["venus"]) > Decimal("1.55"), after
    assert min(after["comet"], after["venus"]) > min(before["comet"], before["venus"]), (before, after)
    paid = there - world.balance("DAI", owner)
    owed = comet.account(owner).debt + venus.snapshot(owner, "DAI")[1]
    borrowed = (price * 55 // 100 + price * 53 // 100) * ETHER
    assert borrowed - paid <= owed < borrowed - paid + 10 * ETHER, "what left the wallet paid debts"


def healths(scene: Scene) -> dict[str, Decimal]:
    rows = scene.data("status")["positions"]
    assert all("figures" in row for row in rows), rows
    return {row["name"]: Decimal(row["figures"]["health_factor"]) for row in rows}
