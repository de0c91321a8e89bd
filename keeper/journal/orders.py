"""What its owner ordered of a keeper (``keeper panic``) and what he paused, as the journal keeps it.

Command, page, bot and keeper write it side by side: each change is one of its own, and none takes another one back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keeper.core.panics import Order, from_plain, key_of, plain
from keeper.core.pauses import ABOUT, Pause, with_pause
from keeper.core.pauses import from_plain as pauses_from
from keeper.core.pauses import key_of as pauses_key
from keeper.core.pauses import plain as plain_pauses
from keeper.journal.ports import FactStore

Chain = tuple[int, str]
"""A chain's id, and what its network is called."""
Pauses = tuple[Pause, ...]


async def ordered(facts: FactStore, chain: Chain) -> Order:
    """Return what is ordered and not done. Raises JournalError."""
    return from_plain(await facts.get(key_of(*chain)))


async def give_order(facts: FactStore, chain: Chain, names: Sequence[str], now: int) -> Order:
    """Write an order down; the other rules of its positions are paused, lest they undo it. Raises JournalError."""
    order, pauses = key_of(*chain), pauses_key(*chain)

    def turn(there: dict[str, Any]) -> dict[str, Any]:
        held = pauses_from(there[pauses])
        for name in names:
            held = with_pause(held, Pause(ABOUT, name, now))
        return {pauses: plain_pauses(held), order: plain(from_plain(there[order]).also(names, now))}

    return from_plain((await facts.change([order, pauses], turn))[order])


async def done_with(facts: FactStore, chain: Chain, names: Sequence[str]) -> Order:
    """Take off an order what is done; return what is left of it. Raises JournalError."""
    key = key_of(*chain)
    return from_plain((await facts.change([key], lambda of: {key: plain(from_plain(of[key]).without(names))}))[key])


async def take_back(facts: FactStore, chain: Chain) -> Order:
    """Forget what is ordered and not done, and return it. What is paused stays so. Raises JournalError."""
    key, order = key_of(*chain), Order((), 0)

    def turn(there: dict[str, Any]) -> dict[str, Any]:
        nonlocal order
        order = from_plain(there[key])
        return {key: None}

    await facts.change([key], turn)
    return order


async def paused(facts: FactStore, chain: Chain, now: int) -> Pauses:
    """Return the pauses that are on. Raises JournalError."""
    return _on(await facts.get(pauses_key(*chain)), now)


async def change_pauses(facts: FactStore, chain: Chain, change: Callable[[Pauses], Pauses], now: int) -> Pauses:
    """Change what is paused, whatever others change meanwhile; return the pauses that are on. Raises JournalError."""
    key = pauses_key(*chain)
    return _on((await facts.change([key], lambda of: {key: plain_pauses(change(_on(of[key], now)))}))[key], now)


def _on(written: Any, now: int) -> Pauses:
    return tuple(pause for pause in pauses_from(written) if not pause.is_over(now))
