"""What lending positions held when last looked at: in the journal, so that what happened during a stop shows.

Compared is the principal, which interest does not change; the amounts beside it are for words.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from keeper.core.lending.position import Holding, LendingPosition, Principal
from keeper.core.units import Address
from keeper.journal.ports import History


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset: what interest never changes, and the amounts it came to when it was looked at."""

    principal: Principal
    supplied: int = field(compare=False)
    borrowed: int = field(compare=False)

    def is_as(self, other: Balance) -> bool:
        """Whether it is the same, but for interest."""
        return self.principal.is_as(other.principal)


Balances = dict[Address, Balance]
"""By asset; what is nothing is left out."""


@dataclass(frozen=True, slots=True)
class Lent:
    """What was held at a block: as it was read, or as it was written down."""

    block: int
    held: tuple[Holding, ...] | Balances

    @property
    def balances(self) -> Balances:
        """The balances by asset."""
        return self.held if isinstance(self.held, dict) else _by_asset(self.held)

    def is_as(self, position: LendingPosition) -> bool:
        """Whether a position holds the same, but for interest."""
        held = position.held
        if isinstance(self.held, dict):
            now = _by_asset(held)
            return self.held.keys() == now.keys() and all(was.is_as(now[asset]) for asset, was in self.held.items())
        return len(held) == len(self.held) and all(
            h.asset == was.asset and h.principal.is_as(was.principal) for h, was in zip(held, self.held, strict=True)
        )


@dataclass(slots=True)
class LentMemory:
    """Written through to the journal; ``scope`` is chain and mode. Everything raises JournalError."""

    journal: History
    scope: str
    is_look: bool = False
    """Whether this is only a look at things: then nothing is written down."""
    known: dict[str, Lent | None] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    """Position → times in a row that its events could not be had."""

    async def of(self, name: str) -> Lent | None:
        """Return what a position held when last looked at; None when it never was."""
        if name not in self.known:
            self.known[name] = _read(await self.journal.facts.get(self._key(name)))
        return self.known[name]

    async def keep(self, position: LendingPosition) -> None:
        """Remember what a position holds; the disk is written to when balances changed."""
        before = await self.of(position.name)
        if before is None and not position.held:
            return  # never seen open: nothing there is no closed position
        seen = Lent(position.block.number, position.held)
        self.known[position.name] = seen
        if self.looks:
            self.looks.pop(position.name, None)
        if (before is None or not before.is_as(position)) and not self.is_look:
            plain = {asset: _plain(balance) for asset, balance in seen.balances.items()}
            await self.journal.facts.set(self._key(position.name), {"block": seen.block, "balances": plain})

    def _key(self, name: str) -> str:
        return f"lent:{self.scope}:{name}"


def balances_of(position: LendingPosition) -> Balances:
    """Return the balances that are not zero."""
    return _by_asset(position.held)


def _by_asset(held: tuple[Holding, ...]) -> Balances:
    return {h.asset: Balance(h.principal, h.supplied, h.borrowed) for h in held}


def _plain(of: Balance) -> list[str]:
    return [str(number) for number in (of.principal.supply, of.principal.debt, of.supplied, of.borrowed)]


def _read(plain: object) -> Lent | None:
    if not isinstance(plain, dict):
        return None
    try:
        balances = {Address(a): _balance(*(int(n) for n in numbers)) for a, numbers in plain["balances"].items()}
        return Lent(int(plain["block"]), balances)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _balance(supply: int, debt: int, supplied: int | None = None, borrowed: int | None = None) -> Balance:
    """Return a balance as it was written; earlier versions wrote no amounts, and the principal is near them."""
    return Balance(
        Principal(supply, debt), supply if supplied is None else supplied, debt if borrowed is None else borrowed
    )
