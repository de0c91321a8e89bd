"""What in a node's address is nobody's business, taken out of whatever the node says: some quote a key back at us."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from keeper.chain.errors import NodeError, NodeRefusedError

LEAST: Final = 8
"""Characters from which on a part of an address may be a key."""


class Secrets:
    """The parts of an address that may be keys: user, password, path and query."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        found = [parts.username or "", parts.password or "", *parts.path.split("/")]
        found += [value for _, value in parse_qsl(parts.query)]
        spelled = {each for part in found for each in (part, unquote(part)) if len(each) >= LEAST}
        self._parts = sorted(spelled, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Secrets({len(self._parts)})"

    def hidden(self, text: str) -> str:
        """Return a text without them."""
        for part in self._parts:
            text = text.replace(part, "…")
        return text

    def hide(self, error: NodeError) -> None:
        """Take them out of an error, which may go to a log, the journal and an alarm."""
        if not self._parts:
            return
        error.detail = self.hidden(error.detail)
        error.args = tuple(self.hidden(str(a)) for a in error.args)
        if isinstance(error, NodeRefusedError):
            error.message = self.hidden(error.message)
