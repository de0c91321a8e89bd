"""A rule that measures nothing is never at rest: it holds, and says why. For lending, perpetuals and books alike."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import BLOCK, below, loop
from core_builders import assessed as assessed_loan
from core_builders import rule as lending_rule
from perp_builders import (
    BOOK,
    PerpMetric,
    assessed_perp,
    decided,
    hedge_decision,
    hedge_rule,
    leg_at,
    perp_rule,
    short,
    snapshot,
)
from perp_strategies import a_position

from keeper.cli.show_results import rules_text
from keeper.core.book.kind import BOOK as BOOKS
from keeper.core.book.position import BookPosition, exposure
from keeper.core.book.rules import BookAssessment, BookRule
from keeper.core.decide import Hold, decide
from keeper.core.held_back import Memory
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import PRICE
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.metrics import closed
from keeper.core.perp.rules import PerpRule
from keeper.core.reasons import Reason
from keeper.core.rules import judge
from keeper.core.trail import Trail
from keeper.engine.perp import report
from keeper.engine.perp.book_report import book

from core_builders import OWNER, safety  # isort: skip


def stop(market: str | None, measure: PerpMetric = perp_metrics.STOP_LOSS, **changes: Any) -> PerpRule:
    return perp_rule(measure, "2600", closed(market), [perp_actions.CLOSE], market, name="stop", **changes)


@pytest.mark.parametrize("measure", [m for m in perp_metrics.METRICS.values() if m.named and m.sides])
@pytest.mark.parametrize("size", ["3", "0"])
def test_a_perpetual_rule_of_a_market_that_is_not_there_holds(measure: PerpMetric, size: str) -> None:
    """With a size and without: the market it names is none of the position's."""
    found = decided(short(size=size), stop("SOL", measure))
    assert isinstance(found, Hold)
    assert (found.rule, found.reason) == ("stop", Reason.RULE_UNDECIDABLE)
    assert "SOL" in found.detail
    assert "ETH" in found.detail
    assert not found.is_quiet


@pytest.mark.parametrize("name", ["ETH", "eth", "address"])
def test_a_market_is_named_by_its_underlying_or_its_address(name: str) -> None:
    """In any letter case."""
    of = short()
    market = of.legs[0].market.upper() if name == "address" else name
    (verdict,) = assessed_perp(of, stop(market)).verdicts
    assert verdict.measured is not None
    assert verdict.doubt is None


def test_a_market_without_a_size_is_at_rest() -> None:
    """There is nothing to stop, and nothing wrong with the rule."""
    found = decided(short(size="0"), stop("ETH"))
    assert isinstance(found, Hold)
    assert found.reason is Reason.HEALTHY


@pytest.mark.parametrize("measure", [perp_metrics.FUNDING, perp_metrics.TRAILING_STOP])
def test_a_rule_that_has_not_seen_enough_says_so_and_is_quiet(measure: PerpMetric) -> None:
    """Funding before half its window, a trailing stop before a price beyond doubt: not at rest, and no alarm either."""
    found = decided(short(), stop(None, measure, target=closed()), trail=Trail())
    assert isinstance(found, Hold)
    assert (found.rule, found.reason, found.is_quiet) == ("stop", Reason.UNMEASURED, True)
    assert not found.leaves_in_danger


def test_a_rule_that_measures_nothing_hides_no_other() -> None:
    """The next one still acts."""
    assert not isinstance(decided(short(margin="700"), stop("SOL"), perp_rule()), Hold)


def test_a_lending_price_rule_of_an_asset_that_is_not_there_holds() -> None:
    """By the name of the rule."""
    blind = lending_rule(trigger=below(PRICE, 1, "ETH"))
    found = decide(LENDING, assessed_loan(loop(), blind), Memory(), safety(), OWNER).lead
    assert isinstance(found, Hold)
    assert (found.rule, found.reason) == ("protect", Reason.RULE_UNDECIDABLE)


def judged(rule: BookRule, market: str = "ETH") -> BookAssessment:
    hedge = a_position(leg_at("0", "2000", market))
    seen = exposure(BOOK, snapshot(loop(eth="0", dollars="0"), hedge), "WETH")
    return judge(BOOKS, BookPosition(seen, (hedge,), BLOCK), (rule,), ())


@pytest.mark.parametrize(("underlying", "market"), [("ETHH", "ETH"), ("BTC", "ETH"), ("ETH", "BTC")])
def test_a_book_rule_of_an_underlying_that_nobody_trades_holds(underlying: str, market: str) -> None:
    """Its delta is zero because nobody knows it, or no hedge could bring it back: that is not being in the band."""
    of = judged(hedge_rule(underlying=underlying), market)
    found = hedge_decision(of)
    assert isinstance(found, Hold)
    assert (found.rule, found.reason) == ("delta", Reason.RULE_UNDECIDABLE)
    assert underlying in found.detail
    assert any(underlying in d["detail"] for d in book(of)["doubts"])


def test_a_book_rule_of_an_underlying_its_hedge_trades_is_at_rest() -> None:
    """Whether there is any of it now or not."""
    found = hedge_decision(judged(hedge_rule()))
    assert isinstance(found, Hold)
    assert found.reason is Reason.HEALTHY


def test_an_alert_needs_no_hedge_but_a_name_that_is_known() -> None:
    """It is only told."""
    assert judged(hedge_rule(actions=(), underlying="ETH"), "ETH").verdicts[0].doubt is None
    assert judged(hedge_rule(actions=(), underlying="ETHH")).verdicts[0].doubt is not None


def test_status_counts_no_blind_rule_among_those_at_rest() -> None:
    """It is named."""
    of = report.assessment(assessed_perp(short(), stop("SOL"), perp_rule()))
    assert rules_text(of["rules"]) == "1 rest; stop measures nothing"
    assert rules_text([]) == "none"
