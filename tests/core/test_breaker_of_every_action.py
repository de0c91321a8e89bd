"""What the circuit breaker forbids, action by action: all that trades or adds leverage, and nothing that pays in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import loop, rule
from perp_builders import assessed_perp, book_assessed, hedge_rule, perp_rule, short

from keeper.core.actions import Action
from keeper.core.book.actions import ACTIONS as BOOKS
from keeper.core.lending.actions import ACTIONS as LOANS
from keeper.core.lending.kind import LENDING
from keeper.core.perp.candidates import ACTIONS as PERPS
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import assess

TRIPPED = Doubt(Reason.BREAKER_TRIPPED, "moved 12.0 % within 5 min")
PAYS_IN = {"top_up", "repay", "add_margin"}
"""All that may be done while prices are not to be trusted. An action that is added has to be put where it belongs."""


def test_every_action_is_one_that_trades_or_one_that_pays_in() -> None:
    """No third kind: what adds leverage or rearranges trades as well."""
    for action in (*LOANS.values(), *PERPS.values(), *BOOKS.values()):
        assert action.trades is (action.key not in PAYS_IN), action
        assert action.trades or not (action.adds_leverage or action.reaches), action


@pytest.mark.parametrize("action", LOANS.values(), ids=list(LOANS))
@pytest.mark.parametrize("tripped", [("WETH",), ("USDC",), ("WETH", "USDC")], ids="+".join)
def test_of_a_loan_whatever_would_trade_the_asset(action: Action, tripped: tuple[str, ...]) -> None:
    """Of either side of the trade. What is swapped into one of many is asked pair by pair (``doubt_of``)."""
    p = loop()
    doubted = {h.asset: (TRIPPED,) for h in p.holdings if h.symbol in tripped}
    found = assess(LENDING, p, [replace(rule(), actions=(action,))], (), doubted)
    assert found is not None
    ether, dollar = (next(h.asset for h in p.holdings if h.symbol == s) for s in ("WETH", "USDC"))
    dai = next(h.asset for h in p.holdings if h.symbol == "DAI")
    if action.key in PAYS_IN:
        assert found.doubt_against(action) is None  # type: ignore[union-attr]
    elif action.reaches:
        pairs = [(a, b) for a in (ether, dollar) for b in (ether, dollar, dai) if a != b and {a, b} & set(doubted)]
        assert all(found.doubt_of(a, b) is TRIPPED and found.doubt_of(b, a) is TRIPPED for a, b in pairs)  # type: ignore[union-attr]
    else:
        assert found.doubt_against(action) is TRIPPED  # type: ignore[union-attr]


@pytest.mark.parametrize("action", PERPS.values(), ids=list(PERPS))
def test_of_a_perpetual_whatever_changes_its_size(action: Action) -> None:
    """Margin goes in all the same."""
    of = assessed_perp(short(), perp_rule(), doubts=(TRIPPED,))
    assert of.doubt_against(action) is (None if action.key in PAYS_IN else TRIPPED)


@pytest.mark.parametrize("action", BOOKS.values(), ids=list(BOOKS))
def test_of_a_book_everything(action: Action) -> None:
    """Margin alone brings no delta back, so it is no way of its own: the hedge waits whole."""
    assert book_assessed(short(), hedge_rule(), doubts=(TRIPPED,)).doubt_against(action) is TRIPPED
