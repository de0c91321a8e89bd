"""Alarms on their way to the owner: by Apprise, in a thread of their own, so that none holds the keeper up."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from keeper.observe import outward
from keeper.observe.channels import Channels

DELIVERY_TRIES = 3
DELIVERY_AGAIN_S = 3.0
"""Between tries to deliver an alarm at an address: the next one is an hour away, or never comes."""
MOST_WAITING = 200
"""Alarms that wait for an address; past that the oldest are dropped, and logged as not delivered."""
HANGS_S = 60.0
"""An address that is at one message for so long does not deliver, whatever may become of it."""
MOST_HANGING = 5
"""Deliveries to one address that are left behind; past that it is waited for."""
LEAVE_S = 20.0
"""How long the end of the process waits for what is not yet delivered."""


class Alarm(Protocol):
    """Somewhere an alarm can go. Must not block for long; a failure to deliver is logged."""

    def notify(self, title: str, body: str) -> bool:
        """Deliver, and say whether it went out."""


class AppriseAlarm:
    """Telegram, Discord, Slack, mail, PagerDuty, ntfy and others, by URL."""

    def __init__(self, urls: Sequence[str]) -> None:
        import apprise  # noqa: PLC0415 - a second of import time that only users of alarms pay

        asset = apprise.AppriseAsset(
            default_service_retry=DELIVERY_TRIES - 1,
            default_service_wait=DELIVERY_AGAIN_S,
            http_redirects=False,
            async_mode=False,  # else, and with a time limit of its own, all share one small pool of threads: a few
            service_timeout=0,  # that hang would hold up every other address, and the end of the process
        )
        self.kind = ", ".join(dict.fromkeys(url.split(":", 1)[0] for url in urls))
        """What may be said of where it goes."""
        self._as_text = apprise.NotifyFormat.TEXT
        self._apprise = apprise.Apprise(asset=asset)
        for url in urls:
            if not self._apprise.add(url):
                scheme = url.split(":", 1)[0]
                raise ValueError(f"alerts.urls: a {scheme}:// address is not one Apprise understands")
        for service in self._apprise:
            service.redirects = False  # whatever the address asks for: a service sends nobody elsewhere
        outward.guard()

    def notify(self, title: str, body: str) -> bool:
        """Deliver to every address, as text: what a node or a token says is no markup. Refused, it is said again."""
        with outward.only():
            return bool(self._apprise.notify(title=title, body=body, body_format=self._as_text))


class SeveralAddresses:
    """Several addresses as one. Each is delivered to apart: see ``Delivery``."""

    def __init__(self, addresses: Sequence[Alarm]) -> None:
        self.addresses = tuple(addresses)

    def notify(self, title: str, body: str) -> bool:
        """Deliver to one after the other, and say whether it went out everywhere."""
        sent = [one.notify(title, body) for one in self.addresses]  # whatever became of those before
        return all(sent)


class Delivery:
    """Delivers alarms off the keeper's path. ``failed`` is called with the title and the error.

    Each address has a queue and a thread of its own: one that hangs keeps no other waiting. ``channels`` has the others
    hear of one that does not deliver.
    """

    def __init__(
        self, alarm: Alarm | None, failed: Callable[[str, str | None], None], channels: Channels | None = None
    ) -> None:
        addresses = alarm.addresses if isinstance(alarm, SeveralAddresses) else () if alarm is None else (alarm,)
        self._queues = [AddressQueue(one, failed, channels or Channels("keeper")) for one in addresses]

    def send(self, title: str, body: str) -> None:
        """Deliver soon; nothing happens where no address is set."""
        for queue in self._queues:
            queue.send(title, body)

    def close(self, until: float | None = None) -> None:
        """Wait until the last alarms are out, and not for ever."""
        until = time.monotonic() + LEAVE_S if until is None else until
        for queue in self._queues:
            queue.leave()
        for queue in self._queues:
            queue.close(until)


class AddressQueue:
    """One alarm after the other, to one address.

    One that hangs holds up neither a block nor the end of the process: what waits is bounded, the oldest goes first,
    and the thread is nobody's to wait for.
    """

    def __init__(self, alarm: Alarm, failed: Callable[[str, str | None], None], channels: Channels) -> None:
        self._alarm = alarm
        self._failed = failed
        self._channels = channels
        self._begun: tuple[float, str] | None = None
        """Since when it is at a message, and at which."""
        self._hanging = list[threading.Thread]()
        self._given_up: tuple[float, str] | None = None
        """What it was at when the end waited for it in vain: nobody waits for the same twice."""
        channels.join(self, getattr(alarm, "kind", ""))
        self._waiting: deque[tuple[str, str]] = deque()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_busy = False
        self._is_closed = False

    def send(self, title: str, body: str) -> None:
        """Deliver soon."""
        with self._change:
            self._waiting.append((title, body))
            dropped = self._waiting.popleft()[0] if len(self._waiting) > MOST_WAITING else None
            begun = self._begun
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, args=(self._alarm,), name="alarm", daemon=True)
                self._thread.start()
            self._change.notify_all()
        if dropped is not None:
            self._failed(dropped, "too many wait for an address that takes none")
        if begun is not None and time.monotonic() - begun[0] > HANGS_S:
            self._channels.went(self, is_out=False, missed=begun[1])

    def leave(self) -> None:
        """Take no more once what waits is out."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()

    def close(self, until: float) -> None:
        """Wait until the last alarms are out, until then at most."""
        with self._change:
            while self._is_awaited() and (left := until - time.monotonic()) > 0:
                self._change.wait(left)
            self._given_up = self._begun
            undelivered = [title for title, _ in self._waiting]
            self._waiting.clear()
        for title in undelivered:
            self._failed(title, "the keeper ended before the address took it")

    def _is_awaited(self) -> bool:
        return bool(self._waiting) or (self._is_busy and self._begun is not self._given_up)

    def _run(self, alarm: Alarm) -> None:
        while (next_ := self._next()) is not None:
            self._channels.went(self, is_out=self._deliver(alarm, *next_), missed=next_[0])
            with self._change:
                self._is_busy, self._begun = False, None
                self._change.notify_all()

    def _next(self) -> tuple[str, str] | None:
        with self._change:
            while not self._waiting:
                if self._is_closed:
                    self._thread = None
                    return None
                self._change.wait()
            self._is_busy, self._begun = True, (time.monotonic(), self._waiting[0][0])
            return self._waiting.popleft()

    def _deliver(self, alarm: Alarm, title: str, body: str) -> bool:
        """Deliver in a thread that may be left behind: an answer without an end keeps no later message waiting."""
        self._hanging = [one for one in self._hanging if one.is_alive()]
        if len(self._hanging) >= MOST_HANGING:
            self._hanging[0].join()
        answered = list[bool]()
        trying = threading.Thread(target=lambda: answered.append(self._tried(alarm, title, body)), daemon=True)
        trying.start()
        trying.join(HANGS_S)
        if answered:
            return answered[0]
        self._hanging.append(trying)
        self._failed(title, f"no answer within {HANGS_S:g} s")
        return False

    def _tried(self, alarm: Alarm, title: str, body: str) -> bool:
        try:
            delivered = alarm.notify(title, body)
        except Exception as error:  # noqa: BLE001 - a hundred plugins deliver; a defect of one is in the log, not lost
            self._failed(title, type(error).__name__)
            return False
        if not delivered:
            self._failed(title, None)
        return delivered
