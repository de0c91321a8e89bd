"""Which troubles are known, and what of them is news. Kept by key; written to the journal by whoever owns one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from keeper.core import conditions
from keeper.core.conditions import Condition, News
from keeper.core.units import duration

MOST = 512
"""Troubles that are kept in mind; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class HeardNews:
    """News of one trouble: ``times`` it was seen and ``spells`` it began since the owner last heard of it."""

    news: News
    condition: Condition
    lasted_s: float
    times: int
    spells: int

    @property
    def escalates(self) -> bool:
        """Whether it lasts or got worse, or did before it was over."""
        if self.news is News.OVER:
            return self.condition.told_at > self.condition.since
        return self.news in (News.STILL, News.WORSE)

    def worded(self, title: str, body: str) -> tuple[str, str]:
        """Return title and body as the owner reads them."""
        match self.news:
            case News.BEGUN:
                return title, body
            case News.WORSE:
                return f"Worse: {title}", body
            case News.STILL:
                return f"Still: {title}", f"{body}\n{self._summary}".strip()
            case News.OVER:
                return f"All clear: {self.condition.name}", f"{body}\n{self._summary}".strip()

    @property
    def _summary(self) -> str:
        if self.news is News.OVER:
            return f"It lasted {duration(self.lasted_s) if self.lasted_s >= 1 else 'a moment'}."
        seen = f"came and went {self.spells} times" if self.spells > 1 else f"seen {self.times} times"
        return f"For {duration(self.lasted_s)} now; {seen} since you last heard of it."


class Alarms:
    """The troubles of one keeper. ``clock`` is in seconds since 1970: a restart must not make old news new."""

    def __init__(self, repeat_s: float, clock: Callable[[], float]) -> None:
        self.repeat_s = repeat_s
        self._clock = clock
        self._known: dict[str, Condition] = {}
        self._repeats: dict[str, float] = {}
        self._is_changed = False

    def seen(
        self, key: str, name: str, *, subject: str = "", repeat_s: float | None = None, distance: int | None = None
    ) -> HeardNews | None:
        """Return what is news of a trouble that is there now."""
        now = self._clock()
        repeat = self._repeats[key] = self.repeat_s if repeat_s is None else repeat_s
        before = self._known.get(key)
        fresh = Condition(key, subject, name, since=now, told_at=now, last_on=now, distance=distance)
        after, news = conditions.on(before, fresh, repeat, self._worst(subject))
        self._known[key] = after
        if len(self._known) > MOST:
            del self._known[min(self._known, key=lambda k: self._known[k].last_on)]
        return self._heard(news, after, before)

    def gone(self, key: str) -> HeardNews | None:
        """Return whether a trouble that is not there at this moment is now over."""
        before, now = self._known.get(key), self._clock()
        if before is None:
            return None
        after, news = conditions.off(before, now, self._repeats.get(key, self.repeat_s))
        if after is None:
            del self._known[key]
            self._repeats.pop(key, None)
            self._is_changed = True
        else:
            self._known[key] = after
        return self._heard(news, after or before, before)

    def gone_but(self, subject: str, there: Collection[str]) -> list[HeardNews]:
        """Return which troubles of a subject are now over: all but those that are there."""
        keys = [k for k, c in self._known.items() if c.subject == subject and k not in there]
        return [heard for key in keys if (heard := self.gone(key))]

    def settled(self, keys: Iterable[str]) -> None:
        """Troubles of which the owner hears the end in other words: nothing more is said of them."""
        now = self._clock()
        for key in keys:
            known = self._known.get(key)
            if known is not None and known.over_at is None:
                self._known[key] = replace(known, quiet_since=now, over_at=now)
                self._is_changed = True

    def is_there(self, key: str) -> bool:
        """Return whether a trouble is known and not over."""
        known = self._known.get(key)
        return known is not None and known.over_at is None

    def has(self, subject: str) -> bool:
        """Return True if there is any trouble of a subject, over or not."""
        return any(condition.subject == subject for condition in self._known.values())

    def keys_of(self, subject: str) -> list[str]:
        """Return the troubles of a subject that are not over."""
        return [k for k, c in self._known.items() if c.subject == subject and c.over_at is None]

    def open_keys(self, prefix: str) -> list[str]:
        """Return the troubles that are not over, of those whose key begins so."""
        return [k for k, c in self._known.items() if k.startswith(prefix) and c.over_at is None]

    def open_names(self) -> list[str]:
        """Return how what is not over is called when it is, each name once."""
        return list(dict.fromkeys(c.name for c in self._known.values() if c.over_at is None))

    def take_changes(self) -> list[dict[str, Any]] | None:
        """Return all as JSON can hold it when the owner heard something since this was last asked; else None."""
        if not self._is_changed:
            return None
        self._is_changed = False
        return [{**conditions.plain(c), "repeat_s": self._repeats.get(c.key)} for c in self._known.values()]

    def recall(self, written: object) -> None:
        """Take up what was written down before a restart; what cannot be read is left out."""
        for one in written if isinstance(written, list) else ():
            if not isinstance(one, dict):
                continue
            repeat_s = one.get("repeat_s")
            found = conditions.from_plain({k: v for k, v in one.items() if k != "repeat_s"})
            if found is not None:
                self._known.setdefault(found.key, found)
                if isinstance(repeat_s, int | float):
                    self._repeats.setdefault(found.key, repeat_s)

    def _worst(self, subject: str) -> int | None:
        stated = [c.distance for c in self._known.values() if c.subject == subject and c.over_at is None]
        return min((d for d in stated if d is not None), default=None) if subject else None

    def _heard(self, news: News | None, after: Condition, before: Condition | None) -> HeardNews | None:
        if news is None:
            return None
        self._is_changed = True
        known = before or after
        if news is News.BEGUN:
            return HeardNews(news, after, 0, 1, 1)
        if news is News.OVER:
            ended = after.last_on if after.quiet_since is None else after.quiet_since
            return HeardNews(news, after, ended - after.since, known.times, known.spells)
        return HeardNews(
            news, after, after.last_on - after.since, known.times + 1, known.spells + (known.quiet_since is not None)
        )
