"""Several addresses: one that hangs, refuses or fails keeps no other one waiting, and each failure is in the log."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from keeper.observe.delivery import Delivery, SeveralAddresses


@dataclass
class Address:
    """Takes alarms once it is let; ``fails`` is raised or, where False, answered."""

    free: threading.Event = field(default_factory=threading.Event)
    fails: BaseException | bool = True
    taken: list[str] = field(default_factory=list)

    def notify(self, title: str, body: str) -> bool:
        self.free.wait(60)
        if isinstance(self.fails, BaseException):
            raise self.fails
        self.taken.append(title)
        return self.fails


def ready(fails: BaseException | bool = True) -> Address:
    found = Address(fails=fails)
    found.free.set()
    return found


def test_an_address_that_hangs_for_minutes_keeps_no_other_one_waiting() -> None:
    """Three alarms are out at the second address while the first still hangs over the first of them."""
    hangs, fine = Address(), ready()
    delivery = Delivery(SeveralAddresses((hangs, fine)), lambda title, why: None)
    for title in ("danger", "acted", "all clear"):
        delivery.send(title, "")
    until = time.monotonic() + 10
    while len(fine.taken) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert fine.taken == ["danger", "acted", "all clear"]
    assert hangs.taken == []
    hangs.free.set()
    delivery.close()
    assert hangs.taken == fine.taken


def test_one_that_refuses_and_one_that_breaks_are_named_and_the_third_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many requests, a failing TLS handshake: a line each, and the end waits for nobody's sake."""
    monkeypatch.setattr("keeper.observe.delivery.LEAVE_S", 5.0)
    lost, fine = list[tuple[str, str | None]](), ready()
    several = SeveralAddresses((ready(fails=False), ready(fails=ConnectionError("TLS")), fine))
    delivery = Delivery(several, lambda title, why: lost.append((title, why)))
    delivery.send("danger", "")
    delivery.close()
    assert fine.taken == ["danger"]
    assert sorted(lost, key=str) == [("danger", "ConnectionError"), ("danger", None)]


def test_the_end_waits_once_for_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each."""
    monkeypatch.setattr("keeper.observe.delivery.LEAVE_S", 0.3)
    lost = list[str]()
    hang = tuple(Address() for _ in range(4))
    delivery = Delivery(SeveralAddresses(hang), lambda title, why: lost.append(title))
    for title in ("one", "two"):
        delivery.send(title, "")
    begun = time.monotonic()
    delivery.close()
    assert time.monotonic() - begun < 1
    assert lost == ["two"] * 4
    for one in hang:
        one.free.set()
