"""One price for everything that is signed: near the market, within every bound, and taken by nodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.fee_market import FIRST_TIP, MOST_AT_LEAST, MOST_TIMES, NEVER_ABOVE, FeeMarket, Word, judged
from keeper.chain.fees import LEAST_TIP, Fees
from keeper.core.reasons import Reason
from keeper.core.units import Address, Wei
from keeper.execution.pricing import Demands, NoOffer, Offer, Purse, price

GWEI = 10**9
TOLD = 1_110_001 * GWEI
FEE = st.integers(min_value=0, max_value=10**6 * GWEI).map(Wei)
TIP = st.integers(min_value=LEAST_TIP, max_value=10**6 * GWEI).map(Wei)
CEILING = st.none() | FEE
ME = Address("0x" + "11" * 20)


@st.composite
def markets(draw: st.DrawFn) -> FeeMarket:
    return judged(draw(FEE), [Word((draw(FEE),) * 10, draw(TIP)) for _ in range(draw(st.integers(0, 3)))])


@st.composite
def asked(draw: st.DrawFn) -> Demands:
    tips = draw(st.lists(TIP, max_size=3))
    return Demands(
        over=tuple(Fees(Wei(tip + draw(FEE)), tip) for tip in tips),
        least_tip=draw(FEE),
        least_cap=draw(FEE),
        wished=draw(st.none() | st.builds(lambda t, f: Fees(Wei(t + f), t), TIP, FEE)),
    )


PURSE = st.none() | st.builds(lambda b, g, x: Purse(ME, Wei(b), g, Wei(x)), FEE, st.integers(1, 10**7), FEE)


@given(markets(), CEILING, CEILING, asked(), PURSE)
def test_no_offer_breaks_a_bound(
    market: FeeMarket, rule: Wei | None, owner: Wei | None, wanted: Demands, purse: Purse | None
) -> None:
    """The rule's, the owner's and the built-in cap and the purse bind together, whatever is asked for."""
    offer = price(market, (rule, owner), wanted, purse)
    if isinstance(offer, Offer):
        assert offer.is_valid
        assert all(offer.max_fee <= bound for bound in (rule, owner, market.most) if bound is not None)
        assert offer.max_fee <= NEVER_ABOVE
        assert offer.max_fee >= market.base_fee + LEAST_TIP
        if purse:
            assert offer.max_fee * purse.gas + purse.extra <= purse.balance


@given(markets(), CEILING, asked())
def test_what_is_asked_for_is_met_or_nothing_is_offered(
    market: FeeMarket, ceiling: Wei | None, wanted: Demands
) -> None:
    """Both fees rise by a tenth at least over what is replaced, and reach what a node wants."""
    offer = price(market, (ceiling,), wanted)
    if isinstance(offer, Offer):
        assert all(offer.max_fee * 10 >= old.max_fee * 11 for old in wanted.over)
        assert all(offer.tip * 10 >= old.tip * 11 for old in wanted.over)
        assert offer.tip >= wanted.least_tip
        assert offer.max_fee >= wanted.least_cap


@given(FEE.filter(lambda fee: fee < 1000 * GWEI), TIP)
def test_a_first_offer_outlives_a_doubling_and_tips_near_the_market(base: Wei, told: Wei) -> None:
    """A tip of 50 gwei that a node tells is not paid at first, however high the ceiling is."""
    offer = price(judged(base, [Word((base,) * 10, told)]), (None,))
    assert isinstance(offer, Offer)
    assert offer.tip <= max(LEAST_TIP, base, FIRST_TIP)
    assert offer.max_fee >= min(2 * base + offer.tip, MOST_TIMES * base)


def test_a_low_ceiling_costs_headroom_first_then_tip() -> None:
    """It is mined now rather than later."""
    base, tip = Wei(10 * GWEI), Wei(2 * GWEI)
    market = judged(base, [Word((base,) * 10, tip)])
    assert price(market, (Wei(15 * GWEI),)) == Offer(Wei(15 * GWEI), tip)
    assert price(market, (Wei(11 * GWEI),)) == Offer(Wei(11 * GWEI), Wei(GWEI))
    refused = price(market, (Wei(10 * GWEI),))
    assert isinstance(refused, NoOffer)
    assert refused.reason is Reason.FEE_LIMIT


def test_higher_offers_climb_to_what_is_usual_and_no_further_than_they_must() -> None:
    """10, 20, 40, 50 gwei: what a node tells is reached by steps; beyond it an eighth at a time."""
    base = Wei(10 * GWEI)
    market = judged(base, [Word((base,) * 10, Wei(50 * GWEI))])
    offer, tips = price(market, ()), list[int]()
    for _ in range(5):
        assert isinstance(offer, Offer)
        tips.append(offer.tip // GWEI)
        offer = price(market, (), Demands(over=(offer,)))
    assert tips == [10, 20, 40, 50, 56]


def test_replacements_reach_the_ceiling_in_bounded_steps() -> None:
    """Each raises by an eighth at least; at the end there is no offer."""
    market = judged(Wei(GWEI), [Word((GWEI,) * 10, Wei(GWEI))])
    offer, steps = price(market, ()), 0
    while isinstance(offer, Offer):
        offer, steps = price(market, (), Demands(over=(offer,))), steps + 1
    assert steps <= 100


# --- the built-in cap ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ([Word((10 * GWEI,) * 10, Wei(TOLD))], ()),
        ([Word((10 * GWEI,) * 6 + (TOLD,) * 4, Wei(TOLD))], ()),
        ([Word((TOLD,) * 10, Wei(TOLD)), Word((10 * GWEI,) * 10, Wei(GWEI))], ()),
        ([Word((TOLD,) * 10, Wei(TOLD))], (10 * GWEI,) * 8),
        ([Word((10 * GWEI,) * 10, None)], (TOLD,)),
    ],
    ids=["a tip", "four blocks of ten", "one node of two", "one node against our memory", "one head"],
)
def test_a_fee_of_1_110_001_gwei_is_not_believed(words: list[Word], seen: tuple[int, ...]) -> None:
    """Told by one node, or of a few blocks: the cap stays a sane multiple of what others, and other blocks, had."""
    market = judged(Wei(10 * GWEI), words, seen)
    assert market.most == max(MOST_AT_LEAST, MOST_TIMES * 10 * GWEI)
    offer = price(market, ())
    assert isinstance(offer, Offer)
    assert offer.tip <= 10 * GWEI


def test_a_node_alone_that_lies_of_everything_gets_nothing_signed() -> None:
    """No chain ever asked for more than 10,000 gwei: no offer, and the reason says why."""
    refused = price(judged(Wei(TOLD), [Word((TOLD,) * 11, Wei(TOLD))], (TOLD,) * 20), ())
    assert isinstance(refused, NoOffer)
    assert refused.reason is Reason.FEE_LIMIT


def test_a_node_that_tells_too_little_does_not_hold_a_rescue_back() -> None:
    """Two witnesses of three outweigh it: the other node, and what we saw."""
    words = [Word((GWEI // 100,) * 10, Wei(1)), Word((300 * GWEI,) * 10, Wei(2 * GWEI))]
    market = judged(Wei(300 * GWEI), words, (300 * GWEI,) * 8)
    assert isinstance(price(market, ()), Offer)


def test_a_real_rush_is_followed() -> None:
    """The base fee rises by an eighth in each of twenty blocks, tenfold in all: each of them has its offer."""
    fees = [20 * GWEI]
    for _ in range(20):
        fees.append(fees[-1] * 9 // 8)
        market = judged(Wei(fees[-1]), [Word(tuple(fees[-11:]), Wei(5 * GWEI))], fees[-32:])
        offer = price(market, ())
        assert isinstance(offer, Offer)
        assert offer.max_fee >= 2 * fees[-1] + offer.tip or offer.max_fee == market.most
        assert offer.max_fee >= fees[-1] * 3 // 2


def test_a_purse_that_covers_gas_but_not_what_goes_beside_it_says_so() -> None:
    """A rollup's charge for its parent chain, an order's execution fee."""
    market = judged(Wei(GWEI), [Word((GWEI,) * 10, Wei(GWEI))])
    poor = Purse(ME, Wei(10**14), 100_000, Wei(5 * 10**13))
    refused = price(market, (), purse=poor)
    assert isinstance(refused, NoOffer)
    assert refused.reason is Reason.NO_GAS_MONEY
    assert isinstance(price(market, (), purse=Purse(ME, Wei(10**15), 100_000, Wei(5 * 10**13))), Offer)
