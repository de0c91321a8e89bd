"""A price is trusted to trade on only when nothing speaks against it; each doubt is typed and carries its figures."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.prices import (
    Doubt,
    OraclePrice,
    SecondPrice,
    Sequencer,
    Side,
    each_its_own,
    is_within,
    price_doubts,
    sequencer_doubts,
)
from keeper.core.reasons import Reason
from keeper.core.units import Address, Bps

NOW = 1_700_000_000
WETH = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
FEED = Address("0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419")
FRESH = OraclePrice(WETH, "WETH", 2000 * 10**8, FEED, updated_at=NOW - 60, round_id=7, heartbeat_s=3600)
BOUND = Bps(300)
PRICE = st.integers(min_value=1, max_value=10**20)


def reasons(price: OraclePrice, second: SecondPrice | None = None, now: int = NOW) -> list[Reason]:
    return [doubt.reason for doubt in price_doubts(price, second, BOUND, now)]


def by(*answers: int) -> SecondPrice:
    return SecondPrice(WETH, "uniswap_v3", answers)


def test_a_fresh_price_without_a_second_source_is_not_doubted() -> None:
    """A second source is the owner's choice; not configured is not the same as not answering."""
    assert reasons(FRESH) == []


@pytest.mark.parametrize("answer", [0, -1, -(2**255)])
def test_a_price_that_is_not_positive_is_doubted(answer: int) -> None:
    """Nothing else is worth saying of it."""
    assert reasons(replace(FRESH, answer=answer, updated_at=0), by(2000 * 10**8)) == [Reason.PRICE_NOT_POSITIVE]


@pytest.mark.parametrize(("age_s", "doubted"), [(0, False), (3599, False), (3600, False), (3601, True), (10**9, True)])
def test_a_price_is_stale_once_it_is_older_than_its_heartbeat(age_s: int, doubted: bool) -> None:
    """At the heartbeat itself it is still due."""
    assert reasons(replace(FRESH, updated_at=NOW - age_s)) == [Reason.PRICE_STALE] * doubted


def test_a_round_from_the_future_is_not_stale() -> None:
    """A block's time may lag behind the feed's by a few seconds on a fork."""
    assert reasons(replace(FRESH, updated_at=NOW + 5)) == []


def test_a_price_of_unknown_age_is_doubted() -> None:
    """Unknown is not fresh."""
    assert reasons(replace(FRESH, updated_at=None)) == [Reason.PRICE_AGE_UNKNOWN]


@pytest.mark.parametrize(
    ("second", "doubted"),
    [(2000, False), (1940, False), (1939, True), (2061, False), (2062, True), (1, True), (4000, True)],
)
def test_a_second_source_may_differ_by_the_bound_and_no_more(second: int, doubted: bool) -> None:
    """3 % of the larger of the two, whichever that is."""
    assert reasons(FRESH, by(second * 10**8)) == [Reason.PRICE_DEVIATES] * doubted


def test_one_agreeing_reading_of_the_second_source_is_enough() -> None:
    """In a crash the average lags behind, in a manipulation the spot moves; an oracle that both deny is doubted."""
    assert reasons(FRESH, by(2500 * 10**8, 2010 * 10**8)) == []
    assert reasons(FRESH, by(2500 * 10**8, 1500 * 10**8)) == [Reason.PRICE_DEVIATES]


@pytest.mark.parametrize("answers", [(), (0,), (-5,), (0, 0)])
def test_a_second_source_that_answers_nothing_usable_is_a_doubt(answers: tuple[int, ...]) -> None:
    """A failed read never becomes agreement."""
    assert reasons(FRESH, by(*answers)) == [Reason.PRICE_DEVIATES]


def test_every_doubt_is_told_at_once_with_its_figures() -> None:
    """The owner sees the whole picture in one line."""
    doubts = price_doubts(replace(FRESH, updated_at=NOW - 4000), by(10**8), BOUND, NOW)
    assert [doubt.reason for doubt in doubts] == [Reason.PRICE_STALE, Reason.PRICE_DEVIATES]
    assert "updated 1 h 6 min ago, more than its heartbeat of 1 h" in doubts[0].detail
    assert "oracle $2,000.00, uniswap_v3 $1.00" in doubts[1].detail


@given(PRICE, PRICE, st.integers(min_value=0, max_value=10_000).map(Bps))
def test_deviation_is_the_same_from_either_side(a: int, b: int, bound: Bps) -> None:
    """Which of the two is the oracle does not matter."""
    assert is_within(a, b, bound) == is_within(b, a, bound)


@given(PRICE, PRICE, st.integers(min_value=0, max_value=9_999).map(Bps))
def test_a_wider_bound_never_doubts_more(a: int, b: int, bound: Bps) -> None:
    """The setting means what its remedy says."""
    assert not is_within(a, b, bound) or is_within(a, b, Bps(bound + 1))


@given(PRICE)
def test_equal_prices_are_within_any_bound(a: int) -> None:
    """Zero included."""
    assert is_within(a, a, Bps(0))


def test_a_chain_without_a_sequencer_has_none_to_doubt() -> None:
    """Ethereum itself, for one."""
    assert sequencer_doubts(None, NOW) == ()


def test_a_sequencer_that_is_down_is_a_doubt_however_long() -> None:
    """Prices on the L2 stand still meanwhile."""
    (doubt,) = sequencer_doubts(Sequencer(is_up=False, since=NOW - 10**6, grace_s=3600), NOW)
    assert doubt.reason is Reason.SEQUENCER_DOWN


@pytest.mark.parametrize(("up_s", "doubted"), [(0, True), (3600, True), (3601, False)])
def test_a_sequencer_that_came_back_gets_its_grace(up_s: int, doubted: bool) -> None:
    """As Aave's PriceOracleSentinel: more than the grace period must have passed."""
    found = sequencer_doubts(Sequencer(is_up=True, since=NOW - up_s, grace_s=3600), NOW)
    assert [doubt.reason for doubt in found] == [Reason.SEQUENCER_RESTARTED] * doubted


def deviating(side: Side = Side.BOTH) -> Doubt:
    return Doubt(Reason.PRICE_DEVIATES, "", side)


STALE = Doubt(Reason.PRICE_STALE, "")
LINK, USDC, USDT = (Address(f"0x{i:040x}") for i in range(2, 5))


def seen(asset: Address, via: Address | None) -> SecondPrice:
    return SecondPrice(asset, "pool", (1,), via)


def left_of(via: dict[Address, Address | None], dollars: set[Address]) -> set[Address]:
    """Whose doubts remain, where every asset's pool shows another price than its oracle."""
    doubts = {asset: (deviating(),) for asset in via}
    return set(each_its_own(doubts, {asset: seen(asset, other) for asset, other in via.items()}, dollars))


def test_of_two_that_look_wrong_by_the_same_pool_it_is_not_the_dollar() -> None:
    """A dollar at a dollar is the last to be wrong; of two dollars, or none, nobody knows which it is."""
    each_other = {WETH: USDC, USDC: WETH}
    assert left_of(each_other, {USDC}) == {WETH}
    assert left_of(each_other, {WETH}) == {USDC}
    assert left_of(each_other, set()) == {WETH, USDC}
    assert left_of({USDC: USDT, USDT: USDC}, {USDC, USDT}) == {USDC, USDT}


def test_what_looks_wrong_by_a_pool_of_a_wrong_one_is_not_wrong_itself() -> None:
    """The other looks wrong by a pool of its own as well; a feed of one's own names nobody else."""
    assert left_of({LINK: WETH, WETH: USDC, USDC: None}, set()) == {USDC}
    assert left_of({LINK: WETH, WETH: None}, set()) == {WETH}
    assert left_of({LINK: None, WETH: None}, set()) == {LINK, WETH}


def test_another_s_wrong_price_takes_no_other_doubt_away() -> None:
    """A stale price stays stale."""
    doubts = {LINK: (STALE, deviating()), WETH: (deviating(),)}
    assert each_its_own(doubts, {LINK: seen(LINK, WETH), WETH: seen(WETH, None)}, set())[LINK] == (STALE,)
    assert each_its_own({LINK: (deviating(),)}, {LINK: seen(LINK, WETH)}, set()) == {LINK: (deviating(),)}


@pytest.mark.parametrize(
    ("answers", "side"),
    [
        ((110,), Side.BUYING),
        ((90,), Side.SELLING),
        ((110, 120), Side.BUYING),
        ((90, 80), Side.SELLING),
        ((110, 90), Side.BOTH),
        ((90, 110), Side.BOTH),
        ((0, 90), Side.SELLING),
        ((0,), Side.BOTH),
        ((), Side.BOTH),
    ],
)
def test_a_deviation_forbids_the_side_that_would_lose(answers: tuple[int, ...], side: Side) -> None:
    """Where readings lie on either side of the oracle's price, or none is usable, both."""
    price = OraclePrice(WETH, "WETH", 100, WETH, 1_000, 1, 3600)
    (doubt,) = price_doubts(price, SecondPrice(WETH, "pool", answers), Bps(100), 1_000)
    assert (doubt.reason, doubt.side) == (Reason.PRICE_DEVIATES, side)
