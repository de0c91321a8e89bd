"""A stage for each test, its log kept as lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))  # builders of positions

from owner_stage import Clock, Recorder, Stage

from keeper.observe.observer import Observer


@pytest.fixture
def stage() -> Iterator[Stage]:
    """One hour between repetitions, as shipped."""
    lines: list[dict[str, Any]] = []

    def keep(_logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        lines.append({**event, "level": method})
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    clock, phone = Clock(), Recorder()
    yield Stage(Observer("live", phone, 3600, clock), phone, clock, lines)
    structlog.reset_defaults()
