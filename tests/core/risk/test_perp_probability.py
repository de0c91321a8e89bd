"""Probability of a perpetual's liquidation: from its maintenance margin, with funding; against brute force."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from core_builders import BLOCK, wad
from hypothesis import given, settings
from perp_builders import in_kind, leg_at, long, short, told
from perp_strategies import a_position, positions

from keeper.core.metrics import Subject, Target
from keeper.core.perp import margin as perps
from keeper.core.perp.metrics import LIQUIDATION_PROBABILITY, ratio_at
from keeper.core.perp.position import PerpPosition
from keeper.core.perp.risk_metrics import probability_of
from keeper.core.prices import Doubt
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.facing import of_perp
from keeper.core.risk.market import Market, Movement
from keeper.core.risk.series import YEAR_S
from keeper.core.trail import NOTHING
from keeper.core.units import WAD

DAY = 86_400
OVER_A_DAY = Subject(window_s=DAY)


def moving(p: PerpPosition, volatility: float | Doubt = 0.8, together: float = 0.0) -> PerpPosition:
    """The position with every market of it at one volatility, and pairs that move so much together."""
    drivers = {leg.oracle.asset: leg.symbol for leg in p.legs}
    movements = {name: Movement(volatility, None, 60) for name in drivers.values()}
    pairs = {frozenset((a, b)): together for a in movements for b in movements if a != b}
    return replace(p, market=Market(BLOCK.timestamp, drivers, movements, Correlations(pairs)))


def share(p: PerpPosition, horizon_s: int = DAY) -> float:
    found = probability_of(p, horizon_s)
    assert isinstance(found, int)
    return found / WAD


@given(positions())
@settings(max_examples=60, deadline=None)
def test_the_distance_is_to_the_venues_own_liquidation_price(p: PerpPosition) -> None:
    """In one market: the logarithm of the mark over the price at which the venue liquidates, to its rounding."""
    if len(p.held) != 1 or perps.is_liquidatable(p):
        return
    leg, balance = p.held[0], of_perp(p)
    price = perps.liquidation_price(p, leg.market)
    assert balance is not None
    if not price or price < 10**6 or leg.mark_price < 10**6 or balance.distance > 5:
        return
    step = p.equity_step * leg.price_scale / abs(leg.size) / price  # the venue counts worth in steps
    assert balance.distance == pytest.approx(abs(math.log(leg.mark_price / price)), abs=1e-5 + 4 * step)


@pytest.mark.parametrize("p", [long(), short(), in_kind(), long(margin="600"), short(margin="800")])
def test_brute_force_liquidates_as_often(p: PerpPosition) -> None:
    """Paths of the price, looked at a hundred times a day, each judged by the venue's own rule."""
    leg, dice, steps, paths, volatility = p.legs[0], np.random.default_rng(7), 400, 20_000, 1.2
    price = perps.liquidation_price(p, leg.market)
    assert price is not None
    spread = volatility * math.sqrt(7 * DAY / steps / YEAR_S)
    walks = np.cumsum(dice.normal(-(spread**2) / 2, spread, (paths, steps)), axis=1)
    away = math.log(price / leg.mark_price)
    brute = float(((walks <= away) if leg.is_long else (walks >= away)).any(axis=1).mean())
    assert share(moving(p, volatility), 7 * DAY) == pytest.approx(brute, abs=0.02 + 0.1 * brute)
    assert share(moving(p, volatility), 7 * DAY) >= brute - 0.01


def test_funding_that_is_paid_brings_liquidation_nearer_and_what_is_received_moves_it_away() -> None:
    """At 1,000 % a year a month's funding is most of the margin; at nothing it is the price alone."""

    def paying(rate: str) -> PerpPosition:
        return moving(told(a_position(leg_at("3", "2000", funding_rate=int(Decimal(rate) * WAD)), margin=wad("2500"))))

    received, none, paid = (share(paying(rate), 30 * DAY) for rate in ("-4", "0", "4"))
    assert received < none < paid
    assert paid > 1.5 * none


def test_two_markets_that_offset_each_other_are_less_likely_to_be_liquidated_than_one_alone() -> None:
    """Long ether and short bitcoin of one account: together they move less than ether does."""
    both = told(a_position(leg_at("3", "2000"), leg_at("-0.1", "60000", "BTC", "60000"), margin=wad("2000")))
    alone = told(a_position(leg_at("3", "2000"), margin=wad("2000")))
    assert share(moving(both, 0.8, 0.95), 7 * DAY) < share(moving(alone), 7 * DAY)
    assert share(moving(both, 0.8, -0.95), 7 * DAY) > share(moving(alone), 7 * DAY)


def test_what_is_not_known_is_never_calm() -> None:
    """No history, a market whose price says nothing: a Doubt. No size: nothing there. Liquidated already: certain."""
    from keeper.core.risk.volatility import unknown  # noqa: PLC0415 - one test

    assert isinstance(probability_of(long(), DAY), Doubt)
    assert isinstance(probability_of(moving(long(), unknown("a gap of a day")), DAY), Doubt)
    assert isinstance(probability_of(replace(long(), market=Market(BLOCK.timestamp)), DAY), Doubt)
    assert probability_of(moving(a_position(leg_at("0", "2000"))), DAY) is None
    assert probability_of(moving(long(price="1700")), DAY) == WAD
    measured = LIQUIDATION_PROBABILITY.measure(long(), NOTHING, OVER_A_DAY)
    assert isinstance(measured, Doubt)


def test_a_long_that_its_margin_pays_for_is_never_liquidated() -> None:
    """More margin than size: no price takes it."""
    assert probability_of(moving(long(margin="6500")), DAY) == 0


@pytest.mark.parametrize("p", [long(margin="700"), short(margin="700")])
def test_a_target_of_probability_is_a_margin_ratio_that_meets_it(p: PerpPosition) -> None:
    """And a little less would not."""
    seen, target = moving(p, 1.0), Target(LIQUIDATION_PROBABILITY, WAD // 500, OVER_A_DAY)
    ratio = ratio_at(target, seen)
    assert ratio is not None
    enough = replace(seen, margin=seen.margin + perps.margin_to_reach(seen, ratio))
    less = replace(enough, margin=enough.margin - wad("5"))
    assert target.is_met(enough)
    assert not target.is_met(less)
    assert ratio_at(target, p) is None
