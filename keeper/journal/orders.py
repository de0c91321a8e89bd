"""What its owner ordered of a keeper (``keeper panic``), as the journal keeps it: given, looked for, taken back."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.core.panics import Order, from_plain, key_of, plain
from keeper.core.pauses import ABOUT, Pause, with_pause
from keeper.core.pauses import from_plain as pauses_from
from keeper.core.pauses import key_of as pauses_key
from keeper.core.pauses import plain as plain_pauses
from keeper.journal.ports import FactStore

Chain = tuple[int, str]
"""A chain's id, and what its network is called."""


async def ordered(facts: FactStore, chain: Chain) -> Order:
    """Return what is ordered and not done. Raises JournalError."""
    return from_plain(await facts.get(key_of(*chain)))


async def give_order(facts: FactStore, chain: Chain, names: Sequence[str], now: int) -> Order:
    """Write an order down; the other rules of its positions are paused, lest they undo it. Raises JournalError."""
    key = pauses_key(*chain)
    pauses = pauses_from(await facts.get(key))
    for name in names:
        pauses = with_pause(pauses, Pause(ABOUT, name, now))
    await facts.set(key, plain_pauses(pauses))
    order = (await ordered(facts, chain)).also(names, now)
    await facts.set(key_of(*chain), plain(order))
    return order


async def keep_order(facts: FactStore, chain: Chain, order: Order) -> None:
    """Write down what is left of an order. Raises JournalError."""
    await facts.set(key_of(*chain), plain(order))


async def take_back(facts: FactStore, chain: Chain) -> Order:
    """Forget what is ordered and not done, and return it. What is paused stays so. Raises JournalError."""
    order = await ordered(facts, chain)
    await facts.set(key_of(*chain), None)
    return order
