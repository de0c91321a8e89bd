"""What stands on the line of ``keeper backtest``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Given:
    """What stands on the line."""

    prices: Sequence[str]
    collateral: Sequence[str]
    debt: Sequence[str]
    health: str | None
    wallet: Sequence[str]
    native: str
    threshold: Sequence[str]
    ltv: Sequence[str]
    bonus: Sequence[str]
    supply_rate: str
    borrow_rate: str
    fixed: str
    adaptive: str
    venue: str
    config: Path | None
    position: str | None
    warm_up: str
    measure: str
    block: str
    delay: int
    deviation_bps: int
    heartbeat: str
    lag: int
    base_fee_gwei: str
    gas: Path | None
    depth_usd: str
    pool_fee: str
    quote: Sequence[str]
    service_fee: str
    call_by_call: bool
    since: str | None = None
    until: str | None = None
    breaker: str = ""
