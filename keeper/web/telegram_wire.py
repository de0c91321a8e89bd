"""Telegram's Bot API, as far as a bot that answers needs it: messages in by long polling, texts out. No more.

The token is in every address that is called, so no address and no cause of an error goes anywhere.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

POLL_S: Final = 25
"""How long Telegram holds a question open where nothing was written."""
ANSWER_S: Final = 15.0
LARGEST: Final = 2_000_000
MOST_TEXT: Final = 4000
"""Telegram's own limit is 4,096 characters."""


class TelegramError(Exception):
    """Telegram did not answer, or refused: said without address or token. ``is_ours``: waiting mends nothing."""

    def __init__(self, said: str, *, is_ours: bool = False) -> None:
        super().__init__(said)
        self.is_ours = is_ours


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was written: where, by whom, when (seconds since 1970), and what."""

    update: int
    chat: int
    sender: int
    at: int
    text: str
    is_own: bool
    """Whether whoever sent it wrote it: not forwarded from elsewhere."""


class TelegramWire:
    """One bot's connection. Everything blocks: for a thread of its own."""

    def __init__(self, token: str, base: str) -> None:
        self._base = f"{base.rstrip('/')}/bot{token}/"
        self._opener = urllib.request.build_opener(_NoRedirects)

    def __repr__(self) -> str:
        return "TelegramWire(…)"

    def updates(self, after: int | None) -> tuple[int | None, list[Message]]:
        """Return what was written since, and what to ask after next. Raises TelegramError."""
        given: dict[str, Any] = {"timeout": POLL_S, "allowed_updates": ["message"], "limit": 50}
        found = self._call("getUpdates", given if after is None else given | {"offset": after}, POLL_S + ANSWER_S)
        listed = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        numbers = [one["update_id"] for one in listed if isinstance(one.get("update_id"), int)]
        messages = [made for one in listed if (made := _message(one)) is not None]
        return (max(numbers) + 1 if numbers else after), messages

    def say(self, chat: int, text: str) -> None:
        """Send a text as it is, with no markup in it. Raises TelegramError."""
        cut = text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
        self._call("sendMessage", {"chat_id": chat, "text": cut, "disable_web_page_preview": True}, ANSWER_S)

    def _call(self, method: str, given: dict[str, Any], timeout_s: float) -> Any:
        body = json.dumps(given).encode()
        request = urllib.request.Request(  # noqa: S310 - http(s) alone: the settings see to it
            self._base + method, body, {"Content-Type": "application/json"}
        )
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                found = json.loads(answer.read(LARGEST))
        except urllib.error.HTTPError as error:
            raise TelegramError(f"HTTP status {error.code}", is_ours=error.code in (401, 403, 404)) from None
        except (OSError, ValueError, RecursionError) as error:
            raise TelegramError(type(error).__name__) from None
        if not isinstance(found, dict) or found.get("ok") is not True:
            raise TelegramError("the answer cannot be understood")
        return found.get("result")


def _message(update: dict[str, Any]) -> Message | None:
    """Return an update's message; None for anything else: edited, of a channel, without a text or a sender."""
    message = update.get("message")
    try:
        of = dict(message or {})
        chat, sender = of["chat"]["id"], of["from"]["id"]
        number, at, text = update["update_id"], of["date"], of["text"]
    except (TypeError, KeyError, ValueError):
        return None
    if not all(isinstance(x, int) for x in (number, chat, sender, at)) or not isinstance(text, str):
        return None
    is_own = not any(key.startswith("forward") or key == "via_bot" for key in of)
    return Message(number, chat, sender, at, text[:500], is_own)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: the token would go along."""

    def redirect_request(self, *_: Any) -> None:
        """Return that a redirect is not followed."""
