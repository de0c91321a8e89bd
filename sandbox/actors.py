"""Everyone who may take part in the world."""

from sandbox.actor import Action, Actor
from sandbox.arbitrageur import Arbitrageur
from sandbox.feed_keeper import FeedKeeper
from sandbox.gmx_actors import GmxKeeper, GmxLiquidator
from sandbox.liquidator import Liquidator
from sandbox.perp_actors import PerpArbitrageur, PerpLiquidator

__all__ = [
    "Action",
    "Actor",
    "Arbitrageur",
    "FeedKeeper",
    "GmxKeeper",
    "GmxLiquidator",
    "Liquidator",
    "PerpArbitrageur",
    "PerpLiquidator",
]
