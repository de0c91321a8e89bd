"""What moves at a perpetual venue are worth, and cost: margin, size, fees, gas; prices a trade may be done at. Pure."""

from __future__ import annotations

from dataclasses import replace

from keeper.core.perp.margin import TradeCost
from keeper.core.perp.moves import AddMargin, AllowMargin, Trade, TradeQuote
from keeper.core.perp.plan import PerpStep, PerpTerms
from keeper.core.perp.position import FACTOR, PerpLeg, PerpPosition
from keeper.core.units import (
    BPS,
    USD,
    WAD,
    Bps,
    Usd,
    mul_div_down,
    mul_div_up,
)

PERP_GAS: dict[type, int] = {AllowMargin: 60_000, AddMargin: 350_000, Trade: 900_000}
"""Gas to weigh ways by, from above; the limit comes from the rehearsal."""
OTHER_GAS = 1_000_000


def with_margin(position: PerpPosition, amount: int) -> PerpPosition:
    """Return the position with collateral added (in its own units), valued as the rest is."""
    if position.indexed_margin:
        leg = position.legs[0]
        return replace(
            position,
            indexed_margin=position.indexed_margin
            + mul_div_down(amount, leg.size_unit, 10**position.collateral_decimals),
        )
    added = mul_div_down(amount, position.collateral_price, 10**position.collateral_decimals)
    return replace(position, margin=position.margin + added)


def value_of(position: PerpPosition, amount: int) -> int:
    """Return collateral units in base units (10^-8 dollars), rounded up."""
    return mul_div_up(amount, position.collateral_price * USD, 10**position.collateral_decimals * position.usd_unit)


def base_usd(position: PerpPosition, dollars: int) -> int:
    """Return the venue's dollars in base units (10^-8), rounded up."""
    return mul_div_up(dollars, USD, position.usd_unit)


def price_base(position: PerpPosition, leg: PerpLeg, price: int) -> int:
    """Return a price in base units (10^-8 dollars) of one whole underlying, rounded down."""
    return mul_div_down(price * leg.size_unit, USD, leg.price_scale * position.usd_unit)


def cost_share(quote: TradeQuote) -> TradeCost:
    """Return the share of a quoted trade that fee and impact take, from above; a gain from impact is not counted on."""
    return TradeCost(mul_div_up(quote.fee + max(0, quote.impact), FACTOR, quote.notional) if quote.notional else 0)


def worst_price(leg: PerpLeg, size_change: int, slippage: Bps, quoted: int | None = None) -> int:
    """Return the worst price a trade may be done at: the index price, less or more the slippage allowed.

    Where the price ``quoted`` now is better than the index, it counts from that: a market that has run away from the
    index in our favour is no room for others to take.
    """
    if size_change > 0:
        start = leg.index_price if quoted is None else min(leg.index_price, quoted)
        return mul_div_down(start, BPS + slippage, BPS)
    start = leg.index_price if quoted is None else max(leg.index_price, quoted)
    return mul_div_up(start, BPS - slippage, BPS)


def is_better_than_index(leg: PerpLeg, *, buys: bool) -> bool:
    """Return whether the market stands on the side of the index where a purchase or a sale gains by it."""
    return leg.mark_price <= leg.index_price if buys else leg.mark_price >= leg.index_price


def dearest(leg: PerpLeg) -> int:
    """Return the price that size is counted at against limits: the higher of index and mark."""
    return max(leg.index_price, leg.mark_price, 1)


def side(leg: PerpLeg) -> str:
    """Return ``long`` or ``short``."""
    return "long" if leg.is_long else "short"


def gas_cost(steps: tuple[PerpStep, ...] | list[PerpStep], terms: PerpTerms) -> Usd:
    """Return what the steps' gas costs, a rollup's toll included, and what the venue's keepers are paid, rounded up."""
    gas = sum(PERP_GAS.get(type(step.move), OTHER_GAS) for step in steps)
    orders = sum(not isinstance(step.move, AllowMargin) for step in steps)
    paid = gas * terms.fee_per_gas + orders * terms.execution_fee + len(steps) * terms.toll
    return Usd(mul_div_up(paid, terms.native_price, WAD))
