"""One thing that ``keeper doctor`` looked at: fine, a warning, or failing with its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Level(Enum):
    """How it is. Only what fails counts for the exit code."""

    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what its owner can do about it."""

    topic: str
    level: Level
    text: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """The finding as people read it."""
        remedy = f". Remedy: {self.remedy}" if self.remedy else ""
        return f"{self.level.value:<8} {self.topic}: {self.text.rstrip('.')}{remedy}"

    @property
    def plain(self) -> dict[str, Any]:
        """The finding as scripts read it."""
        level = self.level
        return {
            "topic": self.topic,
            "level": level.value,
            "fine": level is Level.OK,
            "needed": level is not Level.WARNING,
            "text": self.text,
            "remedy": self.remedy,
        }


def fine(topic: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(topic, Level.OK, text)


def warning(topic: str, text: str, remedy: str) -> Finding:
    """Return that something is the owner's choice, or may matter one day."""
    return Finding(topic, Level.WARNING, text, remedy)


def failing(topic: str, text: str, remedy: str) -> Finding:
    """Return that something keeps a rescue from working."""
    return Finding(topic, Level.FAILING, text, remedy)
