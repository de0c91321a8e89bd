"""Ways to help a loan, one file each (rescues: what trades nothing)."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.core.lending.actions.deleverage import DELEVERAGE
from keeper.core.lending.actions.leverage_up import LEVERAGE_UP
from keeper.core.lending.actions.rescues import REPAY, TOP_UP
from keeper.core.lending.actions.swaps import SWAP_COLLATERAL, SWAP_DEBT
from keeper.core.lending.proposals import LendingAction

__all__ = ["ACTIONS", "DELEVERAGE", "LEVERAGE_UP", "REPAY", "SWAP_COLLATERAL", "SWAP_DEBT", "TOP_UP"]

ACTIONS: Mapping[str, LendingAction] = {
    a.key: a for a in (REPAY, TOP_UP, DELEVERAGE, LEVERAGE_UP, SWAP_COLLATERAL, SWAP_DEBT)
}
"""By settings key, in the order in which they are combined: what trades nothing comes first."""
