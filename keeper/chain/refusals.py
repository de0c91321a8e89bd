"""What a node means by a JSON-RPC error. Clients and providers differ in codes and words, and invent new ones.

So nothing rests on knowing them all: an error of a read is worth asking another node, unless it is certainly about the
call itself (a revert with its data, parameters that make no sense). What is recognised by its words only adds to that:
that the block may come (ask again), that the node has had enough (wait), that less at a time may go (split).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from keeper.chain.errors import (
    BlockMissingError,
    MethodMissingError,
    NodeBusyError,
    NodeError,
    NodeRefusedError,
    TooBigError,
)
from keeper.chain.retry_after import TOO_MANY
from keeper.venues.codec.quantities import plain

_CODE: Final = re.compile(r"-?[0-9]{1,6}")
_REVERTED: Final = 3
_SELECTOR: Final = len("0x") + 8  # the least data of a revert that says something
_WORD: Final = 64  # digits of one argument of it
_INVALID_PARAMS: Final = -32602
_INVALID_CALLS: Final = range(-38025, -38009)
"""eth_simulateV1 on what is simulated: no funds, no such nonce, a fee below the base fee."""
_BUSY_CODES: Final = (TOO_MANY, -32005, -32605)
_NO_METHOD_CODES: Final = (-32601, -32604)

_NO_BLOCK: Final = (
    "header not found",
    "header for hash not found",
    "not currently canonical",
    "unknown block",
    "block not found",
    "unknown header",
    "could not find block",
    "cannot find block",
    "can't find block",
    "missing block",
    "no block",
    "block is not available",
    "block not available",
    "missing trie node",
    "missingtrienode",
    "state is not available",
    "state not available",
    "state unavailable",
    "no state available",
    "no state found",
    "state not found",
    "historical state",
    "after last accepted block",
    "unfinalized data",
    "blockoutofrange",
    "block is out of range",
    "beyond current head",
    "block number is in the future",
    "future block",
    "invalid block tag",
    "trie node not found",
    "could not retrieve header",
    "failed to get state",
    "layer stale",
    "snapshot stale",
    "node is behind",
    "node is not synced",
    "incorrect head block",
    "resource not found",
)
_NO_BLOCK_PATTERN: Final = re.compile(
    r"(\b(?:block|header|state)\b|0x[0-9a-f]{64})[^.;]{0,90}"
    r"((?:could not|cannot) be (?:found|resolved)|not found|does not exist|not executed|not resolved|is not available"
    r"|ahead of)"
)
_BUSY: Final = (
    "rate limit",
    "rate-limit",
    "ratelimit",
    "rate exceeded",
    "rate-limited",
    "too many request",
    "request limit",
    "requests limit",
    "request count exceeded",
    "requests per second",
    "requests per minute",
    "rps limit",
    "exceeded the rps",
    "over capacity",
    "capacity exceeded",
    "capacity limit",
    "compute units",
    "throughput",
    "throttl",
    "quota",
    "credits",
    "concurrent requests",
    "too busy",
    "server busy",
    "slow down",
    "backoff",
    "usage limit",
)
_TOO_BIG: Final = (
    "block range",
    "blocks range",
    "range is too",
    "range too",
    "ranges over",
    "range limit",
    "max results",
    "more than 10000 results",
    "query returned more",
    "response size",
    "response too large",
    "request too large",
    "entity too large",
    "body too large",
    "body is too large",
    "payload too large",
    "content length too large",
    "exceeds max size",
)
_RANGE_PATTERN: Final = re.compile(r"limited to (a |an )?[\d,.]+k?\b.{0,12}(block|range)")
_TOO_HEAVY: Final = (
    "out of gas",
    "outofgas",
    "memoryoog",
    "gas required exceeds",
    "exceeds block gas limit",
    "exceeds gas cap",
    "intrinsic gas too",
    "gas limit",
    "gas too",
    "gas uint64 overflow",
    "too large",
    "too big",
    "too long",
    "exceeds the limit",
    "exceeded max limit",
    "response size",
    "request size",
    "content length",
    "execution aborted",
    "execution timeout",
    "timed out",
    "execution reverted",  # Multicall3 lets every read fail: it reverts itself only for want of gas
)
_NO_METHOD: Final = (
    "method not found",
    "method not supported",
    "method is not",
    "unsupported method",
    "unknown method",
    "not whitelisted",
    "does not exist/is not available",
    "method not enabled",
    "method not allowed",
)
_NO_METHOD_PATTERN: Final = re.compile(
    r"(\bmethod\b.{0,60}|\beth_\w+ (is |does )?)not (found|supported|available|allowed|enabled|exist)"
)
_WAIT_PATTERN: Final = re.compile(
    r"(?:retry|again|wait)\D{0,20}?(?<![\d.])(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?)\b"
)


def refusal(node: str, method: str, error: Any, *, status: int = 200, after_s: float | None = None) -> NodeError:
    """Return a JSON-RPC error as one of ours. ``status`` and ``after_s`` (Retry-After) are those of its HTTP answer."""
    stated = error if isinstance(error, Mapping) else {"message": error}
    code = _code(stated.get("code"))
    message, raw = plain(str(stated.get("message", ""))), stated.get("data")
    data, words = _revert_data(raw), _words(message, raw)
    detail = f"error {code}: {message}"
    if not _reads(method):
        if status == TOO_MANY or _is_busy(code, words):
            return _busy(node, method, detail, words, raw, after_s)
        return NodeRefusedError(node, method, code, message, data)
    if _is_reverted(code, data, words):
        return NodeRefusedError(node, method, code, message, data, is_final=True)
    if _is_without_block(words):
        return BlockMissingError(node, method, detail)
    if status == TOO_MANY or any(text in words for text in _BUSY):
        return _busy(node, method, detail, words, raw, after_s)
    if any(text in words for text in _TOO_BIG) or _RANGE_PATTERN.search(words):
        return TooBigError(node, method, code, message, data)
    if code in _BUSY_CODES and not is_too_heavy(message):
        return _busy(node, method, detail, words, raw, after_s)
    if code in _NO_METHOD_CODES or any(text in words for text in _NO_METHOD) or _NO_METHOD_PATTERN.search(words):
        return MethodMissingError(node, method, code, message, data)
    is_final = (code == _INVALID_PARAMS or code in _INVALID_CALLS) and not is_too_heavy(message)
    return NodeRefusedError(node, method, code, message, data, is_final=is_final)


def _code(said: Any) -> int:
    """Return a code; some write it as text. Zero for anything else."""
    if isinstance(said, str) and _CODE.fullmatch(said):
        return int(said)
    return said if isinstance(said, int) else 0


def is_too_heavy(message: str) -> bool:
    """Return whether an eth_call was refused for what it takes: gas, bytes or time. Less at once may go."""
    return any(text in message.lower() for text in _TOO_HEAVY)


def wait_in(text: str, raw: Any = None) -> float | None:
    """Return the seconds a node asks us to wait, by its words or Infura's data; None when it says nothing."""
    rate = raw.get("rate") if isinstance(raw, Mapping) else None
    if isinstance(rate, Mapping) and (stated := _positive(rate.get("backoff_seconds"))):
        return stated
    found = _WAIT_PATTERN.search(text.lower())
    if found is None:
        return None
    unit = found[2]
    scale = 0.001 if unit.startswith(("ms", "milli")) else 60.0 if unit.startswith("m") else 1.0
    return float(found[1]) * scale


def _busy(node: str, method: str, detail: str, words: str, raw: Any, after_s: float | None) -> NodeBusyError:
    rate = raw.get("rate") if isinstance(raw, Mapping) else None
    allowed = _positive(rate.get("allowed_rps")) if isinstance(rate, Mapping) else None
    return NodeBusyError(node, method, detail, wait_in(words, raw) if after_s is None else after_s, allowed)


def _reads(method: str) -> bool:
    return not method.startswith("eth_send")


def _is_busy(code: int, words: str) -> bool:
    return any(text in words for text in _BUSY) or (code in _BUSY_CODES and "gas" not in words)


def _is_reverted(code: int, data: str | None, words: str) -> bool:
    """Return whether a call reverted: by code, or by bytes that are a revert's. Some put the block's hash there."""
    if code == _REVERTED:
        return True
    if data is None or len(data) < _SELECTOR or not data.startswith("0x"):
        return False
    return "revert" in words or (len(data) - _SELECTOR) % _WORD == 0


def _is_without_block(words: str) -> bool:
    return any(text in words for text in _NO_BLOCK) or _NO_BLOCK_PATTERN.search(words) is not None


def _words(message: str, raw: Any) -> str:
    """Return all a node says in words: some keep the message general, and name the cause in the data."""
    said = raw if isinstance(raw, str) and not raw.startswith("0x") else ""
    inner = " ".join(str(value)[:200] for value in list(raw.values())[:8]) if isinstance(raw, Mapping) else ""
    return f"{message} {said[:400]} {inner[:400]}".lower()


def _revert_data(raw: Any) -> str | None:
    """Return the bytes a revert came with, as 0x…; where a client puts them into words or a table, out of there."""
    if isinstance(raw, Mapping):
        raw = raw.get("data", raw.get("result"))
    if not isinstance(raw, str):
        return None
    return raw[len("Reverted ") :] if raw.startswith("Reverted 0x") else raw


def _positive(value: Any) -> float | None:
    try:
        stated = float(value)
    except (TypeError, ValueError):
        return None
    return stated if stated > 0 and math.isfinite(stated) else None
