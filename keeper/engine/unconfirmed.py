"""A plan under way that nobody can confirm: it waits at what it offers, and its owner hears of it."""

from __future__ import annotations

from keeper.core.notices import sentence
from keeper.core.reasons import Reason
from keeper.engine.engine import Engine
from keeper.engine.notices import clipped
from keeper.execution.recheck import Unsure


def unconfirmed(engine: Engine, name: str, found: Unsure) -> None:
    """Alert that nobody can say whether a plan under way is still right. It is over when the position is judged again.

    ``name`` is the position, or the book under its rule, as the owner hears of it.
    """
    reason, detail = Reason.UNCONFIRMED, f" ({clipped(found.detail)})" if found.detail else ""
    said = sentence(f"{found.reason.short}{detail}", reason.remedy)
    title = f"{name}: {reason.short}"
    engine.observer.raise_alarm(f"unconfirmed:{name}", title, said, subject=name, name=f"{title}: no more")
