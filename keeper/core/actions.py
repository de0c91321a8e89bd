"""One way to help: everything a rule has to know of it. Each kind of position lists its own, with how it is done."""

from __future__ import annotations

from dataclasses import dataclass

ALERT = "alert"
"""What a settings file calls a rule that does nothing: such a rule has no actions."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Action:
    """What a rule may allow. A kind's own subclass adds what it asks of pools or venues, and what it proposes."""

    key: str
    """The settings key."""
    summary: str
    """A sentence for the reference."""
    trades: bool
    """Whether it buys or sells, and so needs prices beyond doubt."""
    adds_leverage: bool = False
    reaches: str = ""
    """The one target it gets to, by key, where that is neither more health nor less debt: it rearranges."""
    by_anybody: bool = False
    """Whether a guardian may do it: it can only give."""
    closes: bool = True
    """Whether it can bring a debt or a size to nothing."""

    def __repr__(self) -> str:
        return f"Action({self.key})"
