"""The pages: all at a glance, one position or book, the lock, what may be changed, and events that say: look again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from keeper.journal import JournalError
from keeper.web.controls import PANICS, ControlError, OrderAsked, PauseAsked, change, order
from keeper.web.door import Access
from keeper.web.drawn import RANGES, drawn, drawn_page
from keeper.web.sight import Onlooker
from keeper.web.templates import page

MOST_LISTENERS = 24
REMEMBERED_S = 30 * 86_400
LOOK_S = 1.0
"""How often it is looked whether there is something new."""
ALIVE_S = 10.0
"""A line at least this often, so that a browser knows that the line is there."""
LONGEST_S = 3600.0
"""After this a browser asks anew."""


def router(sights: Sequence[Onlooker], access: Access, is_over: Callable[[], bool]) -> APIRouter:
    """Return the routes of the pages."""
    routes, pages = APIRouter(include_in_schema=False), _Pages(sights, access, is_over)
    for path, method, endpoint in (
        ("/enter", "GET", pages.enter),
        ("/enter", "POST", pages.enter_by_hand),
        ("/", "GET", pages.everything),
        ("/position", "GET", pages.one),
        ("/control", "GET", pages.control),
        ("/control", "POST", pages.control_asked),
        ("/events", "GET", pages.events),
    ):
        routes.add_api_route(path, endpoint, methods=[method], response_model=None)
    return routes


@dataclass(slots=True)
class _Pages:
    sights: Sequence[Onlooker]
    access: Access
    is_over: Callable[[], bool]
    listeners: set[object] = field(default_factory=set)

    async def enter(self, token: str = "") -> Response:
        if not self.access.look.is_same(token):
            return await _locked(wrong=bool(token))
        answer = page("entered.html")
        answer.set_cookie(self.access.cookie, token, max_age=REMEMBERED_S, httponly=True, samesite="strict")
        return answer

    async def enter_by_hand(self, request: Request) -> Response:
        return await self.enter((await _form(request)).get("token", "").strip())

    async def everything(self, request: Request) -> Response:
        if not self.access.may_look(request):
            return await _locked()
        return self._page("glance.html", request, chains=[await drawn_page(sight) for sight in self.sights])

    async def one(self, request: Request, chain: str = "", name: str = "", span: str = "24h") -> Response:
        if not self.access.may_look(request):
            return await _locked()
        sight = next((s for s in self.sights if s.name == chain and s.knows(name)), None)
        if sight is None or span not in RANGES:
            text = "There is no such position, book or span of time."
            return page("message.html", 404, title="Not here", text=text)
        return self._page("position.html", request, **await drawn(sight, name, span))

    async def control(self, request: Request) -> Response:
        return await self._control(request) if self.access.may_look(request) else await _locked()

    async def control_asked(self, request: Request) -> Response:
        if not self.access.may_look(request):
            return await _locked()
        form = await _form(request)
        if refused := await self.access.control_refusal(request, form.get("token")):
            return await self._control(request, refused[1], refused[0])
        try:
            sight = _meant(self.sights, form.get("chain", ""))
            if form.get("action") in PANICS:
                await order(sight, OrderAsked.of(form))
            else:
                await change(sight, PauseAsked.of(form))
        except (ControlError, JournalError) as error:
            return await self._control(request, str(error), 422)
        return RedirectResponse("/control", 303)

    async def events(self, request: Request) -> Response:
        if not self.access.may_look(request):
            return Response("", 401)
        if len(self.listeners) >= MOST_LISTENERS:
            return Response("too many listen", 503)
        return StreamingResponse(_told(self.sights, self.listeners, self.is_over), media_type="text/event-stream")

    async def _control(self, request: Request, refused: str = "", status: int = 200) -> HTMLResponse:
        chains = [await drawn_page(sight) for sight in self.sights]
        named = [(s.name, s.settings.subject_names, s.settings.rule_names, s.ways_out) for s in self.sights]
        return self._page("control.html", request, status, chains=chains, named=named, refused=refused)

    def _page(self, template: str, request: Request, status: int = 200, **given: Any) -> HTMLResponse:
        can_change = self.access.control is not None
        return page(template, status, can_change=can_change, path=request.url.path, **given)


async def _told(sights: Sequence[Onlooker], listeners: set[object], is_over: Callable[[], bool]) -> AsyncIterator[str]:
    """Yield a line whenever there is something new to see, and one now and then that says the line is there."""
    me, seen, quiet_s, passed_s = object(), None, 0.0, 0.0
    listeners.add(me)
    try:
        yield "retry: 3000\n\n"
        while passed_s < LONGEST_S and not is_over():
            now = [await sight.mark() for sight in sights]
            if now != seen or quiet_s >= ALIVE_S:
                yield f"event: {'seen' if now != seen else 'alive'}\ndata: {json.dumps(len(sights))}\n\n"
                seen, quiet_s = now, 0.0
            await asyncio.sleep(LOOK_S)
            quiet_s, passed_s = quiet_s + LOOK_S, passed_s + LOOK_S
    finally:
        listeners.discard(me)


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, max_num_fields=20, keep_blank_values=True)) if body.count("&") < 20 else {}


async def _locked(*, wrong: bool = False) -> HTMLResponse:
    if wrong:
        await asyncio.sleep(0.4)
    return page("locked.html", 401, wrong=wrong)


def _meant(sights: Sequence[Onlooker], chain: str) -> Onlooker:
    found = next((s for s in sights if s.name == chain), None)
    if found is None:
        raise ControlError(f"there is no chain {chain[:60]!r} here")
    return found
