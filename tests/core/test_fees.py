"""The usual tip of recent blocks, and what a ceiling leaves."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.fees import LEAST_TIP, is_payable, usual_tip
from keeper.core.units import Wei

GWEI = 10**9
FEE = st.integers(min_value=0, max_value=10**6 * GWEI).map(Wei)


@given(FEE, FEE)
def test_nothing_is_payable_exactly_when_the_ceiling_is_below_the_market(base_fee: Wei, ceiling: Wei) -> None:
    """Refusing is a result too: the caller holds with a reason."""
    assert is_payable(base_fee, None)
    assert is_payable(base_fee, ceiling) == (ceiling >= base_fee + LEAST_TIP)


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
