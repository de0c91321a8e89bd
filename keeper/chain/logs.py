"""Logs over many blocks, in pages that a node takes: halved where it refuses, learned for each node, never half given.

A node bounds eth_getLogs by blocks, by logs and by bytes, and says so in many ways. What it refused is asked for in
halves, and pages are no larger than that from then on. An answer is all the logs of the range or an error: what is
missing from a part of them proves nothing. A long range that takes more requests than one turn may have goes on from
where it came to when it is asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from keeper.chain.client import Upstream
from keeper.chain.errors import NodeAwayError, NodeBusyError, NodeRefusedError, OversizedError
from keeper.chain.pushes import as_log
from keeper.venues.codec.quantities import quantity

PAGE: Final = 10_000
"""Blocks that are asked for at once at most: what large providers grant."""
BUSY_PAGE: Final = 500
"""Blocks at once that a node is asked for however busy it says it is."""
MOST_LOGS: Final = 10_000
"""Logs of one page; more are asked for in smaller ones."""
MOST_KEPT: Final = 50_000
"""Logs of one range. Whoever floods a contract with more is not followed to the end."""
MOST_PAGES: Final = 64
"""Requests in one turn."""
SETTLED: Final = 64
"""Blocks below the newest that no reorg is believed to reach: what was read up to there is not read again."""
DARE_AFTER: Final = 32
"""Pages granted in a row after which larger ones are asked for again."""
REMEMBERED: Final = 64
"""Ranges whose beginnings are kept."""
_METHOD: Final = "eth_getLogs"

Logs = list[dict[str, Any]]


@dataclass(slots=True)
class _Scan:
    """How far a range was read, and what was found up to there."""

    begin: int
    found: Logs = field(default_factory=list)


class LogPages:
    """Asks a node for logs, and knows how many blocks it takes at once."""

    def __init__(self, node: Upstream) -> None:
        self._node = node
        self._pages = dict[str, int]()
        self._granted = dict[str, int]()
        self._scans = dict[str, _Scan]()

    def page(self, node: str) -> int:
        """Return how many blocks a node is asked for at once."""
        return self._pages.get(node, PAGE)

    async def all(self, begin: int, end: int, wanted: Mapping[str, Any]) -> Logs:
        """Return every log of blocks ``begin`` to ``end``, both included, in their order.

        Raises NodeError: when a node refuses a single block, or when the range takes more than one turn.
        """
        key = json.dumps([begin, dict(wanted)], sort_keys=True)
        scan = self._scans.pop(key, None) or _Scan(begin)
        self._scans[key] = scan  # the latest used is the last to be forgotten
        while len(self._scans) > REMEMBERED:
            del self._scans[next(iter(self._scans))]
        fresh, at, settled = Logs(), scan.begin, end - SETTLED
        for _ in range(MOST_PAGES):
            if at > end:
                break
            until = min(end, at + self.page(self._node.name) - 1)
            page = await self._page(at, until, wanted)
            if page is None:
                continue
            # what is settled is kept; what is newer is read anew the next time
            scan.found += [log for log in page if quantity(log["blockNumber"]) <= settled]
            fresh += [log for log in page if quantity(log["blockNumber"]) > settled]
            scan.begin = max(scan.begin, min(until, settled) + 1)
            at = until + 1
            if len(scan.found) + len(fresh) > MOST_KEPT:
                raise NodeAwayError(self._node.name, _METHOD, f"more than {MOST_KEPT} logs since block {begin}")
        if at > end:
            return [*scan.found, *fresh]
        raise NodeAwayError(self._node.name, _METHOD, f"read up to block {at - 1} of {end} so far; goes on from there")

    async def _page(self, begin: int, end: int, wanted: Mapping[str, Any]) -> Logs | None:
        """Return one page; None when it is to be asked for in smaller ones, as was learned now."""
        asked = {"fromBlock": hex(begin), "toBlock": hex(end), **wanted}
        try:
            found = await self._node.ask(_reader(begin, end, wanted), _METHOD, asked)
        except NodeBusyError as error:  # it may mean the range: less is asked for when it is asked again
            self._learn(error.node, max(BUSY_PAGE, (end - begin + 1) // 2))
            raise
        except NodeRefusedError as error:
            if begin == end or error.is_final:
                raise
            self._learn(error.node, (end - begin + 1) // 2)
            return None
        self._grow(self._node.name)
        return found

    def _learn(self, refused_by: str, most: int) -> None:
        """Ask for less at once of who refused; with several nodes another may have been asked than is named now."""
        for name in {refused_by, self._node.name}:
            self._pages[name] = max(1, min(self.page(name), most))
            self._granted[name] = 0

    def _grow(self, node: str) -> None:
        """Dare twice as much after many pages in a row: it may have been a crowded stretch that was refused."""
        granted = self._granted[node] = self._granted.get(node, 0) + 1
        if granted >= DARE_AFTER and self.page(node) < PAGE:
            self._pages[node], self._granted[node] = min(PAGE, 2 * self.page(node)), 0


def _reader(begin: int, end: int, wanted: Mapping[str, Any]) -> Callable[[str, Any], Logs]:
    """Return what reads an answer: logs of the blocks and contracts that were asked for, and no more than a page's."""
    named = wanted.get("address", ())
    addresses = {a.lower() for a in ([named] if isinstance(named, str) else named)}

    def decode(name: str, found: Any) -> Logs:
        if not isinstance(found, list):
            raise NodeAwayError(name, _METHOD, "the answer is no list of logs")
        if len(found) > MOST_LOGS and begin < end:
            raise OversizedError(name, _METHOD, 0, f"more than {MOST_LOGS} logs", None)
        try:
            logs = [as_log(raw) for raw in found]
        except ValueError as error:
            raise NodeAwayError(name, _METHOD, str(error)) from None
        for log in logs:
            is_ours = not addresses or log.address.lower() in addresses
            if log.removed or not (is_ours and begin <= log.block_number <= end and log.transaction_hash):
                raise NodeAwayError(name, _METHOD, f"a log of block {log.block_number} that was not asked for")
        return found

    return decode
