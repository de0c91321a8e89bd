"""What paths make of 100 loans, 100,000 paths: beside the random numbers alone, below which nobody can go."""

from __future__ import annotations

import time

import numpy as np

from bench.effort import Effort
from bench.rows import Row
from keeper.core.risk import monte_carlo
from keeper.core.risk.report import STEPS

LOANS, PATHS, DAY_S, MOST_S = 100, 100_000, 86_400, 2.0


async def measure(effort: Effort) -> list[Row]:
    loans = [monte_carlo.DrivenLoan((1.05 + i / LOANS, 0.0), (0.0, 1.0), 0.02) for i in range(LOANS)]
    ours, floor = list[float](), list[float]()
    for _ in range(effort.runs(5)):
        began = time.perf_counter()
        on = monte_carlo.drawn([[0.64, 0.0], [0.0, 0.0001]], DAY_S, STEPS, PATHS, 1)
        found = [monte_carlo.liquidated(loan, on).probability for loan in loans]
        ours.append(time.perf_counter() - began)
        assert found == sorted(found, reverse=True), "the farther from liquidation, the less probable it is"
        dice, began = np.random.Generator(np.random.SFC64(1)), time.perf_counter()
        for _ in range(STEPS):
            dice.standard_normal((2, PATHS // 2))
        floor.append(time.perf_counter() - began)
    note = f"{LOANS} loans on {PATHS} paths of two prices, {STEPS} steps; floor: the random numbers alone"
    return [Row("risk_of_100_loans", "s", ours, note, floor=floor, most=MOST_S)]
