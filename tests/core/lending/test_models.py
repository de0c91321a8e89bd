"""The solvers and the ways to help need nothing of a protocol but its model: here one that is not Aave's.

One asset can be owed, and nothing leaves below the borrow limit, which lies above liquidation (as on Compound v3); the
market counts in ether, its debt rounds up to whole units of its money.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from core_builders import BLOCK, OWNER, at, holding, intent, position, rule, state, terms, usd, wad, wallet
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.lending import actions
from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Loan
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.position import (
    AccountFigures,
    Barred,
    Holding,
    LendingPosition,
    Money,
    Principal,
    Room,
)
from keeper.core.reasons import Reason
from keeper.core.units import BPS, INFINITE, UINT256_MAX, WAD, Amount, Bps, Wad, mul_div_down, mul_div_up

ETHER = Money(dollars=2000, unit=1)
"""Prices of 10^-8 ether: each is 2,000 of 10^-8 dollars."""


@dataclass(frozen=True, slots=True)
class OneDebt:
    """A protocol with one debt and two limits."""

    rate_s: int = 10**9
    """Wad a second on the debt."""

    @property
    def facts(self) -> Mapping[str, object]:
        return {}

    @property
    def mode(self) -> Hashable:
        """One alone."""
        return None

    def figures(self, holdings: tuple[Holding, ...]) -> AccountFigures:
        debt = sum(mul_div_up(h.borrowed, h.price.answer, h.unit) for h in holdings if h.borrowed)
        values = [(h, mul_div_down(h.supplied, h.price.answer, h.unit)) for h in holdings if h.is_collateral]
        worth = sum(value for _, value in values)
        bears = sum(mul_div_down(value, h.liquidation_factor, WAD) for h, value in values)
        lends = sum(mul_div_down(value, h.borrow_factor, WAD) for h, value in values)
        ratios = (Bps(bears * BPS // worth), Bps(lends * BPS // worth)) if worth else (Bps(0), Bps(0))
        health = Wad(mul_div_down(bears, WAD, debt)) if debt else INFINITE
        return AccountFigures(worth, debt, max(0, lends - debt), *ratios, health)

    def accrued(self, holding: Holding, seconds: int) -> Holding:
        owed = mul_div_up(holding.borrowed, WAD + self.rate_s * seconds, WAD)
        return replace(holding, borrowed=Amount(owed))

    def lets_out(self, figures: AccountFigures) -> bool:
        return not figures.debt_value or figures.available_borrows > 0


def lent(staked: int, owed: int) -> LendingPosition:
    """Staked ether against a debt in ether, both by the market's own prices; 90 % may be owed, 93 % liquidates."""
    usual = position(holding("WETH"), holding("DAI")).holdings
    room = Room(Amount(UINT256_MAX), Amount(UINT256_MAX), Amount(UINT256_MAX), Amount(UINT256_MAX))
    collateral = replace(
        lending.priced(usual[0], 115_000_000),
        supplied=Amount(staked),
        is_collateral=True,
        liquidation_factor=wad("0.93"),
        borrow_factor=wad("0.90"),
        penalty=wad("0.05"),
        room=room,
        principal=Principal(staked, 0),
        money=ETHER,
    )
    base = replace(
        lending.priced(usual[1], 10**8),
        borrowed=Amount(owed),
        is_collateral=False,
        room=replace(room, supply=Barred(Reason.NOTHING_HELPS, "it backs no debt here")),
        principal=Principal(0, owed),
        money=ETHER,
    )
    model = OneDebt()
    figures = model.figures((collateral, base))
    return LendingPosition("loop", "one_debt", OWNER, BLOCK, (collateral, base), model, figures, ETHER)


WETH, BASE = at("WETH"), at("DAI")


def account(staked: int, owed: int) -> Loan:
    found = lending.proven(lent(staked, owed))
    assert found is not None
    return found


def test_nothing_leaves_below_the_borrow_limit() -> None:
    """Far from liquidation, and yet: 10.5 against 10.35 that may be owed and 10.695 that liquidates."""
    between = account(10 * WAD, 105 * WAD // 10)
    assert lending.health_factor(between) > wad("1.01")
    assert lending.withdrawable(between, WETH, Wad(WAD)) == 0


@given(st.integers(WAD, 100 * WAD), st.integers(10, 89))
def test_what_may_leave_is_exact_under_any_model(staked: int, percent: int) -> None:
    """With it the protocol lets the change through; with one unit more it does not, or health is below the floor."""
    of, floor = account(staked, staked * 115 * percent // 10_000), wad("1.02")

    def may(amount: int) -> bool:
        left = lending.figures(lending.after(of, WETH, supply=-amount))
        return left.health_factor >= floor and of.model.lets_out(left)

    most = lending.withdrawable(of, WETH, floor)
    assert most == 0 or may(most)
    assert most == staked or not may(most + 1)


@given(st.integers(WAD, 100 * WAD), st.integers(10, 95))
def test_what_leaves_in_a_plan_is_let_out_when_prices_have_fallen_until_it_is_mined(staked: int, percent: int) -> None:
    """A market with a borrow limit refuses all of it below that: a quarter of the way there is left at the least."""
    of, floor = account(staked, staked * 115 * percent // 10_000), wad("1.02")
    most = lending.withdrawable(of, WETH, floor, lending.bearable(of, floor))
    assert 0 <= most <= lending.withdrawable(of, WETH, floor)
    now, left = lending.figures(of), lending.figures(lending.after(of, WETH, supply=-most))
    room = now.available_borrows * WAD // now.debt_value
    if room <= 0:
        assert most == 0
        return
    fallen = (left.available_borrows + left.debt_value) * WAD // min(floor, WAD + room * 3 // 4)
    assert fallen >= left.debt_value - 1
    assert most > 0


@given(st.integers(WAD, 100 * WAD), st.integers(91, 120), st.integers(11, 30))
def test_the_least_repayment_is_exact_under_any_model(staked: int, percent: int, tenths: int) -> None:
    """One unit less does not reach the goal."""
    of, goal = account(staked, staked * 115 * percent // 10_000), tenths * WAD // 10

    def reaches(amount: int) -> bool:
        return lending.health_factor(lending.after(of, BASE, debt=-amount)) >= goal

    found = lending.repay_to_reach(of, BASE, lambda f: f.health_factor >= goal, UINT256_MAX)
    assert found is not None
    assert reaches(found)
    assert not found or not reaches(found - 1)


def test_limits_are_dollars_whatever_the_market_counts_in() -> None:
    """One base token is an ether here, and 2,000 dollars: a limit of 1,000 dollars is half of one."""
    wanted = intent(lent(10 * WAD, 10 * WAD), rule(actions=[actions.REPAY]), left_today=usd(1_000))
    ways = plans(wanted, state(wanted, wallet(DAI=5)), terms(), {})
    assert isinstance(ways, tuple), ways
    plan: Plan = ways[0]
    assert plan.is_partial
    assert usd(999) < plan.spend <= usd(1_000)
    assert lending.figures(account(10 * WAD, 10 * WAD)).debt_value == 10 * 10**8


def test_what_secures_nothing_is_no_top_up() -> None:
    """The base asset backs no debt: the venue bars it, and nobody has to know why."""
    wanted = intent(lent(10 * WAD, 10 * WAD), rule(actions=[actions.TOP_UP]))
    held = plans(wanted, state(wanted, wallet(DAI=5)), terms(), {})
    assert not isinstance(held, tuple)
    assert held.reason is Reason.NOTHING_HELPS
