"""Calls on paper: they say in plain text what they do, and are read again by who judges them."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson

from keeper.core.units import Address, Wei
from keeper.venues.codec.abi import address
from keeper.venues.effects import Call

POOL, ROUTER, MULTICALL, LENDER, HAND = (address("0x" + byte * 20) for byte in ("a1", "b2", "ca", "f1", "f2"))
TABLE, EXCHANGE, LENDERS = "paper", "exchange", "lender"
"""The tables of market, exchange and lender, as positions, routes and loans name them."""


def asset_of(symbol: str) -> Address:
    """Return the address that stands for an asset on paper."""
    return address("0x" + symbol.encode().hex()[:40].rjust(40, "0"))


def receipt_of(asset: Address) -> Address:
    """Return the address that stands for a supply of an asset."""
    return address(f"0x{int(asset, 16) ^ (0xAA << 152):040x}")


def encoded(contract: Address, purpose: str, **what: object) -> Call:
    """Return a call that says what it does."""
    return Call(contract, orjson.dumps(what), Wei(0), purpose)


def written(amount: int | None) -> str | None:
    """Return an amount as a call has it; None is all there is."""
    return None if amount is None else str(amount)  # amounts are larger than what JSON's numbers hold


def nothing(of: object) -> NoReturn:
    """Nobody asks this on paper: a play that does is wrong."""
    raise NotImplementedError(f"nobody asks this on paper: {of}")


def said(call: Call) -> tuple[dict[str, Any], Address, int | None]:
    """Return what a call says, of which asset, and how much. Raises ValueError."""
    try:
        found = orjson.loads(call.data)
        amount = found.get("amount")
        return found, Address(found["asset"]), None if amount is None else int(amount)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{call.purpose}: cannot be read") from error
