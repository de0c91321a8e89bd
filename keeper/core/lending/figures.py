"""Lending arithmetic, integer and exact. What holdings come to is for the protocol's model to say (``LendingModel``).

The solvers change amounts and ask the model what they come to then; they need of it only that figures are monotone in
every amount. So they are exact to the unit under each protocol's own rounding. Projections round against the owner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from keeper.core.lending.position import AccountFigures, Holding, LendingModel, LendingPosition
from keeper.core.units import (
    BPS,
    INFINITE,
    WAD,
    Address,
    Amount,
    Bps,
    Wad,
    largest,
    mul_div_down,
    mul_div_up,
    smallest,
)


@dataclass(frozen=True, slots=True)
class Loan:
    """What the arithmetic needs of a position: its holdings, and the protocol's model of them."""

    holdings: tuple[Holding, ...]
    model: LendingModel

    def of(self, asset: Address) -> Holding:
        """Return the holding of an asset; KeyError when the account has none."""
        for holding in self.holdings:
            if holding.asset == asset:
                return holding
        raise KeyError(asset)


Goal = Callable[[AccountFigures], bool]
"""Returns whether figures satisfy a target; monotone in every action that helps."""


def account_of(position: LendingPosition) -> Loan:
    """Return what the arithmetic needs of a position."""
    return Loan(position.holdings, position.model)


def proven(position: LendingPosition) -> Loan | None:
    """Return the same where our figures are the protocol's own, exactly; None where they differ."""
    account = account_of(position)
    return account if figures(account) == position.reported else None


def moved(there: LendingPosition, here: LendingPosition) -> tuple[Holding, ...]:
    """Return the holdings of a position whose prices are not those that the same position has elsewhere."""
    pairs = zip(there.holdings, here.holdings, strict=True)
    return tuple(h for h, now in pairs if h.price.answer != now.price.answer)


def figures(account: Loan) -> AccountFigures:
    """Return collateral, debt, LTV, threshold and health factor as the protocol would."""
    return account.model.figures(account.holdings)


def health_factor(account: Loan) -> Wad:
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


def liquidation_price(account: Loan, asset: Address) -> int | None:
    """Return the price of one asset, others unchanged, at which health falls below 1, rounded up; market money.

    None when no fall of this price can do it: the asset secures nothing, or the rest carries the debt. An asset
    that is both collateral and debt counts with its net exposure.
    """
    target = account.of(asset)
    rest = figures(replace(account, holdings=tuple(b for b in account.holdings if b.asset != asset)))
    carried = sum(
        mul_div_down(b.supplied, b.price.answer, b.unit) * b.liquidation_factor
        for b in account.holdings
        if b.is_collateral and b.asset != asset
    )
    exposure = (target.supplied * target.liquidation_factor if target.is_collateral else 0) - target.borrowed * WAD
    missing = rest.debt_value * WAD - carried
    return mul_div_up(missing, target.unit, exposure) if exposure > 0 and missing > 0 else None


# --- projections -----------------------------------------------------------------------------------------------------


def after(account: Loan, asset: Address, *, supply: int = 0, debt: int = 0) -> Loan:
    """Return the account with a balance changed by ``supply`` and ``debt`` smallest units (may be negative).

    Raises ValueError when a balance would fall below zero: that move cannot be made.
    """
    target = account.of(asset)
    supplied, borrowed = target.supplied + supply, target.borrowed + debt
    if supplied < 0 or borrowed < 0:
        raise ValueError(f"{asset}: {supplied} supplied, {borrowed} borrowed")
    changed = target.with_balances(Amount(supplied), Amount(borrowed))
    return Loan(tuple(changed if b is target else b for b in account.holdings), account.model)


def with_collateral(account: Loan, asset: Address) -> Loan:
    """Return the account with an asset counting as collateral."""
    return replace(
        account, holdings=tuple(replace(b, is_collateral=True) if b.asset == asset else b for b in account.holdings)
    )


def without_collateral(account: Loan, asset: Address) -> Loan:
    """Return the account with an asset supplied that counts as collateral no more."""
    return replace(
        account, holdings=tuple(replace(b, is_collateral=False) if b.asset == asset else b for b in account.holdings)
    )


def at_prices(account: Loan, prices: Mapping[Address, int]) -> Loan:
    """Return the account at other prices; where none is given, at its own."""
    return replace(account, holdings=tuple(priced(h, prices.get(h.asset, h.price.answer)) for h in account.holdings))


def priced(holding: Holding, answer: int) -> Holding:
    """Return a holding at another price."""
    return replace(holding, price=replace(holding.price, answer=answer))


def value_down(holding: Holding, amount: int) -> int:
    """Return what an amount is worth in the market's own money, rounded down."""
    return mul_div_down(amount, holding.price.answer, holding.unit)


def amount_down(value: int, holding: Holding) -> Amount:
    """Return how much of an asset is worth no more than ``value`` of the market's own money."""
    return Amount(mul_div_down(value, holding.unit, holding.price.answer))


def sale_cost(sell: Holding, buy: Holding, bought: int, shortfall: Bps) -> Amount:
    """Return how much of ``sell`` may go to buy ``bought``, at oracle prices plus at most ``shortfall``, rounded up."""
    given, got = sell.price.answer, buy.price.answer
    return Amount(-(-bought * got * sell.unit * (BPS + shortfall) // (buy.unit * given * BPS)))


def supply_to_reach(account: Loan, asset: Address, goal: Goal, limit: int) -> Amount | None:
    """Return the least collateral to add for the goal, at most ``limit``; None when that is not enough."""
    found = smallest(0, limit, lambda amount: goal(figures(after(account, asset, supply=amount))))
    return None if found is None else Amount(found)


def repay_to_reach(account: Loan, asset: Address, goal: Goal, limit: int) -> Amount | None:
    """Return the least debt to repay for the goal, at most ``limit`` and the debt; None when that is not enough."""
    most = min(limit, account.of(asset).borrowed)
    found = smallest(0, most, lambda amount: goal(figures(after(account, asset, debt=-amount))))
    return None if found is None else Amount(found)


def repay_with_collateral_to_reach(account: Loan, asset: Address, goal: Goal, limit: int) -> Amount | None:
    """Return the least debt to repay out of the same asset's supply ; None if not enough."""
    balance = account.of(asset)
    most = min(limit, balance.borrowed, balance.supplied)
    found = smallest(0, most, lambda amount: goal(figures(after(account, asset, supply=-amount, debt=-amount))))
    return None if found is None else Amount(found)


@dataclass(frozen=True, slots=True)
class Sale:
    """Collateral given up at most, and debt repaid (or bought and borrowed, for leverage)."""

    sold: Amount
    bought: Amount


def sold(account: Loan, sell: Address, buy: Address, sale: Sale) -> Loan:
    """Return the account after collateral was sold to repay debt."""
    return after(after(account, sell, supply=-sale.sold), buy, debt=-sale.bought)


Fee = Callable[[int], int]
"""What it costs to have so much before the sale: a lender takes it out of what the sale brings. Monotone."""


def no_fee(lent: int) -> int:
    """Return nothing: what is sold first costs nothing to have."""
    del lent
    return 0


def deleverage_to_reach(
    account: Loan, sell: Address, repay: Address, goal: Goal, shortfall: Bps, limit: int, fee: Fee = no_fee
) -> Sale | None:
    """Return the smallest sale of collateral that repays enough debt, the sale losing at most ``shortfall``.

    ``limit`` bounds the repaid amount; the sale pays its ``fee`` too. None when even the largest sale does not reach
    the goal.
    """
    most = deleverage_most(account, sell, repay, shortfall, limit, fee)
    low, high = account.of(sell), account.of(repay)

    def sale(bought: int) -> Sale:
        return Sale(sale_cost(low, high, bought + fee(bought), shortfall), Amount(bought))

    found = smallest(0, most.bought, lambda bought: goal(figures(sold(account, sell, repay, sale(bought)))))
    return None if found is None else sale(found)


def deleverage_most(
    account: Loan, sell: Address, repay: Address, shortfall: Bps, limit: int, fee: Fee = no_fee
) -> Sale:
    """Return the largest sale the collateral, the debt and ``limit`` allow."""
    collateral, debt = account.of(sell), account.of(repay)
    bought = largest_sale(collateral, debt, min(limit, debt.borrowed), shortfall, collateral.supplied, fee)
    return Sale(sale_cost(collateral, debt, bought + fee(bought), shortfall), bought)


def largest_sale(sell: Holding, buy: Holding, most: int, shortfall: Bps, room: int, fee: Fee = no_fee) -> Amount:
    """Return the most, up to ``most``, that can be repaid, its fee paid too, by giving at most ``room``."""
    return Amount(largest(0, most, lambda b: sale_cost(sell, buy, b + fee(b), shortfall) <= room) or 0)


def leverage_to_reach(
    account: Loan, borrow: Address, buy: Address, goal: Goal, shortfall: Bps, limit: int
) -> Sale | None:
    """Return the largest purchase of collateral with borrowed money for which the goal still holds.

    ``sold`` is borrowed at most, ``bought`` is collateral gained at least. ``limit`` bounds the borrowed amount.
    """
    debt, collateral = account.of(borrow), account.of(buy)

    def purchase(borrowed: int) -> Sale:
        worth, price = borrowed * debt.price.answer, collateral.price.answer
        gained = worth * collateral.unit * BPS // (debt.unit * price * (BPS + shortfall))
        return Sale(Amount(borrowed), Amount(gained))

    def holds(borrowed: int) -> bool:
        deal = purchase(borrowed)
        return goal(figures(after(after(account, borrow, debt=deal.sold), buy, supply=deal.bought)))

    found = largest(0, limit, holds)
    return None if not found else purchase(found)


def largest_debt(account: Loan, asset: Address, floor: Wad, limit: int) -> Amount:
    """Return the most that may be borrowed, at most ``limit``, with health at ``floor`` or above."""

    def may_be(amount: int) -> bool:
        return figures(after(account, asset, debt=amount)).health_factor >= floor

    return Amount(largest(0, limit, may_be) or 0)


def _fallen(of: AccountFigures, bears: Wad) -> AccountFigures:
    """Return figures with what may be borrowed where the collateral is worth 1 / ``bears`` of what it was."""
    if bears <= WAD:
        return of
    least = mul_div_down(of.available_borrows + of.debt_value, WAD, bears) - of.debt_value
    return replace(of, available_borrows=min(of.available_borrows, least))


AS_IT_IS = Wad(WAD)
"""How far collateral falls where nothing falls."""


def bearable(account: Loan, floor: Wad) -> Wad:
    """Return how far collateral may fall until mining, Wad: as far as the floor bears, or three quarters of the way to
    the limit at which the market lets nothing out, where that is nearer.
    """
    now = figures(account)
    beyond = max(0, mul_div_down(now.available_borrows, WAD, now.debt_value)) if now.debt_value else WAD
    return Wad(min(floor, WAD + beyond * 3 // 4))


def withdrawable(account: Loan, asset: Address, floor: Wad, bears: Wad = AS_IT_IS) -> Amount:
    """Return the most collateral that may leave with health at ``floor`` or above, and that the market lets out.

    It does so still where collateral is worth 1 / ``bears`` of what it was: a market with a borrow limit refuses all of
    it when prices have fallen by a hair.
    """

    def may_leave(amount: int) -> bool:
        left = figures(after(account, asset, supply=-amount))
        return left.health_factor >= floor and account.model.lets_out(_fallen(left, bears))

    return Amount(largest(0, account.of(asset).supplied, may_leave) or 0)
