"""Which answers of an oracle need not be judged: what is left out is proved to change nothing, and not guessed.

Of a stretch of the course the worst corner is judged (collateral at its lowest and debts at their highest price, with
the interest of the whole stretch) and the best. Nothing fires at either: then nothing fires between them, for every
rule that follows prices asks whether one monotone figure is past a bound. Else the stretch is halved. The engine's own
``judge`` says it. What comes later only decides what is looked at, never what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from keeper.backtest.course import PriceCourse
from keeper.backtest.standing import PaperStanding
from keeper.core.lending.rules import Rule
from keeper.core.units import Address

CHUNK = 256
IsQuiet = Callable[[PaperStanding], bool]
"""Whether no rule fires on an account as it stands, and none is in doubt."""


def may_skip(rules: Sequence[Rule]) -> bool:
    """Return whether every rule asks for one figure that prices alone move, one way."""
    return all(r.trigger.metric.follows_prices and r.trigger.metric.remember is None for r in rules)


def has_sides(s: PaperStanding, moving: Collection[Address]) -> bool:
    """Return whether each asset whose price moves is collateral or debt, and none is both."""
    return not any(h.supplied and h.borrowed for h in s.holdings if h.asset in moving)


class Extremes:
    """The lowest and highest answers of any stretch of a course."""

    def __init__(self, course: PriceCourse) -> None:
        self.course = course
        begins = np.arange(0, len(course.at), CHUNK)
        self._lows = np.minimum.reduceat(course.answers, begins, axis=0)
        self._highs = np.maximum.reduceat(course.answers, begins, axis=0)

    def of(self, begin: int, end: int) -> tuple[list[int], list[int]]:
        """Return them by column, for places from ``begin`` and before ``end``."""
        answers, first, last = self.course.answers, -(-begin // CHUNK), end // CHUNK
        if first >= last:
            part = answers[begin:end]
            return part.min(axis=0).tolist(), part.max(axis=0).tolist()
        edges = np.concatenate((answers[begin : first * CHUNK], answers[last * CHUNK : end]))
        lows, highs = (np.concatenate((edges, whole[first:last])) for whole in (self._lows, self._highs))
        return lows.min(axis=0).tolist(), highs.max(axis=0).tolist()


def after_calm(
    extremes: Extremes, s: PaperStanding, columns: Mapping[Address, int], begin: int, end: int, is_quiet: IsQuiet
) -> int:
    """Return the first place from ``begin`` on that has to be judged: nothing happens before it."""
    at, span = extremes.course.at, end - begin
    while span > 0:
        lows, highs = extremes.of(begin, begin + span)
        then = s.later(int(at[begin + span - 1]))
        worst = _at(_with(s, then), columns, lows, highs)
        if is_quiet(worst) and is_quiet(_at(_with(then, s), columns, highs, lows)):
            return begin + span
        span //= 2
    return begin


def _with(supplies: PaperStanding, debts: PaperStanding) -> PaperStanding:
    """Return an account with the supplies of one and the debts of another."""
    owed = {h.asset: h.borrowed for h in debts.holdings}
    return replace(supplies, holdings=tuple(replace(h, borrowed=owed[h.asset]) for h in supplies.holdings))


def _at(
    s: PaperStanding, columns: Mapping[Address, int], collateral: Sequence[int], debts: Sequence[int]
) -> PaperStanding:
    prices, updated = dict[Address, int](), dict[Address, int]()
    for h in s.holdings:
        column = columns.get(h.asset)
        prices[h.asset] = h.price.answer if column is None else (debts if h.borrowed else collateral)[column]
        updated[h.asset] = h.price.updated_at or 0
    return s.priced(prices, updated)
