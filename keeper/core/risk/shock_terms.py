"""What may happen at once, by name: prices that move, dollars that break, rates, funding, gas, and how deep pools are.

The built-in ones of a stress table and those that an owner writes are the same thing: each is put on a position, and
on the world its rules would act in. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.core.book.position import Book
from keeper.core.risk.said import Document
from keeper.core.units import BPS, DAY_S, WAD, Wad, mul_div_down

ALL = "*"
"""Everything that is no dollar."""
WEEK_S = 7 * DAY_S
MOST_TIMES = 1_000
_FOLLOWED = Book("all", (), (), ())


@dataclass(frozen=True, slots=True)
class Shock:
    """A shock. ``moves``: by symbol, or by what an asset follows, basis points up or down."""

    name: str
    moves: Mapping[str, int] = field(default_factory=dict)
    rate: Wad = Wad(0)  # noqa: RUF009 - a number
    """What debts cost a year while it lasts; zero leaves them as they are."""
    funding: int = 1
    """How many times what is paid now funding takes."""
    seconds: int = WEEK_S
    """How long rates and funding last."""
    thinner: int = 1
    """How many times less deep pools are."""
    gas: int = 1
    """How many times dearer gas is."""

    def move_of(self, symbol: str, *, is_dollar: bool) -> int:
        """Return by how many basis points an asset moves: by its own name first, then as what it follows."""
        if symbol in self.moves:
            return self.moves[symbol]
        followed = _FOLLOWED.underlying(symbol) or symbol.upper()
        if not is_dollar and followed in self.moves:
            return self.moves[followed]
        return 0 if is_dollar else self.moves.get(ALL, 0)

    def moved(self, price: int, symbol: str, *, is_dollar: bool) -> int:
        """Return a price after it, rounded down; never nothing."""
        return max(1, mul_div_down(price, BPS + self.move_of(symbol, is_dollar=is_dollar), BPS))


def plain_shock(of: Shock) -> Document:
    """Return one as JSON holds it."""
    return {
        "name": of.name,
        "moves_bps": dict(of.moves),
        "borrow_rate": str(of.rate),
        "funding_times": of.funding,
        "seconds": of.seconds,
        "pools_thinner": of.thinner,
        "gas_times": of.gas,
    }


def shock_of(given: Mapping[str, object]) -> Shock:
    """Return what plain data says. Raises KeyError, TypeError or ValueError where it is none."""
    moves = {str(k): int(str(v)) for k, v in dict(given["moves_bps"]).items()}  # type: ignore[call-overload]
    numbers = [
        int(str(given[key])) for key in ("borrow_rate", "funding_times", "seconds", "pools_thinner", "gas_times")
    ]
    if any(move <= -BPS for move in moves.values()) or min(numbers) < 0 or not all(numbers[1:]):
        raise ValueError(f"the shock {given['name']!r} has a move or a number that cannot be")
    rate, funding, seconds, thinner, gas = numbers
    return Shock(str(given["name"]), moves, Wad(rate), funding, seconds, thinner, gas)


def everything(percent: int, more: str = "", *, thinner: int = 1, gas: int = 1) -> Shock:
    """Return a move of all that is no dollar."""
    sign = "+" if percent > 0 else "−"
    name = f"everything but dollars {sign}{abs(percent)} %{more}"
    return Shock(name, {ALL: percent * BPS // 100}, thinner=thinner, gas=gas)


RATE_IN_STRESS = Wad(WAD)
"""100 % a year."""
