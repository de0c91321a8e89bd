"""Why a plan does not work, where it is a lender or a token that says so."""

from __future__ import annotations

from keeper.core.lending.moves import borrowing
from keeper.core.lending.plan import Plan
from keeper.core.reasons import Reason
from keeper.execution.encoding import Venues
from keeper.execution.rehearsal import Refused
from keeper.venues.registry import ALLOWANCE_ERRORS, ALLOWANCE_WORDS


def by_words(refused: Refused, plan: Plan, venues: Venues) -> Refused:
    """Return why a plan does not work, by the words that its lenders or tokens revert with where they did."""
    if refused.reason is not Reason.REHEARSAL_FAILED:
        return refused
    for name in dict.fromkeys(loan.lender for loan in borrowing(plan.moves)):
        for said, reason in venues.lenders[name].refusals.items():
            if said in refused.detail:
                return Refused(reason, f"{name}: {refused.detail}")
    if any(said in refused.detail for said in (*ALLOWANCE_ERRORS, *ALLOWANCE_WORDS)):
        return Refused(Reason.APPROVAL_MISSING, refused.detail)
    return refused
