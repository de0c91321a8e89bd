"""What looking ahead asks of a book (``core.ahead``): what it may lose in all, and how probable a member's end is.

Such a rule alerts: what is to be traded for it, a rule on the delta says, or one on the member itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from keeper.core.ahead import Foresight, metrics_ahead
from keeper.core.book.position import BookPosition
from keeper.core.lending.position import LendingPosition
from keeper.core.lending.risk_metrics import LIQUIDATION_PROBABILITY as OF_A_LOAN
from keeper.core.metrics import Metric, Subject, Target
from keeper.core.perp.risk_metrics import lost_at, probability_of
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.trail import NOTHING, LookBack
from keeper.core.units import USD, WAD, Address

ONLY_ALERT = "trades nothing for that; write a rule on the delta, or on the member"


def _own(p: BookPosition) -> tuple[Mapping[Address, int], int]:
    """Return what the book is exposed to, dollars by asset; both sides of it are there to lose."""
    own = {
        asset: p.exposure.delta(underlying) * p.exposure.prices[underlying] // WAD
        for underlying, asset in p.exposure.assets.items()
        if p.exposure.delta(underlying)
    }
    return own, sum(abs(value) for value in own.values())


def _asset(p: BookPosition, of: Subject) -> Address | Doubt:
    """Return the asset whose price an underlying has; without a name that of the only one."""
    known = sorted({part.underlying for part in p.exposure.parts} | set(p.markets))
    name = of.symbol or (known[0] if len(known) == 1 else None)
    found = p.exposure.assets.get(name or "")
    if found is None:
        return Doubt(Reason.RULE_UNDECIDABLE, f"{of.symbol or 'no underlying named'}, the book has {', '.join(known)}")
    return found


def _is_short(p: BookPosition, of: Subject) -> bool:
    asset = _asset(p, of)
    return any(p.exposure.delta(underlying) < 0 for underlying, a in p.exposure.assets.items() if a == asset)


def _stressed(p: BookPosition, move: int) -> int:
    """Return what is lost in all if all that is no dollar moves by a share at once; the worse of a fall and a rise."""
    return max(0, *(_lost(p, factor) for factor in (WAD - move, WAD + move)))


def _lost(p: BookPosition, factor: int) -> int:
    lost = sum(_lost_of(loan, factor) for loan in p.lent)
    lost += sum(-(-lost_at(perp, factor) * USD // perp.usd_unit) for perp in p.hedges)
    own = {loan.name for loan in p.lent}
    for part in p.exposure.parts:  # wallets, and margin that is no dollar: a hedge's size is counted with the hedge
        if part.holder not in own and not part.is_size:
            lost += part.delta * p.exposure.prices[part.underlying] * (WAD - factor) // WAD**2
    return lost


def _lost_of(p: LendingPosition, factor: int) -> int:
    """Return what a loan loses, a gain below zero, and what a liquidation takes."""
    from keeper.core.risk.stress import is_dollar, owned, stressed  # noqa: PLC0415 - for rules that look ahead

    prices = {h.asset: max(1, h.price.answer * factor // WAD) for h in p.held if not is_dollar(h)}
    return owned(p, {}) - owned(p, prices) + stressed(p, prices).seized


def _probability(p: BookPosition, horizon_s: int) -> int | Doubt | None:
    """Return the sum of its members', 1 at the most: one that is long and one that is short never go together.

    For members that fall together it is more than the truth, and never less.
    """
    over = Subject(window_s=horizon_s)
    loans = [replace(loan, beside=replace(loan.beside, market=p.market)) for loan in p.lent]
    found = [OF_A_LOAN.measure(loan, NOTHING, over) for loan in loans]
    found += [probability_of(replace(perp, market=p.market), horizon_s) for perp in p.hedges]
    if doubt := next((one for one in found if isinstance(one, Doubt)), None):
        return doubt
    known = [one for one in found if isinstance(one, int)]
    return min(WAD, sum(known)) if known else None


def _nothing(_: BookPosition | None, __: Target[BookPosition]) -> int | None:
    return None


BOOK_AHEAD: Foresight[BookPosition] = Foresight(
    market=lambda p: p.market,
    own=_own,
    asset=_asset,
    is_short=_is_short,
    stressed=_stressed,
    probability=_probability,
    probability_at=_nothing,
    named="underlying",
    if_unnamed="the only one",
    stress="What the book loses in all if everything that is no dollar moves by `fall` at once, up or down, in "
    "dollars, rounded up: what one member gains is counted, and what liquidations take. Needs no price history.",
    exits=(),
)

Measure = Callable[[BookPosition, LookBack, Subject], "int | Doubt | None"]


def _of_all(measure: Measure) -> Measure:
    """Return a measure that knows nothing where the book leaves somebody out."""

    def measured(p: BookPosition, seen: LookBack, of: Subject) -> int | Doubt | None:
        return p.exposure.doubts[0] if p.exposure.doubts else measure(p, seen, of)

    return measured


LOOKING_AHEAD: tuple[Metric[BookPosition], ...] = tuple(
    replace(metric, measure=_of_all(metric.measure), at_target=None, risk=None, actions=(), why_only=ONLY_ALERT)
    for metric in metrics_ahead(BOOK_AHEAD)
)
