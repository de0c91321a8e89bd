"""One read of many probes: each read asked once, however many want it; every probe may fail alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Generic, TypeVar

from keeper.venues.ports import Answer, Probe, Read

T = TypeVar("T")
Places = tuple[int, ...]


@dataclass(slots=True, eq=False)
class Slot(Generic[T]):
    """Where a probe's answers are in the one read, and what they meant the last time."""

    probe: Probe[T]
    places: Places
    _last: tuple[Sequence[Answer], T] | None = None
    _pick: Callable[[Sequence[Answer]], Sequence[Answer]] = field(init=False)

    def __post_init__(self) -> None:
        self._pick = itemgetter(*self.places) if len(self.places) > 1 else self._few

    def decode(self, answers: Sequence[Answer]) -> T:
        """Return what the probe found; the same answers mean the same. Raises as the probe does."""
        mine = self._pick(answers)
        if self._last is None or self._last[0] != mine:
            self._last = mine, self.probe.decode(mine)
        return self._last[1]

    def _few(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        return tuple(answers[place] for place in self.places)


class Sheet:
    """Collects the reads of many probes.

    What positions share (a reserve's configuration, indices and price) is read once however many there are.
    """

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self._places: dict[Read, int] = {}

    def add(self, probe: Probe[T]) -> Slot[T]:
        """Add a probe's reads and return where its answers will be."""
        return Slot(probe, self.places(probe.reads))

    def places(self, reads: Iterable[Read]) -> Places:
        """Add reads and return where their answers will be."""
        return tuple([self._place(read) for read in reads])

    def _place(self, read: Read) -> int:
        place = self._places.setdefault(read, len(self.reads))
        if place == len(self.reads):
            self.reads.append(read)
        return place
