"""What stays as it is while a keeper runs: who owns, who signs, which chain, where it is written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keeper.settings.difference import Differing, Place, where_of

ANEW = frozenset({"rules", "books", "panic", "exposure", "alerts", "puts", "shocks"})
"""Tables that are read anew whole."""
OF_DAEMON = frozenset({"interval", "confirmations", "keep_holds_days", "fire_drill"})
NOT_OF_SAFETY = frozenset({"forecaster", "act_on_oracle_events"})
RESTART = "stays as it is while the keeper runs: put it back, or restart the keeper"
ANOTHER = "stays as it is while the keeper runs: name the changed one otherwise, or restart the keeper"


def pinned(changes: Iterable[Differing]) -> Iterator[str]:
    """Yield each change that a running keeper does not take up, by its place and with its remedy."""
    for change in changes:
        if _is_pinned(change.place):
            yield f"{where_of(change.place)}: {ANOTHER if change.place[0] == 'positions' else RESTART}"


def _is_pinned(place: Place) -> bool:
    match place:
        case ("positions", _):
            return False  # one more or one less
        case ("daemon", key, *_):
            return key not in OF_DAEMON
        case ("safety", key, *_):
            return key in NOT_OF_SAFETY
        case ("exposure", "all_chains", *_):
            return True  # what the other chains read in full hangs on it
        case (table, *_):
            return table not in ANEW
        case _:
            return True
