"""Many settings on many accounts: which are worth playing at all is one comparison, and only those are played exactly.

An account on which a rule never fires lives as one that nobody keeps. Whether a health bound is ever reached is asked
of all settings and accounts at once (numpy, with a guard band that errs towards playing). What may fire is played by
the engine itself, on all cores, one line of a file each: a sweep that is stopped goes on where it was.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from keeper.backtest.course import Inside
from keeper.backtest.document import BadBacktestError, Data, Understood, digest, standing_of, understood
from keeper.backtest.grid import Grid
from keeper.backtest.played import Ground, Played
from keeper.backtest.report import figures_said, ground_of, play_on
from keeper.backtest.standing import PaperStanding

GUARD = 1e-6
"""A health this much above a bound is played: floats err by less."""
MOST_TRIALS = 1_000_000
MOST_CHUNK = 8
"""Trials that a process takes at once: what a stop loses."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One setting on one account."""

    setting: int
    health: int

    @property
    def key(self) -> str:
        """How the file knows it."""
        return f"{self.setting}/{self.health}"


@dataclass(slots=True)
class Sweep:
    """A document without ways of its own, and what is varied."""

    document: Data
    grid: Grid
    rule: Data
    """What all settings share: actions, cooldown, limits."""
    read: Understood = field(init=False)
    digest: str = field(init=False)
    """What the sweep is of: a file of another is not gone on with."""
    names: list[str] = field(init=False)
    bounds: list[float | None] = field(init=False)
    grounds: list[list[Ground[PaperStanding]]] = field(default_factory=list)
    """By order of the extremes, by health."""
    alone: list[list[Played]] = field(default_factory=list)
    """The lives of accounts that nobody keeps, likewise."""

    def __post_init__(self) -> None:
        found = list(self.grid.settings(self.rule))
        if len(found) * len(self.grid.healths) > MOST_TRIALS:
            raise BadBacktestError(f"{len(found) * len(self.grid.healths)} trials are too many; {MOST_TRIALS} at most")
        if len(found) < 2 or not self.grid.healths:
            raise BadBacktestError("nothing is varied: name --triggers with --targets, or --probabilities")
        ways = [{"name": name, "rules": [] if rule is None else [rule]} for name, rule, _ in found]
        self.names, self.bounds = [name for name, _, _ in found], [bound for _, _, bound in found]
        self.read = understood(self.document | {"ways": ways})
        self.digest = digest([self.document, self.names, self.grid.healths])

    def prepare(self) -> None:
        """Work out what all trials share, and let the raw rows go."""
        for inside in Inside:
            first = ground_of(self._begun(self.grid.healths[0]), inside)
            each = [self._from(first, health) for health in self.grid.healths]
            self.grounds.append(each)
            self.alone.append([play_on(self.read, ground, 0) for ground in each])
        self.read = self.read.without_bars
        self.document = {}

    def _begun(self, health: str) -> Understood:
        account = {**self.read.of["account"], "health": health, "debt": {}}
        return replace(self.read, of={**self.read.of, "account": account})

    def _from(self, ground: Ground[PaperStanding], health: str) -> Ground[PaperStanding]:
        """Return the same prices with another account."""
        row = ground.course.answers[ground.course.index(ground.begins)]
        prices = {s: int(row[i]) for i, s in enumerate(ground.course.symbols)}
        return replace(ground, standing=standing_of(self._begun(health), prices, ground.begins))

    def jobs(self) -> list[Job]:
        """Return every setting on every account."""
        return [Job(s, h) for s in range(len(self.names)) for h in range(len(self.grid.healths))]

    def fires(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return by order, setting and account whether a rule may fire: one comparison for all of them."""
        least = np.array([[float(one.stood.health.min()) for one in lives] for lives in self.alone])
        bounds = np.array([np.inf if bound is None else bound for bound in self.bounds])
        return np.asarray(least[:, None, :] < bounds[None, :, None] * (1 + GUARD))

    def outcome(self, job: Job, fires: np.ndarray[Any, np.dtype[np.bool_]]) -> Data:
        """Return what came of one: the worse of both orders."""
        found = [
            play_on(self.read, self.grounds[i][job.health], job.setting)
            if fires[i, job.setting, job.health]
            else self.alone[i][job.health]
            for i in range(len(self.grounds))
        ]
        worse = max(found, key=lambda one: one.badness)
        return {
            "key": job.key,
            "setting": self.names[job.setting],
            "health": self.grid.healths[job.health],
            "inside": worse.inside.value,
            **figures_said(worse.came_to),
        }


_SWEEP: list[Any] = []


def _work(job: Job) -> Data:
    sweep, fires = _SWEEP
    return dict(sweep.outcome(job, fires))


def swept(sweep: Sweep, file: Path | None, workers: int, progress: Progress | None = None) -> list[Data]:
    """Return what came of every trial; what the file has already is not played again. Raises BadBacktestError."""
    known = {} if file is None else _known(file, sweep.digest)
    jobs = [job for job in sweep.jobs() if job.key not in known]
    if jobs:
        sweep.prepare()
        _SWEEP[:] = [sweep, sweep.fires()]
        for done in _kept(file, sweep.digest, _played(jobs, workers)):
            known[done["key"]] = done
            if progress is not None:
                progress(len(known), len(sweep.jobs()))
    return [known[job.key] for job in sweep.jobs()]


def _played(jobs: Sequence[Job], workers: int) -> Iterator[Data]:
    if workers <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(_work, jobs)
        return
    gc.freeze()  # what was prepared is shared, and not copied by a worker that looks for garbage in it
    try:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            yield from pool.imap_unordered(_work, jobs, chunksize=max(1, min(MOST_CHUNK, len(jobs) // (8 * workers))))
    finally:
        gc.unfreeze()


def _known(file: Path, of: str) -> dict[str, Data]:
    """Return what a file has already; half a line at its end is what a stop left, and is played again."""
    if not file.exists():
        return {}
    lines = file.read_bytes().splitlines()
    head, *rows = lines or [b""]
    try:
        if orjson.loads(head) != {"sweep": of}:
            raise BadBacktestError(f"{file} is of another sweep: name another file, or delete it")
        found = [orjson.loads(row) for row in rows if row.endswith(b"}")]
        return {str(row["key"]): row for row in found if row["setting"] and row["survived"] in (True, False)}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise BadBacktestError(f"{file} is no file of a sweep: name another, or delete it") from None


def _kept(file: Path | None, of: str, done: Iterable[Data]) -> Iterator[Data]:
    """Write each down as it comes."""
    if file is None:
        yield from done
        return
    is_new = not file.exists() or not file.stat().st_size
    with file.open("ab") as out:
        if is_new:
            out.write(orjson.dumps({"sweep": of}) + b"\n")
        elif not file.read_bytes().endswith(b"\n"):
            out.write(b"\n")
        for one in done:
            out.write(orjson.dumps(one) + b"\n")
            out.flush()
            yield one


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
