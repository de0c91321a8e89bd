"""Exposure limits of an owner: what all positions of a chain come to, by underlying, by venue, and in all. Pure.

Beyond one nothing adds leverage, and the owner hears of it; rescues are never held back. What is not known is not
within its limits: a position that cannot be read holds boosts back as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from keeper.core.book.position import STABLE, Book
from keeper.core.metrics import Target
from keeper.core.perp import margin as perps
from keeper.core.perp.position import PerpPosition
from keeper.core.snapshot import LendingPosition, Unreadable
from keeper.core.units import INFINITE, USD, WAD, Usd, Wad, mul_div_up, ratio_text, usd_text

AnyKept = LendingPosition | PerpPosition | Unreadable
_FOLLOWED = Book("all", (), (), ())


@dataclass(frozen=True, slots=True)
class ExposureLimits:
    """The most there may be, in dollars: of an underlying either way, at a venue, on the chain; and leverage in all."""

    underlyings: Mapping[str, Usd] = field(default_factory=dict)
    """By what assets follow (``ETH``), or by an asset's own symbol."""
    venues: Mapping[str, Usd] = field(default_factory=dict)
    chain: Usd | None = None
    leverage: Wad | None = None


@dataclass(slots=True)
class _Sums:
    underlyings: Counter[str] = field(default_factory=Counter)
    venues: Counter[str] = field(default_factory=Counter)
    own: int = 0
    unread: list[str] = field(default_factory=list)

    @property
    def gross(self) -> int:
        return sum(self.venues.values())

    @property
    def leverage(self) -> Wad:
        """All that is held over what of it is the owner's, rounded up."""
        if not self.gross:
            return Wad(0)
        return Wad(mul_div_up(self.gross, WAD, self.own)) if self.own > 0 else INFINITE


def exceeded(limits: ExposureLimits | None, positions: Iterable[AnyKept]) -> tuple[str, ...]:
    """Return each limit that is passed, in words; empty where none is."""
    return () if limits is None else tuple(_exceeded(limits, _summed(positions)))


def crossed_by(
    limits: ExposureLimits | None, positions: Iterable[AnyKept], p: object, target: Target[Any] | None
) -> tuple[str, ...]:
    """Return each limit that a boost of a loan to a health factor would pass, in words, before anything is planned.

    Counted with the largest debt raised and the largest collateral bought. Other targets are held back once beyond.
    """
    if limits is None or target is None or target.metric.key != "health_factor" or not isinstance(p, LendingPosition):
        return ()
    of = _summed(positions)
    _boosted(of, p, target.value)
    return tuple(_exceeded(limits, of))


def _boosted(of: _Sums, p: LendingPosition, health: int) -> None:
    """Add what must be borrowed and bought until health is so much: x where (W + f x) / (D + x) is the health."""
    pledged = [h for h in p.held if h.is_collateral and h.supplied and h.liquidation_factor]
    owing = [h for h in p.held if h.borrowed]
    if not pledged or not owing:
        return
    bought = max(pledged, key=lambda h: h.usd_up(h.supplied))
    raised = max(owing, key=lambda h: h.usd_up(h.borrowed))
    secured = sum(h.usd_up(h.supplied) * h.liquidation_factor for h in pledged)
    debt = sum(h.usd_down(h.borrowed) for h in owing)
    more = max(0, -(-(secured - health * debt) // max(1, health - bought.liquidation_factor)))
    for name in _names(bought.symbol):
        of.underlyings[name] += more
    for name in _names(raised.symbol):
        of.underlyings[name] -= more
    of.venues[p.venue] += more


def _exceeded(limits: ExposureLimits, of: _Sums) -> Iterator[str]:
    for name, most in limits.underlyings.items():
        if (found := abs(of.underlyings[name.upper()])) > most:
            yield f"{name}: {usd_text(found)}, at most {usd_text(most)}"
    for name, most in limits.venues.items():
        if of.venues[name] > most:
            yield f"at {name}: {usd_text(of.venues[name])}, at most {usd_text(most)}"
    if limits.chain is not None and of.gross > limits.chain:
        yield f"on this chain: {usd_text(of.gross)}, at most {usd_text(limits.chain)}"
    if limits.leverage is not None and of.leverage > limits.leverage:
        yield f"leverage in all: {ratio_text(of.leverage)}, at most {ratio_text(limits.leverage)}"
    if of.unread:
        yield f"{', '.join(of.unread)} cannot be read, so that exposure is not known"


def _summed(positions: Iterable[AnyKept]) -> _Sums:
    of = _Sums()
    for p in positions:
        match p:
            case LendingPosition():
                _lent(of, p)
            case PerpPosition():
                _traded(of, p)
            case Unreadable():
                of.unread.append(p.name)
    return of


def _lent(of: _Sums, p: LendingPosition) -> None:
    for h in p.held:
        supplied, owed = h.usd_up(h.supplied), h.usd_up(h.borrowed)
        for name in _names(h.symbol):
            of.underlyings[name] += supplied - owed
        of.venues[p.venue] += supplied
        of.own += supplied - owed


def _traded(of: _Sums, p: PerpPosition) -> None:
    """A perpetual position counts by its size; what is the owner's of it is its margin at the marks."""
    for leg in p.legs:
        size = perps.notional(leg) * USD // p.usd_unit
        for name in _names(leg.symbol):
            of.underlyings[name] += size if leg.is_long else -size
        of.venues[p.venue] += size
    of.own += perps.equity(p) * USD // p.usd_unit


def _names(symbol: str) -> set[str]:
    """Return under which names an asset counts: its own, and what it follows; a dollar coin's own alone."""
    followed = _FOLLOWED.underlying(symbol)
    return {symbol.upper()} | ({followed.upper()} if followed is not None and followed != STABLE else set())
