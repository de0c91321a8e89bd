"""One owner with a position at every venue that a local world has: for the tests of a first hour, and for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.aave_old.desk import OldAaveDesk
from sandbox.compound.desk import CometDesk
from sandbox.morpho.desk import MorphoDesk
from sandbox.venus.desk import VenusDesk
from sandbox.world import World

ETHER, DOLLAR = 10**18, 10**6


@dataclass
class EveryVenue:
    """Who has what, and what each venue itself says of it."""

    world: World
    owner: str
    morpho: MorphoDesk
    market: str
    comet: Any
    venus: VenusDesk
    old: OldAaveDesk

    @classmethod
    def opened(cls, world: World, owner: str) -> EveryVenue:
        """Seven positions of one owner: Aave's two revisions, Morpho Blue, Compound v3 and v2, Perp v2, GMX v2."""
        morpho, venus = MorphoDesk(world), VenusDesk(world, {"WETH": ("0.75", "0.80"), "USDC": ("0.80", "0.85")})
        comet = CometDesk(world).create("USDC", WETH=("0.825", "0.895", "0.95"))
        market, old = morpho.create("WETH", "USDC"), OldAaveDesk(world)
        world.open_position(owner, {"WETH": 10 * ETHER}, {"USDC": 10_000 * DOLLAR})
        old.open(owner, {"WETH": 10 * ETHER}, {"DAI": 10_900 * ETHER})
        morpho.open(market, owner, 10 * ETHER, 11_100 * DOLLAR)
        comet.open(owner, {"WETH": 10 * ETHER}, 11_600 * DOLLAR)
        venus.open(owner, {"WETH": 10 * ETHER}, {"USDC": 10_300 * DOLLAR})
        world.gmx.open(owner, 2_000 * DOLLAR, 6_000)
        world.perp.open(owner, 1_000 * DOLLAR, -1 * ETHER)
        return cls(world, owner, morpho, market, comet, venus, old)

    def network_toml(self, file: Path) -> None:
        """The keeper's network file, with a table for each."""
        self.world.network_toml(file)
        text = file.read_text() + self.morpho.table() + self.comet.table() + self.venus.table() + self.old.table()
        for symbol in ("WETH", "USDC"):
            head = f"[price_safety.assets.{symbol}]\n"
            text = text.replace(head, f'{head}feed = "{self.world.addresses["feeds"][symbol]}"\n')
        file.write_text(text)

    @property
    def figures(self) -> dict[str, Decimal]:
        """By the name that ``keeper init`` gives it: the health factor, or the margin ratio in percent."""
        return {
            "aave_v3": self.world.health_factor(self.owner),
            f"morpho_blue-{self.market[2:10]}": self.morpho.health(self.market, self.owner),
            "compound": self.comet.health(self.owner),
            "venus": self.venus.health(self.owner),
            "old": self.old.health(self.owner),
            "perp_v2": self.world.perp.margin_ratio(self.owner) * 100,
        }
