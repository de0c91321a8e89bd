"""What another node says of the figures that decide, at each block: asked beside our read, never before it.

One read of one other node, none where there is none. Positions near a rule are in it always, the others in turns, as
many as go into one call. Where the nodes differ nobody knows which of them lies: the owner hears of it, trades are
forbidden, and the worse figure binds (see ``prepare.judge``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keeper.chain.blocks import Asked, Blocks
from keeper.chain.chunks import Bundle, CallRoom
from keeper.chain.errors import NodeError
from keeper.core.lending.rules import LendingAssessment
from keeper.core.perp.rules import PerpAssessment
from keeper.core.rules import Unjudged
from keeper.core.snapshot import BlockRef, Otherwise
from keeper.core.units import BPS
from keeper.snapshot.layout import Page
from keeper.venues.ports import Answer

Warn = Callable[[str, str, str], None]
Calm = Callable[[str, str], None]
NEAR: Final = 1000
"""A rule is near within so many basis points of its bound."""
PATIENCE_S: Final = (0.5, 2.0)
"""The least and the most that the other node is waited for after ours; between them, a quarter of a block."""
NO_PATIENCE_S: Final = 0.2
"""The same while its answer of a block before is still out."""
AFTER_OURS_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Look:
    """What one other node was asked: the places of its answers on the page, and of those of the fleet's figures."""

    asked: Asked
    places: tuple[int, ...]
    ships: tuple[int, ...]


class SecondLook:
    """Compares our read with another node's. ``warn`` is called where they differ: a key, a title, the detail.

    ``calm`` is called when they do not any more.
    """

    def __init__(self, blocks: Blocks, block_time_s: float, warn: Warn, calm: Calm = lambda *_: None) -> None:
        self._blocks = blocks
        self._patience_s = min(max(block_time_s / 4, PATIENCE_S[0]), PATIENCE_S[1])
        self._warn, self._calm = warn, calm
        self._near = frozenset[str]()
        self._turn = 0
        self._is_late = False
        """Whether an answer of before is still out."""
        self._laid: tuple[object, Bundle] | None = None
        self._whole: tuple[object, tuple[int, ...]] | None = None
        """What is asked where all of it goes into one call, and for what that is so."""

    def near(self, names: Iterable[str]) -> None:
        """Have these positions in it at the next block, whatever else is."""
        self._near = frozenset(names)

    def begin(self, block: BlockRef, page: Page, glance: Bundle) -> Look | None:
        """Ask another node, and wait for nothing; None where there is none."""
        if not self._blocks.has_others:
            return None
        places, ships = self._chosen(page, glance)
        key = (page, places, ships)
        if self._laid is None or self._laid[0] != key:
            reads = [page.reads[i] for i in places] + [glance.reads[i] for i in ships]
            self._laid = key, Bundle(reads)
        asked = self._blocks.beside(block, self._laid[1], AFTER_OURS_S)
        return None if asked is None else Look(asked, places, ships)

    async def compared(
        self, look: Look, block: BlockRef, page: Page, own: Sequence[Answer], figures: Sequence[Answer]
    ) -> Mapping[str, Otherwise]:
        """Return the positions that the other node shows otherwise than ours, as it shows them; warn of each.

        One that does not answer in time, or not at all, does not differ: a rescue must not wait for it. What it says
        later is compared all the same.
        """
        task = look.asked.task
        await asyncio.wait({task}, timeout=NO_PATIENCE_S if self._is_late else self._patience_s)
        if not task.done():
            self._is_late = True
            task.add_done_callback(lambda _: self._heard_late(look, page, own, figures))
            return {}
        theirs = self._differing(look, page, own, figures)
        if theirs is None:
            return {}
        found = page.told_by(block, theirs)
        detail = f"{look.asked.node} says otherwise than {look.asked.ours} at block {block.number}"
        return {name: Otherwise(found[name], detail) for name in self._names(page, own, theirs) if name in found}

    def _heard_late(self, look: Look, page: Page, own: Sequence[Answer], figures: Sequence[Answer]) -> None:
        self._is_late = False
        self._differing(look, page, own, figures)

    def _differing(
        self, look: Look, page: Page, own: Sequence[Answer], figures: Sequence[Answer]
    ) -> Sequence[Answer] | None:
        """Return our answers with the other node's in their places, None where nothing differs. Warns."""
        said = None if look.asked.task.cancelled() else look.asked.task.result()
        if said is None or isinstance(said, NodeError):
            return None
        theirs = list(own)
        for place, answer in zip(look.places, said, strict=False):
            if answer is not None and own[place] is not None:  # a read that fails for want of gas says nothing
                theirs[place] = answer
        ships = zip(look.ships, said[len(look.places) :], strict=True)
        strays = [i for i, answer in ships if None not in (answer, figures[i]) and answer != figures[i]]
        names = [*self._names(page, own, theirs), *(f"position {i + 1} of the fleet" for i in strays)]
        if names or theirs != list(own):
            self._alert(look, names)
        else:
            self._calm("nodes:figures", f"{look.asked.node} and {look.asked.ours} give the same figures.")
        return theirs if theirs != list(own) else None

    def _alert(self, look: Look, names: Sequence[str]) -> None:
        what = ", ".join(names) or "a price or a wallet"
        detail = (
            f"{look.asked.node} and {look.asked.ours} differ on {what}. Nothing is traded, the worse figure counts."
        )
        self._warn("nodes:figures", "Two nodes give different figures", detail)
        self._blocks.find_the_liar(look.asked)

    def _names(self, page: Page, own: Sequence[Answer], theirs: Sequence[Answer]) -> list[str]:
        return [name for name, at in page.at.items() if any(own[i] != theirs[i] for i in at)]

    # --- what is asked -----------------------------------------------------------------------------------------------

    def _chosen(self, page: Page, glance: Bundle) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the places on the page, and in the fleet, that go into one call: near ones first, then in turns."""
        key = (page, self._near, self._blocks.caps.state)
        if self._whole is not None and self._whole[0] == key:
            return self._whole[1], ()
        names = list(page.at)
        near = [name for name in names if name in self._near]
        rest = [name for name in names if name not in self._near]
        start = self._turn % max(1, len(rest))
        room, wanted, taken = self._blocks.caps.room(), dict[int, None](), 0
        for name in [*near, *rest[start:], *rest[:start]]:
            is_in = room.takes([page.reads[place] for place in page.at[name] if place not in wanted])
            if not is_in and wanted:
                break
            wanted |= dict.fromkeys(page.at[name])
            taken += 1
        ships = self._ships(glance, room) if taken == len(names) else ()
        places = tuple(sorted(wanted))
        if taken == len(names) and not glance.reads:
            self._whole = key, places
        self._turn += len(ships) or max(1, taken - len(near))
        return places, ships

    def _ships(self, glance: Bundle, room: CallRoom) -> tuple[int, ...]:
        count, found = len(glance.reads), list[int]()
        for k in range(count):
            i = (self._turn + k) % count
            if not room.takes([glance.reads[i]]):
                break
            found.append(i)
        return tuple(found)


def is_near(assessed: object) -> bool:
    """Return whether a position is near a rule of its own, or cannot be judged: then its figures decide."""
    match assessed:
        case LendingAssessment():
            return any(v.fired or _is_within(v.measured, v.rule.trigger.bound) for v in assessed.verdicts)
        case PerpAssessment() | Unjudged():
            return True
        case _:
            return False


def _is_within(measured: int | None, bound: int) -> bool:
    return measured is not None and abs(measured - bound) * BPS <= abs(bound) * NEAR
