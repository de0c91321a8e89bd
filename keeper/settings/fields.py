"""The kinds of values a settings file holds, each with the message that helps."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from keeper.core.units import Address
from keeper.observe.alarm_address import is_understood, keeps_secrets
from keeper.venues.codec.hashes import has_mixed_case, is_hex_address, to_checksum_address

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_KEY = re.compile(r"(0[xX])?[0-9a-fA-F]{64}")
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_MOST_DIGITS = 28  # what decimal arithmetic carries without rounding
_MOST_SECONDS = Decimal(10 * 365 * 86400)
_MOST_SHOWN = 60
_MOST_IN_A_NAME = 80
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Kinds of characters that a line cannot show: they break it, or turn it round."""
DATABASES = ("sqlite", "postgresql", "postgres")


def as_address(value: Any) -> Address:
    """Return a checksummed address. Raises ValueError with the remedy."""
    if isinstance(value, int):
        raise ValueError('is a number: TOML reads an unquoted 0x… as an integer; put the address in quotes: "0x…"')
    if isinstance(value, str) and _KEY.fullmatch(value.strip()):
        raise ValueError(
            "is 32 bytes long, like a private key; an address has 40 hex digits, and keys never belong here"
        )
    if not isinstance(value, str) or not is_hex_address(value) or not value.startswith("0x"):
        raise ValueError(f"{_short(value)} is not an address: write 0x and 40 hex digits, in quotes")
    if has_mixed_case(value) and to_checksum_address(value) != value:
        raise ValueError(f"{value} fails its checksum: a character is wrong; copy it again")
    return Address(str(to_checksum_address(value)))


def as_account(value: Any) -> str:
    """Return a checksummed address, or a name of ENS as it is hashed. Raises ValueError with the remedy."""
    if not isinstance(value, str) or not is_name(value):
        return as_address(value)
    from keeper.venues.contracts.ens import normalised  # noqa: PLC0415 - for who has a name

    try:
        return normalised(value)
    except ValueError as error:
        raise ValueError(f"{_short(value)} is no name of ENS: {error}; write it anew, or the address itself") from None


def is_name(text: str) -> bool:
    """Return whether a text is meant as a name of ENS, and not as an address."""
    return "." in text


def is_address(text: str) -> bool:
    """Return whether a text is an address."""
    try:
        as_address(text)
    except ValueError:
        return False
    return True


def as_seconds(value: Any) -> Decimal:
    """Return a duration such as "10m" in seconds. Raises ValueError with the remedy."""
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(
            f'{_short(value)} is not a duration: write a number and a unit, like "90s", "10m", "1h" or "7d"'
        )
    seconds = Decimal(found[1]) * _SECONDS[found[2]]
    if seconds > _MOST_SECONDS:
        raise ValueError(f"{_short(value)} is longer than ten years")
    return seconds


def as_period(value: Any) -> Decimal:
    """Return a duration of which zero makes no sense, in seconds. Raises ValueError with the remedy."""
    seconds = as_seconds(value)
    if not seconds:
        raise ValueError(f"{value!r} must be longer than nothing; leave the key out for the usual value")
    return seconds


def as_decimal(value: Any) -> Decimal:
    """Return an exact decimal. Raises ValueError with the remedy."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f'{_short(value)} is not a number: write it in quotes, like "1.25"')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f'{_short(value)} is not a number: write it in quotes, like "1.25"') from None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS or len(number.as_tuple().digits) > _MOST_DIGITS:
        raise ValueError(f"{_short(value)} is not a usable number")
    return number


def as_whole(value: Any) -> int:
    """Return an integer. Raises ValueError with the remedy."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{_short(value)} is not a whole number: write it without quotes or a point")
    return value


def as_text(value: Any) -> str:
    """Return a text that is not empty. Raises ValueError with the remedy."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{_short(value)} is not a text: write something in quotes")
    unseen = next((c for c in value if unicodedata.category(c) in _UNSEEN), None)
    if unseen is not None:
        raise ValueError(
            f"has a character that cannot be seen (U+{ord(unseen):04X}): a line break or the like; take it out"
        )
    return value


def as_asset(value: Any) -> str:
    """Return an asset's symbol, or its checksummed address. Raises ValueError with the remedy."""
    text = as_text(value).strip()
    return str(as_address(text)) if text.lower().startswith("0x") else text


def as_name(value: Any) -> str:
    """Return what something is called: it stands in lines, in tables and in metrics. Raises ValueError."""
    name = as_text(value)
    if len(name) > _MOST_IN_A_NAME:
        raise ValueError(f"has {len(name)} characters; a name has {_MOST_IN_A_NAME} at most")
    return name


def as_url(value: Any) -> str:
    """Return the address of a node. Raises ValueError with the remedy, never with the address: it may carry a key."""
    try:
        parts = urlsplit(as_text(value).strip())
        usable = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        usable = False
    if not usable:
        raise ValueError("must be a node's address that begins with http(s):// or ws(s)://")
    return str(value).strip()


def as_journal_url(value: Any) -> str:
    """Return a journal's path or URL. Raises ValueError with the remedy, without the URL: it may carry a password."""
    text = as_text(value).strip()
    scheme, is_url, rest = text.partition("://")
    if not is_url:
        return text
    remedy = "write a path, sqlite:///path or postgresql://user@host/name"
    if scheme.partition("+")[0] not in DATABASES:
        raise ValueError(f"{_short(scheme + '://')} is not a database the journal can be kept in: {remedy}")
    try:
        is_sound = rest.strip("/") != "" if scheme.startswith("sqlite") else urlsplit(text).port != 0
    except ValueError:  # a port or an IPv6 address that is none
        is_sound = False
    if not is_sound or (scheme.startswith("sqlite") and not rest.startswith("/")):
        raise ValueError(f"is not a URL of that database: {remedy}")
    return text


def as_alarm_url(value: Any) -> str:
    """Return an address that alarms can go to. Raises ValueError with the remedy; of the address only how it begins."""
    text = as_text(value).strip()
    if not is_understood(text):
        scheme, is_url, _ = text.partition("://")
        what = f"{_short(scheme + '://')} …" if is_url else "is no URL, and"
        raise ValueError(
            f"{what} is not an address that alarms can go to: write one that Apprise understands, like "
            "mailtos://user:password@host or ntfys://host/topic"
        )
    return text


def as_heartbeat_url(value: Any) -> str:
    """Return the address of a dead-man's switch. Raises ValueError with the remedy, without it: it carries a key."""
    try:
        parts = urlsplit(as_text(value).strip())
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or keeps_secrets(parts.hostname or ""):
        raise ValueError("must be an address that begins with https:// or http://, of a service that watches for it")
    return str(value).strip()


def urls_in(text: str) -> list[str]:
    """Return the addresses of a variable that may hold several, separated by spaces or commas."""
    return text.replace(",", " ").split()


def _short(value: Any) -> str:
    text = f"{value!r}" if isinstance(value, str | int | float | Decimal) else f"a {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _text_like(pattern: str, *examples: str) -> WithJsonSchema:
    """Return how an editor checks a text of our own kind: the pattern is a first look, the validator the judge."""
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


_AS_DURATION = _text_like(r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)\s*$", "90s", "10m", "1h", "7d")
_AS_NUMBER = WithJsonSchema(
    {"anyOf": [{"type": "string", "pattern": r"^\s*[+-]?[._]*[0-9]"}, {"type": "number"}], "examples": ["1.25"]}
)
_AS_ADDRESS = _text_like("^0x[0-9a-fA-F]{40}$", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
_AS_ACCOUNT = _text_like(r"^(0x[0-9a-fA-F]{40}|.+\..+)$", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "name.eth")
_AS_ASSET = _text_like(r"\S", "WETH", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831")

AddressField = Annotated[Address, PlainValidator(as_address), _AS_ADDRESS]
AccountField = Annotated[str, PlainValidator(as_account), _AS_ACCOUNT]
"""An address, or a name of ENS, which ``service.names`` looks up."""
Seconds = Annotated[Decimal, PlainValidator(as_seconds), _AS_DURATION]
Period = Annotated[Decimal, PlainValidator(as_period), _AS_DURATION]
Number = Annotated[Decimal, PlainValidator(as_decimal), _AS_NUMBER]
Whole = Annotated[int, BeforeValidator(as_whole)]
Text = Annotated[str, BeforeValidator(as_text)]
AssetName = Annotated[str, PlainValidator(as_asset), _AS_ASSET]
"""A symbol, or an address: which is the only name of an asset that no other can have."""
Name = Annotated[str, BeforeValidator(as_name)]
AlarmUrl = Annotated[str, BeforeValidator(as_alarm_url)]
HeartbeatUrl = Annotated[str, BeforeValidator(as_heartbeat_url)]
JournalUrl = Annotated[str, BeforeValidator(as_journal_url)]
Url = Annotated[str, BeforeValidator(as_url)]
