"""Where GMX v2 keeps its figures: keys of the DataStore, of positions and of event topics.

A base key is ``keccak256(abi.encode(NAME))``, what stands below it ``keccak256(abi.encode(base, arguments...))``: words
of 32 bytes, never packed (gmx-synthetics ``Keys`` and ``Position.getPositionKey``).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from keeper.core.units import Address
from keeper.venues.codec.hashes import keccak
from keeper.venues.codec.values import encode

_MARKET, _SIDE = "address", "bool"
_PER_MARKET, _PER_SIDE, _PER_TOKEN = (_MARKET,), (_MARKET, _SIDE), (_MARKET, "address")
_PER_TOKEN_AND_SIDE = (_MARKET, "address", _SIDE)

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "ACCOUNT_ORDER_LIST": ("address",),
    "ACCOUNT_POSITION_LIST": ("address",),
    "AUTO_CANCEL_ORDER_LIST": ("bytes32",),
    "CLAIMABLE_COLLATERAL_AMOUNT": (_MARKET, "address", "uint256", "address"),
    "CLAIMABLE_FUNDING_AMOUNT": (_MARKET, "address", "address"),
    "CLAIMABLE_FUNDING_AMOUNT_PER_SIZE": _PER_TOKEN_AND_SIDE,
    "CREATE_ORDER_FEATURE_DISABLED": ("address", "uint256"),
    "CUMULATIVE_BORROWING_FACTOR": _PER_SIDE,
    "CUMULATIVE_BORROWING_FACTOR_UPDATED_AT": _PER_SIDE,
    "FUNDING_FEE_AMOUNT_PER_SIZE": _PER_TOKEN_AND_SIDE,
    "FUNDING_UPDATED_AT": _PER_MARKET,
    "IS_MARKET_DISABLED": _PER_MARKET,
    "MAX_OPEN_INTEREST": _PER_SIDE,
    "MAX_PNL_FACTOR": ("bytes32", _MARKET, _SIDE),
    "MAX_POSITION_IMPACT_FACTOR": _PER_SIDE,
    "MAX_POSITION_IMPACT_FACTOR_FOR_LIQUIDATIONS": _PER_MARKET,
    "MIN_COLLATERAL_FACTOR": _PER_MARKET,
    "MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION": _PER_MARKET,
    "MIN_COLLATERAL_FACTOR_FOR_OPEN_INTEREST_MULTIPLIER": _PER_SIDE,
    "OPEN_INTEREST": _PER_TOKEN_AND_SIDE,
    "OPEN_INTEREST_IN_TOKENS": _PER_TOKEN_AND_SIDE,
    "POOL_AMOUNT": _PER_TOKEN,
    "POSITION_FEE_FACTOR": _PER_SIDE,
    "POSITION_IMPACT_EXPONENT_FACTOR": _PER_SIDE,
    "POSITION_IMPACT_FACTOR": _PER_SIDE,
    "POSITION_IMPACT_POOL_AMOUNT": _PER_MARKET,
    "PRICE_FEED": ("address",),
    "PRICE_FEED_HEARTBEAT_DURATION": ("address",),
    "PRICE_FEED_MULTIPLIER": ("address",),
    "SAVED_FUNDING_FACTOR_PER_SECOND": _PER_MARKET,
}
"""What stands below a base key, by name; every other key is a base key itself."""


@cache
def base_key(name: str) -> bytes:
    """Return a base key: ``base_key("MIN_COLLATERAL_USD")``."""
    return keccak(encode(["string"], [name]))


def key(name: str, *arguments: Any) -> bytes:
    """Return the key of a figure: ``key("POSITION_FEE_FACTOR", market, True)``. ValueError on other arguments."""
    types = ARGUMENTS.get(name, ())
    if len(types) != len(arguments):
        raise ValueError(f"{name} takes {len(types)} arguments, not {len(arguments)}")
    return derived(base_key(name), types, arguments)


def derived(base: bytes, types: tuple[str, ...], arguments: tuple[Any, ...]) -> bytes:
    """Return the key below a base key; the base key itself without arguments."""
    return keccak(encode(["bytes32", *types], [base, *arguments])) if types else base


def position_key(account: Address, market: Address, collateral: Address, *, is_long: bool) -> bytes:
    """Return the key of a position: there is one per account, market, collateral token and side."""
    return keccak(encode(["address", "address", "address", "bool"], [account, market, collateral, is_long]))


@cache
def topic(name: str) -> bytes:
    """Return the topic of an event by its name: ``topic("OrderExecuted")``."""
    return keccak(text=name)
