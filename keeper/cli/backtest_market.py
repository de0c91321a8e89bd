"""What acting costs in a back-test, and when nothing is sold: pool, base fee of the time, circuit breaker."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from keeper.backtest.depth import fitted
from keeper.cli.backtest_given import Given
from keeper.cli.common import Exit, fail
from keeper.cli.option_words import number, seconds
from keeper.core.risk.file_times import time_of
from keeper.core.units import BPS, USD, decimal_of
from keeper.settings.schema import MOST_BREAKER_S

PPM = 1_000_000


def depth_of(given: Given) -> dict[str, Any]:
    """Return the pool that is sold through: as declared, or as quotes say."""
    if given.quote:
        try:
            pairs = [(float(size), float(bps)) for size, _, bps in (q.partition("=") for q in given.quote)]
            found = fitted(pairs)
        except ValueError as error:
            fail(Exit.BAD_SETTINGS, f"--quote: {error}")
        return {"depth_usd": decimal_of(found.depth, 8), "pool_fee_ppm": found.fee_ppm}
    fees = [Decimal(number(o, w)) for o, w in (("--pool-fee", given.pool_fee), ("--service-fee", given.service_fee))]
    if sum(fees) >= 1:
        fail(
            Exit.BAD_SETTINGS,
            f"--pool-fee {fees[0]}, --service-fee {fees[1]}: nothing is left of a sale; write 0.3 % as 0.003",
        )
    depth = number("--depth", given.depth)
    if Decimal(depth) * USD < USD:
        fail(Exit.BAD_SETTINGS, f"--depth {given.depth}: a pool has a dollar at least")
    return {"depth_usd": depth, "pool_fee_ppm": int(Decimal(number("--pool-fee", given.pool_fee)) * 1_000_000)}


def gas_of(path: Path | None) -> list[list[Any]]:
    """Return base fees by time from a file: rows of `timestamp,gwei`."""
    if path is None:
        return []
    rows = list[list[Any]]()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(Exit.FAILED, f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'no text'})")
    for row, line in enumerate(lines, 1):
        at, _, fee = line.partition(",")
        if not line.strip() or (row == 1 and not at.strip()[:1].isdigit()):
            continue
        try:
            time, gwei = time_of(at.strip()), Decimal(fee)
        except (ValueError, InvalidOperation):
            fail(Exit.FAILED, f"{path}: line {row}: {line[:40]!r} is no `timestamp,gwei`")
        if not gwei.is_finite() or gwei < 0 or (rows and time <= rows[-1][0]):
            fail(Exit.FAILED, f"{path}: line {row}: a fee is above zero, and later than the one before")
        rows.append([time, str(gwei)])
    return rows


def breaker_of(word: str) -> dict[str, int]:
    """Return the circuit breaker of MOVE:WITHIN:PAUSE."""
    parts = word.split(":")
    if len(parts) != 3:
        fail(Exit.BAD_SETTINGS, f"--breaker {word}: write MOVE:WITHIN:PAUSE, like 0.15:10m:1h")
    move = Decimal(number("--breaker", parts[0]))
    within, pause = (int(seconds("--breaker", part)) for part in parts[1:])
    if not 0 < move < 1 or max(within, pause) > MOST_BREAKER_S:
        fail(Exit.BAD_SETTINGS, f"--breaker {word}: a move is a share between 0 and 1, and a time a day at the most")
    return {"move_bps": int(move * BPS), "within_s": within, "pause_s": pause}
