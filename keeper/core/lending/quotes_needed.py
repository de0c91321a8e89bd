"""What to ask the pools before trades can be worked out."""

from __future__ import annotations

from keeper.core.lending.actions import ACTIONS
from keeper.core.lending.proposals import Means, PlanTerms
from keeper.core.lending.quotes import QuoteRequest
from keeper.core.lending.rules import LendingIntent


def quotes_needed(intent: LendingIntent, state: Means, terms: PlanTerms) -> tuple[QuoteRequest, ...]:
    """Return what to ask the pools before proposals can be worked out; a guardian trades nothing."""
    if not terms.signer_is_owner:
        return ()
    asked = [asks for action in intent.actions if (asks := ACTIONS[action.key].asks) is not None]
    return tuple(request for asks in asked for request in asks(intent, state, terms) if request.bought)
