"""One JSON-RPC request as the bytes that go out."""

from __future__ import annotations

from typing import Any

import orjson


def encoded(id_: int, method: str, params: tuple[Any, ...]) -> bytes:
    """Return a request as JSON. Raises TypeError for what is none: numbers beyond 64 bits go as text in hexadecimal."""
    return orjson.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
