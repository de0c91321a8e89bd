"""What a rule of a book may do: trade a hedge, give it margin, and, where no hedge can be had, sell what it was for."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.actions import Action

HEDGE = Action("hedge", "Trades the cheapest of the book's hedges until the delta is at its target.", trades=True)
ADD_MARGIN = Action(
    "add_margin",
    "Gives a hedge that grows the margin it needs from its signer's wallet.",
    trades=False,
    by_anybody=True,
)
UNWIND = Action(
    "unwind",
    "Sells of the lending position that the book names, and repays with it, once no hedge can be had in time.",
    trades=True,
)
ACTIONS: Mapping[str, Action] = {a.key: a for a in (HEDGE, ADD_MARGIN, UNWIND)}
"""By settings key."""
