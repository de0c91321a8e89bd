"""What surviving three crashes costs, against a simple model of a hosted service: see sandbox/survival."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.effort import Effort
from bench.rows import Row
from sandbox.survival.__main__ import run

CALM = "fall 1 %"
"""The crash whose costs are compared: nobody has to be liquidated in it."""


async def measure(_: Effort) -> list[Row]:
    """The quick form: a fall, one with pools that lag, a gap with gas ×100; in lockstep, the liquidator first."""
    found = await asyncio.to_thread(run, Path(), "", "", is_quick=True)
    faults = [v for v in found if v.is_fault]
    batch = [v for v in found if v.course == CALM and v.cell.startswith("sale batch")]
    note = "; ".join(f"{v.course}, {v.cell}: {v.why[:60]}" for v in faults[:3]) or f"{len(found)} positions, none"
    return [
        Row("lost or dearer without a word", "positions", [len(faults)], note),
        Row(
            "cost of a rescue by sales, 1 % a block",
            "$",
            [float(v.cost) for v in batch],
            "gas, trading and liquidations; the model takes 0.25 % of what it swaps",
            peer=[float(v.hosted) for v in batch],
        ),
    ]
