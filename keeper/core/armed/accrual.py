"""A position carried on without a read: new prices, and interest from one block's time to the next's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.core.lending.position import Holding, LendingPosition
from keeper.core.snapshot import BlockRef
from keeper.core.units import Address

HEALTH_WITHIN = 10**9
"""A health factor carried on may differ from the protocol's by this part: the rounding of a block's interest."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A price as the oracle's own event gives it: 8 decimals, its round, and its time."""

    answer: int
    round_id: int
    updated_at: int


def carried_on(position: LendingPosition, block: BlockRef, prices: Mapping[Address, Answered]) -> LendingPosition:
    """Return a position as it will be read at a later block, if nobody touches the account until then.

    Interest is the model's to work out; over a block it differs from the protocol's own by rounding only.
    """
    seconds, model = block.timestamp - position.block.timestamp, position.model
    holdings = tuple(model.accrued(_stated(h, prices.get(h.asset)), seconds) for h in position.holdings)
    return replace(position, block=block, holdings=holdings, reported=model.figures(holdings))


def is_same_account(a: LendingPosition, b: LendingPosition) -> bool:
    """Return whether nobody touched an account in between: what interest never changes is the same."""
    return [_touched(h) for h in a.held] == [_touched(h) for h in b.held]


def is_as_foretold(foretold: LendingPosition, read: LendingPosition) -> bool:
    """Return whether the protocol's health factor is the one that was foretold, but for rounding."""
    ours, theirs = foretold.reported.health_factor, read.reported.health_factor
    return abs(ours - theirs) * HEALTH_WITHIN <= max(ours, theirs)


def _touched(holding: Holding) -> tuple[object, ...]:
    return holding.asset, holding.principal, holding.is_collateral


def _stated(holding: Holding, stated: Answered | None) -> Holding:
    if stated is None:
        return holding
    price = replace(holding.price, answer=stated.answer, round_id=stated.round_id, updated_at=stated.updated_at)
    return replace(holding, price=price)
