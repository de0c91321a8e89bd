"""``keeper alive``: did a keeper judge a block to its end just now? For health checks of containers and the like."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from keeper.cli.common import Exit, fail, out
from keeper.cli.guard import guarded
from keeper.cli.words import as_json_text
from keeper.core.units import duration
from keeper.journal import Journal, open_as_it_is
from keeper.journal.views import scope_of
from keeper.settings import Settings
from keeper.settings.fields import as_period

LEAST_S = 120.0
BLOCKS, INTERVALS = 20, 3
"""A judged block may be so many blocks old, or so many intervals where its owner wants one now and then."""
MODES = ("live", "dry_run")


@dataclass(frozen=True, slots=True)
class Pulsed:
    """What is known of one chain's keeper."""

    network: str
    is_alive: bool
    said: str


def alive(chains: list[Settings], within: str | None, *, as_json: bool) -> Exit:
    """Print how each chain's keeper stands; 0 where all of them judged a block in time."""
    within_s = _seconds(within)

    async def work() -> Exit:
        found = [await _pulse(of, within_s or usual_s(of)) for of in chains]
        if as_json:
            as_json_text(out(), [asdict(one) for one in found])
        else:
            for one in found:
                out().print(f"{one.network}: {one.said}")
        return Exit.FINE if all(one.is_alive for one in found) else Exit.FAILED

    return guarded(work)


def usual_s(of: Settings) -> float:
    """Return how old a judged block may be on a chain before its keeper counts as hung."""
    return max(LEAST_S, BLOCKS * of.network.block_time_s, INTERVALS * (of.daemon.interval_s or 0.0))


async def _pulse(of: Settings, within_s: float) -> Pulsed:
    journal = await open_as_it_is(of.journal_url.reveal())
    if journal is None:
        return Pulsed(of.network.name, is_alive=False, said="there is no journal yet: no keeper has run")
    try:
        judged = await _judged_at(journal, of)
    finally:
        await journal.close()
    if judged is None:
        return Pulsed(of.network.name, is_alive=False, said="no block was judged yet")
    at, number = judged
    age = max(0.0, time.time() - at)
    said = f"block {number} was judged {duration(age)} ago"
    if age > within_s:
        return Pulsed(
            of.network.name, is_alive=False, said=f"{said}, more than {duration(within_s)}: nothing is watched"
        )
    return Pulsed(of.network.name, is_alive=True, said=said)


async def _judged_at(journal: Journal, of: Settings) -> tuple[int, int] | None:
    """Return when a block was last judged, and which, of a live keeper's and a dry run's the later one."""
    network = of.network
    views = [await journal.views.newest(scope_of(network.chain_id, network.name, mode)) for mode in MODES]
    found = [
        view for view, _ in filter(None, views) if isinstance(view, dict) and isinstance(view.get("judged_at"), int)
    ]
    return max(((view["judged_at"], view["block"]["number"]) for view in found), default=None)


def _seconds(within: str | None) -> float | None:
    try:
        return None if within is None else float(as_period(within))
    except ValueError as error:
        fail(Exit.BAD_SETTINGS, f"--within: {error}")
