"""What a running keeper sees, for whoever looks on from another process: the newest block whole, figures over time.

Nothing that is decided rests on this. It has a tally of its own, so that writing it makes no block read its past anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import Connection, delete, insert, select

from keeper.journal.schema import facts, samples
from keeper.journal.store import Store, Tally

DAY_S = 86_400
WHOLE_S = 2 * DAY_S
"""How long every sample is kept."""
THINNED_S = 600
"""Of older ones the lowest of so many seconds stays: a dip is not lost."""
LOOKED_BACK_S = 9 * DAY_S
"""How far back it is looked for what is still to be thinned."""
MOST_SAMPLES = 20_000
"""Rows read for one curve."""
_PART = 400


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A figure (Wad) at a time, seconds since 1970."""

    at: int
    value: int


@dataclass(frozen=True, slots=True)
class Views:
    """The newest view and the samples of a scope: chain, network and mode."""

    store: Store

    @classmethod
    def beside(cls, store: Store) -> Self:
        """Return the repository over the same database, counted apart."""
        return cls(replace(store, tally=Tally()))

    async def write(self, scope: str, view: Mapping[str, Any], at: int, values: Mapping[str, int]) -> None:
        """Put a view in the place of the one before, and add a sample of each figure. Raises JournalError."""
        key = _key(scope)
        row = {"key": key, "value": dict(view), "updated_at": at}
        rows = [{"scope": scope, "subject": name, "at": at, "value": value} for name, value in values.items()]

        def work(connection: Connection) -> None:
            connection.execute(delete(facts).where(facts.c.key == key))
            connection.execute(insert(facts), row)
            if rows:
                same = (samples.c.scope == scope, samples.c.at == at)
                connection.execute(delete(samples).where(*same, samples.c.subject.in_(list(values))))
                connection.execute(insert(samples), rows)

        await self.store.at_once("write what is seen", work)

    async def newest(self, scope: str) -> tuple[Any, int] | None:
        """Return the view that was written last, and when; None where there is none. Raises JournalError."""
        query = select(facts.c.value, facts.c.updated_at).where(facts.c.key == _key(scope))
        async with self.store.reading("read what is seen") as session:
            found = (await session.read(query)).first()
        return None if found is None else (found[0], int(found[1]))

    async def since(self, scope: str, subject: str, at: int) -> tuple[Glimpse, ...]:
        """Return the samples of a figure from a time on, oldest first. Raises JournalError."""
        of = samples.c
        query = select(of.at, of.value).where(of.scope == scope, of.subject == subject, of.at >= at)
        async with self.store.reading(f"read how {subject} went") as session:
            found = (await session.read(query.order_by(of.at.desc()).limit(MOST_SAMPLES))).all()
        return tuple(Glimpse(int(row.at), row.value) for row in reversed(found))

    async def prune(self, days: int) -> None:
        """Forget samples that are older than so many days, and thin out what is older than two. Raises JournalError."""
        now, of = self.store.clock(), samples.c
        ageing = select(of.scope, of.subject, of.at, of.value)
        ageing = ageing.where(of.at < now - WHOLE_S, of.at >= now - LOOKED_BACK_S).order_by(of.scope, of.subject, of.at)

        def work(connection: Connection) -> None:
            connection.execute(delete(samples).where(of.at < now - days * DAY_S))
            for scope, subject, times in _needless(connection.execute(ageing)):
                for i in range(0, len(times), _PART):
                    part = of.at.in_(times[i : i + _PART])
                    connection.execute(delete(samples).where(of.scope == scope, of.subject == subject, part))

        await self.store.at_once("forget old samples", work)


def _needless(rows: Iterable[Any]) -> list[tuple[str, str, list[int]]]:
    """Return the times to forget by scope and subject: in each stretch of time the lowest stays."""
    lowest, dropped = dict[tuple[str, str, int], tuple[int, int]](), dict[tuple[str, str], list[int]]()
    for scope, subject, at, value in rows:
        stretch, this = (scope, subject, int(at) // THINNED_S), (value, int(at))
        before = lowest.get(stretch)
        lowest[stretch] = min(before, this) if before else this
        if before:
            dropped.setdefault((scope, subject), []).append(max(before, this)[1])
    return [(scope, subject, times) for (scope, subject), times in dropped.items()]


def scope_of(chain_id: int, network: str, mode: str) -> str:
    """Return the name under which a keeper's view is kept."""
    return f"{chain_id}:{network}:{mode}"


def _key(scope: str) -> str:
    return f"view:{scope}"
