"""Which block a request is about: a node that does not have it need not be asked."""

from __future__ import annotations

from typing import Any

_KEPT = 512
_PLACE = {"eth_getBlockByNumber": 0}  # of the block among the parameters; second in all others


class Pins:
    """The numbers of the block hashes that were handed out."""

    def __init__(self) -> None:
        self._numbers = dict[str, int]()

    def add(self, hash_: str, number: int) -> None:
        """Remember a block, and forget the oldest."""
        self._numbers[hash_] = number
        if len(self._numbers) > _KEPT:
            del self._numbers[next(iter(self._numbers))]

    def of(self, method: str, params: tuple[Any, ...]) -> tuple[int, str | None]:
        """Return the number and, where it is named, the hash of a request's block; zero when any node will do."""
        hash_ = params[0] if method == "eth_getBlockByHash" and params else None
        for param in params:
            if isinstance(param, dict):
                hash_ = param.get("blockHash", hash_)
        if isinstance(hash_, str):
            return self._numbers.get(hash_, 0), hash_
        place = _PLACE.get(method, 1)
        named = params[place] if len(params) > place else None
        if isinstance(named, str) and named.startswith("0x") and len(named) <= len("0x") + 16:
            return int(named, 16), None
        return 0, None
