"""Why a plan by a loan does not work, where it is the lender who says so."""

from __future__ import annotations

from keeper.core.lending.moves import loans
from keeper.core.lending.plan import Plan
from keeper.core.reasons import Reason
from keeper.execution.encoding import Venues
from keeper.execution.rehearsal import Refused


def by_lender(refused: Refused, plan: Plan, venues: Venues) -> Refused:
    """Return why a plan does not work, by the words that its lenders revert with where they did."""
    if refused.reason is not Reason.REHEARSAL_FAILED:
        return refused
    for name in dict.fromkeys(loan.lender for loan in loans(plan.moves)):
        for said, reason in venues.lenders[name].refusals.items():
            if said in refused.detail:
                return Refused(reason, f"{name}: {refused.detail}")
    return refused
