"""Positions of several prices: the closed form against paths of all of them, by brute force, where shares change."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from keeper.core.risk import edge
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.facing import CASH, Facing
from keeper.core.risk.jumps import Jumps
from keeper.core.risk.market import Market, Movement
from keeper.core.risk.stance import Stance, of_balance, probability, time_to
from keeper.core.units import Address

DAY = 86_400


def stance_of(
    secured: Sequence[float], owed: Sequence[float], sizes: Sequence[float], r: float, jumps: Jumps | None = None
) -> Stance:
    """Return the stance of amounts by price, the last of each being cash."""
    names = [Address(f"p{i}") for i in range(len(sizes))]
    movements = {
        str(a): Movement(v, jumps if v == max(sizes) else None, 3600) for a, v in zip(names, sizes, strict=True)
    }
    pairs = {frozenset((str(a), str(b))): r for a in names for b in names if a != b}
    sides = ({a: x for a, x in zip((*names, CASH), of, strict=True) if x} for of in (secured, owed))
    facing = Facing(*sides)
    found = of_balance(facing, Market(0, {a: str(a) for a in names}, movements, Correlations(pairs)), facing.distance)
    assert isinstance(found, Stance)
    return found


def brute(
    secured: Sequence[float], owed: Sequence[float], sizes: Sequence[float], r: float, days: int, paths: int = 20_000
) -> float:
    """Return the share of paths that are liquidated: every price drawn, small steps, each bridged."""
    count, steps = len(sizes), max(150, days)
    covariance = (np.full((count, count), r) + (1 - r) * np.eye(count)) * np.outer(sizes, sizes)
    root, dice, step = np.linalg.cholesky(covariance), np.random.default_rng(11), days / 365 / steps
    at, kept = np.zeros((count, paths)), np.ones(paths)
    before = np.full(paths, math.log(sum(secured) / sum(owed)))
    for _ in range(steps):
        at += root @ dice.standard_normal((count, paths)) * math.sqrt(step) - np.diag(covariance)[:, None] * step / 2
        ups, downs = (np.asarray(of[:-1])[:, None] * np.exp(at) for of in (secured, owed))
        up, down = ups.sum(axis=0) + secured[-1], downs.sum(axis=0) + owed[-1]
        after, shares = np.log(up / down), ups / up - downs / down
        variance = (shares * (covariance @ shares)).sum(axis=0) * step
        crossed = np.exp(-2 * np.maximum(before, 0) * np.maximum(after, 0) / np.maximum(variance, 1e-300))
        kept, before = kept * (1 - crossed), after
    return 1 - float(kept.mean())


CASES = [
    # a volatile debt beside a calm one: shares of now say a quarter of what comes to pass
    ((1.63, 0, 0, 0), (0, 0.25, 0.96, 0), (0.05, 0.8, 0.01), 0.5, 365),
    # half of the collateral stands still: shares of now say more than twice as much
    ((0.54, 0.39, 0.08, 0), (0, 0, 0.5, 0), (1.5, 0.01, 0.4), -0.2, 90),
    ((0.78, 1.04, 0, 0), (0, 0, 0.9, 0), (1.5, 0.01, 0.4), -0.2, 90),
    # two collaterals that move as one, and as opposites
    ((0.30, 0.83, 0, 0), (0, 0, 0.56, 0), (0.8, 1.5, 0.4), 0.95, 30),
    ((0.9, 0, 0), (0, 0.75, 0), (0.8, 0.6), -0.95, 30),
    # stable coins against each other
    ((1.03, 0, 0), (0, 1.0, 0), (0.01, 0.012), 0.0, 30),
    # a whisker away
    ((1.002, 0.2, 0, 0), (0, 0, 1.199, 0), (0.9, 0.6, 0.01), 0.8, 1),
    # cash on both sides, and a year
    ((1.0, 0, 0.6), (0, 0.4, 0.8), (0.8, 0.5), 0.3, 365),
]


@pytest.mark.parametrize(("secured", "owed", "sizes", "r", "days"), CASES)
def test_the_closed_form_for_several_prices_agrees_with_brute_force(
    secured: tuple[float, ...], owed: tuple[float, ...], sizes: tuple[float, ...], r: float, days: int
) -> None:
    """Within a hundredth, and a sixth of what is rare: calm collateral, debts that rise, opposites, coins, a year."""
    found, drawn = probability(stance_of(secured, owed, sizes, r), days * DAY), brute(secured, owed, sizes, r, days)
    assert found == pytest.approx(drawn, abs=0.01 + drawn / 6 if drawn > 0.05 else 0.004 + drawn / 6)


def test_with_one_price_that_matters_it_is_exact() -> None:
    """Ether and cash against cash: liquidation begins where ether fell to (1 - 0.5) / 0.8 of its price, no sooner."""
    found = stance_of((0.8, 0.5), (0, 1.0), (0.8,), 0.0)
    plain = stance_of((1.6, 0), (0, 1.0), (0.8,), 0.0)
    for days in (1, 7, 30, 365):
        assert probability(found, days * DAY) == pytest.approx(probability(plain, days * DAY), rel=1e-4)


def test_jumps_count_with_cash_beside_what_jumps() -> None:
    """They used to be left out unless all of the collateral jumped."""
    jumps = Jumps(40.0, 0.3, 0.04, 0.08, 0.6, 40)
    mixed, plain = (
        stance_of((0.8, 0.5), (0, 1.0), (0.6,), 0.0, jumps),
        stance_of((1.6, 0), (0, 1.0), (0.6,), 0.0, jumps),
    )
    assert probability(mixed, DAY) == pytest.approx(probability(plain, DAY), rel=1e-3)
    assert probability(mixed, DAY) > 10 * probability(stance_of((0.8, 0.5), (0, 1.0), (0.6,), 0.0), DAY)  # type: ignore[operator]


def test_what_no_fall_can_liquidate_is_not_probable() -> None:
    """The cash alone covers the debt: ether may fall to nothing."""
    assert probability(stance_of((0.8, 1.1), (0, 1.0), (0.8,), 0.0), 365 * DAY) == pytest.approx(0.0, abs=1e-12)


def test_the_time_until_a_probability_is_that_of_the_figure() -> None:
    """Time undoes probability, jumps and several prices included."""
    for of in (stance_of((0.8, 0.5), (0, 1.0), (0.8,), 0.0), stance_of(*CASES[3][:4])):
        seconds = time_to(of, 0.05)
        assert isinstance(seconds, float)
        assert probability(of, seconds) == pytest.approx(0.05, rel=1e-3)


def test_the_nearest_edge_is_on_the_edge_and_nearest() -> None:
    """Health is one there, and nowhere nearer among many places that were drawn."""
    of = edge.Sides((0.6, 0.3), (0.0, 0.2), math.log(1.3))
    covariance = ((0.64, 0.24), (0.24, 0.36))
    found = edge.nearest(of, covariance)
    assert found is not None
    assert of.health(found.moved) == pytest.approx(0.0, abs=1e-5)
    dice, root = np.random.default_rng(1), np.linalg.cholesky(np.asarray(covariance))
    for _ in range(2_000):
        ray = dice.standard_normal(2)
        assert of.health([*(root @ (ray / np.linalg.norm(ray) * found.away * 0.999))]) > 0
