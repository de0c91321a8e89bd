"""How far prices may move before liquidation: each alone, down or up, and all against the position at once."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.lending.figures import Loan, liquidation_price
from keeper.core.lending.position import Holding
from keeper.core.units import WAD, Address, Wad, mul_div_down


@dataclass(frozen=True, slots=True)
class PriceMove:
    """The move of one price, others unchanged, that liquidates: to ``price``, by ``share`` of what it is now."""

    asset: Address
    price: int
    share: Wad
    is_rise: bool


def price_moves(account: Loan) -> tuple[PriceMove, ...]:
    """Return the move of each price that liquidates, the least first; nothing of prices that cannot do it alone."""
    found = [move for b in account.holdings if b.price.answer > 0 and (move := _move(account, b))]
    return tuple(sorted(found, key=lambda move: move.share))


def rise_price(account: Loan, asset: Address) -> int | None:
    """Return the highest price of one asset, others unchanged, at which health is 1 still, rounded down; market money.

    None when no rise of this price can do it: it is not owed, or secures more than is owed. Zero when collateral does
    not carry the debts as it is.
    """
    target = account.of(asset)
    exposure = target.borrowed * WAD - (target.supplied * target.liquidation_factor if target.is_collateral else 0)
    if exposure <= 0:
        return None
    others = [_exposure(b) for b in account.holdings if b.asset != asset]
    return mul_div_down(max(0, sum(others)), target.unit, exposure)


def together(account: Loan) -> Wad:
    """Return the share by which everything may move against the position at once, rounded down.

    What secures more than is owed of it falls by it, what is owed more than it secures rises by it.
    """
    exposures = [_exposure(b) for b in account.holdings]
    secured, owed = sum(e for e in exposures if e > 0), -sum(e for e in exposures if e < 0)
    if not owed:
        return Wad(WAD)
    return Wad(mul_div_down(secured - owed, WAD, secured + owed) if secured > owed else 0)


def _exposure(of: Holding) -> int:
    """Return what a holding carries of the debt (negative: adds to it), market money times WAD, rounded down."""
    secures = of.supplied * of.liquidation_factor if of.is_collateral else 0
    return (secures - of.borrowed * WAD) * of.price.answer // of.unit


def _move(account: Loan, of: Holding) -> PriceMove | None:
    price = of.price.answer
    low = liquidation_price(account, of.asset)
    if low is not None:
        return PriceMove(of.asset, low, Wad(max(0, (price - low) * WAD // price)), is_rise=False)
    high = rise_price(account, of.asset)
    if high is None:
        return None
    return PriceMove(of.asset, high, Wad(max(0, (high - price) * WAD // price)), is_rise=True)
