"""How a perpetual position stood over its life: margin ratio, how far that was from liquidation, what its owner had."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.backtest.course import PriceCourse
from keeper.backtest.depth import PPM
from keeper.backtest.figures import NO_DEBT, YEAR_S, Floats, Outturn, Track, reckoned
from keeper.backtest.life import Life
from keeper.backtest.perp_standing import PerpStanding
from keeper.core.perp.position import FACTOR, MarginBasis
from keeper.core.units import USD, WAD


@dataclass(frozen=True, slots=True)
class PerpTrack:
    """By block at which an oracle answered, and at the end. ``track.health`` is the margin ratio."""

    track: Track
    cushion: Floats
    """What it is worth over what liquidates it: 1 is liquidated."""
    funding_usd: float
    """What was paid for funding; negative is what was got."""


def perp_track(course: PriceCourse, life: Life[PerpStanding]) -> PerpTrack:
    """Return how the position stood at every block of the course from its begin on."""
    at, prices = course.at[life.begins :], course.answers[life.begins :, 0].astype(np.float64) / USD
    if course.ends > at[-1]:  # the last answer holds until then
        at, prices = np.append(at, course.ends), np.append(prices, prices[-1])
    ratio, cushion, own, size = (np.zeros(len(at)) for _ in range(4))
    times = [when for when, _ in life.stands]
    marks, funding = [int(np.searchsorted(at, when)) for when in times] + [len(at)], 0.0
    for (when, s), until, first, last in zip(life.stands, [*times[1:], int(at[-1])], marks, marks[1:], strict=False):
        funding += s.entry / WAD * s.contract.funding / WAD * (until - when) / YEAR_S
        if first < last:
            part = slice(first, last)
            ratio[part], cushion[part], own[part], size[part] = _stretch(s, prices[part], at[part] - when)
    gas = np.zeros(len(at))
    for when, dollars in life.costs:
        gas[at >= when] = dollars / USD
    return PerpTrack(Track(at, ratio, own - gas, size), cushion, funding)


def _stretch(s: PerpStanding, prices: Floats, seconds: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats]:
    of, entry = s.contract, s.entry / WAD
    value = abs(s.size) / WAD * prices
    owed = s.owed / WAD + entry * of.funding / WAD * seconds / YEAR_S
    worth = s.margin / WAD + (value - entry) * (1 if s.size >= 0 else -1) - owed
    loose = (s.wallet + sum(order.margin for order in s.orders)) / 10**of.collateral_decimals
    own = np.maximum(0.0, worth) + loose
    if not s.size:
        return np.full(len(prices), NO_DEBT), np.full(len(prices), NO_DEBT), own, value
    basis = np.full(len(prices), entry) if of.rules.basis is MarginBasis.ENTRY else value
    equity = np.maximum(0.0, worth - (entry * of.rules.fee_ppm / PPM if of.rules.counts_closing else 0.0))
    wanted = np.maximum(basis * (of.rules.maintenance / FACTOR), float(of.rules.least_usd))
    return equity / basis, equity / wanted, own, value


def perp_outturn(life: Life[PerpStanding], stood: PerpTrack, emergency: int) -> Outturn:
    """Return what came of a life; in danger it was where it was worth less than ``emergency`` of what liquidates it."""
    return reckoned(stood.track, life, life.stands[0][1].worth, stood.cushion < emergency / WAD)
