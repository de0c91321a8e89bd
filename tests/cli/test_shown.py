"""What is shown of a cycle: one telling for loans, perpetual positions and books, each with the figures of its kind."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from core_builders import BLOCK, limits, loop, rule
from paper import Paper, engine_on, holding_dollars
from perp_builders import BOOK, hedge_rule, perp_rule
from rich.console import Console
from test_cycle_perps import SQUEEZED, book_paper, paper, sold

from keeper.cli import show
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine

WIDE = 220


def a_loan() -> Engine:
    return engine_on(Paper({"loop": loop("10", "14000")}, holding_dollars()), rule())


def a_perpetual() -> Engine:
    return engine_on(paper(SQUEEZED), perp_rules=(perp_rule(),))


def a_book() -> Engine:
    on = book_paper(sold("3", margin="30000"))
    return engine_on(on, books=(BOOK,), book_rules=(hedge_rule(limits=limits(150)),))


async def shown(engine: Engine, *, as_json: bool) -> tuple[str, str]:
    """Return what ``once`` and ``explain`` print of the last case of a block."""
    once, explained = (Console(file=io.StringIO(), width=WIDE) for _ in range(2))
    result = (await cycle(engine, BLOCK))[-1]
    outcome = None if isinstance(result.outcome, asyncio.Task) else result.outcome
    show.results(once, "dry_run", (result,), {result.name: outcome}, as_json=as_json)
    seen = engine.state.seen
    assert seen is not None
    show.explanation(explained, seen, result, as_json=as_json)
    return tuple(console.file.getvalue() for console in (once, explained))  # type: ignore[attr-defined, return-value]


@pytest.mark.parametrize(
    ("of", "headline", "rule_line", "compared"),
    [
        (a_loan, "loop  health factor 1.1857", "rule protect: health_factor 1.1857 below 1.2500? fires", "debt $"),
        (a_perpetual, "short  margin ratio 3.70 %", "rule margin: margin_ratio 0.0370 below 0.1200? fires", "equity $"),
        (a_book, "eth  delta 7.0000", "7.0000", "notional $"),
    ],
)
async def test_every_kind_is_shown_by_its_own_figures(of: Any, headline: str, rule_line: str, compared: str) -> None:
    """The headline its owner goes by, each rule against its bound, and what the plan changes."""
    once, explained = await shown(of(), as_json=False)
    assert headline in once
    assert compared in once
    assert "rehearsed: on paper" in once
    assert rule_line in explained
    assert "The calldata in full is in --json." in explained


@pytest.mark.parametrize(
    ("of", "figure"), [(a_loan, "health_factor"), (a_perpetual, "margin_ratio"), (a_book, "delta")]
)
async def test_scripts_find_the_same_keys_whatever_the_kind(of: Any, figure: str) -> None:
    """And beside them the figure of the kind."""
    once, explained = await shown(of(), as_json=True)
    (row,) = json.loads(once)["positions"]
    same = {"name", "decision", "others", "plan", "alternatives", "rehearsal", "outcome"}
    assert set(row) == same | {figure}
    assert {"label", "steps", "before", "projected", "promise", "cost_usd", "fee_ceiling"} <= set(row["plan"])
    assert set(json.loads(explained)) >= same | {"block", "position"}
