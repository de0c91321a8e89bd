"""A channel that does not deliver is news at the others: real servers that say 429, fail TLS, hang or drip."""

from __future__ import annotations

import time

import pytest
from desks import BROKEN, Broken, Desk
from owner_stage import Clock

from keeper.observe.delivery import AppriseAlarm, SeveralAddresses
from keeper.observe.observer import Observer


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try, and little patience: what is shipped is three tries and a minute."""
    monkeypatch.setattr("keeper.observe.delivery.DELIVERY_TRIES", 1)
    monkeypatch.setattr("keeper.observe.delivery.HANGS_S", 1.0)
    monkeypatch.setattr("keeper.observe.delivery.LEAVE_S", 1.0)


def observer(*urls: str, escalate: str | None = None) -> Observer:
    rings = AppriseAlarm([escalate]) if escalate else None
    return Observer("live", SeveralAddresses([AppriseAlarm([u]) for u in urls]), 3600, Clock(), escalation=rings)


def wait_for(desk: Desk, words: str, found: Observer, seconds: float = 15.0) -> str:
    until = time.monotonic() + seconds
    while not any(words in text for text in desk.taken):
        assert time.monotonic() < until, desk.taken
        begun = time.monotonic()
        found.raise_alarm(None, "loop: danger", "health factor 1.10 is below 1.25")
        assert time.monotonic() - begun < 0.05, "an alarm costs who raises it nothing"
        time.sleep(0.2)
    return next(text for text in desk.taken if words in text)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("broken", BROKEN)
def test_a_channel_that_does_not_deliver_is_news_at_the_others(broken: Broken) -> None:
    """429, no TLS, no answer, an answer without an end: said at the other one, with what to do and no secret."""
    fine = Desk()
    with broken() as url:
        found = observer(url, fine.url)
        heard = wait_for(fine, "does not deliver", found)
        found.close()
    assert "Alert address 1 (json" in heard
    assert "of 2 does not deliver" in heard
    assert "danger" in heard
    assert "keeper doctor --send-test" in heard
    assert not any("secret" in text for text in fine.taken)
    assert sum("does not deliver" in text for text in fine.taken) == 1
    assert sum("loop: danger" in text and "does not" not in text for text in fine.taken) >= 1
    fine.server.shutdown()


@pytest.mark.usefixtures("quick")
def test_the_only_address_is_down_and_the_one_that_rings_says_so_and_that_it_is_back() -> None:
    """`escalate_urls` count; when it delivers again that is said as well, and both are told of nothing twice."""
    down, rings = Desk(429), Desk()
    found = observer(down.url, escalate=rings.url)
    wait_for(rings, "Alert address 1 (json) of 2 does not deliver", found)
    down.status = 200
    wait_for(rings, "All clear: alert address 1 (json) of 2 delivers again", found)
    down.status = 503
    for _ in range(5):
        found.raise_alarm(None, "loop: danger", "again")
    found.close()
    assert len(rings.taken) == 2, "it went down once more within the hour: that is in the log"
    assert sum("does not deliver" in text for text in down.taken) == 0
    for desk in (down, rings):
        desk.server.shutdown()
