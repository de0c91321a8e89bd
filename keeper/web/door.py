"""Who is let in: asked by a name of this machine, with the token, and answered under headers that keep others out.

A page somewhere else can make a browser ask this one: by its own name for this address (DNS rebinding), in a frame, or
with a form. The host, the headers, the origin and the token in the request itself are what each of them fails by.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keeper.web.tokens import PageToken

OWN_NAMES = ("127.0.0.1", "localhost", "::1")
MOST_BODY = 8_192
"""Bytes of a request's body."""
MOST_PATH = 4_096
WRONG_S = 0.4
"""How long a wrong token is thought about: guessing is slow."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


@dataclass(frozen=True, slots=True)
class Access:
    """What lets in: the token to look; the second token to change something, where there is one; the names."""

    look: PageToken
    control: PageToken | None
    names: tuple[str, ...]
    port: int

    @property
    def cookie(self) -> str:
        """What the browser keeps the token under: cookies do not know ports, and a machine may have several keepers."""
        return f"keeper-{self.port}"

    def is_named(self, host: str | None) -> bool:
        """Return whether a Host header is a name of this machine's own; the port may be a tunnel's."""
        return _hostname(f"//{host}") in {*OWN_NAMES, *self.names} if host else False

    def may_look(self, request: Request) -> bool:
        """Return whether a request carries the token, as a cookie or as ``Authorization: Bearer``."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        bearer = given.strip() if scheme.lower() == "bearer" else None
        return self.look.is_same(bearer) or self.look.is_same(request.cookies.get(self.cookie))

    def is_from_here(self, request: Request) -> bool:
        """Return whether a request that changes something was made by this page, or by no browser at all."""
        site = request.headers.get("sec-fetch-site")
        if site is not None and site not in ("same-origin", "none"):
            return False
        origin = request.headers.get("origin")
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")

    async def control_refusal(self, request: Request, given: str | None) -> tuple[Literal[403], str] | None:
        """Return why nothing is changed; None where it may be. A wrong token is answered slowly."""
        if self.control is None:
            return 403, "Nothing can be changed from here: [web] control_token_file is not set."
        if not self.is_from_here(request):
            return 403, "This was not asked from the page itself."
        if not self.control.is_same(given):
            await asyncio.sleep(WRONG_S)
            return 403, "This is not the second token."
        return None


class Door:
    """The outermost layer: hosts, sizes and headers, whatever lies behind."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        if not self._access.is_named(headers.get("host")):
            return PlainTextResponse("This host is not known here; see [web] names.\n", 421)
        if len(scope["raw_path"] or b"") + len(scope["query_string"]) > MOST_PATH:
            return PlainTextResponse("The address is too long.\n", 414)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BODY or "transfer-encoding" in headers:
            return PlainTextResponse("The request is too large.\n", 413)
        return None


def _hostname(netloc: str) -> str | None:
    try:
        return urlsplit(netloc).hostname
    except ValueError:
        return None
