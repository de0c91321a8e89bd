"""What the files say of perpetual venues and of books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keeper.settings.fields import AddressField, AssetName, Name, Number, Period, Text


class Table(BaseModel):
    """A table that knows its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PerpV2Table(Table):
    """[perp_v2]: everything else is asked of the clearing engine; markets are base tokens by underlying."""

    clearing_house: AddressField
    markets: dict[str, AddressField] = Field(default_factory=dict)


class GmxTable(Table):
    """[gmx_v2]; markets are market tokens by name, so that positions can name them; tokens by what they stand for."""

    data_store: AddressField
    reader: AddressField
    exchange_router: AddressField
    router: AddressField
    order_vault: AddressField
    event_emitter: AddressField
    referral_storage: AddressField
    order_handler: AddressField | None = None
    markets: dict[str, AddressField] = Field(default_factory=dict)
    tokens: dict[str, list[AddressField]] = Field(default_factory=dict)


class DeltaTable(Table):
    """when = { delta_outside = { underlying = "ETH", band = "0.5" } }."""

    underlying: Text
    band: Number

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if self.band < Decimal("1e-18"):
            raise ValueError("band: must be positive; it lies on both sides of zero")
        return self


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
