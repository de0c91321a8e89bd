"""What plans take in gas, which of them only drip, and whose goes first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import intent, loop, rule, safety, state, terms, wad, wallet

from keeper.core.lending import actions
from keeper.core.lending.joint import Ahead, pools_of, urgency, wallet_after
from keeper.core.lending.moves import MARKET, Approve, Repay, Route, Swap, Withdraw, gas_of
from keeper.core.lending.plan import Plan, is_drip, plans
from keeper.core.snapshot import Wallet
from keeper.core.units import Address, Amount, Usd, Wad, Wei

A, B, C = (Address("0x" + digit * 40) for digit in "123")
ROUND = (Withdraw(A, Amount(10)), Swap(Route((A, B), (500,), "exchange"), Amount(10), Amount(9)), Repay(B, Amount(9)))


def a_plan(**held: int) -> Plan:
    wanted = intent(loop("10", "13000"), rule(actions=(actions.TOP_UP,)))
    found = plans(wanted, state(wanted, wallet(**held or {"WETH": 50})), terms(), {})
    assert isinstance(found, tuple)
    return found[0]


def test_moves_with_the_same_assets_are_cheap_after_the_first_in_one_transaction() -> None:
    """A round that came before costs less than half; of other assets, or through more pools, it costs as if new."""
    one, ten = gas_of(ROUND, is_atomic=True), gas_of(ROUND * 10, is_atomic=True)
    assert ten < 5 * one
    assert gas_of(ROUND * 10, is_atomic=False) == 10 * gas_of(ROUND, is_atomic=False)
    assert one < gas_of(ROUND, is_atomic=False), "a transaction of its own begins anew with each"
    again, other = (gas_of((*ROUND, Withdraw(asset, Amount(1))), is_atomic=True) - one for asset in (A, C))
    assert 3 * again < other
    twice = Swap(Route((A, C, B), (500, 100), "exchange"), Amount(10), Amount(9))
    assert gas_of((twice,), is_atomic=True) > gas_of((ROUND[1],), is_atomic=True) + 100_000


@pytest.mark.parametrize(("rounds", "paid"), [(3, 676_215), (14, 2_162_687)])
def test_gas_of_rounds_in_one_transaction_is_what_they_paid_and_up_to_half_more(rounds: int, paid: int) -> None:
    """Measured on Aave v3.6 and Uniswap v3: what was planned with 343 dollars paid 59."""
    around = (Approve(A, "exchange", Amount(9)), Approve(B, MARKET, Amount(9)))
    moves = (*around, *ROUND * rounds, Approve(A, "exchange", Amount(0)))
    assert paid < gas_of(moves, is_atomic=True) < paid * 3 // 2


def test_a_partial_plan_is_a_drip_while_there_is_time_for_the_whole_one() -> None:
    """Where gas is too dear for the best plan, smaller ones wait as well; near liquidation anything that helps goes."""
    plan, bounds = a_plan(), safety()
    far, near = (replace(plan.before, health_factor=Wad(wad(h))) for h in ("1.20", "1.05"))
    assert is_drip(replace(plan, is_partial=True, before=far), bounds)
    assert not is_drip(replace(plan, is_partial=False, before=far), bounds)
    assert not is_drip(replace(plan, is_partial=True, before=near), bounds)


def test_who_has_most_to_lose_goes_first() -> None:
    """The dearer of two as endangered, the more endangered of two as dear; a boost risks nothing and waits."""
    protect = rule(actions=(actions.REPAY,))
    large, small = intent(loop("100", "140000"), protect), intent(loop("10", "14000"), protect)
    near, far = intent(loop("10", "15500"), protect), intent(loop("10", "14000"), protect)
    boost = replace(large, rule=replace(protect, actions=(actions.LEVERAGE_UP,)))
    assert min([small, large], key=urgency) is large
    assert min([far, near], key=urgency) is near
    assert min([boost, small], key=urgency) is small


def test_a_wallet_is_what_the_plans_before_leave_of_it() -> None:
    """Their payments and gas are gone; what they bring in is not counted; nobody else's touch it."""
    plan = a_plan()
    paid = sum(step.move.amount or 0 for step in plan.steps if type(step.move).__name__ == "Supply")
    (asset,) = {step.move.asset for step in plan.steps if type(step.move).__name__ == "Supply"}  # type: ignore[union-attr]
    mine = Wallet(A, Wei(1000), {asset: Amount(2 * paid), C: Amount(5)})
    left = wallet_after(mine, [Ahead(A, plan, Wei(300)), Ahead(B, plan, Wei(500))])
    assert left.tokens == {asset: paid, C: 5}
    assert left.native == 700
    assert wallet_after(mine, [Ahead(A, plan, Wei(0))] * 3).tokens[asset] == 0
    rounds = replace(plan, steps=tuple(replace(plan.steps[0], move=move, spend=Usd(0)) for move in ROUND))
    assert wallet_after(Wallet(A, Wei(0), {A: Amount(7), B: Amount(3)}), [Ahead(A, rounds, Wei(0))]).tokens == {
        A: 7,
        B: 3,
    }


def test_plans_share_a_pool_whichever_way_they_trade_in_it() -> None:
    """A pool is its two tokens and its fee."""
    plan = a_plan()

    def trading(*tokens: Address, fees: tuple[int, ...]) -> Plan:
        swap = Swap(Route(tokens, fees, "exchange"), Amount(1), Amount(1))
        return replace(plan, steps=(replace(plan.steps[0], move=swap),))

    assert pools_of(plan) == frozenset()
    assert pools_of(trading(A, B, fees=(500,))) == pools_of(trading(B, A, fees=(500,)))
    assert not pools_of(trading(A, B, fees=(500,))) & pools_of(trading(A, B, fees=(3000,)))
    assert pools_of(trading(A, B, fees=(500,))) & pools_of(trading(C, B, A, fees=(100, 500)))
