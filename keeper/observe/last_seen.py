"""What was seen of each position at the last judged block: what an owner wants to know while nothing is seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from keeper.core.units import decimal_of, ratio_text

MOST_NAMED = 5


class LastSeen:
    """The positions of one chain, with their figures as they last were."""

    def __init__(self) -> None:
        self._block: int | None = None
        self._names: tuple[str, ...] = ()
        self._perps: dict[str, str] = {}
        self._figures: dict[str, str] = {}

    def began(self, names: Sequence[str]) -> None:
        """These are kept; nothing was seen of them yet."""
        self._names = tuple(names)

    def perps(self, margins: Mapping[str, int], deltas: Mapping[str, int]) -> None:
        """Margin ratios and deltas (Wad) of the block about to be judged to its end."""
        self._perps = {name: f"margin ratio {ratio_text(value)}" for name, value in margins.items()}
        self._perps |= {name: f"delta {decimal_of(value, 18, 4)}" for name, value in deltas.items()}

    def saw(self, block: int, health: Mapping[str, int]) -> None:
        """A block was judged: the lowest health factors come first."""
        lowest = sorted(health, key=health.__getitem__)
        self._figures = {name: f"health factor {ratio_text(health[name])}" for name in lowest[:MOST_NAMED]}
        self._figures |= self._perps
        if lowest or self._perps:
            self._names = tuple(dict.fromkeys((*lowest, *self._perps)))
        self._block, self._perps = block, {}

    def said(self, what: str) -> str:
        """Return whom it concerns: ``not watched: loop (health factor 1.2000 at block 7)``."""
        if not self._names:
            return f"{what}: every position of this chain"
        rest = len(self._names) - MOST_NAMED
        shown = [*self._each(), *([f"and {rest} more"] if rest > 0 else [])]
        return f"{what}: {', '.join(shown)}"

    def _each(self) -> Iterator[str]:
        for name in self._names[:MOST_NAMED]:
            figure = self._figures.get(name)
            yield f"{name} ({figure} at block {self._block})" if figure else name
