"""What the file says of puts that the owner holds elsewhere, and from that to puts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, model_validator

from keeper.core.risk.put_terms import HeldPut
from keeper.core.units import USD, WAD, Usd, Wad, scaled
from keeper.settings.fields import AssetName, Name, Number, Text
from keeper.settings.perp_schema import Table


def as_moment(value: Any) -> str:
    """Return a moment with its zone as text. Raises ValueError with the remedy."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError('is no moment: write it with its zone, like "2027-01-29T08:00:00Z"')
    return at.astimezone(UTC).isoformat()


Moment = Annotated[str, BeforeValidator(as_moment)]

LEAST = Decimal("1e-8")


class PutTable(Table):
    """[[puts]]: a protective put that the owner holds elsewhere."""

    name: Name
    protects: Text
    underlying: AssetName
    strike_usd: Number
    expiry: Moment
    size: Number

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if min(self.strike_usd, self.size) < LEAST:
            raise ValueError("strike_usd, size: must be positive")
        return self


def build_put(table: PutTable) -> HeldPut:
    """Return a put in whole numbers."""
    strike, size = Usd(scaled(table.strike_usd, USD)), Wad(scaled(table.size, WAD))
    at = int(datetime.fromisoformat(table.expiry).timestamp())
    return HeldPut(table.name, table.protects, table.underlying.upper(), strike, at, size)
