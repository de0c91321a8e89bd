"""A page behind its door, asked without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from page_scene import LOOK

from keeper.web.app import build
from keeper.web.door import Access
from keeper.web.sight import Onlooker

BASE = "http://127.0.0.1:8520"
Asking = Callable[..., httpx.AsyncClient]


@pytest.fixture
def asking() -> Callable[..., object]:
    """Ask a page: with the token unless another is given."""

    @asynccontextmanager
    async def ask(
        access: Access, *sights: Onlooker, token: str | None = LOOK, base: str = BASE
    ) -> AsyncIterator[httpx.AsyncClient]:
        _, door = build(sights, access)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url=base, headers=headers) as client:
            try:
                yield client
            finally:
                for sight in sights:
                    await sight.close()

    return ask
