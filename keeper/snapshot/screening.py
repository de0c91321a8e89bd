"""Large fleets: every account judged at every block by the protocol's own figures, few of them looked at closely.

The figures (getUserAccountData) are read of every account at every block. From them alone a filter says which
positions no rule of theirs can fire on, and lets only those pass; the others are read in full at the same block and
judged in exact integers. It works in floating point with a guard band, so it may send too many on to the exact judge,
never too few; no amount of money is ever computed here.

What is not near a trigger is compared with our own arithmetic in turn, a few at every block: a disagreement would show
in the figures only where they are used, and before they are used a position has come near, where each block compares.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from keeper.core.lending.rules import Rule
from keeper.core.scales import Beyond
from keeper.core.units import WAD
from keeper.venues.ports import Answer

GUARD: Final = 1e-9
"""Far above what floating point loses on 256 bits (about 1e-15), far below what matters."""
IN_TURN: Final = 12
"""Positions compared with our own arithmetic at each block for no other reason than that it is their turn."""
STAY: Final = 4
"""Blocks that a turn lasts, so that what is read is laid out anew once in so many."""
_SIZE: Final = 6 * 32
_LIMBS: Final = np.array([2.0**192, 2.0**128, 2.0**64, 1.0])
_COLLATERAL, _DEBT, _THRESHOLD, _LTV, _HEALTH = 0, 1, 3, 4, 5

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen from afar. All three are places in the fleet, in order."""

    may_fire: list[int]
    """A rule of theirs may fire: to be read in full at this block, if they were not."""
    unreadable: list[int]
    """The protocol gave no figures."""
    lowest_health: float
    """Lowest health factor of all that could be read; infinite without any."""


class FleetTriggers:
    """The triggers of a fleet, one row for each position; a bound that no rule sets never fires."""

    def __init__(self, names: Sequence[str], rules: Iterable[Rule]) -> None:
        place, count = {name: i for i, name in enumerate(names)}, len(names)
        self.health_below, self.distance_below = np.full(count, -1.0), np.full(count, -1.0)
        self.health_above, self.ltv_above = np.full(count, np.inf), np.full(count, np.inf)
        self.otherwise = np.zeros(count, dtype=bool)
        """Whether a rule looks at what the figures do not show: always looked at closely."""
        self.by_price = dict[tuple[str, bool, int], list[int]]()
        """(symbol in lower case, below, bound) → positions."""
        for rule in rules:
            if (i := place.get(rule.position)) is not None:
                self._add(i, rule)

    def _add(self, i: int, rule: Rule) -> None:
        trigger = rule.trigger
        bound = float(trigger.farthest)
        match trigger.key:
            case "health_factor_below":
                self.health_below[i] = max(self.health_below[i], bound)
            case "health_factor_above":
                self.health_above[i] = min(self.health_above[i], bound)
            case "ltv_above":
                self.ltv_above[i] = min(self.ltv_above[i], bound)
            case "liquidation_distance_below":
                self.distance_below[i] = max(self.distance_below[i], bound)
            case "price_below" | "price_above" if trigger.of.symbol:
                is_below = trigger.side is Beyond.BELOW
                self.by_price.setdefault((trigger.of.symbol.lower(), is_below, trigger.bound), []).append(i)
            case _:  # the figures do not show it: read closely at each block, which is always right
                self.otherwise[i] = True

    def reached(self, figures: Floats, band: float) -> Mask:
        """Return where a trigger is reached, or would be if the figures moved by the share ``band``."""
        collateral, debt, health = figures[:, _COLLATERAL], figures[:, _DEBT], figures[:, _HEALTH]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ltv = np.where(debt > 0, debt / collateral * WAD, 0.0)
            distance = np.where(health > 0, WAD - WAD * (WAD / health), 0.0).clip(0)
        # the exact ratios are rounded against us, by one at most; a distance is a difference, so its guard is absolute
        found: Mask = (
            (health < self.health_below * (1 + band))
            | (health > self.health_above * (1 - band))
            | (ltv + 2 > self.ltv_above * (1 - band))
            | (distance < self.distance_below + band * WAD)
            | self.otherwise
        )
        return found

    def reached_by_price(self, prices: dict[str, int]) -> list[int]:
        """Return where the price of a named asset fires; one that is not known may."""
        found = list[int]()
        for (symbol, is_below, bound), places in self.by_price.items():
            price = prices.get(symbol, 0)
            if not price or (price < bound if is_below else price > bound):
                found += places
        return found


class Fleet:
    """Every position of a large fleet, and which of them are to be read in full at the next block."""

    def __init__(self, names: Sequence[str], rules: tuple[Rule, ...], near: float) -> None:
        self.names = tuple(names)
        self._near = near
        self._rules, self._bounds = rules, FleetTriggers(names, rules)
        self._figures: Floats | None = None
        self._close = set[int]()
        self._changed = list[int]()
        self._unreadable = set[int]()
        self._kept = set[int]()
        self._turn = 0
        """Blocks that were seen, as far as turns go."""

    @property
    def symbols(self) -> set[str]:
        """The assets whose prices rules look at."""
        return {symbol for symbol, _, _ in self._bounds.by_price}

    def follow(self, rules: tuple[Rule, ...]) -> None:
        """Judge by these rules from now on."""
        if rules != self._rules:
            self._rules, self._bounds = rules, FleetTriggers(self.names, rules)

    def keep(self, names: Iterable[str]) -> None:
        """Look closely at these positions at the next block: there was more to say of them than that all is well."""
        wanted = frozenset(names)
        self._kept = {i for i, name in enumerate(self.names) if name in wanted} if wanted else set()

    def close(self, found: Container[str]) -> list[int]:
        """Return whom to read in full at the next block: near a trigger, kept, changed, or whose turn it is.

        The turn comes to those only whose reserves are ``found`` already: nobody is discovered on the path for it.
        """
        count = len(self.names)
        begin = self._turn // STAY * IN_TURN
        turn = {(begin + i) % count for i in range(min(IN_TURN, count))}
        self._turn += 1
        idle = (turn | set(self._changed[:IN_TURN])) - self._unreadable
        known = {i for i in idle if self.names[i] in found}
        return sorted(((self._close | self._kept) - self._unreadable) | known)

    def look(self, answers: Sequence[Answer], prices: dict[str, int]) -> Sight:
        """Return what the figures of a block say. ``answers`` are those to ``figures_read``, one for each."""
        missing = [i for i, a in enumerate(answers) if a is None or len(a) != _SIZE]
        figures = _figures(answers)
        fires = self._bounds.reached(figures, GUARD)
        near = self._bounds.reached(figures, self._near)
        idle = (figures[:, _COLLATERAL] == 0) & (figures[:, _DEBT] == 0)
        by_price = self._bounds.reached_by_price(prices)
        fires[by_price] = True
        fires |= idle  # nothing there, or nothing that counts: the exact judge knows which
        fires[missing] = near[missing] = False
        self._note_changes(figures, missing)
        self._close = set(np.flatnonzero(near | fires).tolist())
        self._unreadable = set(missing)
        health = np.delete(figures[:, _HEALTH], missing) if missing else figures[:, _HEALTH]
        lowest = float(health.min()) / WAD if len(health) else float("inf")
        return Sight(np.flatnonzero(fires).tolist(), missing, lowest)

    def _note_changes(self, figures: Floats, missing: Sequence[int]) -> None:
        """Queue whose threshold or LTV moved: the owner did something, or the market changed its terms."""
        if self._figures is not None:
            ratios = [_THRESHOLD, _LTV]
            moved = (figures[:, ratios] != self._figures[:, ratios]).any(axis=1)
            moved[list(missing)] = False
            waiting = self._changed[IN_TURN:]
            self._changed = list(dict.fromkeys([*waiting, *np.flatnonzero(moved).tolist()]))
        self._figures = figures


def _figures(answers: Sequence[Answer]) -> Floats:
    """Return six figures of each account as floats, zero where there are none."""
    good = [a if a is not None and len(a) == _SIZE else bytes(_SIZE) for a in answers]
    words: NDArray[Any] = np.frombuffer(b"".join(good), dtype=">u8").reshape(-1, 6, 4)
    found: Floats = words.astype(np.float64) @ _LIMBS
    return found
