"""How much a sale of collateral has to be, and what it may lose: the same whichever way it is done."""

from __future__ import annotations

from dataclasses import replace

from keeper.core.lending import figures as lending
from keeper.core.lending.actions.rescues import full_repayment
from keeper.core.lending.figures import Fee, Sale, no_fee
from keeper.core.lending.pairs import Pair
from keeper.core.lending.position import AccountFigures
from keeper.core.lending.proposals import AIM, Means, goal_of, within, worth
from keeper.core.lending.rules import LendingIntent
from keeper.core.lending.slippage import slippage_of
from keeper.core.units import BPS, INFINITE, UINT256_MAX, Bps, Wad, largest, mul_div_up


def sale_wanted(pair: Pair, intent: LendingIntent, state: Means, most: int, fee: Fee = no_fee) -> Sale:
    """Return the smallest sufficient sale within slippage, dollars and pool; the largest possible if none is.

    It goes as far as the market lets collateral out: where that asks for more than the target does, less is refused.
    ``most`` bounds what it repays, with the ``fee`` for having that before.
    """
    sell, buy = pair.sell.asset, pair.buy.asset
    bps = bound_of(pair, intent)
    # what is sold is rounded up to a whole unit, which of a dear asset is worth more than dust
    left = state.left_usd if state.left_usd >= UINT256_MAX else max(0, state.left_usd - worth(1, pair.sell))
    dollars = within(left, pair.buy)
    limit = min(most, _with_fee(dollars * BPS // (BPS + bps), most, fee) if dollars < UINT256_MAX else UINT256_MAX)
    if intent.target.is_close:
        # interest accrues until the last repayment: buy a hair more than is owed now
        owed = state.account.of(buy).borrowed
        padded = lending.after(state.account, buy, debt=full_repayment(owed) - owed)
        return lending.deleverage_most(padded, sell, buy, bps, limit, fee)
    goal, model = goal_of(intent), state.account.model
    sale = lending.deleverage_to_reach(
        state.account, sell, buy, lambda f: goal(f) and model.lets_out(_a_hair_worse(f)), bps, limit, fee
    )
    return sale or lending.deleverage_most(state.account, sell, buy, bps, limit, fee)


def _with_fee(brought: int, most: int, fee: Fee) -> int:
    """Return what can be repaid where a sale brings so much, and pays the fee for having it before."""
    return brought if fee is no_fee else largest(0, min(most, brought), lambda b: b + fee(b) <= brought) or 0


def _a_hair_worse(figures: AccountFigures) -> AccountFigures:
    """Return figures as interest until mining makes them, at the worst."""
    health = figures.health_factor
    return replace(
        figures,
        available_borrows=figures.available_borrows - mul_div_up(figures.debt_value, AIM, BPS),
        health_factor=health if health >= INFINITE else Wad(health * (BPS - AIM) // BPS),
    )


def bound_of(pair: Pair, intent: LendingIntent) -> Bps:
    """Return what a sale may lose now against the oracle's price."""
    return slippage_of(intent.rule, intent.assessment, intent.outrun).of(pair.sell, pair.buy)


def label_of(pair: Pair) -> str:
    """Return how a sale of a pair is called."""
    return f"sell {pair.sell.symbol} to repay {pair.buy.symbol}"
