"""The owner's account on paper, as the engine sees an account at a venue: the reader has it, nobody has to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.backtest.paper_calls import nothing
from keeper.core.lending.position import LendingPosition
from keeper.core.occurrences import Occurrence
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.venues.ports import AT_ONCE, LendingMarket, Listed, Probe, Read, Settles


@dataclass(frozen=True, slots=True)
class PaperAccount:
    """The owner's account in the market."""

    market: LendingMarket
    owner: Address
    settles: Settles = AT_ONCE

    @property
    def listings(self) -> Sequence[Listed]:
        """All of them."""
        return self.market.listings

    @property
    def chronicle(self) -> PaperAccount:
        """Nothing is logged on paper."""
        return self

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Nothing."""
        return ()

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Nothing."""
        return ()

    def probe(self, name: str, block: BlockRef) -> Probe[LendingPosition]:
        """Nobody asks it: the reader has the account."""
        return nothing(name)

    def witness(self, position: LendingPosition) -> tuple[Read, bytes] | None:
        """There is one node."""
        return None

    def priced_at(self, there: LendingPosition, here: LendingPosition) -> None:
        """No plan is made ready beforehand."""

    def plain_feeds(self) -> Mapping[Address, Address]:
        """No feed says anything."""
        return {}

    def trust_probe(self, signer: Address) -> Probe[bool | None]:
        """Nobody takes out for another."""
        return Probe((), lambda _: None)
