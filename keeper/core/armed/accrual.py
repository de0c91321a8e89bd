"""A position carried on without a read: new prices, and interest from one block's time to the next's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.core.lending import figures as lending
from keeper.core.snapshot import Arithmetic, BlockRef, Holding, LendingPosition
from keeper.core.units import RAY, Address, Ray, mul_div_nearest

YEAR_S = 365 * 86_400
HEALTH_WITHIN = 10**9
"""A health factor carried on may differ from the protocol's by this part: the rounding of a block's interest."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a reserve earns and costs a year, in ray (Aave ReserveData, both current rates)."""

    supply: int
    debt: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A price as the oracle's own event tells it: 8 decimals, its round, and its time."""

    answer: int
    round_id: int
    updated_at: int


def carried_on(
    position: LendingPosition,
    block: BlockRef,
    prices: Mapping[Address, Answered],
    rates: Mapping[Address, Rates],
    arithmetic: Arithmetic,
) -> LendingPosition:
    """Return a position as it will be read at a later block, if nobody touches the account until then.

    Supply grows linearly, debt as e^x to the third power (Aave MathUtils); over a block the two differ from the
    protocol's own by rounding only. KeyError when a held reserve's rates are not known.
    """
    seconds = block.timestamp - position.block.timestamp
    holdings = tuple(_carried(h, seconds, prices, rates) for h in position.holdings)
    later = replace(position, block=block, holdings=holdings)
    return replace(later, reported=lending.figures(lending.account_of(later, arithmetic)))


def is_same_account(a: LendingPosition, b: LendingPosition) -> bool:
    """Tell whether nobody touched an account in between: its scaled balances are the same."""
    return [_touched(h) for h in a.held] == [_touched(h) for h in b.held]


def is_as_foretold(foretold: LendingPosition, read: LendingPosition) -> bool:
    """Tell whether the protocol's health factor is the one that was foretold, but for rounding."""
    ours, theirs = foretold.reported.health_factor, read.reported.health_factor
    return abs(ours - theirs) * HEALTH_WITHIN <= max(ours, theirs)


def _touched(holding: Holding) -> tuple[object, ...]:
    return holding.reserve.asset, holding.scaled_supply, holding.scaled_debt, holding.is_collateral


def _carried(
    holding: Holding, seconds: int, prices: Mapping[Address, Answered], rates: Mapping[Address, Rates]
) -> Holding:
    reserve = holding.reserve
    told = prices.get(reserve.asset)
    if told is not None:
        price = replace(reserve.price, answer=told.answer, round_id=told.round_id, updated_at=told.updated_at)
        reserve = replace(reserve, price=price)
    if holding.scaled_supply or holding.scaled_debt:
        rate = rates[reserve.asset]
        earned, x = rate.supply * seconds // YEAR_S, rate.debt * seconds // YEAR_S
        owed = x + mul_div_nearest(x, x // 2 + mul_div_nearest(x, x // 6, RAY), RAY)
        reserve = replace(
            reserve,
            supply_index=Ray(mul_div_nearest(reserve.supply_index, RAY + earned, RAY)),
            debt_index=Ray(mul_div_nearest(reserve.debt_index, RAY + owed, RAY)),
        )
    return replace(holding, reserve=reserve)
