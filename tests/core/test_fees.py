"""What a transaction offers: enough to be mined, never above the owner's ceiling, always a valid pair."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.fees import LEAST_TIP, Fees, offer, replacement, usual_tip
from keeper.core.units import Wei

GWEI = 10**9
FEE = st.integers(min_value=0, max_value=10**6 * GWEI).map(Wei)
TIP = st.integers(min_value=LEAST_TIP, max_value=1000 * GWEI).map(Wei)
CEILING = st.none() | FEE


@st.composite
def valid_fees(draw: st.DrawFn) -> Fees:
    tip = draw(TIP)
    return Fees(Wei(tip + draw(FEE)), tip)


@given(FEE, TIP, CEILING)
def test_an_offer_is_a_valid_pair_within_the_ceiling(base_fee: Wei, tip: Wei, ceiling: Wei | None) -> None:
    """A tip above the maximum would be refused by every node."""
    fees = offer(base_fee, tip, ceiling)
    if fees is not None:
        assert fees.is_valid
        assert ceiling is None or fees.max_fee <= ceiling


@given(FEE, TIP, CEILING)
def test_an_offer_can_be_mined_now(base_fee: Wei, tip: Wei, ceiling: Wei | None) -> None:
    """Whatever the ceiling leaves covers the base fee and the whole tip that is promised."""
    fees = offer(base_fee, tip, ceiling)
    if fees is not None:
        assert fees.max_fee >= base_fee + fees.tip
        assert LEAST_TIP <= fees.tip <= tip


@given(FEE, TIP)
def test_without_a_ceiling_an_offer_outlives_a_doubling(base_fee: Wei, tip: Wei) -> None:
    """The base fee rises by an eighth each full block, so six blocks long."""
    fees = offer(base_fee, tip, None)
    assert fees is not None
    assert fees.max_fee >= 2 * base_fee + tip


@given(FEE, TIP, FEE)
def test_no_offer_is_made_exactly_when_the_ceiling_is_below_the_market(base_fee: Wei, tip: Wei, ceiling: Wei) -> None:
    """Refusing is a result too: the caller holds with a reason."""
    assert (offer(base_fee, tip, ceiling) is None) == (ceiling < base_fee + LEAST_TIP)


def test_a_low_ceiling_costs_headroom_first_then_tip() -> None:
    """It is mined now rather than later."""
    base, tip = Wei(10 * GWEI), Wei(2 * GWEI)
    assert offer(base, tip, Wei(15 * GWEI)) == Fees(Wei(15 * GWEI), tip)
    assert offer(base, tip, Wei(11 * GWEI)) == Fees(Wei(11 * GWEI), Wei(GWEI))
    assert offer(base, tip, Wei(10 * GWEI)) is None


@given(valid_fees(), valid_fees(), CEILING)
def test_a_replacement_is_taken_by_nodes(old: Fees, fresh: Fees, ceiling: Wei | None) -> None:
    """Both fees rise by a tenth at least, or the node keeps the old transaction."""
    fees = replacement(old, fresh, ceiling)
    if fees is not None:
        assert fees.is_valid
        assert fees.max_fee * 10 >= old.max_fee * 11
        assert fees.tip * 10 >= old.tip * 11
        assert fees.max_fee >= fresh.max_fee
        assert fees.tip >= fresh.tip


@given(valid_fees(), valid_fees(), FEE)
def test_a_replacement_never_exceeds_the_ceiling(old: Fees, fresh: Fees, ceiling: Wei) -> None:
    """None is the answer instead."""
    fees = replacement(old, fresh, ceiling)
    assert fees is None or fees.max_fee <= ceiling


@given(valid_fees(), FEE, TIP, FEE)
def test_a_ceiling_that_allows_the_bump_allows_the_replacement(old: Fees, base: Wei, tip: Wei, room: Wei) -> None:
    """Fresh fees come from an offer under the same ceiling, so they alone never forbid it."""
    ceiling = Wei(old.max_fee * 9 // 8 + 1 + room)
    fresh = offer(base, tip, ceiling)
    assert fresh is None or replacement(old, fresh, ceiling) is not None


@given(valid_fees())
def test_replacements_reach_any_ceiling_in_bounded_steps(old: Fees) -> None:
    """Each raises by an eighth: a hundred of them are a factor of more than 100,000."""
    fees: Fees | None = old
    steps = 0
    ceiling = Wei(old.max_fee * 100_000)
    while (raised := replacement(fees, fees, ceiling) if fees else None) is not None:
        fees, steps = raised, steps + 1
    assert steps <= 100


@given(st.lists(st.lists(st.integers(min_value=0, max_value=10**12), max_size=1), max_size=30))
def test_the_usual_tip_was_paid_or_is_the_least(rewards: list[list[int]]) -> None:
    """Blocks without transactions report nothing and count for nothing."""
    tip = usual_tip(rewards)
    assert tip >= LEAST_TIP
    assert tip == LEAST_TIP or [tip] in rewards


def test_one_extravagant_block_does_not_raise_the_tip() -> None:
    """The median, not the mean."""
    assert usual_tip([[GWEI]] * 6 + [[10**6 * GWEI]] * 4) == GWEI


def test_an_empty_history_gives_the_least_tip() -> None:
    """A new chain, or a node that keeps none."""
    assert usual_tip([]) == usual_tip([[], []]) == LEAST_TIP
