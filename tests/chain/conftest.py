"""A bench of servers and nodes, cleared away after each test."""

from collections.abc import AsyncIterator

import pytest
from rpc_server import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()
