"""``keeper backtest``: what it does is in ``backtest`` and ``sweeping``, loaded when asked for."""

from __future__ import annotations

from keeper.cli.backtest_given import Given, Shown, Varied
from keeper.cli.option_groups import grouped


@grouped(Given, Shown, Varied)
def backtest(given: Given, shown: Shown, varied: Varied) -> None:
    """Play an account through a history of prices: what each way to keep it would have cost, and whether it survived.

    The same engine that keeps positions, with fakes in the place of node, wallet and journal. Asks no node, signs
    nothing. Four ways: no keeper, fixed thresholds, adaptive, a hosted service; with --config your own rules as well.

    Example: keeper backtest --prices WETH=eth-1h.csv --health 1.3 --html backtest.html

    With --sweep FILE every trigger with every target, and every probability (its goal so many times --smaller), on
    every health to begin with; the frontier shows which settings none beats in survival and cost.

    Example: keeper backtest --prices eth-1h.csv --sweep eth.jsonl --triggers 1.1:1.4:0.1 --html frontier.html
    """
    from keeper.cli import backtest as playing  # noqa: PLC0415 - what it takes is loaded when it is asked

    if shown.reproduce is not None:
        playing.reproduce(shown.reproduce, given.files, shown)
    if varied.sweep is not None:
        from keeper.cli import sweeping  # noqa: PLC0415 - likewise

        sweeping.sweep(given, varied, varied.sweep, shown)
    playing.play(given, shown)
