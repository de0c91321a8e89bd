"""Which tests are slow is seen from what they ask for, so that `make unit` starts neither a chain nor a server."""

from collections.abc import Iterator

import hypothesis
import pytest
import structlog

hypothesis.settings.register_profile("keeper", deadline=None)  # no timed test: machines are loaded
hypothesis.settings.load_profile("keeper")

CHAINS = frozenset({"world", "running", "running_world"})
SERVERS = frozenset({"postgresql"})


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a chain or a server, whether or not its author did."""
    for item in items:
        wanted = set(getattr(item, "fixturenames", ()))
        if wanted & CHAINS:
            item.add_marker(pytest.mark.world)
        if wanted & SERVERS:
            item.add_marker(pytest.mark.server)


@pytest.fixture(autouse=True)
def log_as_at_first() -> Iterator[None]:
    """A command that ran in this process set up the log to a screen that is closed by now."""
    yield
    structlog.reset_defaults()
