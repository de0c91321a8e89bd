"""What every venue's account is: how it is read, what its logs say, when what it is asked is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from keeper.core.occurrences import Occurrence
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address
from keeper.venues.ports.reads import Probe, Read

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What was asked is done when it is mined."""


AT_ONCE = AtOnce()


@dataclass(frozen=True, slots=True)
class ByKeepers:
    """The venue's keepers carry out later what was asked; its owner may take it back after so many seconds."""

    cancel_after_s: int


Settles = AtOnce | ByKeepers

Codes = Mapping[Address, bytes]
"""Contract → the code it has in a rehearsal, in the place of its own."""


class Account(Protocol[P]):
    """One owner's position at one venue, as discovery found it: how it is read, and when what it is asked is done."""

    @property
    def settles(self) -> Settles:
        """When what was asked is done."""

    @property
    def chronicle(self) -> Chronicle:
        """What reads the venue's logs about the position."""

    def probe(self, name: str, block: BlockRef) -> Probe[P]:
        """Return the reads of the position. Decoding raises ReadFailedError where a figure is missing.

        ScopeOutdatedError where the account uses what is not read.
        """

    def witness(self, position: P) -> tuple[Read, bytes] | None:
        """Return the read that decides every spend, and the answer the position was judged by: others are asked it."""

    def priced_at(self, there: P, here: P) -> Codes | None:
        """Return what makes the venue's oracle answer the prices of ``there``: plans for them can be rehearsed.

        ``here`` is the same position at the present prices, of which nothing has to be put anywhere. None where no
        price can be put into the oracle: then no plan is made ready beforehand.
        """

    def plain_feeds(self) -> Mapping[Address, Address]:
        """Return the feeds that alone are prices of the position, by asset or market: one event of theirs says all."""


class Chronicle(Protocol):
    """A venue's word on what happened to a position, from its logs alone."""

    def asked(self) -> tuple[dict[str, Any], ...]:
        """Return the ``address`` and ``topics`` of the eth_getLogs requests that find it."""

    def stated(self, logs: Sequence[dict[str, Any]]) -> tuple[Occurrence, ...]:
        """Return what happened, by whomever, the oldest first."""
