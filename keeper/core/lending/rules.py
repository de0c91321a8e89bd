"""Rules, verdicts, assessments and intents of lending positions, by their short names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from keeper.core import decide, rules
from keeper.core.actions import Action
from keeper.core.lending import figures as lending
from keeper.core.lending.position import AccountFigures, LendingPosition
from keeper.core.prices import Doubt, Side
from keeper.core.units import Address

Rule = rules.Rule[LendingPosition]
Verdict = rules.Verdict[LendingPosition]


@dataclass(frozen=True)
class LendingAssessment(rules.Assessment[LendingPosition]):
    """One lending position judged."""

    @cached_property
    def account(self) -> lending.Loan:
        """What the arithmetic needs of it."""
        return lending.account_of(self.position)

    @property
    def headline(self) -> int | None:
        """The figure that its owner goes by: its health factor."""
        return self.figures.health_factor

    @property
    def figures(self) -> AccountFigures:
        """The protocol's own figures, and ours."""
        return self.position.reported

    @property
    def all_doubts(self) -> tuple[Doubt, ...]:
        """Everything that speaks against a trade."""
        return (*self.doubts, *(doubt for found in self.doubted.values() for doubt in found))

    def doubt_of(self, sell: Address, buy: Address) -> Doubt | None:
        """Return what forbids selling one asset for another."""
        own = [d for d in self.doubted.get(sell, ()) if d.forbids(Side.SELLING)]
        own += [d for d in self.doubted.get(buy, ()) if d.forbids(Side.BUYING)]
        return next(iter((*self.doubts, *own)), None)

    def doubt_against(self, action: Action) -> Doubt | None:
        """Return what forbids every trade an action could make here; None where one is free of doubt."""
        if not action.trades or (not self.doubts and not self.doubted):
            return None
        if action.reaches:  # into which of several assets, its planner says, and asks of each pair
            return next(iter(self.doubts), None)
        collateral = [h.asset for h in self.position.held if h.is_collateral and h.supplied]
        debts = [h.asset for h in self.position.held if h.borrowed]
        pairs = [(c, d) for c in collateral for d in debts if c != d]
        found = [self.doubt_of(*((d, c) if action.adds_leverage else (c, d))) for c, d in pairs]
        return found[0] if found and all(found) else next(iter(self.doubts), None)


@dataclass(frozen=True, slots=True)
class LendingIntent(decide.Intent[LendingPosition]):
    """A rule of a lending position that may be acted on."""

    assessment: LendingAssessment
    for_more_than_health: bool = False
    """True when not liquidation alone is feared (a book stands naked): gas may cost a share of what is moved then."""
