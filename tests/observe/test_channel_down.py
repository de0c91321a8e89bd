"""A channel that is down, hangs or floods never stops or delays the keeper; what was not delivered is in the log."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from keeper.observe.delivery import MOST_WAITING, Delivery


@dataclass
class Hangs:
    """A service that takes no answer back until it is let go."""

    free: threading.Event = field(default_factory=threading.Event)
    taken: list[str] = field(default_factory=list)

    def notify(self, title: str, body: str) -> bool:
        self.taken.append(title)
        self.free.wait(60)
        return True


def test_a_channel_that_hangs_holds_nobody_up_and_its_queue_is_bounded() -> None:
    """A thousand alarms cost no time; the oldest that wait are dropped, each with a line."""
    service, lost = Hangs(), list[str]()
    delivery = Delivery(service, lambda title, why: lost.append(title))
    begun = time.monotonic()
    for i in range(1000):
        delivery.send(f"alarm {i}", "")
    assert time.monotonic() - begun < 1
    assert 1000 - MOST_WAITING - 1 <= len(lost) <= 1000 - MOST_WAITING
    service.free.set()


def test_the_end_of_the_process_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not out in time is named in the log."""
    monkeypatch.setattr("keeper.observe.delivery.LEAVE_S", 0.2)
    service, lost = Hangs(), list[str]()
    delivery = Delivery(service, lambda title, why: lost.append(title))
    for title in ("one", "two"):
        delivery.send(title, "")
    begun = time.monotonic()
    delivery.close()
    assert time.monotonic() - begun < 2
    assert lost == ["two"]
    service.free.set()


def test_a_service_that_comes_back_gets_what_waits() -> None:
    """In order."""
    service = Hangs()
    delivery = Delivery(service, lambda title, why: None)
    for title in ("one", "two", "three"):
        delivery.send(title, "")
    service.free.set()
    delivery.close()
    assert service.taken == ["one", "two", "three"]
