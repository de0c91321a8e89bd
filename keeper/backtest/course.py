"""What oracle and pools said, block by block, made of bars. Pure; prices are integers in 10^-8 dollars.

Inside a bar the price goes from its open through both extremes to its close, a third of the bar apart, in a straight
line: which extreme comes first nobody knows, so both orders are played. The oracle answers when the price left its last
answer by ``deviation``, or after ``heartbeat_s``; an extreme is answered as it is, so that no low is lost. An answer
holds from a block on, ``lag`` blocks after the price was there. Nothing of it depends on what comes later.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from keeper.core.risk.series import BadHistoryError, Bar
from keeper.core.units import BPS, DAY_S, USD, Bps

CHUNK = 4096
"""Points of a path that are plain numbers at a time."""
LONGEST_GAP_S = DAY_S
"""A longer silence of a file is no history: nobody knows what a position lived through."""


class Inside(Enum):
    """Which extreme of a bar comes first."""

    LOW_FIRST = "low first"
    HIGH_FIRST = "high first"


@dataclass(frozen=True, slots=True)
class OracleTerms:
    """When an oracle answers, and how many blocks after the price was there its answer holds."""

    deviation: Bps
    heartbeat_s: int
    lag: int


USUAL = OracleTerms(Bps(50), 3600, 1)
"""Of ether's feed on Ethereum."""


@dataclass(frozen=True, slots=True)
class PricePath:
    """Where one price stands: straight from point to point; over a hole in the file it stays, and then jumps."""

    at: npt.NDArray[np.float64]
    price: npt.NDArray[np.int64]

    def price_at(self, at: float) -> int:
        """Return the price at a time; before the first point that one, after the last the last."""
        i = int(self.at.searchsorted(at, side="right"))
        if i == 0 or i == len(self.at):
            return int(self.price[max(0, i - 1)])
        (a, b), (before, after) = self.at[i - 1 : i + 1].tolist(), self.price[i - 1 : i + 1].tolist()
        return _between(a, before, b, after, at)

    def stretches(self) -> Iterator[tuple[float, int, float, int]]:
        """Yield both ends of each stretch, time and price, as plain numbers."""
        for first in range(0, len(self.at) - 1, CHUNK):
            part = slice(first, first + CHUNK + 1)
            for (a, before), (b, after) in pairwise(
                zip(self.at[part].tolist(), self.price[part].tolist(), strict=True)
            ):
                yield a, before, b, after


@dataclass(frozen=True, slots=True)
class PriceCourse:
    """Every block at which an oracle answered: its time, and what each asset's oracle says from then on."""

    symbols: tuple[str, ...]
    begins: int
    block_s: int
    at: npt.NDArray[np.int64]
    answers: npt.NDArray[np.int64]
    """By block and asset."""
    updated: npt.NDArray[np.int64]
    """By block and asset: the time of the price that holds."""
    paths: Mapping[str, PricePath] = field(repr=False)
    gaps: int = 0
    """Holes in the files, each shorter than a day."""
    until: int = 0
    """When the files end; 0 where the last answer ends it, as in documents of before."""

    def number(self, at: int) -> int:
        """Return the number of the block that holds at a time."""
        return 1 + (at - self.begins) // self.block_s

    def time(self, number: int) -> int:
        """Return the time of a block."""
        return self.begins + (number - 1) * self.block_s

    def index(self, at: int) -> int:
        """Return the place of the newest answer at a time; 0 before any."""
        return max(0, int(np.searchsorted(self.at, at, side="right")) - 1)

    @property
    def ends(self) -> int:
        """The time of the last block: what is decided at the last answer is mined before it."""
        return max(int(self.at[-1]), self.time(self.number(self.until)))


def course(
    files: Mapping[str, Sequence[Bar]],
    inside: Inside,
    oracle: OracleTerms = USUAL,
    block_s: int = 12,
    *,
    is_whole: bool = True,
) -> PriceCourse:
    """Return the course of some assets over the time that all files know, to their end where it is to be whole.

    Raises BadHistoryError.
    """
    if not files or any(not bars for bars in files.values()):
        raise BadHistoryError(0, "there are no prices")
    begins, ends = max(b[0].at for b in files.values()), min(b[-1].at + b[-1].seconds for b in files.values())
    if begins >= ends:
        raise BadHistoryError(0, "the files have no time in common")
    known = {symbol: [b for b in bars if b.at + b.seconds > begins and b.at < ends] for symbol, bars in files.items()}
    gaps = sum(_gaps(bars) for bars in known.values())
    paths = {symbol: _path(bars, inside) for symbol, bars in known.items()}
    said = [list(_answers(path, oracle, begins, block_s)) for path in paths.values()]
    return PriceCourse(tuple(paths), begins, block_s, *_merged(said), paths, gaps, ends if is_whole else 0)


def _gaps(bars: Sequence[Bar]) -> int:
    count = 0
    for number, (a, b) in enumerate(pairwise(bars), 2):
        hole = b.at - a.at - a.seconds
        if hole > LONGEST_GAP_S:
            raise BadHistoryError(number, f"comes {hole // 3600} h after the one before ended: cut the file there")
        count += hole > 0
    return count


def _path(bars: Sequence[Bar], inside: Inside) -> PricePath:
    at, price = array("d"), array("q")
    for bar in bars:
        if at and bar.at - at[-1] > 1:  # a hole: nothing is known of it but where it ends
            at.append(bar.at - 0.5)
            price.append(price[-1])
        extremes = (bar.low, bar.high) if inside is Inside.LOW_FIRST else (bar.high, bar.low)
        third = bar.seconds / 3
        at.extend((bar.at, bar.at + third, bar.at + 2 * third, bar.at + bar.seconds - 0.5))
        try:
            price.extend((bar.open, *extremes, bar.close))
        except OverflowError:
            raise BadHistoryError(0, f"has a price of {bar.high // USD:,} dollars, which no oracle can say") from None
    return PricePath(np.frombuffer(at, np.float64), np.frombuffer(price, np.int64))


def _answers(path: PricePath, oracle: OracleTerms, begins: int, block_s: int) -> Iterator[tuple[int, int, int]]:
    """Yield the time from which an answer holds, the answer, and the time of its price."""
    last, said_at = path.price_at(begins), begins
    yield begins, last, begins
    up, down = BPS + oracle.deviation, BPS - oracle.deviation
    for a, before, b, after in path.stretches():
        if b <= begins:
            continue
        while True:
            crossed = after * BPS >= last * up or after * BPS <= last * down
            due = b
            if crossed and after != before:
                wanted = last * (up if after > before else down) / BPS
                due = min(b, max(a, a + (wanted - before) * (b - a) / (after - before)))
            beat = said_at + oracle.heartbeat_s
            if beat < due:
                due, crossed = float(beat), True
            if not crossed:
                break
            block = _block(due, begins, block_s)
            seen = after if block >= b and due != beat else _between(a, before, b, after, min(float(block), b))
            last, said_at = seen, max(block, said_at)
            yield block + oracle.lag * block_s, seen, block
            if block >= b:
                break


def _block(at: float, begins: int, block_s: int) -> int:
    return begins + -int((begins - at) // block_s) * block_s


def _between(a: float, before: int, b: float, after: int, at: float) -> int:
    return before if b <= a else before + int((after - before) * (at - a) / (b - a))


def _merged(
    said: Sequence[Sequence[tuple[int, int, int]]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return blocks, answers and their times; of several answers of one block the one farthest from the one before."""
    times = sorted({at for rows in said for at, _, _ in rows})
    place = {at: i for i, at in enumerate(times)}
    answers = np.zeros((len(times), len(said)), np.int64)
    updated = np.zeros_like(answers)
    for column, rows in enumerate(said):
        before, held = rows[0][1], -1
        for at, answer, seen in rows:
            i = place[at]
            if i == held and abs(answer - before) < abs(int(answers[i, column]) - before):
                continue
            if i != held:
                before, held = int(answers[held, column]) if held >= 0 else answer, i
            answers[i, column], updated[i, column] = answer, seen
        _filled(answers[:, column])
        _filled(updated[:, column])
    return np.array(times, np.int64), answers, updated


def _filled(column: npt.NDArray[np.int64]) -> None:
    """Carry what holds forward: an answer holds until the next."""
    places = np.where(column != 0, np.arange(len(column)), 0)
    column[:] = column[np.maximum.accumulate(places)]
