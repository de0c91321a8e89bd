"""What a loan earns and costs in a year, what can be withdrawn, and whether an asset is paid for what it stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import at, holding, loop, position

from keeper.core.lending import interest
from keeper.core.lending.position import Holding, LendingPosition, Rates
from keeper.core.prices import Backing, SecondPrice
from keeper.core.units import WAD, Wad


def with_rates(of: LendingPosition, **rates: tuple[str, str, str]) -> LendingPosition:
    """Rates by symbol: earned, paid, lent out."""

    def changed(h: Holding) -> Holding:
        given = rates.get(h.symbol)
        return replace(h, rates=Rates(*(Wad(int(float(x) * 10**6) * 10**12) for x in given))) if given else h

    return replace(of, holdings=tuple(changed(h) for h in of.holdings))


LOOP = with_rates(loop("10", "10000"), WETH=("0.02", "0.03", "0.80"), USDC=("0.04", "0.06", "0.93"))
"""20,000 dollars supplied, 10,000 owed."""


def test_debts_cost_by_their_values() -> None:
    """Ten thousand at 6 % and as much at 12 % cost 9 %."""
    two = position(holding("WETH", 10), holding("USDC", 0, 5000), holding("DAI", 0, 5000))
    two = with_rates(two, USDC=("0", "0.06", "0"), DAI=("0", "0.12", "0"))
    assert interest.borrow_rate(tuple(h for h in two.holdings if h.borrowed)) == 9 * WAD // 100
    assert interest.borrow_rate(()) is None


def test_a_loan_that_earns_less_than_it_costs_has_a_rate_below_zero() -> None:
    """2 % of 20,000 less 6 % of 10,000 is -200 a year on 10,000 of one's own."""
    assert interest.net_rate(LOOP) == pytest.approx(-0.02 * WAD, rel=1e-9)


def test_what_staking_earns_counts() -> None:
    """3 % on 20,000 turn -200 into +400."""
    assert interest.net_rate(LOOP, {at("WETH"): 3 * WAD // 100}) == pytest.approx(0.04 * WAD, rel=1e-9)


def test_owing_what_grows_costs_its_growth() -> None:
    """Who borrows a staked asset pays what it earns."""
    assert interest.net_rate(LOOP, {at("USDC"): WAD // 100}) == pytest.approx(-0.03 * WAD, rel=1e-9)


def test_where_debts_leave_nothing_there_is_no_rate() -> None:
    """Nothing of one's own earns nothing; no division by it either."""
    assert interest.net_rate(loop("1", "2000")) is None
    assert interest.net_rate(loop("1", "3000")) is None


def test_the_worst_asset_says_what_can_be_withdrawn() -> None:
    """93 % of one lent out, 80 % of another."""
    assert interest.utilisation(LOOP.held) == 93 * WAD // 100
    assert interest.utilisation(()) is None


def test_growth_is_for_a_year() -> None:
    """A thousandth in a 365th of a year is 36.5 %."""
    assert interest.yearly_growth(1000, 1001, 86_400) == 365 * WAD // 1000
    assert interest.yearly_growth(1000, 999, interest.YEAR_S) == -WAD // 1000


ETH = LOOP.holding(at("WETH"))


def second(*dollars: int) -> SecondPrice:
    return SecondPrice(at("WETH"), "a pool", tuple(d * 10**8 for d in dollars))


def test_a_peg_is_the_market_s_price_over_the_oracle_s() -> None:
    """1,900 paid where the oracle says 2,000; the average counts, not the spot that anyone can move."""
    assert interest.peg(ETH, second(1900, 100), None) == 95 * WAD // 100


def test_what_an_asset_stands_for_comes_before_the_oracle() -> None:
    """The oracle follows the market down: against what stands behind the asset both are low, and the lower counts."""
    behind = Backing(at("WETH"), "WBTC", WAD, 2500 * 10**8)
    assert interest.peg(ETH, None, behind) == 80 * WAD // 100
    assert interest.peg(ETH, second(1900), behind) == 76 * WAD // 100
    assert interest.peg(ETH, second(2400), behind) == 80 * WAD // 100


@pytest.mark.parametrize(
    ("other", "behind"),
    [(None, None), (second(), None), (second(0), None), (second(1900), Backing(at("WETH"), "WBTC", 0, 0))],
)
def test_what_cannot_be_compared_is_unknown(other: SecondPrice | None, behind: Backing | None) -> None:
    """Never 1: an unknown peg does not pass for one that holds."""
    assert interest.peg(ETH, other, behind) is None
