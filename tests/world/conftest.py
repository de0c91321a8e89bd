"""One world for the session, back on the same snapshot for each test; and a settled folder of settings to run in it.

No __init__.py in these folders: test modules are told apart by their names.
"""

import copy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from sandbox.world import World

sys.path.insert(0, str(Path(__file__).parents[1]))  # for tests/proxy.py

from proxy import RpcProxy
from scenes import Scene


@pytest.fixture(scope="session")
def running() -> Iterator[World]:
    with World.start() as world:
        yield world


@pytest.fixture
def world(running: World) -> Iterator[World]:
    structlog.reset_defaults()  # a command of another test may have sent the log elsewhere
    snapshot, known = running.snapshot(), copy.deepcopy(running.addresses)
    yield running
    running.rpc("evm_setAutomine", True)
    running.revert(snapshot)
    running.addresses.clear()
    running.addresses.update(known)  # a test may have put one in another's place
    running.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**8))
    running.set_timestamp_interval(12)


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Scene:
    """An owner who signs; nothing is open yet. Logging is as new: a command before may have sent it elsewhere."""
    structlog.reset_defaults()
    return Scene(world, tmp_path)


@pytest.fixture
def proxy(world: World) -> Iterator[RpcProxy]:
    with RpcProxy(world.url) as running:
        yield running
