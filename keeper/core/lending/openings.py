"""What has to be out of the way before collateral may leave: a trifle of it must never keep all else inside."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.lending.moves import Unpledge
from keeper.core.lending.named import matters
from keeper.core.lending.pairs import all_pairs, largest_within, stuck
from keeper.core.lending.position import Barred, Holding
from keeper.core.lending.proposals import Means, PlanTerms, Step, between_floor, round_floor
from keeper.core.lending.rules import LendingIntent
from keeper.core.lending.slippage import slippage_of
from keeper.core.units import Usd


@dataclass(frozen=True, slots=True)
class Opening:
    """Steps that open the way for a sale, the account after them, and what still is in the way (symbols)."""

    steps: tuple[Step, ...]
    account: Loan
    blocked: tuple[str, ...]


def opened(intent: LendingIntent, state: Means, terms: PlanTerms, *, at_once: bool = False) -> Opening:
    """Return how collateral that holds back all other is taken out of the way.

    What is too little to matter, or cannot be sold, stops counting as collateral where health allows; the rest is in
    the way until it is sold. ``at_once``: nothing waits for its sale, which may be dearer than what it brings, or may
    not take all of it out; whatever health allows stops counting.
    """
    account, steps, blocked = state.account, list[Step](), list[str]()
    for holding in stuck(intent, account):
        without = lending.without_collateral(account, holding.asset)
        floor = between_floor(account, intent, terms) if terms.is_atomic else round_floor(account, terms)
        is_free = not isinstance(holding.room.withdraw, Barred) and lending.health_factor(without) >= floor
        if is_free and (
            at_once
            or not matters(intent.assessment.position, holding.asset)
            or not _sells(holding, intent, state, terms)
        ):
            account = without
            steps.append(Step(Unpledge(holding.asset), Usd(0), lending.health_factor(without)))
        else:
            blocked.append(holding.symbol)
    return Opening(tuple(steps), account, tuple(blocked))


def _sells(holding: Holding, intent: LendingIntent, state: Means, terms: PlanTerms) -> bool:
    """Return whether a pool takes an asset for any debt at a price within the bound."""
    bounds = slippage_of(intent.rule, intent.assessment, intent.outrun)
    pairs = [p for p in all_pairs(intent, state.account) if p.sell.asset == holding.asset]
    return any(largest_within(p, state, terms, bounds.of(p.sell, p.buy)) for p in pairs)
