"""The kinds of values a settings file holds, each with the message that helps."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from eth_utils.address import is_checksum_formatted_address, is_hex_address, to_checksum_address
from pydantic import BeforeValidator, PlainValidator

from keeper.core.units import Address

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_MOST_DIGITS = 30


def as_address(value: Any) -> Address:
    """Return a checksummed address. Raises ValueError with the remedy."""
    if isinstance(value, int):
        raise ValueError('is a number: TOML reads an unquoted 0x… as an integer; put the address in quotes: "0x…"')
    if not isinstance(value, str) or not is_hex_address(value) or not value.startswith("0x"):
        raise ValueError(f"{value!r} is not an address: write 0x and 40 hex digits, in quotes")
    if is_checksum_formatted_address(value) and to_checksum_address(value) != value:
        raise ValueError(f"{value} fails its checksum: a character is wrong; copy it again")
    return Address(str(to_checksum_address(value)))


def as_seconds(value: Any) -> Decimal:
    """Return a duration such as "10m" in seconds. Raises ValueError with the remedy."""
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{value!r} is not a duration: write a number and a unit, like "90s", "10m", "1h" or "7d"')
    return Decimal(found[1]) * _SECONDS[found[2]]


def as_decimal(value: Any) -> Decimal:
    """Return an exact decimal. Raises ValueError with the remedy."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f'{value!r} is not a number: write it in quotes, like "1.25"')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f'{value!r} is not a number: write it in quotes, like "1.25"') from None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(f"{value!r} is not a usable number")
    return number


def as_whole(value: Any) -> int:
    """Return an integer. Raises ValueError with the remedy."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number: write it without quotes or a point")
    return value


def as_text(value: Any) -> str:
    """Return a text that is not empty. Raises ValueError with the remedy."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is not a text: write something in quotes")
    return value


AddressField = Annotated[Address, PlainValidator(as_address)]
Seconds = Annotated[Decimal, PlainValidator(as_seconds)]
Number = Annotated[Decimal, PlainValidator(as_decimal)]
Whole = Annotated[int, BeforeValidator(as_whole)]
Text = Annotated[str, BeforeValidator(as_text)]
