"""What is played, and what an account lived through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from keeper.backtest.depth import Depth
from keeper.backtest.engine_on_paper import KeeperTerms
from keeper.backtest.market import PaperMarket
from keeper.backtest.scene import PaperFees
from keeper.backtest.stage import PlayedDeed
from keeper.backtest.standing import PaperStanding
from keeper.core.lending.rules import Rule
from keeper.core.lending.seizure import CloseRule
from keeper.core.units import Address
from keeper.settings.model import Position

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Plot:
    """What is played: the account, its market, who acts by which rules, and what acting costs."""

    position: Position
    market: PaperMarket
    standing: PaperStanding
    assets: tuple[Address, ...]
    """By column of the course."""
    rules: tuple[Rule, ...]
    """Empty where nobody keeps it."""
    terms: KeeperTerms
    depth: Depth
    fees: PaperFees
    closes: CloseRule
    native: Address | None
    native_price: int
    heartbeat_s: int
    measure_s: int
    native_symbol: str = "ETH"
    lends_usd: int = 0
    """Dollars that a lender of one transaction has of each asset; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Life(Generic[S]):
    """What an account lived through."""

    begins: int
    """Place in the course where it begins."""
    stands: tuple[tuple[int, S], ...]
    """From when on it stood how: each change of balances."""
    deeds: tuple[PlayedDeed, ...]
    gas_usd: int
    kept_usd: int
    """What keeping it cost: gas, and what sales brought less than the oracle's price."""
    costs: tuple[tuple[int, int], ...]
    """Time, and dollars of gas paid until then."""
    played: int
    """Blocks that the engine judged."""
    unmeasured_s: int = 0
    """How long a rule was not judged, because too little was known of prices."""
