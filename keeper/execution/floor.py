"""What is asked between the rounds of a plan about a loan: does health stay above the floor, do its swaps still pay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from keeper.core.lending import figures as lending
from keeper.core.lending.moves import (
    Borrow,
    Swap,
    Withdraw,
)
from keeper.core.lending.plan import Plan
from keeper.core.pace import STILL
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition
from keeper.core.units import BPS, Wad, ratio_text
from keeper.execution.bringing_back import ReadPosition
from keeper.execution.course import SendFailedError
from keeper.execution.encoding import PlannedCall


class KeepsFloor(Protocol):
    """What a floor is kept with."""

    @property
    def read_position(self) -> ReadPosition:
        """Reads a position at the head."""

    @property
    def floor(self) -> Wad:
        """The health factor that no step may leave the position below."""


async def keep_floor(parts: KeepsFloor, plan: Plan, group: Sequence[PlannedCall]) -> None:
    """Before more collateral leaves or debt grows: would health still stay above the floor, at prices now?

    And may its swaps still give what they would cost? A round whose price has gone is decided anew, not reverted.
    """
    position = plan.intent.assessment.position
    account: lending.Loan | None = None
    for planned in group:
        move = planned.step.move
        if not isinstance(move, Withdraw | Borrow):
            continue
        if account is None:
            now = await parts.read_position(position.name, None)
            keep_price(plan, group, now)
            account = lending.proven(now)
        if account is None:
            raise SendFailedError(Reason.FIGURES_DISAGREE, position.name)
        held, amount = account.of(move.asset).supplied, move.amount
        if isinstance(move, Withdraw):
            account = lending.after(account, move.asset, supply=-(held if amount is None else min(held, amount)))
        else:
            account = lending.after(account, move.asset, debt=move.amount)
        health = lending.health_factor(account)
        if health < parts.floor:
            raise SendFailedError(Reason.FLOOR_TOO_NEAR, f"{planned.call.purpose}: health {ratio_text(health)}")


def keep_price(plan: Plan, group: Sequence[PlannedCall], now: LendingPosition) -> None:
    """Raise SendFailedError where a swap may give less than what it buys is worth by the block it is mined in.

    By the oracle's price of now and how fast it falls: each round of a plan is mined a block later than the one before.
    """
    drifts = plan.intent.assessment.drifts
    for planned in group:
        move = planned.step.move
        if not isinstance(move, Swap):
            continue
        sell, buy = (now.holding(move.route.tokens[i]) for i in (0, -1))
        away = drifts.get(sell.asset, STILL).down + drifts.get(buy.asset, STILL).up
        gives, gets = sell.usd_up(move.sold) * max(0, BPS - away), buy.usd_down(move.bought) * BPS
        if gives < gets:
            detail = f"{planned.call.purpose}: the price fell past what this round may give; what was done stands"
            raise SendFailedError(Reason.PRICE_MOVED, detail)
