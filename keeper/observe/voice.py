"""Log lines and alarms: each trouble is reported when it begins, changes or ends, and not in between."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from keeper.core.conditions import News
from keeper.core.notices import printable
from keeper.observe.alarms import Alarms, HeardNews
from keeper.observe.channels import Channels
from keeper.observe.console import rendered
from keeper.observe.delivery import LEAVE_S, Alarm, Delivery
from keeper.observe.structured import structlog

QUIET_S = 900.0
"""A line that would only repeat what was logged is summed up this often."""
HOUR_S = 3600.0
MOST_AN_HOUR = 30
"""Minor alarms that are sent within an hour."""
MINOR = ("node:", "price:", "flaw:", "name:", "exposed:", "reorg:", "tend:", "reconcile:")
"""How the keys of troubles begin that may be many at once, and cost nobody a position by themselves."""
MOST_ALARMS = 100
"""Titles of alarms that are kept in mind."""


class Voice:
    """Says what is new. ``mode`` is on every line: dry_run or live.

    So is what the chain is ``called``, where there are several in one process.
    """

    def __init__(
        self,
        mode: str,
        alarm: Alarm | None = None,
        repeat_s: int = 3600,
        clock: Callable[[], float] = time.time,
        called: str = "",
        counted: Callable[[], None] = lambda: None,
        escalation: Alarm | None = None,
    ) -> None:
        self.log = structlog.get_logger().bind(mode=mode, **({"network": called} if called else {}))
        self.alarms: list[str] = []
        """Titles of the last alarms raised, newest last."""
        self.known = Alarms(repeat_s, clock)
        """Troubles that the owner heard of."""
        self.lines = Alarms(QUIET_S, clock)
        """Lines that were logged, so that none only repeats."""
        self.raised = set[str]()
        """Troubles that came up since the last block."""
        self._title = f"keeper · {called}" if called else "keeper"
        self._counted = counted
        self._delivery, self._escalation = self._deliveries(alarm, escalation)
        """The second is where what lasts or gets worse goes as well."""
        self._clock = clock
        self._sent = deque[float](maxlen=MOST_AN_HOUR)
        """When the last minor alarms were sent."""
        self._withheld_since: float | None = None

    def line(self, level: str, key: str, event: str, *, subject: str = "", name: str = "", **stated: Any) -> None:
        """Log what is new; what only repeats is counted, and logged again once in a while with the count."""
        heard = self.lines.seen(key, name or event, subject=subject)
        log = self.log.debug if heard is None else getattr(self.log, level)
        log(event, **stated, **(_times(heard) if heard else {}))

    def alert(
        self, title: str, body: str, *, escalates: bool = False, is_minor: bool = False, **of: str | None
    ) -> None:
        """Log an alarm and send it off; one that ``escalates`` goes further.

        Of what is minor there is a limit an hour: past it there is one message, and the log.
        """
        title, body = printable(title), "\n".join(printable(line) for line in body.splitlines())
        self.log.warning("alarm", title=title, body=body.replace("\n", " "), **of)
        self.alarms = [*self.alarms[1 - MOST_ALARMS :], title]
        self._counted()
        if is_minor and self._is_flood():
            return
        self._delivery.send(f"{self._title} · {title}", body)
        if escalates:
            self._escalation.send(f"{self._title} · {title}", body)

    def _is_flood(self) -> bool:
        now = self._clock()
        is_full = len(self._sent) == MOST_AN_HOUR and 0 <= now - self._sent[0] < HOUR_S
        if not is_full:
            self._sent.append(now)
            self._withheld_since = None
            return False
        if self._withheld_since is None:
            self._withheld_since = now
            body = f"{MOST_AN_HOUR} were sent within the hour; the rest is in the log. All others go on."
            self._delivery.send(f"{self._title} · more alarms than are sent", body)
        return True

    def send(self, title: str, body: str) -> None:
        """Send a message that is no alarm."""
        body = "\n".join(printable(line) for line in body.splitlines())
        self._delivery.send(f"{self._title} · {printable(title)}", body)

    def raise_alarm(
        self,
        key: str | None,
        title: str,
        body: str,
        *,
        subject: str = "",
        name: str = "",
        repeat_s: float | None = None,
    ) -> None:
        """Alert the owner. One trouble, by its key, is reported when it begins, and summed up once in a while.

        Without a key it is an event, and always reported. ``name`` is what is said when it is over. Delivery never
        holds the keeper up.
        """
        if key is None:
            self.alert(title, body)
            return
        self.raised.add(key)
        heard = self.known.seen(key, name or f"{title}: no more", subject=subject, repeat_s=repeat_s)
        if heard is not None:
            is_minor = key.startswith(MINOR)
            self.alert(*heard.worded(title, body), escalates=heard.escalates, is_minor=is_minor)

    def clear_alarm(self, key: str, body: str) -> None:
        """A trouble is not there at this moment; when it has been away for a while the owner hears that it is over."""
        heard = self.known.gone(key)
        if heard is not None:
            self.alert(*heard.worded("", body), escalates=heard.escalates)

    def over(self, subject: str, body: str) -> None:
        """Nothing of a subject is wrong at this moment."""
        for heard in self.known.gone_but(subject, ()):
            self.alert(*heard.worded("", body), escalates=heard.escalates)

    def settled(self, keys: Iterable[str], subject: str = "") -> bool:
        """End troubles of a subject whose end is reported in other words; return whether any was there."""
        there = [key for key in keys if key in self.known.keys_of(subject)]
        self.known.settled(there)
        return bool(there)

    def is_silent(self, subject: str) -> bool:
        """Whether no trouble and no line of a subject is kept in mind."""
        return not self.known.has(subject) and not self.lines.has(subject)

    def redirect(self, alarm: Alarm | None, escalation: Alarm | None, repeat_s: float) -> tuple[Delivery, Delivery]:
        """Send to other addresses from now on; return what still delivers to those before."""
        left = self._delivery, self._escalation
        self._delivery, self._escalation = self._deliveries(alarm, escalation)
        self.known.repeat_s = repeat_s
        return left

    def _deliveries(self, alarm: Alarm | None, escalation: Alarm | None) -> tuple[Delivery, Delivery]:
        channels = Channels(self._title)
        return Delivery(alarm, self._failed, channels), Delivery(escalation, self._failed, channels)

    def close(self) -> None:
        """Wait until the last alarms are out."""
        until = time.monotonic() + LEAVE_S
        self._delivery.close(until)
        self._escalation.close(until)

    def _failed(self, title: str, error: str | None) -> None:
        self.log.error("alarm_failed", title=title, **({"error": error} if error else {}))


def _times(heard: HeardNews) -> dict[str, int]:
    return {"times": heard.times, "for_s": round(heard.lasted_s)} if heard.news is News.STILL else {}


def configure_logging(*, as_json: bool, verbose: bool) -> None:
    """Send log lines to standard error: sentences for people on a terminal, JSON otherwise."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else rendered
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def heard(event: str, said: str) -> None:
    """Log what a part beside the chains has to say."""
    structlog.get_logger().warning(event, detail=printable(said))


def silence() -> None:
    """Log nothing: what is played on paper is no news."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
