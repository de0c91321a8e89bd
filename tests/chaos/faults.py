"""Bad weather between keeper and node: which request suffers what is a function of the seed, not of the clock.

The i-th request of a class meets the same fate in every run of a seed; ``log`` says which did.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from proxy import Answer, Request, html, refuse, status

CLASSES = {
    "eth_chainId": "chain",
    "eth_getBlockByNumber": "head",
    "eth_sendRawTransaction": "send",
    "eth_getTransactionCount": "look",
    "eth_getTransactionReceipt": "look",
}
"""Methods by what they are for; all others only read."""
USUAL = ("delay", "drop_before", "drop_after", "duplicate", "reorder", "429", "503", "truncated", "not_json", "hang")
KINDS = {
    "chain": (*USUAL, "wrong_chain"),
    "head": (*USUAL, "stale", "stale"),
    "send": (*USUAL, "drop_after", "drop_after", "duplicate"),
    "look": (*USUAL, "stale", "stale"),
    "read": (*USUAL, "stale", "stale"),
}
RATES = (0.0, 0.03, 0.1, 0.3)
WAITS = {"delay": 0.3, "hang": 1.5}
HELD_S = 0.5


class Weather:
    """Goes ``around`` a proxy's requests. Calm until ``begin``, and again after ``end``."""

    def __init__(self, seed: int) -> None:
        dice = random.Random(f"weather {seed}")  # noqa: S311
        self.rates = {name: dice.choice(RATES) for name in KINDS}
        self.kinds = {name: dice.sample(kinds, 4) for name, kinds in KINDS.items()}
        self.lag = dice.randrange(1, 8)
        self.log: list[dict[str, Any]] = []
        self._seed = seed
        self._counts = Counter[str]()
        self._lock = threading.Lock()
        self._passed = threading.Condition()
        self._passing = 0
        self._is_bad = False
        self._began = time.monotonic()

    @property
    def injected(self) -> Counter[str]:
        """How often each fault was met."""
        return Counter(entry["kind"] for entry in self.log)

    def begin(self) -> None:
        self._is_bad = True

    def end(self) -> None:
        self._is_bad = False

    def __call__(self, request: Request, onward: Callable[[], Answer]) -> Answer:
        kind = self._fate(request["method"]) if self._is_bad else None
        try:
            return self._suffer(kind, request, onward) if kind else onward()
        finally:
            with self._passed:
                self._passing += 1
                self._passed.notify_all()

    def _fate(self, method: str) -> str | None:
        name = CLASSES.get(method, "read")
        with self._lock:
            self._counts[name] += 1
            number = self._counts[name]
        dice = random.Random(f"{self._seed} {name} {number}")  # noqa: S311
        if dice.random() >= self.rates[name]:
            return None
        kind = dice.choice(self.kinds[name])
        at = round(time.monotonic() - self._began, 3)
        self.log.append({"at": at, "class": name, "number": number, "method": method, "kind": kind})
        return kind

    def _suffer(self, kind: str, request: Request, onward: Callable[[], Answer]) -> Answer:
        if kind in INSTEAD:
            return INSTEAD[kind](request)
        if kind == "stale":
            return self._outdated(request, onward)
        if kind in WAITS:
            time.sleep(WAITS[kind])
        if kind == "reorder":
            self._let_another_pass()
        code, what, body = onward()
        if kind == "drop_after":
            return refuse(request)
        if kind == "duplicate":
            return onward()
        return code, what, body[: len(body) // 2] if kind == "truncated" else body

    def _let_another_pass(self) -> None:
        with self._passed:
            seen = self._passing
            self._passed.wait_for(lambda: self._passing > seen, HELD_S)

    def _outdated(self, request: Request, onward: Callable[[], Answer]) -> Answer:
        """Let the node answer from some blocks ago; a receipt is not there yet."""
        method, params = request["method"], request["params"]
        if method == "eth_getTransactionReceipt":
            return _answered(request, None)
        places = {"eth_getBlockByNumber": 0, "eth_getTransactionCount": 1, "eth_call": 1, "eth_getBalance": 1}
        if method not in places or len(params) <= places[method]:
            return onward()
        newest = json.loads(onward()[2] or b"{}").get("result") if method == "eth_getBlockByNumber" else None
        number = int(newest["number"], 16) if newest else self._head
        if newest:
            self._head = number
        params[places[method]] = hex(max(0, number - self.lag))
        return onward()

    _head = 0


INSTEAD: dict[str, Callable[[Request], Answer]] = {
    "drop_before": refuse,
    "429": status(429),
    "503": status(503),
    "not_json": html,
    "wrong_chain": lambda request: _answered(request, "0x1"),
}
"""What is answered though the node is never asked."""


def _answered(request: Request, result: Any) -> Answer:
    return 200, "application/json", json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()
