"""One owner's loan in a market of each protocol, with what that protocol itself says of its health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from scenes import DOLLAR, ETHER, Scene

from sandbox.aave_old.desk import OldAaveDesk
from sandbox.compound.desk import CometDesk
from sandbox.morpho.desk import MorphoDesk
from sandbox.venus.desk import VenusDesk

RULE = """
[[rules]]
name = "protect"
position = "lent"
when = {{ health_factor_below = "{below}" }}
restore = {{ health_factor = "1.60" }}
actions = [{actions}]
cooldown = "10m"
[rules.limits]
max_slippage_bps = 150
max_fee_gwei = "200"
"""
POSITION = """
[[positions]]
name = "lent"
venue = "{venue}"
{market}owner = "{owner}"
signer = "me"
"""


@dataclass(frozen=True)
class Loan:
    """Ten ether against dollars: how settings name it, its table of the network file, and what its own judge says."""

    venue: str
    market: str | None
    table: str
    health: Callable[[], Decimal]


def _aave(scene: Scene) -> Loan:
    scene.open()
    return Loan("aave_v3", None, "", lambda: Decimal(str(scene.health())))


def _old_aave(scene: Scene) -> Loan:
    desk = OldAaveDesk(scene.world)
    desk.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 13_000 * DOLLAR})
    return Loan("aave_v3", "old", desk.table(), lambda: desk.health(scene.owner))


def _morpho(scene: Scene) -> Loan:
    desk = MorphoDesk(scene.world)
    id_ = desk.create("WETH", "USDC")
    desk.open(id_, scene.owner, 10 * ETHER, 13_100 * DOLLAR)
    return Loan("morpho_blue", id_, desk.table(), lambda: desk.health(id_, scene.owner))


def _comet(scene: Scene) -> Loan:
    market = CometDesk(scene.world).create("USDC", WETH=("0.825", "0.895", "0.95"))
    market.open(scene.owner, {"WETH": 10 * ETHER}, 13_600 * DOLLAR)
    return Loan("compound_v3", "compound", market.table(), lambda: market.health(scene.owner))


def _venus(scene: Scene) -> Loan:
    desk = VenusDesk(scene.world, {"WETH": ("0.75", "0.80"), "USDC": ("0.80", "0.85")})
    desk.open(scene.owner, {"WETH": 10 * ETHER}, {"USDC": 12_300 * DOLLAR})
    return Loan("compound_v2", "venus", desk.table(), lambda: desk.health(scene.owner))


PLACES: dict[str, Callable[[Scene], Loan]] = {
    "aave_v3": _aave,
    "aave_v3 of the old revision": _old_aave,
    "morpho_blue": _morpho,
    "compound_v3": _comet,
    "compound_v2": _venus,
}


def keep(scene: Scene, loan: Loan, *, below: str = "1.10", actions: str = '"deleverage"') -> None:
    """Settings of this position and no other; ages and dollars of both tokens are known."""
    market = f'market = "{loan.market}"\n' if loan.market else ""
    position = POSITION.format(venue=loan.venue, market=market, owner=scene.owner)
    scene.rules = position + RULE.format(below=below, actions=actions)
    scene.write()
    file = scene.folder / "network.toml"
    text = file.read_text() + loan.table
    for symbol in ("WETH", "USDC"):
        head, feed = f"[price_safety.assets.{symbol}]\n", scene.world.addresses["feeds"][symbol]
        text = text.replace(head, f'{head}feed = "{feed}"\n')
    file.write_text(text)
    text = scene.config.read_text()
    begin, end = text.index("[[positions]]"), text.index('[[positions]]\nname = "lent"')
    scene.config.write_text(text[:begin] + text[end:])
