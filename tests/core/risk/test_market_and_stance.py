"""What is known of prices, and how a loan's health hangs on them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from core_builders import BLOCK, at, holding, loop, position
from risk_paths import BEGAN, moves, walked

from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.risk import barrier, monte_carlo
from keeper.core.risk.correlation import Correlations
from keeper.core.risk.market import Market, Movement, Source, market
from keeper.core.risk.series import Series, series
from keeper.core.risk.stance import Stance, probability, shares, stance
from keeper.core.units import WAD, Address, Wad

HOUR, DAY = 3600, 86_400
WETH, WBTC, USDC, DAI = (str(at(s)) for s in ("WETH", "WBTC", "USDC", "DAI"))


def known(**volatilities: float) -> Market:
    """Return a market of assets by symbol; ether and bitcoin move together by 0.8."""
    named = {at(symbol): str(at(symbol)) for symbol in volatilities}
    movements = {str(at(s)): Movement(v, None, HOUR) for s, v in volatilities.items()}
    pairs = {frozenset((a, b)): 0.8 if {a, b} == {WETH, WBTC} else 0.0 for a in movements for b in movements if a != b}
    return Market(BLOCK.timestamp, named, movements, Correlations(pairs))


USUAL = known(WETH=0.8, WBTC=0.6, USDC=0.01, DAI=0.01)


def _of(found: Stance | Doubt | None) -> Stance:
    assert isinstance(found, Stance)
    return found


def test_one_collateral_and_one_debt_are_their_ratio() -> None:
    """Distance ln(1.1857), the volatility of the pair, half its variance as drift, and the interest of both."""
    found = _of(stance(loop(), USUAL))
    assert found.distance == pytest.approx(math.log(1.1857), abs=1e-4)
    assert found.volatility == pytest.approx(math.hypot(0.8, 0.01))
    assert found.carry == pytest.approx(0.02 - 0.04)
    assert found.drift == pytest.approx((0.01**2 - 0.8**2) / 2 - 0.02)
    assert probability(found, DAY) == barrier.reached(found.distance, found.drift, found.volatility, DAY)


def test_several_assets_are_close_to_paths_of_all_of_them() -> None:
    """Two collaterals, two debts: the closed form by shares, within half a percent of bridged paths."""
    p = position(holding("WETH", "10"), holding("WBTC", "0.4"), holding("USDC", 0, "15000"), holding("DAI", 0, "9000"))
    found, (ups, downs) = _of(stance(p, USUAL)), shares(p)
    assets = [at(s) for s in ("WETH", "WBTC", "USDC", "DAI")]
    sizes = [0.8, 0.6, 0.01, 0.01]
    covariance = [
        [x * y * (1.0 if i == j else 0.8 if i + j == 1 else 0.0) for j, y in enumerate(sizes)]
        for i, x in enumerate(sizes)
    ]
    health = math.exp(found.distance)
    stake = monte_carlo.DrivenLoan(
        tuple(health * ups.get(a, 0.0) for a in assets), tuple(downs.get(a, 0.0) for a in assets), found.carry
    )
    for days in (1, 7, 30):
        paths = monte_carlo.drawn(covariance, days * DAY, 16, 60_000, seed=days)
        drawn = monte_carlo.liquidated(stake, paths).probability
        assert probability(found, days * DAY) == pytest.approx(drawn, abs=0.005 + 0.05 * drawn), days


def test_a_staked_asset_on_the_same_feed_is_no_risk_to_its_own() -> None:
    """One driver: a loop of it is moved by nothing that is known, and so not judged calm."""
    p = position(holding("WETH", "10"), holding("WBTC", 0, "0.2"))
    one = replace(USUAL, drivers={at("WETH"): WETH, at("WBTC"): WETH})
    assert isinstance(stance(p, one), Doubt)


def test_no_debt_has_no_probability() -> None:
    """None is another thing than unknown."""
    assert stance(position(holding("WETH", "10")), USUAL) is None


def test_a_price_without_a_history_leaves_it_unknown() -> None:
    """Whichever of them it is; so does no market at all, and a Doubt about one movement."""
    assert isinstance(stance(loop(), None), Doubt)
    assert isinstance(stance(loop(), known(WETH=0.8)), Doubt)
    doubt = Movement(Doubt(Reason.HISTORY_SHORT, "a gap"), None, HOUR)
    assert isinstance(stance(loop(), replace(USUAL, movements={**USUAL.movements, WETH: doubt})), Doubt)


def test_liquidation_that_has_begun_is_certain() -> None:
    """A health factor of one or less."""
    p = loop(dollars="17000")
    assert p.reported.health_factor < WAD
    assert probability(_of(stance(p, USUAL)), DAY) == 1.0


def test_liquidation_is_more_probable_the_lower_health_is() -> None:
    """What the planner solves on: strictly falling in health."""
    p, last = loop(), 1.1
    for health in ("1.02", "1.1", "1.3", "1.8"):
        reported = replace(p.reported, health_factor=Wad(int(float(health) * WAD)))
        found = probability(_of(stance(replace(p, reported=reported), USUAL)), 7 * DAY)
        assert isinstance(found, float)
        assert found < last
        last = found


# --- the market -------------------------------------------------------------------------------------------------------


def _sources(**histories: Series) -> dict[str, Source]:
    return {name: Source(history, DAY, "a test") for name, history in histories.items()}


def _dollar(days: int) -> Series:
    return series((BEGAN + i * 20 * HOUR, 10**8 + (i % 3 - 1) * 10**4) for i in range(days))


def test_a_market_is_what_its_histories_say() -> None:
    """Volatilities, and that two prices move together."""
    a, b = moves(0.8, 24 * 40, HOUR), moves(0.8, 24 * 40, HOUR, seed=8)
    mixed = [0.8 * x + 0.6 * y for x, y in zip(a, b, strict=True)]
    sources = _sources(eth=walked(a, HOUR), btc=walked(mixed, HOUR), usd=_dollar(60))
    names = {Address("E"): "eth", Address("B"): "btc", Address("U"): "usd"}
    found = market(sources, names, BEGAN + 24 * 40 * HOUR)
    moved = found.movement(Address("E"))
    assert isinstance(moved, Movement)
    assert moved.volatility == pytest.approx(0.8, rel=0.25)
    assert found.together(Address("E"), Address("B")) == pytest.approx(0.8, abs=0.1)
    assert found.together(Address("E"), Address("U")) == 0.0


def test_a_calm_day_does_not_make_a_calm_market() -> None:
    """The week before counts; a storm counts at once."""
    calm = walked([*moves(1.0, 24 * 10, HOUR), *moves(0.1, 30, HOUR, seed=3)], HOUR)
    storm = walked([*moves(0.5, 24 * 10, HOUR), *moves(3.0, 12, HOUR, seed=3)], HOUR)
    for history, least in ((calm, 0.85), (storm, 1.0)):
        found = market(_sources(eth=history), {Address("E"): "eth"}, history.ends).movement(Address("E"))
        assert isinstance(found, Movement)
        assert isinstance(found.volatility, float)
        assert found.volatility > least


def test_a_dollar_coin_that_stands_still_is_never_without_risk() -> None:
    """A hundredth a year at the least; one that says nothing for longer than it may is unknown."""
    sources, names = _sources(usd=_dollar(20)), {Address("U"): "usd"}
    ends = sources["usd"].history.ends
    fresh, late = (market(sources, names, at).movement(Address("U")) for at in (ends + HOUR, ends + 3 * DAY))
    assert isinstance(fresh, Movement)
    assert fresh.volatility == pytest.approx(0.01, abs=0.005)
    assert isinstance(late, Movement)
    assert isinstance(late.volatility, Doubt)


def test_an_ether_that_stands_still_is_unknown() -> None:
    """A feed that repeats one price of 2,000 dollars for ten days is no calm market."""
    found = market(_sources(eth=walked([0.0] * 240, HOUR)), {Address("E"): "eth"}, BEGAN + 240 * HOUR)
    moved = found.movement(Address("E"))
    assert isinstance(moved, Movement)
    assert isinstance(moved.volatility, Doubt)


def test_what_comes_later_changes_no_market() -> None:
    """No look-ahead."""
    given, names, now = moves(0.8, 24 * 60, HOUR), {Address("E"): "eth"}, BEGAN + 24 * 30 * HOUR
    one = market(_sources(eth=walked(given, HOUR)), names, now)
    other = market(_sources(eth=walked([*given[: 24 * 30], *(9 * m for m in given[24 * 30 :])], HOUR)), names, now)
    assert one == other
