"""What the owner hears of holds: each rule under its own name, once while it lasts, and again when it is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keeper.core.notices import Notice
from keeper.core.reasons import Reason
from keeper.core.units import WAD
from keeper.observe.gauges import Gauges
from keeper.observe.voice import Voice

PASSING_S = 20.0
"""An alert that begins in the middle of a plan of ours is reported when it outlasts this, or the plan."""


class HoldsHeard:
    """What was said of each position, or book under a rule, and holds still."""

    def __init__(self, voice: Voice, gauges: Gauges, mode: str, clock: Callable[[], float]) -> None:
        self.voice = voice
        self._log, self._line = voice.log, voice.line
        self._gauges = gauges
        self._mode = mode
        self._clock = clock
        self._passing: dict[str, float] = {}
        """When an alert was first seen in the middle of a plan of ours."""

    def judged(
        self, subject: str, notices: Sequence[Notice], standing: Callable[[], str], acting: str | None = None
    ) -> None:
        """A position, or a book under a rule, was judged: what holds now, each rule under its own name.

        What a rule was held for is over when it rests: not while it is ``acting``, nor while it is held for something
        else. ``standing`` returns how it stands now, empty where nobody knows, and then nothing is over; it is asked
        where there is something that may be over.
        """
        there, firing = set[str](), {acting} if acting else set[str | None]()
        is_flying = any(notice.hold.reason is Reason.IN_FLIGHT for notice in notices)
        for notice in notices:
            hold = notice.hold
            self._gauges.decided(hold.position, hold.reason)
            if hold.reason is Reason.HEALTHY:
                continue
            key = f"{subject}:{hold.rule}:{hold.reason.code}"
            there.add(key)
            if is_flying and self._is_passing(key, notice):
                continue
            if hold.rule and hold.reason is not Reason.AT_TARGET:
                firing.add(hold.rule)
            self._heard_of(key, subject, notice)
        for key in [k for k in self._passing if k.startswith(f"{subject}:") and (not is_flying or k not in there)]:
            del self._passing[key]
        if not self.voice.is_silent(subject) and (words := standing()):
            self._over(subject, there, tuple(f"{subject}:{rule}:" for rule in firing), words)

    def stays_at_rest(self, subject: str, position: str) -> bool:
        """Return whether nothing is to be said of a subject of which no rule asks for anything; then it is counted."""
        if self._passing or not self.voice.is_silent(subject):
            return False
        self._gauges.decided(position, Reason.HEALTHY)
        return True

    def _is_passing(self, key: str, notice: Notice) -> bool:
        """Whether an alert may be but the middle of a plan of ours: collateral is out, its debt not yet repaid."""
        if notice.hold.reason is not Reason.ALERT_ONLY or self.voice.known.is_there(key):
            return False
        is_near = notice.distance is not None and notice.distance <= WAD // 20
        since = self._passing.setdefault(key, self._clock())
        return not is_near and 0 <= self._clock() - since < PASSING_S

    def _over(self, subject: str, there: set[str], firing: tuple[str, ...], standing: str) -> None:
        staying = there | {key for key in self.voice.known.keys_of(subject) if key.startswith(firing)}
        ended = {heard.condition.name: heard for heard in self.voice.known.gone_but(subject, staying)}
        for heard in ended.values():
            self.voice.alert(*heard.worded("", standing), escalates=heard.escalates)
        for heard in self.voice.lines.gone_but(subject, there):
            self._log.debug("over", position=subject, was=heard.condition.name, for_s=round(heard.lasted_s))

    def _heard_of(self, key: str, subject: str, notice: Notice) -> None:
        hold = notice.hold
        stated = {"position": hold.position, "rule": hold.rule, "reason": hold.reason.code, "detail": hold.detail}
        # where nothing is sent nothing was acted on: that a rescue was rehearsed a while ago holds back nobody's help
        if hold.is_quiet or (hold.reason is Reason.COOLDOWN and self._mode != "live"):
            self._line("info", key, "held", subject=subject, name=notice.name, **stated)
            return
        heard = self.voice.known.seen(
            key, notice.name, subject=subject, repeat_s=notice.repeat_s, distance=notice.distance
        )
        if heard is None:
            self._log.debug("held", **stated)
            return
        title, body = heard.worded(notice.title, notice.body)
        self.voice.alert(title, body, escalates=heard.escalates, is_minor=False, **stated)
