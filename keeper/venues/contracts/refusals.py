"""Refusals that are no reverts: contracts of the Compound v2 family answer with a code, log it, and succeed.

Such a transaction is mined with status 1 and has moved nothing. Source: ``ErrorReporter``.
"""

from __future__ import annotations

from typing import Any

from keeper.venues.codec.hashes import keccak
from keeper.venues.codec.quantities import octets

FAILURE = "0x" + keccak(text="Failure(uint256,uint256,uint256)").hex()
WORDS = (
    "no error", "unauthorised", "bad input", "the comptroller refuses", "the comptroller cannot reckon",
    "the rate model fails", "not this pair of accounts", "not this amount to close", "not this collateral factor",
    "arithmetic", "interest is not accrued", "the market is not listed", "too little is approved",
    "the balance is too small", "the market has too little cash", "the token was not paid in",
    "the token was not paid out",
)  # fmt: skip
"""A token's words for its errors; a comptroller has others, so the number stands beside them."""


def refusal(logs: object, emitter: str | None = None) -> str | None:
    """Return what was refused, by the first such log (of one contract, where it is named); None where nothing was."""
    wanted = None if emitter is None else emitter.lower()
    for log in logs if isinstance(logs, list) else ():
        if (found := _refused(log, wanted)) is not None:
            return found
    return None


def _refused(log: Any, emitter: str | None) -> str | None:
    try:
        (topic,) = log["topics"]
        data, at = octets(log["data"]), str(log["address"]).lower()
    except (KeyError, TypeError, ValueError):
        return None
    if str(topic).lower() != FAILURE or len(data) != 96 or emitter not in (None, at):
        return None
    error, info, detail = (int.from_bytes(data[i : i + 32], "big") for i in (0, 32, 64))
    if not error:
        return None
    words = WORDS[error] if error < len(WORDS) else "an unknown error"
    return f"refused without a revert: {words} (error {error}, info {info}, detail {detail})"
