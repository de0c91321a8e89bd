"""What the file says of an owner's own shocks, and from that to scenarios of the stress table."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from keeper.core.risk.shock_terms import ALL, MOST_TIMES, WEEK_S, Shock
from keeper.core.units import BPS, WAD, Wad, scaled
from keeper.settings.fields import Name, Number, Seconds, Text, Whole
from keeper.settings.perp_schema import Table

EVERYTHING = "everything"
"""The key for all that is no dollar."""


class ShockTable(Table):
    """[[shocks]]: something that may happen at once, for the stress table of `keeper risk`."""

    name: Name
    moves: dict[Text, Number] = Field(default_factory=dict)
    borrow_rate: Number = Decimal(0)
    funding_times: Whole = 1
    lasts: Seconds = Decimal(WEEK_S)
    pools_thinner: Whole = 1
    gas_times: Whole = 1

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if any(not -1 < move <= 10 for move in self.moves.values()):
            raise ValueError('moves: each is a share of the price, like "-0.35"; above -1, and at most 10')
        if self.lasts <= 0:
            raise ValueError('lasts: must be more than nothing, like "7d"')
        times = {"funding_times": self.funding_times, "pools_thinner": self.pools_thinner, "gas_times": self.gas_times}
        for key, value in times.items():
            if not 1 <= value <= MOST_TIMES:
                raise ValueError(f"{key}: must be 1 to {MOST_TIMES}; 1 leaves it as it is")
        if not 0 <= self.borrow_rate <= 100:
            raise ValueError('borrow_rate: a share a year, like "1.0" for 100 %; 0 leaves it as it is')
        if not self.moves and not self.borrow_rate and set(times.values()) == {1}:
            raise ValueError("changes nothing: name moves, borrow_rate, funding_times, pools_thinner or gas_times")
        return self


def build_shock(table: ShockTable) -> Shock:
    """Return a shock in whole numbers."""
    return Shock(
        name=table.name,
        moves={ALL if k == EVERYTHING else k: scaled(v, BPS) for k, v in table.moves.items()},
        rate=Wad(scaled(table.borrow_rate, WAD)),
        funding=table.funding_times,
        seconds=int(table.lasts),
        thinner=table.pools_thinner,
        gas=table.gas_times,
    )
