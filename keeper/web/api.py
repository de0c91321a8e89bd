"""``/api``: what the page shows, as plain data under OpenAPI; ``/healthz`` and ``/readyz`` for who watches it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from keeper.journal import JournalError
from keeper.web.controls import ControlError, OrderAsked, PauseAsked, change, order
from keeper.web.door import Access
from keeper.web.sight import Onlooker
from keeper.web.stands import DRY_RUN, LIVE

Data = dict[str, Any]
T = TypeVar("T")
MOST_ROWS = 200
MOST_HOURS = 90 * 24
Name = Annotated[str, Query(max_length=200, description="A position or book, by its name in the settings.")]
ChainName = Annotated[str, Query(max_length=100, description="The network's name.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many, newest first.")]


Hours = Annotated[int, Query(ge=1, le=MOST_HOURS, description="How far back.")]
ControlToken = Annotated[str | None, Header(alias="X-Control-Token", max_length=512)]
BEARER = HTTPBearer(auto_error=False, description="The page's token.")


class Fault(BaseModel):
    """Why there is no answer."""

    detail: str


class Stands(BaseModel):
    """How the keeper of one chain stands."""

    chain: str
    state: Literal["live", "dry_run", "blind", "silent", "unseen"]
    block: int | None
    age_s: int | None


class FigureAt(BaseModel):
    """A figure at a time: Wad, as decimal text."""

    at: int
    value: str


class PauseWanted(BaseModel):
    """A pause, or its end."""

    model_config = ConfigDict(extra="forbid")
    chain: str = Field(max_length=100)
    action: Literal["pause", "resume"]
    kind: Literal["all", "rule", "position"]
    name: str = Field(default="", max_length=200)
    for_: str = Field(
        default="", alias="for", max_length=20, description='How long, like "2h"; left out: until resumed.'
    )


class PanicWanted(BaseModel):
    """What `keeper panic NAME --live` orders, its name once more to confirm; or that what is ordered is called off."""

    model_config = ConfigDict(extra="forbid")
    chain: str = Field(max_length=100)
    action: Literal["panic", "call_off"]
    name: str = Field(default="", max_length=200)
    confirm: str = Field(default="", max_length=200)


class Ordered(BaseModel):
    """What is ordered and not done."""

    positions: list[str]
    since: int


_PLAIN = {"text/plain": {"schema": {"type": "string"}}}
REFUSED: dict[int | str, dict[str, Any]] = {
    413: {"content": _PLAIN, "description": "The body is too large."},
    414: {"content": _PLAIN, "description": "The address is too long."},
    421: {"content": _PLAIN, "description": "The host is not one of this machine's names."},
    401: {"model": Fault, "description": "The token is missing or wrong."},
    404: {"model": Fault, "description": "There is no such chain, position or book."},
    503: {"model": Fault, "description": "The journal cannot be read now."},
}
CHANGE_REFUSED: dict[int | str, dict[str, Any]] = {
    **REFUSED,
    403: {"model": Fault, "description": "The second token is missing, wrong, or not set up."},
}


PANIC_REFUSED: dict[int | str, dict[str, Any]] = {
    **CHANGE_REFUSED,
    409: {"model": Fault, "description": "It is not declared, not confirmed, or no live keeper runs."},
}


def router(sights: Sequence[Onlooker], access: Access, openapi: Callable[[], Data]) -> APIRouter:
    """Return the routes of the interface."""
    routes, of = APIRouter(), _Api(sights, access, openapi)
    silent: dict[int | str, dict[str, Any]] = {503: {"model": list[Stands], "description": "Not all judge blocks."}}
    routes.add_api_route("/healthz", of.healthz, tags=["watch"])
    routes.add_api_route("/readyz", of.readyz, tags=["watch"], responses=silent)
    api = APIRouter(
        prefix="/api", tags=["look"], dependencies=[Depends(of.lets_in), Depends(BEARER)], responses=REFUSED
    )
    for path, endpoint in (
        ("/chains", of.chains),
        ("/glance", of.glance),
        ("/history", of.history),
        ("/decisions", of.decisions),
        ("/transactions", of.transactions),
    ):
        api.add_api_route(path, endpoint)
    api.add_api_route("/control", of.control, methods=["POST"], tags=["change"], responses=CHANGE_REFUSED)
    api.add_api_route("/panic", of.panic, methods=["POST"], tags=["change"], responses=PANIC_REFUSED)
    api.add_api_route("/openapi.json", of.described, include_in_schema=False)
    routes.include_router(api)
    return routes


@dataclass(frozen=True, slots=True)
class _Api:
    sights: Sequence[Onlooker]
    access: Access
    openapi: Callable[[], Data]

    def lets_in(self, request: Request) -> None:
        if not self.access.may_look(request):
            raise HTTPException(401, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"})

    async def healthz(self) -> dict[str, str]:
        """Say that the page itself is there; it says nothing of the keeper."""
        return {"status": "ok"}

    async def readyz(self, response: Response) -> list[Stands]:
        """Say whether the keeper of every chain judged a block lately: 200 if so, else 503."""
        stand = [await _stands(sight) for sight in self.sights]
        response.status_code = 200 if all(one.state in (LIVE, DRY_RUN) for one in stand) else 503
        return stand

    async def chains(self) -> list[Stands]:
        """How the keeper of each chain stands."""
        return [await _stands(sight) for sight in self.sights]

    async def glance(self, chain: ChainName) -> Data:
        """Everything to be seen at once: the newest view, limits, pauses, decisions, transactions."""
        return await self._of(chain).glance()

    async def history(self, chain: ChainName, name: Name, hours: Hours = 24) -> list[FigureAt]:
        """How a position's or book's figure went: health factor, margin ratio or delta."""
        found = await _read(self._of(chain, name).history(name, hours * 3600))
        return [FigureAt(at=one.at, value=str(one.value)) for one in found]

    async def decisions(self, chain: ChainName, name: Name | None = None, limit: Limit = 20) -> list[Data]:
        """What was decided, newest first."""
        return await _read(self._of(chain, name).decisions(name, limit))

    async def transactions(self, chain: ChainName, limit: Limit = 20) -> list[Data]:
        """What was signed, newest first."""
        return await _read(self._of(chain).transactions(limit))

    async def control(self, request: Request, wanted: PauseWanted, control_token: ControlToken = None) -> list[Data]:
        """Pause or resume, as `keeper pause` does; returns the pauses there are now. Needs the second token."""
        if refused := await self.access.control_refusal(request, control_token):
            raise HTTPException(*refused)
        sight = self._of(wanted.chain)
        try:
            await change(sight, PauseAsked.of(wanted.model_dump(by_alias=True)))
        except ControlError as error:
            raise HTTPException(404, str(error)) from None
        except JournalError as error:
            raise HTTPException(503, str(error)) from None
        paused: list[Data] = (await sight.glance())["paused"]
        return paused

    async def panic(self, request: Request, wanted: PanicWanted, control_token: ControlToken = None) -> Ordered:
        """Order what `keeper panic` does of a live keeper, or call it off. Needs the second token."""
        if refused := await self.access.control_refusal(request, control_token):
            raise HTTPException(*refused)
        sight = self._of(wanted.chain)
        try:
            found = await order(sight, OrderAsked.of(wanted.model_dump()))
        except ControlError as error:
            raise HTTPException(409, str(error)) from None
        except JournalError as error:
            raise HTTPException(503, str(error)) from None
        return Ordered(positions=list(found.positions), since=found.since)

    async def described(self) -> JSONResponse:
        return JSONResponse(self.openapi())

    def _of(self, chain: str, name: str | None = None) -> Onlooker:
        found = next((s for s in self.sights if s.name == chain), None)
        if found is None or (name is not None and not found.knows(name)):
            raise HTTPException(404, "there is no such chain, position or book in the settings")
        return found


async def _stands(sight: Onlooker) -> Stands:
    glance = await sight.glance()
    block = glance["view"]["block"]["number"] if glance["view"] else None
    return Stands(chain=sight.name, state=glance["state"], block=block, age_s=glance["age_s"])


async def _read(work: Awaitable[T]) -> T:
    try:
        return await work
    except JournalError as error:
        raise HTTPException(503, str(error)) from None
