"""A sweep of settings × accounts on one core: against a plain loop over the same core, and a bare numpy pass.

Minutes of a made-up price. The plain loop judges at every answer of the oracle, and must come to the same. The bare
pass (``bare_pass``) revalues every bar of every trial and comes to the figures of an account that nobody keeps: it
decides nothing. A comparison alone stands beside it, without a bound. What is counted is a position-bar: one trial's
one minute, in each order of the extremes. Times are the process's own, so that other work beside it changes little.
"""

from __future__ import annotations

import math
import random
import resource
import time
from typing import Any

from bench.bare_pass import comparison, figures
from bench.effort import Effort
from bench.rows import Row
from keeper.backtest.document import FORMAT, digest
from keeper.backtest.grid import Grid
from keeper.backtest.report import figures_said, play_on
from keeper.backtest.sweep import Sweep, swept
from keeper.observe.voice import silence

FASTER, NEAR = 200, 10
PASSES = 40
"""Trials of the bare passes."""
MOST_MIB = 1_000
RULE = {
    "name": "fixed",
    "actions": ["deleverage"],
    "cooldown": "10m",
    "limits": {"max_slippage_bps": 50},
}
TERMS: dict[str, Any] = {
    "venue": "bench", "block_s": 12, "warm_up_s": 3600, "measure_s": 3600, "delay_blocks": 1, "deviation_bps": 50,
    "heartbeat_s": 3600, "lag_blocks": 1, "base_fee_gwei": "20", "native": "WETH", "native_price": "3000",
    "depth_usd": "40000000", "pool_fee_ppm": 500, "in_one": True, "close_bps": 5000, "close_all_at": "0.95",
    "close_all_under_usd": "2000", "health_floor": "1.02", "emergency_health": "1.10", "max_rounds": 10,
    "capital_cost_bps": 10, "fee_share_bps": 5000, "max_fee_gwei": None, "swap_deadline_s": 1800,
}  # fmt: skip


def minutes(days: int) -> list[list[int]]:
    """Bars of a price that moves by half in a year."""
    dice, price, rows = random.Random(1), 2000.0, list[list[int]]()  # noqa: S311 - a made-up price, no secret
    spread = 0.5 / math.sqrt(365 * 24 * 60 * 3)
    for minute in range(days * 24 * 60):
        points = [price]
        for _ in range(3):
            points.append(points[-1] * math.exp(dice.gauss(0, spread)))
        price, whole = points[-1], [round(p * 10**8) for p in points]
        rows.append([1_600_000_000 + 60 * minute, whole[0], max(whole), min(whole), whole[-1]])
    return rows


def document(days: int, venue: str) -> dict[str, Any]:
    rows = minutes(days)
    asset = {"price": "1", "supply_rate": "0", "borrow_rate": "0.05"}
    prices = {"file": "made", "form": "CSV", "seconds": 60, "digest": digest(rows), "bars": rows}
    return {
        "format": FORMAT,
        "prices": {"WETH": prices},
        "account": {
            "collateral": {"WETH": "100"}, "debt": {}, "health": "1.4", "wallet": {}, "native": "10", "signer": "owner",
        },
        "assets": {
            "WETH": asset | {"decimals": 18, "threshold": "0.83", "ltv": "0.80", "bonus": "0.05"},
            "USDC": asset | {"decimals": 6, "threshold": "0", "ltv": "0", "bonus": "0"},
        },
        "ways": [],
        "gas": [],
        "terms": TERMS | {"venue": venue},
    }  # fmt: skip


async def measure(effort: Effort) -> list[Row]:
    # the engine runs a loop of its own for each account: not in this one
    import asyncio  # noqa: PLC0415 - for this alone

    return await asyncio.to_thread(_measure, 30 if effort.is_quick else 365)


def _measure(days: int) -> list[Row]:
    silence()
    steps = tuple(f"{1.05 + i * 0.05:.2f}" for i in range(10))
    healths, targets = (tuple(f"{1.1 + i * 0.1:.1f}" for i in range(n)) for n in (10, 13))
    grid = Grid(healths, steps, targets)
    of = document(days, "aave_v3")
    rows = of["prices"]["WETH"]["bars"]
    floor, alone = figures(rows, PASSES), comparison(rows, PASSES)
    del rows
    sweep = Sweep(of, grid, RULE)
    del of  # as the command does: the sweep lets it go once its courses are made
    jobs, bars = len(sweep.jobs()), days * 24 * 60
    began = time.process_time()
    found = swept(sweep, None, 1)
    ours = (time.process_time() - began) / (jobs * bars)
    plain, same = _plain_loop(sweep, found, bars)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = f"{jobs} trials × {bars} bars, {1 / ours:,.0f} position-bars a second on one core"
    note = f"{rate}; the plain loop comes to the {'same' if same else 'OTHER FIGURES'}"
    return [
        Row("sweep_against_a_plain_loop", "ns", [ours * 1e9], note, peer=[plain * 1e9], at_most=1 / FASTER),
        Row(
            "sweep_against_numpy_alone", "ns", [ours * 1e9],
            "floor: numpy revalues each bar in both orders and comes to the same figures, deciding nothing",
            floor=[floor], at_most=NEAR,
        ),
        Row("sweep_against_a_comparison", "ns", [ours * 1e9], "floor: a product and a comparison", floor=[alone]),
        Row("sweep_memory", "MiB", [peak], f"at its peak, of {jobs} trials × {bars} bars", most=MOST_MIB),
    ]  # fmt: skip


def _plain_loop(sweep: Sweep, found: list[dict[str, Any]], bars: int) -> tuple[float, bool]:
    """Some of the trials, judged at every answer, one after the other."""
    some, same = sweep.jobs()[:: max(1, len(sweep.jobs()) // 3)][1:3], True
    began = time.process_time()
    for job in some:
        both = [play_on(sweep.read, g[job.health], job.setting, all_blocks=True) for g in sweep.grounds]
        said = figures_said(max(both, key=lambda one: one.badness).came_to)
        row = next(r for r in found if r["key"] == job.key)
        same &= all(row[k] == v for k, v in said.items())
    return (time.process_time() - began) / (len(some) * bars), same
