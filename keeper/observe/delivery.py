"""Alarms on their way to the owner: by Apprise, in a thread of their own, so that none holds the keeper up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from keeper.observe import outward

DELIVERY_TRIES = 3
DELIVERY_AGAIN_S = 3.0
"""Between tries to deliver an alarm at an address: the next one is an hour away, or never comes."""


class Alarm(Protocol):
    """Somewhere an alarm can go. Must not block for long; a failure to deliver is logged."""

    def notify(self, title: str, body: str) -> bool:
        """Deliver, and say whether it went out."""


class AppriseAlarm:
    """Telegram, Discord, Slack, mail, PagerDuty, ntfy and others, by URL."""

    def __init__(self, urls: Sequence[str]) -> None:
        import apprise  # noqa: PLC0415 - a second of import time that only users of alarms pay

        asset = apprise.AppriseAsset(
            default_service_retry=DELIVERY_TRIES - 1, default_service_wait=DELIVERY_AGAIN_S, http_redirects=False
        )
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


class Delivery:
    """Delivers one alarm after the other, off the keeper's path. ``failed`` is called with the title and the error."""

    def __init__(self, alarm: Alarm | None, failed: Callable[[str, str | None], None]) -> None:
        self._alarm = alarm
        self._failed = failed
        self._post = ThreadPoolExecutor(max_workers=1, thread_name_prefix="alarm")

    def send(self, title: str, body: str) -> None:
        """Deliver soon; nothing happens where no address is set."""
        if self._alarm is not None:
            self._post.submit(self._deliver, self._alarm, title, body)

    def close(self) -> None:
        """Wait until the last alarms are out."""
        self._post.shutdown(wait=True)

    def _deliver(self, alarm: Alarm, title: str, body: str) -> None:
        try:
            delivered = alarm.notify(title, body)
        except Exception as error:  # noqa: BLE001 - a hundred plugins deliver; a defect of one is in the log, not lost
            self._failed(title, type(error).__name__)
            return
        if not delivered:
            self._failed(title, None)
