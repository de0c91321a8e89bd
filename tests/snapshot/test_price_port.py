"""What gas and wallets are worth: the first who tells a fresh price, else the first who tells any."""

from __future__ import annotations

from dataclasses import replace

import pytest
from perp_builders import short

from keeper.core.prices import Quoted, SecondPrice, best
from keeper.core.snapshot import perps_of
from keeper.core.units import USD, Address
from keeper.snapshot.price_port import by_perpetuals, by_pools

NOW = 1_750_000_000
ORACLE = Quoted(2000 * 10**8, NOW - 60, 3600, "the oracle of aave_v3")
FEED = Quoted(2010 * 10**8, NOW - 30, 3600, "the feed 0x1")


def test_the_first_fresh_price_is_believed() -> None:
    """Markets before feeds."""
    assert best([ORACLE, FEED], NOW) is ORACLE
    assert best([None, FEED], NOW) is FEED


def test_an_old_price_gives_way_to_a_fresh_one_and_is_better_than_none() -> None:
    """Of one whose age nobody knows it is not known that it is fresh."""
    old, ageless = replace(ORACLE, updated_at=NOW - 3601), replace(ORACLE, updated_at=None)
    assert best([old, FEED], NOW) is FEED
    assert best([ageless, FEED], NOW) is FEED
    assert best([old], NOW) is old
    assert best([ageless], NOW) is ageless


def test_nobody_tells_and_nothing_is_made_up() -> None:
    """Unknown is None."""
    assert best([], NOW) is None
    assert best([None, None], NOW) is None


def test_a_perpetual_s_oracle_tells_of_its_underlying_alone() -> None:
    """Wrapped ether is ether; bitcoin is not."""
    position = short()
    told = list(by_perpetuals(perps_of([position, object()]), "WETH", 3600))
    assert [t.answer for t in told] == [position.legs[0].oracle.answer]
    assert list(by_perpetuals([position], "WBTC", 3600)) == []


@pytest.mark.parametrize(("answers", "found"), [((5, 9), [2005 * USD]), ((), []), ((-2000, 9), [])])
def test_pools_say_what_gas_costs_by_their_average_in_terms_of_a_position_s_collateral(
    answers: tuple[int, ...], found: list[int]
) -> None:
    """Not by the price of this moment, which anybody can move for a block; pools that do not answer say nothing."""
    position = short()
    asset = Address("0x" + "e" * 40)

    def average(quote: int) -> SecondPrice:
        assert quote == USD
        return SecondPrice(asset, "pools", tuple(2000 * quote + answer * USD for answer in answers))

    quoted = list(by_pools(perps_of([object(), position]), position.collateral, average, NOW))
    assert [q.answer for q in quoted] == found
    assert all(q.updated_at == NOW for q in quoted)
    assert list(by_pools([position], asset, average, NOW)) == []
