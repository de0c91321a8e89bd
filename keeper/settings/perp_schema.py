"""What the files say of perpetual venues and of books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keeper.settings.fields import AssetName, Name, Number, Period, Text


class Table(BaseModel):
    """A table that knows its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class NakedTable(Table):
    """naked_budget = { size = "1", time = "10m" }: how much delta may stand outside its band, for how long."""

    size: Number = Decimal(1)
    time: Period = Decimal(600)

    @model_validator(mode="after")
    def _is_positive(self) -> Self:
        if self.size < Decimal("1e-18"):
            raise ValueError("size: must be positive")
        return self


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class BookTable(Table):
    """[[books]]: positions and wallets whose exposure is held together."""

    name: Name
    positions: tuple[Text, ...] = Field(min_length=1)
    hedge: tuple[Text, ...] = Field(min_length=1)
    wallets: tuple[Text, ...] = ()
    follows: dict[AssetName, Text] = {}
    unwind: Text | None = None
    naked_budget: NakedTable = NakedTable()

    @model_validator(mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if isinstance(value, dict) and "hedge" in value:
            return {**value, "hedge": _listed(value["hedge"])}
        return value
