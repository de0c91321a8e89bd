"""The risk report: from its inputs alone, so that who has them recomputes it to the digit. Plain data in and out.

Probabilities are rounded to nine digits: more would be the machine's and not the market's. What is not known is said as
``{"unknown": why}``, never as a figure. Needs numpy, for paths of several prices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from keeper.core.lending.position import LendingPosition
from keeper.core.lending.seizure import WHOLE
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.risk import loan_report, perp_report
from keeper.core.risk.benchmark import LoanSums, benchmark
from keeper.core.risk.forecast import Forecaster
from keeper.core.risk.groups import InWallet, Kept, group
from keeper.core.risk.held_puts import Valued, on_position, said_of, valued
from keeper.core.risk.inputs import Inputs, inputs_of
from keeper.core.risk.loan_report import Sold
from keeper.core.risk.measured import Measured
from keeper.core.risk.monte_carlo import Reached
from keeper.core.risk.put_terms import HeldPut
from keeper.core.risk.said import Document, rounded, said
from keeper.core.risk.stress import is_dollar
from keeper.core.risk.together import STEPS, Drawing, draw, together
from keeper.core.risk.volatility import realised_at
from keeper.core.units import USD, WAD, Address

__all__ = ["STEPS", "digest", "report"]
EVERYTHING = "everything"
"""How all positions of an owner together are called."""


def digest(document: Document) -> str:
    """Return what names the inputs: two reports with one digest are of the same."""
    return sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def report(document: Document, forecaster: Callable[[str], Forecaster] | None = None) -> Document:
    """Return the report of inputs. Raises BadInputsError."""
    of = inputs_of(document, forecaster)
    every: list[LendingPosition | PerpPosition] = [*of.positions, *of.perps]
    kept = [Kept(p, _measured(of, p)) for p in every]
    each = [k.measured for k in kept]
    draws = [draw(each, of.market, horizon, of.paths, of.seed) for horizon in of.horizons_s]
    everything, pressing = list(range(len(kept))), _pressing(of)
    several = zip(of.horizons_s, draws, strict=True) if len(kept) > 1 else ()
    puts = [(p, valued(p, of.positions, of.market, of.block.timestamp)) for p in of.puts]
    return {
        "digest": digest(document),
        "positions": [_position(of, k, [d.reached.get(i) for d in draws], puts) for i, k in enumerate(kept)],
        "together": [{"horizon_s": h, **together(each, of.market, d, everything, pressing)} for h, d in several],
        "everything": _everything(of, kept, _known(puts)) if len(kept) > 1 else None,
        "books": [_book(of, name, kept, draws, pressing, puts) for name in of.books],
        "prices": {name: _prices(of, name) for name in of.market.movements},
        **({"puts": [said_of(p, found) for p, found in puts]} if puts else {}),
    }


def _everything(of: Inputs, kept: Sequence[Kept], puts: Sequence[Valued]) -> Document:
    return group(EVERYTHING, kept, of.market, of.horizons_s, puts=puts, own_shocks=of.shocks)


Puts = Sequence[tuple[HeldPut, Valued | Doubt]]


def _known(puts: Puts, *names: str) -> list[Valued]:
    """Return the puts that count, of these positions and books where any are named."""
    return [v for p, v in puts if isinstance(v, Valued) and (not names or p.of in names)]


def _measured(of: Inputs, p: LendingPosition | PerpPosition) -> Measured:
    if isinstance(p, LendingPosition):
        return loan_report.measured(p, of.market, of.closes.get(p.name, WHOLE))
    return perp_report.measured(p, of.market)


def _position(of: Inputs, k: Kept, reached: Sequence[Reached | None], puts: Puts) -> Document:
    p = k.position
    if isinstance(p, LendingPosition):
        rule, sales = of.closes.get(p.name, WHOLE), of.sales.get(p.name, {})
        made = loan_report.report_of(p, k.measured, of.market, of.horizons_s, reached, rule, sales, of.shocks)
        if of.capital_bps is not None:
            priced = _priced(of, p, k.measured, of.capital_bps)
            made["benchmark"] = priced and benchmark(k.measured.stance, priced, of.horizons_s[-1])
        held = _known(puts, p.name)
        return on_position(p, k.measured, held, of.horizons_s, made, of.shocks) if held else made
    return perp_report.report_of(p, k.measured, of.market, of.horizons_s, reached, of.shocks)


def _priced(of: Inputs, p: LendingPosition, m: Measured, capital_bps: int) -> LoanSums | None:
    """Return a loan's sums and what each way of protection is charged, by its largest collateral that moves."""
    pledged = [h for h in p.held if h.is_collateral and h.supplied and h.liquidation_factor and not is_dollar(h)]
    if not pledged or m.facing is None:
        return None
    main = max(pledged, key=lambda h: h.usd_down(h.supplied))
    up, down = (p.money.usd_down(int(sum(x.values()))) / USD for x in (m.facing.secured, m.facing.owed))
    sold = of.sales.get(p.name, {}).get(main.asset)
    driver = of.market.drivers.get(main.asset)
    legs = [leg for perp in of.perps for leg in perp.held if not leg.is_long]
    paid = [leg.funding_rate / WAD for leg in legs if of.market.drivers.get(leg.oracle.asset) == driver]
    lost = None if sold is None else sold.lost
    return LoanSums(up, down, main.liquidation_factor / WAD, capital_bps, lost, min(paid, default=None))


def _book(
    of: Inputs, name: str, kept: Sequence[Kept], draws: Sequence[Drawing], pressing: Mapping[str, float], puts: Puts
) -> Document:
    """Return what a book comes to, its wallets included, and how probable it is that one of its positions falls."""
    book = of.books[name]
    among = [i for i, k in enumerate(kept) if k.measured.name in book.members]
    missing = sorted(set(book.members) - {kept[i].measured.name for i in among})
    if missing:
        return {"name": name, "unknown": f"{', '.join(missing)} could not be read: the book without it is another"}
    if book.doubt:
        return {"name": name, "unknown": book.doubt}
    each, wallets = [k.measured for k in kept], [InWallet(*one) for one in book.wallets]
    joint = [
        {"horizon_s": h, **together(each, of.market, d, among, pressing)}
        for h, d in zip(of.horizons_s, draws, strict=True)
    ]
    held = _known(puts, name, *book.members)
    return group(name, [kept[i] for i in among], of.market, of.horizons_s, wallets, held, of.shocks) | {
        "together": joint
    }


def _pressing(of: Inputs) -> dict[str, float]:
    """Return by driver the share by which a sold dollar presses its price: the worst that pools said of any asset."""
    found = dict[str, float]()
    sold: tuple[tuple[Address, Sold], ...] = tuple(x for by in of.sales.values() for x in by.items())
    for asset, one in sold:
        driver = of.market.drivers.get(asset)
        if driver is not None and one.given:
            found[driver] = max(found.get(driver, 0.0), one.lost / one.given)
    return found


def _prices(of: Inputs, name: str) -> Document:
    moved = of.market.movements[name]
    jumps = moved.jumps
    return {
        "volatility": said(moved.volatility),
        "realised": {str(w): said(v) for w, v in realised_at(moved.history, of.block.timestamp).items()},
        "updates_every_s": moved.every_s,
        "correlations": {other: said(_together(of, name, other)) for other in of.market.movements if other != name},
        "jumps": None
        if jumps is None
        else {
            "a_year": rounded(jumps.a_year),
            "share_up": rounded(jumps.share_up),
            "up": rounded(jumps.up),
            "down": rounded(jumps.down),
        },
    }


def _together(of: Inputs, one: str, other: str) -> float | Doubt | None:
    known = of.market.correlations
    return known if isinstance(known, Doubt) else known.of(one, other)
