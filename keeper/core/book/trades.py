"""What each hedge of a book would trade to bring its delta back, or why it cannot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.core.book.rules import BookIntent, underlying_of
from keeper.core.lending.proposals import Rejected
from keeper.core.perp.position import PerpLeg, PerpPosition
from keeper.core.reasons import Reason
from keeper.core.units import UINT256_MAX, USD, WAD, mul_div_down


@dataclass(frozen=True, slots=True)
class HedgeTrade:
    """So much of one perpetual is to be traded for a book. ``change`` is signed, Wad whole underlyings."""

    intent: BookIntent
    perp: PerpPosition
    leg: PerpLeg
    change: int

    @property
    def size_change(self) -> int:
        """The change in the leg's own size units, rounded towards zero."""
        size = mul_div_down(abs(self.change), self.leg.size_unit, WAD)
        return size if self.change > 0 else -size

    @property
    def first(self) -> int:
        """The size change to quote, signed, in size units: a leg is reduced to nothing before it turns round."""
        change, leg = self.size_change, self.leg
        if leg.size and (leg.size > 0) != (change > 0):
            return change if abs(change) <= abs(leg.size) else -leg.size
        return change


def hedge_trades(intent: BookIntent, hedges: Sequence[PerpPosition]) -> tuple[HedgeTrade | Rejected, ...]:
    """Return one trade for each hedge, or why it makes none: they are ways of one rule, the cheapest is taken."""
    return tuple(_trade(intent, perp) for perp in hedges)


def _trade(intent: BookIntent, perp: PerpPosition) -> HedgeTrade | Rejected:
    underlying, wanted = underlying_of(intent.rule), intent.assessment.wanted
    leg = next((x for x in perp.legs if x.symbol.upper() == underlying), None)
    if leg is None:
        return Rejected(perp.name, Reason.RULE_UNDECIDABLE, f"it has no {underlying} market")
    if not leg.size and perp.only_long is not None and perp.only_long != (wanted > 0):
        side = "long" if perp.only_long else "short"
        return Rejected(perp.name, Reason.NOTHING_HELPS, f"it is a {side} without size")
    if min(leg.oracle.answer, leg.index_price, leg.mark_price) <= 0:
        return Rejected(perp.name, Reason.PRICE_NOT_POSITIVE, leg.symbol)
    change = _within_limits(intent, wanted, perp, leg)
    if abs(change) < min(intent.target.within, abs(wanted)):
        detail = "what is left of the limits is less than the least trade"
        return Rejected(perp.name, Reason.SPEND_LIMIT, detail)
    return HedgeTrade(intent, perp, leg, change)


def _within_limits(intent: BookIntent, change: int, perp: PerpPosition, leg: PerpLeg) -> int:
    """Return the change, cut to the dollars the limits leave, at the dearer of index and mark price."""
    left, once = intent.left_today, intent.rule.limits.max_spend_per_tx
    dollars = min(UINT256_MAX if left is None else left, UINT256_MAX if once is None else once)
    if dollars >= UINT256_MAX:
        return change
    most = mul_div_down(dollars * perp.usd_unit, leg.price_scale, max(leg.index_price, leg.mark_price) * USD)
    size = min(abs(change), most * WAD // leg.size_unit)
    return size if change > 0 else -size
