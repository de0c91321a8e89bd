"""What purchases with borrowed money share: how much is wanted, how much may be borrowed, what rules them out."""

from __future__ import annotations

from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan, Sale
from keeper.core.lending.pairs import Pair
from keeper.core.lending.position import Barred
from keeper.core.lending.proposals import Means, borrow_room, goal_of, within
from keeper.core.lending.rules import LendingIntent
from keeper.core.reasons import Reason
from keeper.core.units import UINT256_MAX, decimal_of


def under_least(pair: Pair, borrowed: int) -> str | None:
    """Return in words that a debt would be under what the market takes; None where it is not."""
    if pair.sell.borrowed + borrowed >= pair.sell.least_debt:
        return None
    return (
        f"the market refuses a debt under {decimal_of(pair.sell.least_debt, pair.sell.decimals, 2)} {pair.sell.symbol}"
    )


def boost_wanted(pair: Pair, intent: LendingIntent, state: Means, largest: int, most: int = UINT256_MAX) -> Sale | None:
    """Return the largest purchase for which the target still holds, within dollars and pool, and ``most`` borrowed."""
    slippage = intent.rule.limits.max_slippage
    collateral = pair.sell.money.usd_up(lending.figures(state.account).collateral_value)
    limit = min(most, within(min(state.left_usd, collateral * 10), pair.sell))
    if largest < UINT256_MAX:
        sell, buy = state.account.of(pair.sell.asset), state.account.of(pair.buy.asset)
        limit = min(limit, lending.sale_cost(sell, buy, largest, slippage))
    sell_asset, buy_asset = pair.sell.asset, pair.buy.asset
    deal = lending.leverage_to_reach(state.account, sell_asset, buy_asset, goal_of(intent), slippage, limit)
    return deal if deal and deal.bought <= largest else None


def borrowable(account: Loan, pair: Pair, intent: LendingIntent) -> int:
    """Return how much can be borrowed now: by what the collateral carries, and by what the market has and allows."""
    by_ltv = lending.figures(account).available_borrows * 9999 // 10_000
    return min(lending.amount_down(by_ltv, pair.sell), borrow_room(pair.sell, intent, account))


def refuse_boost(pair: Pair) -> tuple[Reason, str] | None:
    """Return why a pair cannot be boosted at all, and in words."""
    borrow, supply = pair.sell.room.borrow, pair.buy.room.supply
    for room in (borrow, supply):
        if isinstance(room, Barred):
            return room.reason, room.detail
    return None if supply else (Reason.CAP_REACHED, pair.buy.symbol)
