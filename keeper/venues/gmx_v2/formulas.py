"""GMX v2 arithmetic, integer-exact: profit, fees, price impact, execution prices, liquidation. Pure.

Dollars and factors have 30 decimals; a price is dollars of one smallest unit, so that amount times price is dollars.
Sources, gmx-synthetics: ``PositionUtils``, ``PositionPricingUtils``, ``PricingUtils``, ``MarketUtils``,
``DecreasePositionUtils``. Each rounds as the contract does: against the trader.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.units import mul_div_down, mul_div_up
from keeper.venues.gmx_v2.power import FLOAT, exponent_factor

PER_SIZE = 10**45
"""Scale of funding amounts per dollar of size."""


def apply_factor(value: int, factor: int) -> int:
    """Return ``value * factor`` rounded down (Precision.applyFactor)."""
    return mul_div_down(value, factor, FLOAT)


def towards_zero(a: int, b: int, c: int) -> int:
    """Return ``a * b / c`` cut towards zero, as the contract divides signed numbers."""
    whole = abs(a) * abs(b) // abs(c)
    return whole if (a < 0) == (b < 0) else -whole


def away_from_zero(a: int, b: int) -> int:
    """Return ``a / b`` with its magnitude rounded up (Calc.roundUpMagnitudeDivision)."""
    return -(-a // b) if a >= 0 else a // b


# --- a position ------------------------------------------------------------------------------------------------------


def pnl(size_usd: int, size_tokens: int, price: int, *, is_long: bool) -> int:
    """Return profit or loss of a whole position; ``price`` is the lower for longs, the higher for shorts."""
    gain = size_tokens * price - size_usd
    return gain if is_long else -gain


def tokens_closed(size_usd: int, size_tokens: int, closed_usd: int, *, is_long: bool) -> int:
    """Return the index tokens that a decrease of ``closed_usd`` takes off: up for longs, down for shorts."""
    if closed_usd == size_usd:
        return size_tokens
    divide = mul_div_up if is_long else mul_div_down
    return divide(size_tokens, closed_usd, size_usd)


def realized_pnl(total: int, size_tokens: int, closed_tokens: int) -> int:
    """Return the part of a position's profit or loss that closing some of its tokens realizes."""
    return towards_zero(total, closed_tokens, size_tokens)


def capped_pnl(own: int, pool: int, pool_usd: int, max_factor: int) -> int:
    """Return a profit after the cap on what all traders of a side may take from the pool.

    ``pool`` is the profit of the whole side, ``pool_usd`` what backs it, ``max_factor`` MAX_PNL_FACTOR_FOR_TRADERS.
    """
    limit = apply_factor(pool_usd, max_factor)
    if own <= 0 or pool <= limit or limit <= 0:
        return own
    return mul_div_down(own, limit, pool)


def position_fee(size_usd: int, factor: int, collateral_price: int) -> int:
    """Return the fee of opening or closing, in collateral tokens; ``collateral_price`` is the lower one."""
    return apply_factor(size_usd, factor) // collateral_price


def borrowing_usd(size_usd: int, factor_now: int, factor_paid: int) -> int:
    """Return pending borrowing in dollars between two cumulative factors."""
    return apply_factor(size_usd, factor_now - factor_paid)


def funding_fee(size_usd: int, per_size_now: int, per_size_paid: int) -> int:
    """Return the funding to pay, in tokens, rounded up."""
    return mul_div_up(size_usd, per_size_now - per_size_paid, PER_SIZE)


def funding_claim(size_usd: int, per_size_now: int, per_size_paid: int) -> int:
    """Return the funding that becomes claimable, in tokens, rounded down."""
    return mul_div_down(size_usd, per_size_now - per_size_paid, PER_SIZE)


# --- liquidation -----------------------------------------------------------------------------------------------------


def impact_for_liquidation(impact: int, size_usd: int, max_factor: int) -> int:
    """Return the closing impact that counts in a liquidation: a cost within its cap, or nothing."""
    return max(min(impact, 0), -apply_factor(size_usd, max_factor))


def liquidation_requirement(size_usd: int, factor: int, least: int) -> int:
    """Return the worth below which a position is liquidated; also at zero or less, whatever the factors."""
    return max(apply_factor(size_usd, factor), least, 1)


# --- price impact ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImpactTerms:
    """How a market prices imbalance. A gain is never priced at more than the loss of the way back."""

    positive_factor: int
    negative_factor: int
    positive_exponent: int
    negative_exponent: int

    def of(self, dollars: int, *, is_gain: bool) -> int:
        """Return what an imbalance of so many dollars weighs."""
        factor = min(self.positive_factor, self.negative_factor) if is_gain else self.negative_factor
        exponent = self.positive_exponent if is_gain else self.negative_exponent
        return apply_factor(exponent_factor(dollars, exponent), factor)


def price_impact(longs: int, shorts: int, change: int, terms: ImpactTerms, *, is_long: bool) -> tuple[int, bool]:
    """Return the impact in dollars of changing a side's open interest, and whether the balance got better.

    Positive is the trader's gain. Caps are not applied yet.
    """
    after_longs, after_shorts = longs + change * is_long, shorts + change * (not is_long)
    before, after = abs(longs - shorts), abs(after_longs - after_shorts)
    is_better = after < before
    if (longs <= shorts) == (after_longs <= after_shorts):
        moved = abs(terms.of(before, is_gain=is_better) - terms.of(after, is_gain=is_better))
        return (moved if is_better else -moved), is_better
    return terms.of(before, is_gain=True) - terms.of(after, is_gain=False), is_better


def virtual_sides(inventory: int, change: int) -> tuple[int, int]:
    """Return long and short interest as the virtual inventory has them: positive is what traders are short of."""
    longs, shorts = (0, inventory) if inventory > 0 else (-inventory, 0)
    offset = max(0, -change)
    return longs + offset, shorts + offset


def worse_impact(own: tuple[int, bool], virtual: tuple[int, bool]) -> tuple[int, bool]:
    """Return the impact that counts where there is a virtual inventory: gains are the market's own, else the worse."""
    return own if own[0] >= 0 or own[0] <= virtual[0] else virtual


def cap_gain(impact: int, size_usd: int, max_factor: int) -> int:
    """Return an impact with its gain capped at a share of the trade."""
    return min(impact, apply_factor(size_usd, max_factor))


@dataclass(frozen=True, slots=True)
class TotalImpact:
    """What a decrease settles: ``total`` with it, ``diff`` is taken as well but becomes claimable after a delay."""

    total: int
    diff: int


def pending_impact_usd(pending: int, size_usd: int, closed_usd: int, low: int, high: int) -> int:
    """Return the part of a stored impact (index tokens, signed) that closing ``closed_usd`` settles, in dollars."""
    if pending >= 0:
        return mul_div_down(pending, closed_usd, size_usd) * low
    return -mul_div_up(-pending, closed_usd, size_usd) * high


def total_impact(pending_usd: int, impact: int, closed_usd: int, max_loss_factor: int, pool_usd: int) -> TotalImpact:
    """Return the impact a decrease settles: a loss up to its cap, a gain up to what the impact pool holds."""
    total = pending_usd + impact
    least = -apply_factor(closed_usd, max_loss_factor)
    if total < least:
        return TotalImpact(least, least - total)
    return TotalImpact(min(total, pool_usd) if total > 0 else total, 0)


# --- execution prices ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Increase:
    """What an increase adds. The impact is not charged at once: it is stored in index tokens."""

    tokens: int
    pending_impact: int
    price: int


def increase(size_usd: int, impact: int, low: int, high: int, *, is_long: bool) -> Increase:
    """Return the outcome of an increase. Raises ValueError when the impact is larger than the order."""
    tokens = size_usd // high if is_long else -(-size_usd // low)
    pending = impact // high if impact > 0 else away_from_zero(impact, low)
    bought = tokens + pending if is_long else tokens - pending
    if bought <= 0:
        raise ValueError("the price impact is larger than the order")
    return Increase(tokens, pending, size_usd // bought)


def decrease_price(size_usd: int, size_tokens: int, closed_usd: int, impact: int, price: int, *, is_long: bool) -> int:
    """Return the execution price of a decrease: the closing impact alone, the stored one is not in it."""
    if not closed_usd or not size_tokens:
        return price
    adjusted = impact if is_long else -impact
    shift = towards_zero(size_usd, adjusted, size_tokens)
    return price + (shift // closed_usd if shift >= 0 else -(-shift // closed_usd))


def is_acceptable(price: int, acceptable: int, *, is_long: bool, is_increase: bool) -> bool:
    """Return whether an execution price keeps an order's bound."""
    return price <= acceptable if is_long == is_increase else price >= acceptable


def any_price(*, is_long: bool, is_increase: bool) -> int:
    """Return the bound that accepts every price."""
    return 2**256 - 1 if is_long == is_increase else 0


def is_triggered(order_type: int, low: int, high: int, trigger: int, *, is_long: bool) -> bool:
    """Return whether a resting order's price has come. Types as GMX numbers them: 3, 5, 6 and 8.

    Filling is at the price of execution, not at the trigger.
    """
    match order_type:
        case 3:
            return high <= trigger if is_long else low >= trigger
        case 8:
            return high >= trigger if is_long else low <= trigger
        case 5:
            return low >= trigger if is_long else high <= trigger
        case 6:
            return low <= trigger if is_long else high >= trigger
        case _:
            raise ValueError(f"order type {order_type} waits for no price")
