"""Which tests are slow is seen from what they ask for, so that `make unit` starts neither a chain nor a server.

`make unit` also tries fewer examples of each property (QUICK_EXAMPLES): the named ones, and the first that are drawn.
`make test` and `make mutate` try all.
"""

import os
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

hypothesis.settings.register_profile("keeper", deadline=None)  # no timed test: machines are loaded
hypothesis.settings.load_profile("keeper")

MOST_EXAMPLES = int(os.environ.get("QUICK_EXAMPLES", "0"))
DRAWN = "_hypothesis_internal_use_settings"
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
        if MOST_EXAMPLES:
            draw_fewer(item)


def draw_fewer(item: pytest.Item) -> None:
    """Bound the examples of a property; what is not one is left alone."""
    test = getattr(item, "obj", None)
    test = getattr(test, "__func__", test)
    usual = getattr(test, DRAWN, None) or hypothesis.settings.default
    if getattr(test, "is_hypothesis_test", False) and usual.max_examples > MOST_EXAMPLES:
        setattr(test, DRAWN, hypothesis.settings(usual, max_examples=MOST_EXAMPLES))


@pytest.fixture(autouse=True)
def log_as_at_first() -> Iterator[None]:
    """A command that ran in this process set up the log to a screen that is closed by now."""
    yield
    structlog.reset_defaults()
