"""How a keeper stands, from its last view and how old that is; and what that means to its owner. Pure."""

from __future__ import annotations

from typing import Any

Data = dict[str, Any]
LIVE, DRY_RUN, BLIND, SILENT, UNSEEN = "live", "dry_run", "blind", "silent", "unseen"
"""It may send, it may not, it sees nothing, it said nothing for too long, or never said anything."""
SILENT_S = 120
"""A view that does not say how soon more comes is no view of now once it is older, or so many blocks or cycles old."""
LATE_BLOCKS, LATE_S = 3, 12.0
"""So many blocks, and at least so long, without a judged one is no quiet any more: it is said."""
SLOW_S = 20.0
"""How long a keeper may work at a block, and say nothing meanwhile."""


def state_of(view: Data | None, age_s: int | None, pace_s: float) -> str:
    """Return how a keeper stands; ``age_s``: since it last said anything, ``pace_s``: how often a block is judged.

    That it is blind is what its own alarm goes by: the two never differ.
    """
    if view is None or age_s is None:
        return UNSEEN
    every_s = view.get("every_s")
    patience_s = max(SILENT_S, LATE_BLOCKS * pace_s) if every_s is None else every_s + max(SLOW_S, LATE_BLOCKS * pace_s)
    if age_s > patience_s:
        return SILENT
    if view.get("blind"):
        return BLIND
    return LIVE if view["mode"] == LIVE else DRY_RUN


def says(state: str, view: Data | None, judged_s: int | None, pace_s: float) -> str:
    """Return what a state means, in one line; how long ago a block was judged is counted beside it."""
    if state == BLIND and view is not None:
        why = f"{view['blind']['title']}: {view['blind']['detail']}"
        return f"the keeper is blind: nothing is watched or rescued. {why}"
    if state == SILENT:
        return "is the keeper running, and does its node show new blocks?"
    if state == UNSEEN:
        return "start it: keeper run"
    if judged_s is not None and judged_s > max(LATE_S, LATE_BLOCKS * pace_s):
        return "no new block: nothing newer is watched"
    return "signs and sends" if state == LIVE else "rehearses, sends nothing"
