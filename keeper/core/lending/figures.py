"""Lending arithmetic, integer and exact: ours must equal the protocol's to the wei.

Formulas follow Aave v3 ``GenericLogic.calculateUserAccountData`` (v3.0 to v3.6; the two roundings are
``Arithmetic``). Projections round against the owner: debt up, collateral down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from keeper.core.snapshot import AccountFigures, Arithmetic, LendingPosition
from keeper.core.units import (
    BPS,
    INFINITE,
    RAY,
    WAD,
    Address,
    Amount,
    Bps,
    Wad,
    largest,
    mul_div_down,
    mul_div_nearest,
    mul_div_up,
    smallest,
)


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset of an account: amounts in smallest units, price in base units per whole token."""

    asset: Address
    price: int
    unit: int
    supplied: Amount
    borrowed: Amount
    is_collateral: bool
    threshold: Bps
    ltv: Bps


@dataclass(frozen=True, slots=True)
class Account:
    """What the arithmetic needs of a position: balances by asset and the market's rounding."""

    balances: tuple[Balance, ...]
    arithmetic: Arithmetic

    def of(self, asset: Address) -> Balance:
        """Return the balance of an asset; KeyError when the account has none."""
        for balance in self.balances:
            if balance.asset == asset:
                return balance
        raise KeyError(asset)


Goal = Callable[[AccountFigures], bool]
"""Tells whether figures satisfy a target; monotone in every action that helps."""


def account_of(position: LendingPosition, arithmetic: Arithmetic) -> Account:
    """Turn scaled balances and indices into amounts, rounded as the market rounds them."""
    supply, debt = (_ray_floor, _ray_ceil) if arithmetic is Arithmetic.DIRECTED else (_ray_half_up, _ray_half_up)
    return Account(
        tuple(
            Balance(
                asset=h.reserve.asset,
                price=h.reserve.price.answer,
                unit=h.reserve.unit,
                supplied=Amount(supply(h.scaled_supply, h.reserve.supply_index)),
                borrowed=Amount(debt(h.scaled_debt, h.reserve.debt_index)),
                is_collateral=h.is_collateral,
                threshold=h.reserve.liquidation_threshold,
                ltv=h.reserve.ltv,
            )
            for h in position.holdings
        ),
        arithmetic,
    )


def identify(position: LendingPosition) -> Account | None:
    """Return the account under the rounding that reproduces the protocol's own figures exactly; None if neither does.

    The market's version is never asked for: a figure that agrees to the wei is the better witness.
    """
    for arithmetic in Arithmetic:
        account = account_of(position, arithmetic)
        if figures(account) == position.reported:
            return account
    return None


def figures(account: Account) -> AccountFigures:
    """Return collateral, debt, LTV, threshold and health factor as Pool.getUserAccountData would."""
    directed = account.arithmetic is Arithmetic.DIRECTED
    collateral = debt = weighted_ltv = weighted_threshold = 0
    for balance in account.balances:
        if balance.is_collateral:
            value = mul_div_down(balance.supplied, balance.price, balance.unit)
            collateral += value
            weighted_ltv += value * balance.ltv
            weighted_threshold += value * balance.threshold
        if balance.borrowed:
            in_base = mul_div_up if directed else mul_div_down
            debt += in_base(balance.borrowed, balance.price, balance.unit)
    ltv, threshold = (weighted_ltv // collateral, weighted_threshold // collateral) if collateral else (0, 0)
    if directed:
        health = mul_div_nearest(weighted_threshold, WAD, debt) // BPS if debt else INFINITE
        capacity = mul_div_down(collateral, ltv, BPS)
    else:
        health = mul_div_nearest(mul_div_nearest(collateral, threshold, BPS), WAD, debt) if debt else INFINITE
        capacity = mul_div_nearest(collateral, ltv, BPS)
    return AccountFigures(collateral, debt, max(0, capacity - debt), Bps(threshold), Bps(ltv), Wad(health))


def health_factor(account: Account) -> Wad:
    """Return the health factor; liquidatable below 1 WAD."""
    return figures(account).health_factor


def current_ltv(of: AccountFigures) -> Wad:
    """Return debt over collateral, rounded up; INFINITE when there is debt and no collateral."""
    if not of.debt_value:
        return Wad(0)
    return Wad(mul_div_up(of.debt_value, WAD, of.collateral_value)) if of.collateral_value else INFINITE


def liquidation_distance(of: AccountFigures) -> Wad:
    """Return by which share all collateral may fall together before health reaches 1, rounded down; 0 if it has."""
    return liquidation_distance_at(of.health_factor)


def liquidation_distance_at(health: Wad) -> Wad:
    """Return the distance that belongs to a health factor: ``1 - 1 / HF``, since both move by one common factor."""
    if health >= INFINITE:
        return Wad(WAD)
    return Wad(max(0, WAD - mul_div_up(WAD, WAD, health))) if health else Wad(0)


def liquidation_price(account: Account, asset: Address) -> int | None:
    """Return the price of one asset, others unchanged, at which health falls below 1, rounded up; base units.

    None when no fall of this price can do it: the asset secures nothing, or the rest carries the debt. An asset
    that is both collateral and debt counts with its net exposure.
    """
    target = account.of(asset)
    rest = figures(replace(account, balances=tuple(b for b in account.balances if b.asset != asset)))
    carried = sum(
        mul_div_down(b.supplied, b.price, b.unit) * b.threshold
        for b in account.balances
        if b.is_collateral and b.asset != asset
    )
    exposure = (target.supplied * target.threshold if target.is_collateral else 0) - target.borrowed * BPS
    missing = rest.debt_value * BPS - carried
    return mul_div_up(missing, target.unit, exposure) if exposure > 0 and missing > 0 else None


# --- projections -----------------------------------------------------------------------------------------------------


def after(account: Account, asset: Address, *, supply: int = 0, debt: int = 0) -> Account:
    """Return the account with a balance changed by ``supply`` and ``debt`` smallest units (may be negative).

    Raises ValueError when a balance would fall below zero: that move cannot be made.
    """
    target = account.of(asset)
    supplied, borrowed = target.supplied + supply, target.borrowed + debt
    if supplied < 0 or borrowed < 0:
        raise ValueError(f"{asset}: {supplied} supplied, {borrowed} borrowed")
    changed = replace(target, supplied=Amount(supplied), borrowed=Amount(borrowed))
    return replace(account, balances=tuple(changed if b.asset == asset else b for b in account.balances))


def with_collateral(account: Account, asset: Address) -> Account:
    """Return the account with an asset counting as collateral."""
    return replace(
        account, balances=tuple(replace(b, is_collateral=True) if b.asset == asset else b for b in account.balances)
    )


def without_collateral(account: Account, asset: Address) -> Account:
    """Return the account with an asset supplied that counts as collateral no more."""
    return replace(
        account, balances=tuple(replace(b, is_collateral=False) if b.asset == asset else b for b in account.balances)
    )


def at_prices(account: Account, prices: Mapping[Address, int]) -> Account:
    """Return the account at other prices; where none is given, at its own."""
    return replace(account, balances=tuple(replace(b, price=prices.get(b.asset, b.price)) for b in account.balances))


def value_down(balance: Balance, amount: int) -> int:
    """Return what an amount is worth in base units, rounded down."""
    return mul_div_down(amount, balance.price, balance.unit)


def sale_cost(sell: Balance, buy: Balance, bought: int, shortfall: Bps) -> Amount:
    """Return how much of ``sell`` may go to buy ``bought``, at oracle prices plus at most ``shortfall``, rounded up."""
    return Amount(-(-bought * buy.price * sell.unit * (BPS + shortfall) // (buy.unit * sell.price * BPS)))


def supply_to_reach(account: Account, asset: Address, goal: Goal, limit: int) -> Amount | None:
    """Return the least collateral to add for the goal, at most ``limit``; None when that is not enough."""
    found = smallest(0, limit, lambda amount: goal(figures(after(account, asset, supply=amount))))
    return None if found is None else Amount(found)


def repay_to_reach(account: Account, asset: Address, goal: Goal, limit: int) -> Amount | None:
    """Return the least debt to repay for the goal, at most ``limit`` and the debt; None when that is not enough."""
    most = min(limit, account.of(asset).borrowed)
    found = smallest(0, most, lambda amount: goal(figures(after(account, asset, debt=-amount))))
    return None if found is None else Amount(found)


def repay_with_collateral_to_reach(account: Account, asset: Address, goal: Goal, limit: int) -> Amount | None:
    """Return the least debt to repay out of the same asset's supply (Aave repayWithATokens); None if not enough."""
    balance = account.of(asset)
    most = min(limit, balance.borrowed, balance.supplied)
    found = smallest(0, most, lambda amount: goal(figures(after(account, asset, supply=-amount, debt=-amount))))
    return None if found is None else Amount(found)


@dataclass(frozen=True, slots=True)
class Sale:
    """Collateral given up at most, and debt repaid (or bought and borrowed, for leverage)."""

    sold: Amount
    bought: Amount


def sold(account: Account, sell: Address, buy: Address, sale: Sale) -> Account:
    """Return the account after collateral was sold to repay debt."""
    return after(after(account, sell, supply=-sale.sold), buy, debt=-sale.bought)


def deleverage_to_reach(
    account: Account, sell: Address, repay: Address, goal: Goal, shortfall: Bps, limit: int
) -> Sale | None:
    """Return the smallest sale of collateral that repays enough debt, the sale losing at most ``shortfall``.

    ``limit`` bounds the repaid amount. None when even the largest sale does not reach the goal.
    """
    most = deleverage_most(account, sell, repay, shortfall, limit)
    low, high = account.of(sell), account.of(repay)

    def sale(bought: int) -> Sale:
        return Sale(sale_cost(low, high, bought, shortfall), Amount(bought))

    found = smallest(0, most.bought, lambda bought: goal(figures(sold(account, sell, repay, sale(bought)))))
    return None if found is None else sale(found)


def deleverage_most(account: Account, sell: Address, repay: Address, shortfall: Bps, limit: int) -> Sale:
    """Return the largest sale the collateral, the debt and ``limit`` allow."""
    collateral, debt = account.of(sell), account.of(repay)
    most = min(limit, debt.borrowed)
    bought = largest(0, most, lambda b: sale_cost(collateral, debt, b, shortfall) <= collateral.supplied)
    return Sale(sale_cost(collateral, debt, bought or 0, shortfall), Amount(bought or 0))


def leverage_to_reach(
    account: Account, borrow: Address, buy: Address, goal: Goal, shortfall: Bps, limit: int
) -> Sale | None:
    """Return the largest purchase of collateral with borrowed money for which the goal still holds.

    ``sold`` is borrowed at most, ``bought`` is collateral gained at least. ``limit`` bounds the borrowed amount.
    """
    debt, collateral = account.of(borrow), account.of(buy)

    def purchase(borrowed: int) -> Sale:
        gained = borrowed * debt.price * collateral.unit * BPS // (debt.unit * collateral.price * (BPS + shortfall))
        return Sale(Amount(borrowed), Amount(gained))

    def holds(borrowed: int) -> bool:
        deal = purchase(borrowed)
        return goal(figures(after(after(account, borrow, debt=deal.sold), buy, supply=deal.bought)))

    found = largest(0, limit, holds)
    return None if not found else purchase(found)


def withdrawable(account: Account, asset: Address, floor: Wad) -> Amount:
    """Return the most collateral that may leave with health staying at ``floor`` or above; rounded down."""
    supplied = account.of(asset).supplied
    found = largest(0, supplied, lambda amount: health_factor(after(account, asset, supply=-amount)) >= floor)
    return Amount(found or 0)


def _ray_floor(a: int, index: int) -> int:
    return mul_div_down(a, index, RAY)


def _ray_ceil(a: int, index: int) -> int:
    return mul_div_up(a, index, RAY)


def _ray_half_up(a: int, index: int) -> int:
    return mul_div_nearest(a, index, RAY)
