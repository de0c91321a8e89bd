"""Exposure limits over several chains of one owner: one sum where he asks for it; what is not seen is not nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import BLOCK, above, loop, rule, wad
from paper import Paper, engine_on, holding_dollars
from perp_builders import short

from keeper.core.decide import Hold
from keeper.core.exposure import ExposureLimits, OnOthers, Sums, exceeded, summed
from keeper.core.lending import actions
from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.reasons import Reason
from keeper.core.units import USD, WAD, Usd, Wad
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.service.all_chains import EARLY_S, MOST_OLD_S, AllChains

LOOP = loop()
"""20,000 dollars of ether against 14,000."""
BOOST = rule(actions=(actions.LEVERAGE_UP,), to="1.90", trigger=above(HEALTH_FACTOR, wad("2.40")))


def dollars(amount: int) -> Usd:
    return Usd(amount * USD)


def beside(*of: Sums, unknown: tuple[str, ...] = ()) -> OnOthers:
    return OnOthers(of, unknown)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (ExposureLimits({"ETH": dollars(39_999)}), "ETH: $40,000"),
        (ExposureLimits({}, {LOOP.venue: dollars(39_999)}), f"at {LOOP.venue}: $40,000"),
        (ExposureLimits(leverage=Wad(3 * WAD)), "leverage in all: 3.33"),
    ],
)
def test_underlyings_venues_and_leverage_are_counted_over_all_chains_where_that_is_asked_for(
    limits: ExposureLimits, said: str
) -> None:
    """Within the limit on each chain, beyond it on both; who does not ask for it counts his chain alone."""
    there = beside(summed([LOOP]))
    (found,) = exceeded(replace(limits, all_chains=True), [LOOP], there)
    assert said in found
    alone = replace(limits, leverage=None if limits.leverage is None else Wad(4 * WAD))
    assert exceeded(alone, [LOOP], there) == ()


def test_a_short_on_another_chain_counts_against_ether_on_this_one() -> None:
    """Signed, as on one chain: 20,000 less 6,000. The sums that are added up stay as they are."""
    other = summed([short(margin="5000")])
    assert exceeded(ExposureLimits({"ETH": dollars(14_001)}, all_chains=True), [LOOP], beside(other)) == ()
    (found,) = exceeded(ExposureLimits({"ETH": dollars(13_999)}, all_chains=True), [LOOP], beside(other))
    assert "ETH: $14,000" in found
    assert other == summed([short(margin="5000")])


def test_a_chain_s_own_limit_is_of_that_chain() -> None:
    """However much there is elsewhere."""
    assert exceeded(ExposureLimits(chain=dollars(20_001), all_chains=True), [LOOP], beside(summed([LOOP]))) == ()


def test_a_chain_that_was_not_seen_is_not_within_a_limit() -> None:
    """Nobody knows what is there; who counts each chain alone does not mind."""
    wide = ExposureLimits({"ETH": dollars(10**9)}, all_chains=True)
    (found,) = exceeded(wide, [LOOP], beside(unknown=("Base",)))
    assert "Base was not seen lately" in found
    assert exceeded(replace(wide, all_chains=False), [LOOP], beside(unknown=("Base",))) == ()


def test_each_chain_hears_of_the_others_and_of_none_that_is_old() -> None:
    """Not of itself; what was seen ten minutes ago is unknown until it is seen again."""
    now = [1000.0]
    both = AllChains(("Ethereum", "Base"), lambda: now[0])
    one, other = both.seat(0), both.seat(1)
    assert one.elsewhere() == OnOthers((), ("Base",))
    mine = summed([LOOP])
    one.saw(mine)
    assert other.elsewhere() == OnOthers((mine,))
    now[0] += MOST_OLD_S + 1
    assert other.elsewhere() == OnOthers((), ("Ethereum",))
    one.saw(mine)
    assert other.elsewhere() == OnOthers((mine,))


def kept(limits: ExposureLimits, both: AllChains) -> Engine:
    paper = Paper({"loop": loop("10", "4000")}, holding_dollars())
    engine = engine_on(paper, BOOST, exposure=limits)
    engine.chains = both.seat(0)
    return engine


async def held(engine: Engine) -> bool:
    (result,) = await cycle(engine, BLOCK)
    return isinstance(result.decision, Hold) and result.decision.reason is Reason.EXPOSURE_LIMIT


async def test_a_boost_is_held_for_what_stands_on_another_chain_and_the_owner_hears() -> None:
    """20,000 here and 20,000 there: beyond 39,000; with 50,000 allowed the boost itself, 8,400 more, still fits."""
    for most, is_held in ((39_000, True), (45_000, True), (50_000, False)):
        both = AllChains(("Ethereum", "Base"), lambda: 0.0)
        both.seat(1).saw(summed([LOOP]))
        engine = kept(ExposureLimits({"ETH": dollars(most)}, all_chains=True), both)
        assert await held(engine) is is_held
        assert ("Exposure is beyond its limit" in engine.observer.alarms) is (most == 39_000)


async def test_until_every_chain_was_seen_boosts_wait_and_nobody_is_woken_for_a_start() -> None:
    """Two minutes later a chain that nothing was heard of is an alarm."""
    now = [0.0]
    both = AllChains(("Ethereum", "Base"), lambda: now[0])
    engine = kept(ExposureLimits({"ETH": dollars(10**9)}, all_chains=True), both)
    assert await held(engine)
    assert "Exposure is beyond its limit" not in engine.observer.alarms
    now[0] = EARLY_S + 1
    assert await held(engine)
    assert "Exposure is beyond its limit" in engine.observer.alarms
    both.seat(1).saw(summed([LOOP]))
    assert not await held(engine)


async def test_a_rescue_waits_for_no_other_chain() -> None:
    """It is never held back, seen or not."""
    paper = Paper({"loop": loop("10", "14000")}, holding_dollars())
    engine = engine_on(paper, rule(), exposure=ExposureLimits({"ETH": dollars(1)}, all_chains=True))
    engine.chains = AllChains(("Ethereum", "Base"), lambda: 0.0).seat(0)
    (result,) = await cycle(engine, BLOCK)
    assert result.prepared is not None
