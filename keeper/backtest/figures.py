"""What came of a life: survived or not, loss, cost, how it stood in between. Floats are for statistics, not for money.

Between two changes balances grow by interest alone, so health and equity of every block follow from the course.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from keeper.backtest.course import PriceCourse
from keeper.backtest.life import Life, Plot
from keeper.backtest.scene import worth
from keeper.backtest.standing import PaperStanding
from keeper.core.units import HOUR_S, USD, WAD

Floats = npt.NDArray[np.float64]
YEAR_H = 365 * 24
YEAR_S = YEAR_H * HOUR_S
NO_DEBT = 99.0
"""Shown as the health factor of an account without debt."""


@dataclass(frozen=True, slots=True)
class Track:
    """By block at which an oracle answered, and at the end: time, health, dollars of equity (less gas) and of debt."""

    at: npt.NDArray[np.int64]
    health: Floats
    equity: Floats
    debt: Floats


@dataclass(frozen=True, slots=True)
class Outturn:
    """What came of one life. Dollars are integers of 10^-8; what cannot be told is None."""

    survived: bool
    liquidations: int
    liquidated_usd: int
    """What liquidators took beyond the debts that they paid."""
    kept_usd: int
    """What keeping it cost: gas, and what sales brought less than the oracle's price."""
    gas_usd: int
    actions: int
    failed: int
    began_usd: int
    ended_usd: int
    least_health: float
    danger_s: int
    """Time at which health stood below the owner's emergency."""
    unmeasured_s: int
    """Time at which a rule was not judged, because too little was known of prices: it cannot have fired."""
    drawdown: float
    """The deepest fall of equity from its highest before, as a share of that."""
    sharpe: float | None
    sortino: float | None
    """Of hourly changes, a year's, at no interest."""
    per_borrowed: float | None
    """What equity gained for each dollar borrowed on the mean."""

    @property
    def lost_usd(self) -> int:
        """What it cost in all: to liquidators and for keeping it."""
        return self.liquidated_usd + self.kept_usd


def track(plot: Plot, course: PriceCourse, life: Life[PaperStanding]) -> Track:
    """Return how the account stood at every block of the course from its begin on."""
    at = course.at[life.begins :]
    prices = course.answers[life.begins :].astype(np.float64)
    if course.ends > at[-1]:  # the last answer holds until then
        at, prices = np.append(at, course.ends), np.vstack((prices, prices[-1:]))
    health, equity, debt = (np.zeros(len(at)) for _ in range(3))
    marks = [int(np.searchsorted(at, when)) for when, _ in life.stands] + [len(at)]
    for (when, s), first, last in zip(life.stands, marks, marks[1:], strict=False):
        if first < last:
            part = slice(first, last)
            health[part], equity[part], debt[part] = _stretch(plot, s, prices[part], at[part] - when)
    gas = np.zeros(len(at))
    for when, dollars in life.costs:
        gas[at >= when] = dollars / USD
    return Track(at, health, equity - gas, debt)


def _stretch(
    plot: Plot, s: PaperStanding, prices: Floats, seconds: npt.NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    safe, owed, own = (np.zeros(len(seconds)) for _ in range(3))
    for h in s.holdings:
        column = plot.assets.index(h.asset) if h.asset in plot.assets else None
        price = prices[:, column] if column is not None else np.full(len(seconds), float(h.price.answer))
        value = price / h.unit / USD
        supplied = h.supplied * value * (1 + h.rates.supply / WAD * seconds / YEAR_S)
        borrowed = h.borrowed * value * np.exp(h.rates.borrow / WAD * seconds / YEAR_S)
        owed += borrowed
        own += supplied - borrowed + s.wallet.get(h.asset, 0) * value
        if h.is_collateral:
            safe += supplied * (h.liquidation_factor / WAD)
    health = np.minimum(NO_DEBT, np.divide(safe, owed, out=np.full(len(seconds), NO_DEBT), where=owed > 1e-6))
    return health, own, owed


def outturn(plot: Plot, course: PriceCourse, life: Life[PaperStanding], stood: Track | None = None) -> Outturn:
    """Return what came of a life."""
    of = track(plot, course, life) if stood is None else stood
    danger = of.health < plot.terms.safety.emergency_health / WAD
    return reckoned(of, life, worth(life.stands[0][1]), danger)


def reckoned(of: Track, life: Life[Any], began: int, danger: npt.NDArray[np.bool_]) -> Outturn:
    """Return what came of a life that stood so, with what its owner began, and where it was in danger."""
    taken = [deed for deed in life.deeds if deed.how == "liquidated"]
    plans = [deed for deed in life.deeds if deed.how != "liquidated"]
    lasts = np.diff(of.at, append=of.at[-1])
    least = min([float(of.health.min()), *(deed.health / WAD for deed in life.deeds)])
    ended = round(float(of.equity[-1]) * USD)
    changes = _hourly(of)
    mean_debt = float((of.debt * lasts).sum() / max(1, lasts.sum()))
    peak = np.maximum.accumulate(of.equity)
    fall = float((1 - np.divide(of.equity, peak, out=np.ones_like(peak), where=peak > 0)).max())
    return Outturn(
        survived=not taken,
        liquidations=len(taken),
        liquidated_usd=sum(deed.loss_usd for deed in taken),
        kept_usd=life.kept_usd,
        gas_usd=life.gas_usd,
        actions=sum(deed.how in ("restored", "partial") for deed in plans),
        failed=sum(deed.how == "failed" for deed in plans),
        began_usd=began,
        ended_usd=ended,
        least_health=least,
        danger_s=int(lasts[danger].sum()),
        unmeasured_s=life.unmeasured_s,
        drawdown=fall,
        sharpe=_ratio(changes, changes),
        sortino=_ratio(changes, np.minimum(changes, 0.0)),
        per_borrowed=(ended - began) / USD / mean_debt if mean_debt > 1e-6 else None,
    )


def _hourly(of: Track) -> Floats:
    """Return what equity gained or lost by the hour, as a share of what it was before."""
    hours = np.arange(of.at[0], of.at[-1] + 1, HOUR_S)
    equity = of.equity[np.searchsorted(of.at, hours, side="right") - 1]
    before = equity[:-1]
    return np.divide(np.diff(equity), before, out=np.zeros(max(0, len(before))), where=before > 0)


def _ratio(changes: Floats, risk: Floats) -> float | None:
    spread = math.sqrt(float((risk**2).mean())) if risk is not changes else float(changes.std())
    return float(changes.mean()) / spread * math.sqrt(YEAR_H) if len(changes) > 1 and spread > 1e-15 else None
