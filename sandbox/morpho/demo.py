"""`make demo SCENARIO=morpho`: the crash on Morpho Blue. Two identical positions in one market, one of them kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sandbox.demo_keeper import SETTINGS as ON_AAVE
from sandbox.demo_scene import COLLATERAL, DEBT, Frame, Liquidation
from sandbox.morpho.desk import MorphoDesk
from sandbox.morpho.scene import LLTV, MorphoLiquidator, liquidations, reader
from sandbox.world import World

SAID = (
    "a local world: Morpho Blue and Uniswap v3 on anvil, a liquidator, an arbitrageur",
    "a market of WETH against USDC at 86 %; two identical positions: 10 WETH, 14,000 USDC borrowed and spent",
)


@dataclass
class MorphoGround:
    """The market, and who is in it."""

    desk: MorphoDesk
    id_: str
    owners: Mapping[str, str]
    liquidator: MorphoLiquidator
    settings = ON_AAVE.replace('venue = "aave_v3"\n', 'venue = "morpho_blue"\nmarket = "{market}"\n')

    @property
    def values(self) -> Mapping[str, str]:
        """The market's id."""
        return {"market": self.id_}

    def read(self, world: World, block: int) -> Frame:
        """Both positions at a block."""
        return reader(self.desk, self.id_, self.owners)(world, block)

    def beside(self, name: str, final: Frame) -> Decimal:
        """Nothing: a position is all there is."""
        return Decimal(0)

    def liquidations(self, first_block: int, price_at: Callable[[int], Decimal]) -> list[Liquidation]:
        """By the contract's own events."""
        return liquidations(self.desk, self.id_, first_block, price_at)

    def network(self, text: str) -> str:
        """The world's network file with the market in it."""
        return text + self.desk.table()


def settled(world: World, owners: Mapping[str, str]) -> MorphoGround:
    """What they borrowed is spent, so a rescue comes out of the position."""
    desk = MorphoDesk(world)
    id_ = desk.create("WETH", "USDC", lltv=LLTV)
    for owner in owners.values():
        desk.open(id_, owner, COLLATERAL, DEBT)
    return MorphoGround(desk, id_, owners, MorphoLiquidator(desk, id_, owners.values()))
