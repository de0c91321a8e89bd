"""What to ask the pools before trades can be worked out."""

from __future__ import annotations

from dataclasses import replace

from keeper.core.decide import Intent
from keeper.core.lending.actions.deleverage import sale_wanted
from keeper.core.lending.actions.leverage_up import boost_wanted
from keeper.core.lending.pairs import boost_pairs, sale_pairs, without_stuck
from keeper.core.lending.proposals import State, Terms
from keeper.core.lending.quotes import QuoteRequest
from keeper.core.rules import Action
from keeper.core.units import UINT256_MAX


def quotes_needed(intent: Intent, state: State, terms: Terms) -> tuple[QuoteRequest, ...]:
    """Return what to ask the pools before proposals can be worked out."""
    requests = []
    for action in intent.actions:
        if action is Action.DELEVERAGE and terms.signer_is_owner:
            for pair in sale_pairs(intent, state.account):
                # without what may have to get out of the way first, which takes a larger sale
                bare = replace(state, account=without_stuck(intent, state.account, pair))
                sale = sale_wanted(pair, intent, bare, UINT256_MAX)
                requests.append(QuoteRequest(pair.sell.asset, pair.buy.asset, sale.bought))
        if action is Action.LEVERAGE_UP and terms.signer_is_owner:
            for pair in boost_pairs(intent, state.account):
                deal = boost_wanted(pair, intent, state, UINT256_MAX)
                if deal:
                    requests.append(QuoteRequest(pair.sell.asset, pair.buy.asset, deal.bought))
    return tuple(r for r in requests if r.bought)
