"""What several settings files, kept side by side, must not have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keeper.settings.model import Settings


def shared(chains: Sequence[Settings]) -> list[str]:
    """Return what two files must not have in common, as faults."""
    faults = list[str]()
    seen = dict[tuple[str, object], Path]()
    for settings in chains:
        own = {"journal": settings.journal_url.reveal(), "daemon.metrics_port": settings.daemon.metrics_port}
        for what, value in {**own, "file": settings.path.resolve()}.items():
            if value is not None and (first := seen.setdefault((what, value), settings.path)) is not settings.path:
                faults.append(f"{settings.path}: {what}: is the same as in {first}; each chain needs its own")
    return faults
