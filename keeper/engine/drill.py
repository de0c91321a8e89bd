"""The fire drill: each rule that acts, rehearsed at the price that would fire it, by the engine's judge and planner.

Nothing is sent or written. What could not be done then is known now: a wallet that is empty, a pool that is too thin, a
gate that refuses, a call that reverts. All is as it is at the block; only what would have to move is moved. What every
kind of drill has in common is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from keeper.core.decide import NEEDLESS, Hold
from keeper.core.drills import Drilled, DrillEnding, WalletDraw
from keeper.core.reasons import Reason
from keeper.core.rules import Assessment, Unjudged
from keeper.execution.rehearsal import Refused

TODAY = "today's prices"


def is_rescue(rule: Any) -> bool:
    """Return whether a rule, of any kind, acts to protect: an alert does nothing, and a boost rescues nobody."""
    return bool(rule.actions) and rule.target is not None and not rule.is_boost


def fired_alone(assessed: Any, rule: Any) -> Any:
    """Return an assessment, of any kind, in which one rule fired and no other: whatever it measures."""
    verdicts = tuple(replace(v, fired=v.rule.name == rule.name, doubt=None) for v in assessed.verdicts)
    return replace(assessed, verdicts=verdicts)


@dataclass(frozen=True, slots=True)
class DrillWords:
    """Words for what became of one rule's drill, the same for every kind."""

    position: str
    rule: str
    has_signer: bool = True

    def unjudged(self, of: Unjudged, where: str = TODAY) -> Drilled:
        """Return that the position cannot be judged; one that is closed needs no rescue."""
        doubt = of.doubt
        if doubt.reason in (Reason.CLOSED, Reason.NO_POSITION):
            return self._as(DrillEnding.UNTRIED, where, doubt.reason.short, doubt.reason.remedy)
        return self._as(DrillEnding.FAILS, where, f"{doubt.reason.short} ({doubt.detail})", doubt.reason.remedy)

    def blind(self, assessed: Assessment[Any]) -> Drilled | None:
        """Return that a rule measures nothing, for good or for now; None where it does."""
        doubt = next((v.doubt for v in assessed.verdicts if v.rule.name == self.rule and v.doubt), None)
        if doubt is None:
            return None
        ending = DrillEnding.UNTRIED if doubt.reason in (Reason.UNMEASURED, Reason.HISTORY_SHORT) else DrillEnding.FAILS
        return self._as(ending, TODAY, f"it measures nothing: {doubt.detail}", doubt.reason.remedy)

    def held(self, hold: Hold, where: str) -> Drilled:
        """Return why there is no plan; where the target is met already there is nothing to be rehearsed."""
        if hold.reason in NEEDLESS or (where == TODAY and hold.reason is Reason.TARGET_BEYOND_TRIGGER):
            return self._as(DrillEnding.UNTRIED, where, "no price makes it fire, and its target is met", "")
        why = f"{hold.reason.short} ({hold.detail})" if hold.detail else hold.reason.short
        return self._as(DrillEnding.FAILS, where, why, hold.reason.remedy)

    def nothing(self, why: str) -> Drilled:
        """Return that there is nothing to be rescued."""
        return self._as(DrillEnding.UNTRIED, TODAY, why, "")

    def worked(
        self, plan: str, gas: int, where: str, short: tuple[str, str] | None = None, takes: tuple[WalletDraw, ...] = ()
    ) -> Drilled:
        """Return that a plan passed its trial, and why it does not reach the target where it does not."""
        ending = DrillEnding.WORKS if short is None else DrillEnding.SHORT
        return replace(self._as(ending, where, *(short or ("", ""))), plan=plan, gas=gas, takes=takes)

    def refused(self, plans: Sequence[str], refused: Sequence[Refused], where: str) -> Drilled:
        """Return why no plan passed its trial."""
        told = zip(plans, refused, strict=False)
        why = "; ".join(f"{plan}: {r.reason.short}{f' ({r.detail})' if r.detail else ''}" for plan, r in told)
        return self._as(DrillEnding.FAILS, where, why, refused[0].reason.remedy)

    def _as(self, ending: DrillEnding, where: str, why: str, remedy: str) -> Drilled:
        return Drilled(self.position, self.rule, ending, where, why, remedy, has_signer=self.has_signer)
