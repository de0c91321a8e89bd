"""The words of ``keeper backtest``, each with what it means. What they do is in ``backtest``, loaded when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.common import Json

Many = list[str] | None
Prices = Annotated[Many, typer.Option(help="A file of bars, or SYMBOL=FILE; several of one asset are joined.")]
More = Annotated[Many, typer.Argument(metavar="[FILE]...", help="Further files of --prices.", show_default=False)]
Since = Annotated[str | None, typer.Option(help="Leave out what the files know before: a date, or unix seconds.")]
Until = Annotated[str | None, typer.Option(help="Likewise after.")]
Collateral = Annotated[Many, typer.Option(help="SYMBOL=AMOUNT supplied. [default: 100 of the first file's]")]
Debt = Annotated[Many, typer.Option(help="SYMBOL=AMOUNT owed; or say --health.")]
Health = Annotated[str | None, typer.Option(help="Health factor to begin with, owing USDC. [default: 1.4]")]
Purse = Annotated[Many, typer.Option(help="SYMBOL=AMOUNT in the signer's wallet, for top-ups.")]
Native = Annotated[str, typer.Option(help="Native currency for gas.")]
Threshold = Annotated[Many, typer.Option(help="Liquidation threshold, or SYMBOL=SHARE. [default: 0.83]")]
Ltv = Annotated[Many, typer.Option(help="Likewise what may be borrowed. [default: 0.80]")]
Bonus = Annotated[Many, typer.Option(help="Likewise what a liquidator takes beyond. [default: 0.05]")]
SupplyRate = Annotated[str, typer.Option(help="What supplies earn a year.")]
BorrowRate = Annotated[str, typer.Option(help="What debts cost a year.")]
Fixed = Annotated[str, typer.Option(help="Fixed thresholds: the health to act at, and to get to.")]
Adaptive = Annotated[str, typer.Option(help="The probability of liquidation in 24h to act at, and to get to.")]
Whose = Annotated[
    str, typer.Option(help="Whose rules liquidate, where no --config says it. [default: the first venue of loans]")
]
Own = Annotated[Path | None, typer.Option("--config", "-c", help="Settings whose rules are played as well.")]
Of = Annotated[str | None, typer.Option("--position", "-p", help="Which loan of --config. [default: the first]")]
WarmUp = Annotated[str, typer.Option(help="Prices before the account begins, to measure by.")]
Measure = Annotated[str, typer.Option(help="How often volatility is measured anew.")]
Every = Annotated[str, typer.Option("--block", help="From block to block.")]
Delay = Annotated[int, typer.Option(min=1, max=1000, help="Blocks from a decision to its transaction.")]
Deviation = Annotated[int, typer.Option(min=1, max=5000, help="Basis points after which the oracle answers.")]
Heartbeat = Annotated[str, typer.Option(help="The longest that the oracle says nothing.")]
Lag = Annotated[int, typer.Option(min=0, max=1000, help="Blocks until its answer holds.")]
BaseFee = Annotated[str, typer.Option(help="Base fee in gwei.")]
GasFile = Annotated[Path | None, typer.Option(help="A file of `timestamp,gwei`: the base fee of the time.")]
PoolDepth = Annotated[str, typer.Option("--depth", help="Dollars on each side of the pool that is sold through.")]
PoolFee = Annotated[str, typer.Option(help="What the pool takes of a sale.")]
Quotes = Annotated[Many, typer.Option(help="DOLLARS=BPS: what such a sale costs; two or more fit a pool.")]
ServiceFee = Annotated[str, typer.Option(help="A hosted service's share of a sale.")]
BreakerWord = Annotated[
    str, typer.Option("--breaker", help="MOVE:WITHIN:PAUSE, like 0.15:10m:1h: suspends trades. [default: none]")
]
CallByCall = Annotated[bool, typer.Option("--call-by-call", help="A plan is several transactions.")]
AllBlocks = Annotated[bool, typer.Option("--all-blocks", help="Judge at every answer of the oracle: slow, the same.")]
Html = Annotated[Path | None, typer.Option(help="Write the whole report as one page.")]
SweepFile = Annotated[
    Path | None, typer.Option(help="Vary settings and accounts; what is done is kept in this file, and gone on with.")
]
Values = Annotated[str, typer.Option(help="Of a sweep: values, or LOW:HIGH:STEP.")]
Widening = Annotated[
    str, typer.Option(help="Of a sweep: thresholds that widen, BASE+PER_VOLATILITY like 1.1+0.2. [default: none]")
]
Jobs = Annotated[int, typer.Option(min=0, max=1024, help="Of a sweep: processes. [default: one for each core]")]
Reproduce = Annotated[Path | None, typer.Option(help="Recompute a report that was written.")]


def backtest(  # noqa: PLR0917 - typer reads the options from the parameters
    more: More = None,
    prices: Prices = None,
    since: Since = None,
    until: Until = None,
    collateral: Collateral = None,
    debt: Debt = None,
    health: Health = None,
    wallet: Purse = None,
    native: Native = "10",
    threshold: Threshold = None,
    ltv: Ltv = None,
    bonus: Bonus = None,
    supply_rate: SupplyRate = "0",
    borrow_rate: BorrowRate = "0.05",
    fixed: Fixed = "1.25:1.60",
    adaptive: Adaptive = "0.01:0.002",
    venue: Whose = "",
    config: Own = None,
    position: Of = None,
    warm_up: WarmUp = "7d",
    measure: Measure = "1h",
    block: Every = "12s",
    delay: Delay = 1,
    deviation: Deviation = 50,
    heartbeat: Heartbeat = "1h",
    lag: Lag = 1,
    base_fee: BaseFee = "20",
    gas: GasFile = None,
    depth: PoolDepth = "40000000",
    pool_fee: PoolFee = "0.0005",
    quote: Quotes = None,
    service_fee: ServiceFee = "0.0025",
    breaker: BreakerWord = "",
    call_by_call: CallByCall = False,
    all_blocks: AllBlocks = False,
    sweep: SweepFile = None,
    healths: Values = "1.1:2.0:0.1",
    triggers: Values = "1.05:1.5:0.05",
    targets: Values = "1.1:2.0:0.1",
    probabilities: Values = "0.002,0.005,0.01,0.02,0.05",
    smaller: Values = "5",
    widening: Widening = "",
    jobs: Jobs = 0,
    html: Html = None,
    reproduce: Reproduce = None,
    as_json: Json = False,
) -> None:
    """Play an account through a history of prices: what each way to keep it would have cost, and whether it survived.

    The same engine that keeps positions, with fakes in the place of node, wallet and journal. Asks no node, signs
    nothing. Four ways: no keeper, fixed thresholds, adaptive, a hosted service; with --config your own rules as well.

    Example: keeper backtest --prices WETH=eth-1h.csv --health 1.3 --html backtest.html

    With --sweep FILE every trigger with every target, and every probability (its goal so many times --smaller), on
    every health to begin with; the frontier shows which settings none beats in survival and cost.

    Example: keeper backtest --prices eth-1h.csv --sweep eth.jsonl --triggers 1.1:1.4:0.1 --html frontier.html
    """
    from keeper.cli.backtest import play  # noqa: PLC0415 - what it takes is loaded when it is asked
    from keeper.cli.backtest import reproduce as again  # noqa: PLC0415 - likewise
    from keeper.cli.backtest_given import Given  # noqa: PLC0415 - likewise

    files = [*(prices or []), *(more or [])]
    if reproduce is not None:
        again(reproduce, files, as_json=as_json, html=html)
    given = Given(
        prices=files,
        collateral=collateral or [],
        debt=debt or [],
        health=health,
        wallet=wallet or [],
        native=native,
        threshold=threshold or [],
        ltv=ltv or [],
        bonus=bonus or [],
        supply_rate=supply_rate,
        borrow_rate=borrow_rate,
        fixed=fixed,
        adaptive=adaptive,
        venue=venue,
        config=config,
        position=position,
        warm_up=warm_up,
        measure=measure,
        block=block,
        delay=delay,
        deviation_bps=deviation,
        heartbeat=heartbeat,
        lag=lag,
        base_fee_gwei=base_fee,
        gas=gas,
        depth_usd=depth,
        pool_fee=pool_fee,
        quote=quote or [],
        service_fee=service_fee,
        call_by_call=call_by_call,
        since=since,
        until=until,
        breaker=breaker,
    )
    if sweep is not None:
        from keeper.cli.sweeping import Varied  # noqa: PLC0415 - likewise
        from keeper.cli.sweeping import sweep as vary  # noqa: PLC0415 - likewise

        vary(
            given,
            Varied(healths, triggers, targets, probabilities, smaller, widening),
            sweep,
            jobs,
            as_json=as_json,
            html=html,
        )
    play(given, as_json=as_json, html=html, all_blocks=all_blocks)
