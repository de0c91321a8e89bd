"""Exposure limits of an owner: what all positions come to, by underlying, by venue, by chain and in all. Pure.

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
    all_chains: bool = False
    """Whether underlyings, venues and leverage are counted over every chain that is kept beside this one."""


@dataclass(slots=True)
class Sums:
    """What positions come to, dollars."""

    underlyings: Counter[str] = field(default_factory=Counter)
    venues: Counter[str] = field(default_factory=Counter)
    own: int = 0
    unread: list[str] = field(default_factory=list)

    def with_(self, others: Iterable[Sums]) -> Sums:
        """Return it with what stands elsewhere."""
        found = Sums(self.underlyings.copy(), self.venues.copy(), self.own, [*self.unread])
        for other in others:
            for mine, theirs in ((found.underlyings, other.underlyings), (found.venues, other.venues)):
                for name, amount in theirs.items():  # not ``update``: below zero counts
                    mine[name] += amount
            found.own += other.own
            found.unread += other.unread
        return found

    @property
    def gross(self) -> int:
        """All that is held, whoever's it is."""
        return sum(self.venues.values())

    @property
    def leverage(self) -> Wad:
        """All that is held over what of it is the owner's, rounded up."""
        if not self.gross:
            return Wad(0)
        return Wad(mul_div_up(self.gross, WAD, self.own)) if self.own > 0 else INFINITE


@dataclass(frozen=True, slots=True)
class OnOthers:
    """What an owner has on the chains that are kept beside this one."""

    sums: tuple[Sums, ...] = ()
    unknown: tuple[str, ...] = ()
    """Chains of which nothing recent is known: what they hold is not nothing."""


ON_NONE = OnOthers()


def exceeded(
    limits: ExposureLimits | None, positions: Iterable[AnyKept], elsewhere: OnOthers = ON_NONE
) -> tuple[str, ...]:
    """Return each limit that is passed, in words; empty where none is."""
    return () if limits is None else tuple(_exceeded(limits, summed(positions), elsewhere))


def crossed_by(
    limits: ExposureLimits | None,
    positions: Iterable[AnyKept],
    p: object,
    target: Target[Any] | None,
    elsewhere: OnOthers = ON_NONE,
) -> tuple[str, ...]:
    """Return each limit that a boost of a loan to a health factor would pass, in words, before anything is planned.

    Counted with the largest debt raised and the largest collateral bought. Other targets are held back once beyond.
    """
    if limits is None or target is None or target.metric.key != "health_factor" or not isinstance(p, LendingPosition):
        return ()
    of = summed(positions)
    _boosted(of, p, target.value)
    return tuple(_exceeded(limits, of, elsewhere))


def _boosted(of: Sums, p: LendingPosition, health: int) -> None:
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


def _exceeded(limits: ExposureLimits, here: Sums, elsewhere: OnOthers) -> Iterator[str]:
    of = here.with_(elsewhere.sums) if limits.all_chains else here
    for name, most in limits.underlyings.items():
        if (found := abs(of.underlyings[name.upper()])) > most:
            yield f"{name}: {usd_text(found)}, at most {usd_text(most)}"
    for name, most in limits.venues.items():
        if of.venues[name] > most:
            yield f"at {name}: {usd_text(of.venues[name])}, at most {usd_text(most)}"
    if limits.chain is not None and here.gross > limits.chain:
        yield f"on this chain: {usd_text(here.gross)}, at most {usd_text(limits.chain)}"
    if limits.leverage is not None and of.leverage > limits.leverage:
        yield f"leverage in all: {ratio_text(of.leverage)}, at most {ratio_text(limits.leverage)}"
    if of.unread:
        yield f"{', '.join(of.unread)} cannot be read, so that exposure is not known"
    if elsewhere.unknown and limits.all_chains:
        yield f"{', '.join(elsewhere.unknown)} was not seen lately, so that exposure over all chains is not known"


def summed(positions: Iterable[AnyKept]) -> Sums:
    """Return what positions come to."""
    of = Sums()
    for p in positions:
        match p:
            case LendingPosition():
                _lent(of, p)
            case PerpPosition():
                _traded(of, p)
            case Unreadable():
                of.unread.append(p.name)
    return of


def _lent(of: Sums, p: LendingPosition) -> None:
    for h in p.held:
        supplied, owed = h.usd_up(h.supplied), h.usd_up(h.borrowed)
        for name in _names(h.symbol):
            of.underlyings[name] += supplied - owed
        of.venues[p.venue] += supplied
        of.own += supplied - owed


def _traded(of: Sums, p: PerpPosition) -> None:
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
