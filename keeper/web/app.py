"""The page's parts put together: chains to look at, who is let in, the routes, and the door in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from keeper.web import api, pages
from keeper.web.door import Access, Door
from keeper.web.sight import Onlooker
from keeper.web.templates import STATIC


def build(
    sights: Sequence[Onlooker], access: Access, is_over: Callable[[], bool] = lambda: False
) -> tuple[FastAPI, ASGIApp]:
    """Return the application, and the same behind its door: that is what is served.

    ``is_over`` says that it is to end: lines that are held open are let go of.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for sight in sights:
            await sight.close()

    app = FastAPI(
        title="position-keeper",
        summary="What a keeper sees, decided and did.",
        version="1",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # served below, to who may look
        lifespan=lifespan,
    )
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(api.router(sights, access, app.openapi))
    app.include_router(pages.router(sights, access, is_over))
    return app, Door(app, access)
