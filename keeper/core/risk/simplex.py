"""Finds where a function of a few numbers is least, without a derivative (Nelder & Mead 1965). Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Point = tuple[float, ...]


def least(of: Callable[[Point], float], begin: Sequence[float], step: float, rounds: int) -> Point:
    """Return the best point found in so many rounds from ``begin``; coefficients are the paper's own."""
    corners = [tuple(begin)]
    corners += [tuple(x + step * (i == j) for j, x in enumerate(begin)) for i in range(len(begin))]
    worth = [of(corner) for corner in corners]
    for _ in range(rounds):
        order = sorted(range(len(corners)), key=worth.__getitem__)
        corners, worth = [corners[i] for i in order], [worth[i] for i in order]
        if abs(worth[-1] - worth[0]) <= 1e-12 * (abs(worth[0]) + 1e-12):
            break
        middle = tuple(sum(axis) / (len(corners) - 1) for axis in zip(*corners[:-1], strict=True))
        _turn(of, corners, worth, middle)
    return corners[min(range(len(corners)), key=worth.__getitem__)]


def _turn(of: Callable[[Point], float], corners: list[Point], worth: list[float], middle: Point) -> None:
    """Put a better point in the place of the worst; where there is none, draw all towards the best."""
    mirrored = _along(corners[-1], middle, 2.0)
    value = of(mirrored)
    if value < worth[0]:
        farther = _along(corners[-1], middle, 3.0)
        beyond = of(farther)
        corners[-1], worth[-1] = (farther, beyond) if beyond < value else (mirrored, value)
        return
    if value < worth[-2]:
        corners[-1], worth[-1] = mirrored, value
        return
    nearer = _along(corners[-1], middle, 1.5 if value < worth[-1] else 0.5)
    within = of(nearer)
    if within < min(value, worth[-1]):
        corners[-1], worth[-1] = nearer, within
        return
    corners[1:] = [_along(corner, corners[0], 0.5) for corner in corners[1:]]
    worth[1:] = [of(corner) for corner in corners[1:]]


def _along(begin: Point, towards: Point, by: float) -> Point:
    return tuple(a + by * (b - a) for a, b in zip(begin, towards, strict=True))
