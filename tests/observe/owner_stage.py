"""An observer with a clock that is set by hand, and an alarm that keeps what it delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keeper.observe.observer import Observer


@dataclass
class Clock:
    """Seconds since 1970."""

    now: float = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Recorder:
    """Keeps every alarm delivered."""

    told: list[tuple[str, str]] = field(default_factory=list)

    def notify(self, title: str, body: str) -> bool:
        self.told.append((title.removeprefix("keeper · "), body))
        return True


@dataclass
class Stage:
    """An owner's phone and log, and time."""

    observer: Observer
    phone: Recorder
    clock: Clock
    lines: list[dict[str, Any]]

    @property
    def titles(self) -> list[str]:
        self.observer.close()
        return [title for title, _ in self.phone.told]

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The log as it is without --verbose."""
        return [line for line in self.lines if line["level"] != "debug"]
