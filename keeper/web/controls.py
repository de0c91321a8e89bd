"""What may be changed from the page, with the second token: a pause and its end, and what `keeper panic` orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Self

from keeper.core.panics import Order
from keeper.core.pauses import ALL, KINDS, RULE, Pause, with_pause, without
from keeper.journal import Journal, orders
from keeper.settings.fields import as_period
from keeper.web.sight import Onlooker
from keeper.web.stands import LIVE


class ControlError(Exception):
    """What was asked cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """What is asked: ``pause`` or ``resume`` of everything, a rule, a position or book; for how long."""

    action: str
    kind: str
    name: str
    seconds: int | None

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """Return what a form or a request asks. Raises ControlError."""
        action, kind, name = (given.get(key, "").strip() for key in ("action", "kind", "name"))
        if action not in ("pause", "resume"):
            raise ControlError("ask for pause or resume")
        if kind not in KINDS:
            raise ControlError(f"what is meant must be one of {', '.join(KINDS)}")
        return cls(action, kind, name, _seconds(given.get("for", "").strip()))


async def change(sight: Onlooker, asked: PauseAsked) -> None:
    """Write it into the journal: the keeper looks there before it acts. Raises ControlError, JournalError."""
    of = sight.settings
    name = "" if asked.kind == ALL else asked.name
    known = of.rule_names if asked.kind == RULE else of.subject_names
    if asked.kind != ALL and name not in known:
        raise ControlError(f"there is no {asked.kind} {name[:60]!r} in the settings")
    journal = await _journal(sight)
    now = int(sight.clock())
    new = Pause(asked.kind, name, now, None if asked.seconds is None else now + asked.seconds)

    def turn(there: orders.Pauses) -> orders.Pauses:
        return with_pause(there, new) if asked.action == "pause" else without(there, asked.kind, name)

    await orders.change_pauses(journal.facts, of.network.known_as, turn, now)
    sight.forget()


@dataclass(frozen=True, slots=True)
class OrderAsked:
    """What is asked: ``panic`` for a position, its name typed once more, or ``call_off`` of what is not done."""

    action: str
    name: str
    confirmed: str

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """Return what a form or a request asks."""
        return cls(*(given.get(key, "").strip() for key in ("action", "name", "confirm")))


PANICS = ("panic", "call_off")


async def order(sight: Onlooker, asked: OrderAsked) -> Order:
    """Order it of the keeper that runs, or call off what was ordered; return what is ordered now.

    Raises ControlError, JournalError. Only of a live keeper that judges blocks: an order that waited in the journal
    would be carried out at a start that nobody connects with it.
    """
    journal, chain = await _journal(sight), sight.settings.network.known_as
    if asked.action == "call_off":
        await orders.take_back(journal.facts, chain)
    else:
        if asked.name not in sight.ways_out:
            raise ControlError(f"no way out is declared for {asked.name[:60]!r}: [[panic]] in the settings")
        if asked.confirmed != asked.name:
            raise ControlError("type its name to confirm: nothing was ordered")
        if (await sight.glance())["state"] != LIVE:
            raise ControlError(f"no live keeper judges blocks here: use `keeper panic {asked.name} --live` instead")
        await orders.give_order(journal.facts, chain, (asked.name,), int(sight.clock()))
    sight.forget()
    return await orders.ordered(journal.facts, chain)


async def _journal(sight: Onlooker) -> Journal:
    journal = await sight.journal()
    if journal is None:
        raise ControlError("there is no journal yet: start the keeper first")
    return journal


def _seconds(text: str) -> int | None:
    if not text:
        return None
    try:
        return ceil(as_period(text))
    except ValueError as error:
        raise ControlError(f"how long: {error}") from None
