"""Tables of a network file about venues and exchanges: what keys each has is in the registry, and only there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from keeper.core.units import Address
from keeper.settings.fields import AddressField, Text, Whole
from keeper.settings.perp_schema import Table
from keeper.venues.ports import VenueTable
from keeper.venues.registry import EXCHANGES, LENDERS, VENUES, Form, Key, keys_of

MOST_BPS = 1_000
"""A tenth: a share beyond it is a mistake."""
_FeeTiers = tuple[Annotated[Whole, Field(ge=1, lt=1_000_000)], ...]


def _field(key: Key) -> Any:
    match key.form:
        case Form.ADDRESS:
            return (AddressField, ...) if key.is_needed else (AddressField | None, None)
        case Form.MARKETS:
            return (dict[str, AddressField], Field(default_factory=dict))
        case Form.TOKENS:
            return (dict[str, list[AddressField]], Field(default_factory=dict))
        case Form.FEE_TIERS:
            return (_FeeTiers, key.usual)
        case Form.BLOCK:
            return (Annotated[Whole, Field(ge=0, lt=2**63)], key.usual[0])
        case Form.BPS:
            return (Annotated[Whole, Field(ge=0, le=MOST_BPS)], key.usual[0])


@cache
def _table(venue: str) -> type[Table]:
    fields: dict[str, Any] = {key.name: _field(key) for key in keys_of(venue)}
    return create_model(f"{venue}Table", __base__=Table, **fields)


TABLES: Mapping[str, type[Table]] = {venue: _table(venue) for venue in (*VENUES, *EXCHANGES, *LENDERS)}
"""The table of each venue, exchange and lender, called as it is."""


class MarketsTable(BaseModel):
    """[markets.NAME]: one more lending market, perpetual venue or exchange; ``venue`` says of which protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    venue: Text
    table: Table

    @model_validator(mode="before")
    @classmethod
    def _is_one_of_a_venue(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("venue"), str):
            return value
        venue = value["venue"]
        known = (*VENUES, *EXCHANGES, *LENDERS)  # as they are when the file is read
        if venue not in known:
            raise ValueError(f"venue: {venue!r} is no venue and no exchange; known: {', '.join(known)}")
        keys = keys_of(venue)
        given, names = {k: v for k, v in value.items() if k != "venue"}, [key.name for key in keys]
        for name in given:
            if name not in names:
                raise ValueError(f"{name}: is not a key of a {venue} market; known: {', '.join(names)}")
        for key in keys:
            if key.form is Form.ADDRESS and key.is_needed and key.name not in given:
                raise ValueError(f"{key.name}: is missing")
        return {"venue": venue, "table": _checked(venue, given)}


def _checked(venue: str, given: Mapping[str, Any]) -> Table:
    try:
        return _table(venue).model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None


def as_table(name: str, venue: str, table: Table) -> VenueTable:
    """Return a checked table as the rest of the program knows it: names of markets and tokens in capitals."""
    found, markets, names = dict[str, Address](), dict[str, Address](), dict[Address, str]()
    numbers = dict[str, tuple[int, ...]]()
    for key in keys_of(venue):
        value = getattr(table, key.name)
        match key.form:
            case Form.ADDRESS:
                found |= {key.name: value} if value is not None else {}
            case Form.MARKETS:
                markets |= {called.upper(): market for called, market in value.items()}
            case Form.TOKENS:
                names |= {token: called.upper() for called, tokens in value.items() for token in tokens}
            case Form.FEE_TIERS:
                numbers[key.name] = value
            case Form.BLOCK | Form.BPS:
                numbers[key.name] = (value,)
    return VenueTable(name, venue, found, markets, names, numbers)
