"""What a risk report of one chain rests on: read at its newest block, with what pools would give and rules would do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.cli.common import Exit, fail
from keeper.cli.price_files import sources_of
from keeper.core.book.position import Book, exposure
from keeper.core.decide import Hold
from keeper.core.lending.position import Holding
from keeper.core.lending.quotes import QuoteRequest
from keeper.core.perp.position import PerpPosition
from keeper.core.risk.groups import built_in
from keeper.core.risk.inputs import BookInputs, document_of
from keeper.core.risk.loan_report import Sold
from keeper.core.risk.met import met_by_all
from keeper.core.risk.report import EVERYTHING
from keeper.core.risk.shock_terms import Shock
from keeper.core.risk.stress import is_dollar
from keeper.core.snapshot import LendingPosition, Snapshot
from keeper.core.units import WAD, Address, Amount
from keeper.engine.what_if import WouldDo, all_what_if, what_if
from keeper.service.app import measuring
from keeper.service.opened import Opened
from keeper.settings import Settings
from keeper.venues.registry import VENUES

PATHS, SEED = 20_000, 1


@dataclass(frozen=True, slots=True)
class Gathered:
    """One chain's share of a report."""

    chain: str
    inputs: dict[str, Any]
    plans: dict[str, Any]
    left_out: tuple[str, ...]
    """Positions that could not be read."""


async def gathered(
    engine: Opened,
    settings: Settings,
    snapshot: Snapshot,
    name: str | None,
    horizons_s: Sequence[int],
    prices: Sequence[str],
) -> Gathered:
    """Return what a report rests on. Raises NodeError, ReadFailedError, JournalError, SettingsError."""
    book = next((b for b in settings.books if b.name == name), None)
    wanted = {p.name for p in settings.positions if book is None and name in (None, p.name)}
    wanted |= set() if book is None else {*book.positions, *book.hedges}
    loans = [p for p in snapshot.loans if p.name in wanted]
    perps = [p for p in snapshot.perps if p.name in wanted and not p.is_empty]
    read = {p.name for p in loans} | {p.name for p in snapshot.perps}
    left_out = tuple(sorted(wanted - read))
    if not loans and not perps:
        fail(Exit.FAILED, f"nothing to measure: {', '.join(sorted(wanted))} could not be read, or holds nothing")
    held = [h for p in loans for h in p.held]
    from_files, by_file = sources_of(prices, held, snapshot.block.timestamp)
    matter = {h.asset for h in held} | {leg.oracle.asset for p in perps for leg in p.legs}
    feeds = {a: of for a, of in engine.price_feeds(snapshot).items() if a in matter and a not in by_file}
    async with measuring(engine, settings, waits=True) as movements:
        sources, drivers = await movements.sources(snapshot.block, feeds)
    inputs = document_of(
        snapshot.block,
        loans,
        sources | from_files,
        drivers | by_file,
        horizons_s,
        PATHS,
        SEED,
        {p.name: VENUES[p.venue].closes for p in settings.positions} | {p.name: p.closes for p in loans if p.closes},
        perps=perps,
        books={b.name: of_book(b, snapshot, engine) for b in settings.books if name in (None, b.name)},
        sales={p.name: await sales_of(engine, snapshot, p) for p in loans},
        forecaster=settings.forecaster,
        capital_cost_bps=settings.safety.capital_cost,
        shocks=settings.shocks,
        puts=[p for p in settings.puts if name is None or p.of in {*wanted, name}],
    )
    every: list[LendingPosition | PerpPosition] = [*loans, *perps]
    own = settings.shocks
    plans = {p.name: await _planned(engine, snapshot, p, own) for p in every}
    if name is None:
        plans[EVERYTHING] = await _planned_together(engine, snapshot, every, own)
    for book in (b for b in settings.books if name in (None, b.name)):
        members = [p for p in every if p.name in {*book.positions, *book.hedges}]
        plans[book.name] = await _planned_together(engine, snapshot, members, own)
    return Gathered(settings.network.name, inputs, plans, left_out)


def of_book(book: Book, snapshot: Snapshot, engine: Opened) -> BookInputs:
    """Return a book's members, and what its wallets hold by underlying, dollars; why not, where that is not known."""
    seen = exposure(book, snapshot, engine.native_symbol)
    names = tuple(dict.fromkeys((*book.positions, *book.hedges)))
    idle = {p.name for p in snapshot.perps if p.is_empty}
    parts = [part for part in seen.parts if part.holder == "wallet"]
    wallets = tuple((p.underlying, p.delta * seen.prices[p.underlying] // WAD) for p in parts)
    return BookInputs(tuple(n for n in names if n not in idle), wallets, seen.doubts[0].detail if seen.doubts else "")


async def sales_of(engine: Opened, snapshot: Snapshot, p: LendingPosition) -> dict[Address, Sold]:
    """Return what pools would give now for each collateral that moves, asked at its size. Raises NodeError."""
    owed = max((h for h in p.held if h.borrowed), key=lambda h: h.usd_up(h.borrowed), default=None)
    if owed is None:
        return {}
    pledged = [h for h in p.held if h.is_collateral and h.supplied and not is_dollar(h) and h.asset != owed.asset]
    quotes = await engine.reader.quotes(snapshot.block, _asked(pledged, owed))
    found = dict[Address, Sold]()
    for h in pledged:
        answers = quotes.between(h.asset, owed.asset)
        if answers:
            most = max(answers, key=lambda q: (q.bought, -q.sold))
            found[h.asset] = Sold(h.usd_up(most.sold), owed.usd_down(most.bought))
    return found


def _asked(pledged: Iterable[Holding], owed: Holding) -> list[QuoteRequest]:
    whole = [(h.asset, owed.amount_down(h.usd_down(h.supplied))) for h in pledged]
    return [
        QuoteRequest(asset, owed.asset, Amount(amount // part))
        for asset, amount in whole
        for part in (1, 2)
        if amount // part
    ]


async def _planned(
    engine: Opened, snapshot: Snapshot, p: LendingPosition | PerpPosition, own: Sequence[Shock]
) -> dict[str, Any]:
    """Return by shock what the rules would do with the means at hand. As planned at the block: it needs the chain."""
    return {x.of.name: _said(await what_if(engine, snapshot, x)) for x in met_by_all(p, own)}


async def _planned_together(
    engine: Opened, snapshot: Snapshot, of: Sequence[LendingPosition | PerpPosition], own: Sequence[Shock]
) -> dict[str, Any]:
    """Return by shock what the rules would do for each of several, out of the same wallets."""
    found = dict[str, Any]()
    for x in (*built_in(), *own):
        done = await all_what_if(engine, snapshot, of, x)
        found[x.name] = {name: _said(one) for name, one in done.items()}
    return found


def _said(done: WouldDo | Hold) -> dict[str, Any]:
    return _held(done) if isinstance(done, Hold) else _would_do(done)


def _held(hold: Hold) -> dict[str, Any]:
    return {
        "rule": hold.rule,
        "plan": None,
        "reason": hold.reason.code,
        "why": hold.reason.short,
        "detail": hold.detail,
    }


def _would_do(of: WouldDo) -> dict[str, Any]:
    return {
        "rule": of.rule,
        "plan": of.plan,
        "cost_usd": str(of.cost),
        "health_factor": str(of.health),
        "is_partial": of.is_partial,
        "is_safe": of.is_safe,
        "delta_usd": {symbol: str(value) for symbol, value in of.delta.items()},
    }
