"""One world for the whole session; each test begins on the same snapshot of it.

No __init__.py here: with one, `import sandbox` would find this folder instead of the real package.
"""

from collections.abc import Iterator

import pytest

from sandbox.world import World


@pytest.fixture(scope="session")
def running_world() -> Iterator[World]:
    with World.start() as world:
        yield world


@pytest.fixture
def world(running_world: World) -> Iterator[World]:
    snapshot = running_world.snapshot()
    yield running_world
    running_world.revert(snapshot)
    running_world.set_timestamp_interval(12)
