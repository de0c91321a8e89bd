"""Rescues that count on the same money: each was rehearsed alone, and one crash may ask for all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from keeper.cli.doctor_findings import Finding, warning
from keeper.core.drills import Drilled
from keeper.core.snapshot import Snapshot
from keeper.core.units import Amount, decimal_of
from keeper.service.opened import Opened


def examine_shared(engine: Opened, snapshot: Snapshot, drilled: Sequence[Drilled]) -> Iterator[Finding]:
    """Yield each wallet's asset of which rescues could together need more than there is.

    A position has one plan at a time: of its rules the one counts that takes most.
    """
    for (payer, asset), needs in _needs(drilled).items():
        wallet = next((w for w in snapshot.wallets.values() if str(w.address) == payer), None)
        place = next((a for a in engine.reader.known.listings if str(a) == asset), None)
        if wallet is None or place is None or len(needs) < 2:
            continue
        listing, there, most = engine.reader.known.listings[place], wallet.has(place), sum(needs.values())
        if most <= there:
            continue

        def text(amount: int, decimals: int = listing.decimals, symbol: str = listing.symbol) -> str:
            return f"{decimal_of(Amount(amount), decimals, min(decimals, 6))} {symbol}"

        shared = f"{len(needs)} rescues ({', '.join(needs)}) share the {listing.symbol} of {payer}"
        said = f"{shared}; together they could need {text(most)}, there is {text(there)}"
        remedy = f"send it {text(most - there)} more, or let them sell as well (`deleverage`)"
        yield warning(f"shared {listing.symbol}", f"{said}: who has most to lose is helped first", remedy)


def _needs(drilled: Sequence[Drilled]) -> Mapping[tuple[str, str], dict[str, int]]:
    """Return who needs how much of each wallet's asset, by position."""
    found = dict[tuple[str, str], dict[str, int]]()
    for one in drilled:
        for taken in one.takes:
            by_position = found.setdefault((taken.payer, taken.asset), {})
            by_position[one.position] = max(by_position.get(one.position, 0), taken.amount)
    return found
