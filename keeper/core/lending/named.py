"""Which of a position's assets a rule means: the one it names, or the collateral that is more than dust. Pure."""

from __future__ import annotations

from keeper.core import names
from keeper.core.lending import figures as lending
from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.metrics import Subject
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.units import USD, Address

STEADY = 33
"""An asset within 1/33 of a dollar is not expected to move."""


def matters(position: LendingPosition, asset: Address) -> bool:
    """Return whether an asset is more than dust here: 1 % of the collateral or of the debt.

    Anyone may supply a unit of anything to anyone; that must not blind a rule or bind the keeper's hands.
    """
    holding, whole = position.holding(asset), position.reported
    supplied = lending.value_down(holding, holding.supplied)
    owed = lending.value_down(holding, holding.borrowed)
    is_held = holding.is_collateral and supplied * 100 >= whole.collateral_value
    return (is_held and supplied > 0) or (owed > 0 and owed * 100 >= whole.debt_value)


def secures(position: LendingPosition, of: Subject) -> list[Holding]:
    """Return the holdings a name means; without a name the collateral that is more than dust."""
    if of.symbol:
        return list(names.meant(of.symbol, position.holdings))
    return [h for h in position.held if h.is_collateral and matters(position, h.asset)]


def no_one_asset(given: str | None, position: LendingPosition) -> Doubt:
    """Return that a name means no one asset of a position: none that is there, or several."""
    several = names.meant(given, position.holdings) if given else ()
    if len(several) > 1:
        detail = f"asset {given} means {' and '.join(h.asset for h in several)}"
    else:
        detail = f"asset {given}, position has {', '.join(h.symbol for h in position.held)}"
    return Doubt(Reason.RULE_UNDECIDABLE, detail)


def is_dollar(holding: Holding) -> bool:
    """Return whether the oracle says that an asset is worth about a dollar."""
    return is_dollar_price(holding.price.answer)


def is_dollar_price(price: int) -> bool:
    """Return whether a price is about a dollar."""
    return abs(price - USD) * STEADY <= USD
