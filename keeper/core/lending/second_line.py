"""A second line that rests with a market: a contract which the owner let sell a part before liquidation begins.

Anybody may call it, so it works while no keeper runs. It costs less than a liquidation, and takes less at once: both
grow in a straight line, from where it begins to where liquidation does.
"""

from __future__ import annotations

from keeper.core.lending.position import LendingPosition, SecondLine
from keeper.core.units import INFINITE, WAD, Usd, mul_div_up


def standing(of: LendingPosition) -> SecondLine | None:
    """Return the second line that would act first, of those that the owner let act and that are known."""
    let = [line for line in of.second_lines if line.is_let and line.is_known]
    return max(let, key=lambda line: line.begins_at, default=None)


def is_at_work(of: LendingPosition) -> bool:
    """Return whether it may be called now: below where it begins, and above liquidation."""
    line, health = standing(of), of.reported.health_factor
    return line is not None and health < INFINITE and WAD <= health < line.begins_at


def first_loss(line: SecondLine, debt: Usd) -> Usd:
    """Return what the first call costs an owner of so much debt, where it comes as soon as it may."""
    return Usd(mul_div_up(mul_div_up(debt, line.share[0], WAD), line.penalty[0], WAD))
