"""What stands on the line of ``keeper backtest``: each word with its default and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.common import Json

Many = list[str] | None
Values = Annotated[str, typer.Option(help="Of a sweep: values, or LOW:HIGH:STEP.")]


@dataclass(frozen=True, slots=True)
class Given:
    """Prices, the account, who keeps it how, and what acting costs."""

    more: Annotated[
        Many, typer.Argument(metavar="[FILE]...", help="Further files of --prices.", show_default=False)
    ] = None
    prices: Annotated[Many, typer.Option(help="A file of bars, or SYMBOL=FILE; several of one asset are joined.")] = (
        None
    )
    since: Annotated[
        str | None, typer.Option(help="Leave out what the files know before: a date, or unix seconds.")
    ] = None
    until: Annotated[str | None, typer.Option(help="Likewise after.")] = None
    collateral: Annotated[Many, typer.Option(help="SYMBOL=AMOUNT supplied. [default: 100 of the first file's]")] = None
    debt: Annotated[Many, typer.Option(help="SYMBOL=AMOUNT owed; or say --health.")] = None
    health: Annotated[str | None, typer.Option(help="Health factor to begin with, owing USDC. [default: 1.4]")] = None
    wallet: Annotated[Many, typer.Option(help="SYMBOL=AMOUNT in the signer's wallet, for top-ups.")] = None
    native: Annotated[str, typer.Option(help="Native currency for gas.")] = "10"
    native_price: Annotated[str, typer.Option(help="Dollars that one of it costs, where no file of ether says it.")] = (
        "3000"
    )
    threshold: Annotated[Many, typer.Option(help="Liquidation threshold, or SYMBOL=SHARE. [default: 0.83]")] = None
    ltv: Annotated[Many, typer.Option(help="Likewise what may be borrowed. [default: 0.80]")] = None
    bonus: Annotated[Many, typer.Option(help="Likewise what a liquidator takes beyond. [default: 0.05]")] = None
    supply_rate: Annotated[str, typer.Option(help="What supplies earn a year.")] = "0"
    borrow_rate: Annotated[str, typer.Option(help="What debts cost a year.")] = "0.05"
    fixed: Annotated[str, typer.Option(help="Fixed thresholds: the health to act at, and to get to.")] = "1.25:1.60"
    adaptive: Annotated[str, typer.Option(help="The probability of liquidation in 24h to act at, and to get to.")] = (
        "0.01:0.002"
    )
    venue: Annotated[
        str,
        typer.Option(help="Whose rules liquidate, where no --config says it. [default: the first venue of loans]"),
    ] = ""
    side: Annotated[str, typer.Option(help="Of a perpetual venue's position: long or short.")] = "long"
    size: Annotated[str, typer.Option(help="Likewise its size, in whole units of the underlying.")] = "10"
    margin: Annotated[str, typer.Option(help="Likewise dollars of margin behind it.")] = "4000"
    funding: Annotated[str, typer.Option(help="Likewise what it pays a year; negative: what it gets.")] = "0"
    position_fee: Annotated[str, typer.Option(help="Likewise the fee of a trade. [default: the venue's]")] = ""
    maintenance: Annotated[
        str, typer.Option(help="Likewise the margin ratio that liquidates. [default: the venue's, for ether]")
    ] = ""
    fill_after: Annotated[
        int, typer.Option(min=1, max=1000, help="Likewise blocks until the venue's keepers fill an order.")
    ] = 3
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Settings whose rules are played as well.")] = (
        None
    )
    position: Annotated[
        str | None, typer.Option("--position", "-p", help="Which position of --config. [default: its first loan]")
    ] = None
    warm_up: Annotated[str, typer.Option(help="Prices before the account begins, to measure by.")] = "7d"
    measure: Annotated[str, typer.Option(help="How often volatility is measured anew.")] = "1h"
    block: Annotated[str, typer.Option("--block", help="From block to block.")] = "12s"
    delay: Annotated[int, typer.Option(min=1, max=1000, help="Blocks from a decision to its transaction.")] = 1
    deviation: Annotated[int, typer.Option(min=1, max=5000, help="Basis points after which the oracle answers.")] = 50
    heartbeat: Annotated[str, typer.Option(help="The longest that the oracle says nothing.")] = "1h"
    lag: Annotated[int, typer.Option(min=0, max=1000, help="Blocks until its answer holds.")] = 1
    base_fee: Annotated[str, typer.Option(help="Base fee in gwei.")] = "20"
    gas: Annotated[Path | None, typer.Option(help="A file of `timestamp,gwei`: the base fee of the time.")] = None
    depth: Annotated[str, typer.Option("--depth", help="Dollars on each side of the pool that is sold through.")] = (
        "40000000"
    )
    pool_fee: Annotated[str, typer.Option(help="What the pool takes of a sale.")] = "0.0005"
    quote: Annotated[Many, typer.Option(help="DOLLARS=BPS: what such a sale costs; two or more fit a pool.")] = None
    service_fee: Annotated[str, typer.Option(help="A hosted service's share of a sale.")] = "0.0025"
    lender: Annotated[
        str,
        typer.Option(help="Dollars that are lent within one transaction, to each rescue that wants them."),
    ] = "0"
    breaker: Annotated[
        str, typer.Option("--breaker", help="MOVE:WITHIN:PAUSE, like 0.15:10m:1h: suspends trades. [default: none]")
    ] = ""
    call_by_call: Annotated[bool, typer.Option("--call-by-call", help="A plan is several transactions.")] = False

    @property
    def files(self) -> Sequence[str]:
        """Every file of prices, wherever it stands on the line."""
        return [*(self.prices or []), *(self.more or [])]


@dataclass(frozen=True, slots=True)
class Varied:
    """What a sweep varies."""

    sweep: Annotated[
        Path | None,
        typer.Option(help="Vary settings and accounts; what is done is kept in this file, and gone on with."),
    ] = None
    healths: Values = "1.1:2.0:0.1"
    triggers: Values = "1.05:1.5:0.05"
    targets: Values = "1.1:2.0:0.1"
    probabilities: Values = "0.002,0.005,0.01,0.02,0.05"
    smaller: Values = "5"
    goals: Annotated[
        str, typer.Option(help="Of a sweep: healths that rules on a probability get to as well. [default: none]")
    ] = ""
    widening: Annotated[
        str, typer.Option(help="Of a sweep: thresholds that widen, BASE+PER_VOLATILITY like 1.1+0.2. [default: none]")
    ] = ""
    jobs: Annotated[int, typer.Option(min=0, max=1024, help="Of a sweep: processes. [default: one for each core]")] = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """How what came of it is shown, and what is only computed again."""

    all_blocks: Annotated[
        bool, typer.Option("--all-blocks", help="Judge at every answer of the oracle: slow, the same.")
    ] = False
    html: Annotated[Path | None, typer.Option(help="Write the whole report as one page.")] = None
    reproduce: Annotated[Path | None, typer.Option(help="Recompute a report that was written.")] = None
    as_json: Json = False
