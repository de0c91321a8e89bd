"""Which plan is chosen, what it may cost, and what it never does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from core_builders import (
    OWNER,
    above,
    at,
    below,
    holding,
    intent,
    limits,
    loop,
    position,
    quoted,
    rule,
    safety,
    state,
    terms,
    to_ltv,
    units,
    usd,
    wad,
    wallet,
)
from core_strategies import worlds
from hypothesis import HealthCheck, given, settings

from keeper.core.actions import Action
from keeper.core.decide import Hold
from keeper.core.lending import actions
from keeper.core.lending import figures as lending
from keeper.core.lending.actions.rescues import full_repayment
from keeper.core.lending.figures import Loan
from keeper.core.lending.metrics import CLOSED, HEALTH_FACTOR, LTV, PRICE, meets
from keeper.core.lending.moves import MARKET, Approve, Borrow, Move, Repay, RepayWithCollateral, Supply, Swap, Withdraw
from keeper.core.lending.plan import Allowances, Plan, plans
from keeper.core.lending.proposals import Means, PlanTerms
from keeper.core.lending.quotes_needed import quotes_needed
from keeper.core.lending.rules import LendingIntent, Rule
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import LendingPosition, Wallet
from keeper.core.units import INFINITE, UINT256_MAX, WAD, Address, Amount, Bps, Usd, Wei

TOP_UP, REPAY, DELEVERAGE, BOOST = actions.TOP_UP, actions.REPAY, actions.DELEVERAGE, actions.LEVERAGE_UP
PLENTY = wallet(WETH=50, USDC=50_000)


def found(
    of: LendingPosition,
    by: Rule | None = None,
    held: Wallet | None = None,
    on: PlanTerms | None = None,
    *,
    left: Usd | None = None,
    allowances: Allowances | None = None,
    cost_bps: int = 10,
    depth: dict[Address, int] | None = None,
) -> tuple[Plan, ...] | Hold:
    """The plans for a position, with pools that answer everything unless a depth is given."""
    wanted = intent(of, by, left)
    now = state(wanted, held)
    return plans(wanted, now, quoted(wanted, now, on or terms(), cost_bps, depth), allowances or {})


def best(of: LendingPosition, by: Rule | None = None, held: Wallet | None = None, **more: object) -> Plan:
    ways = found(of, by, held, **more)  # type: ignore[arg-type]
    assert not isinstance(ways, Hold), ways
    return ways[0]


def refused(of: LendingPosition, by: Rule | None = None, held: Wallet | None = None, **more: object) -> Hold:
    ways = found(of, by, held, **more)  # type: ignore[arg-type]
    assert isinstance(ways, Hold), ways
    return ways


def only(*actions: Action, **changes: object) -> Rule:
    return rule(actions=actions, **changes)  # type: ignore[arg-type]


def moves(plan: Plan, kind: type[Move]) -> list[Move]:
    return [s.move for s in plan.steps if isinstance(s.move, kind)]


def replayed(plan: Plan, account: Loan) -> Loan:
    """Carry the moves out one by one, as the market would, watching every health factor on the way."""
    for step in plan.steps:
        match step.move:
            case Supply(asset, amount):
                if not account.of(asset).supplied:
                    account = lending.with_collateral(account, asset)
                account = lending.after(account, asset, supply=amount)
            case Withdraw(asset, amount):
                assert amount is not None
                account = lending.after(account, asset, supply=-amount)
            case Borrow(asset, amount):
                account = lending.after(account, asset, debt=amount)
            case Repay(asset, amount):
                account = lending.after(account, asset, debt=-taken(account, asset, amount))
            case RepayWithCollateral(asset, amount):
                paid = min(amount, account.of(asset).borrowed)
                account = lending.after(account, asset, supply=-paid, debt=-taken(account, asset, amount))
        assert lending.health_factor(account) == step.health_after
    return account


def taken(account: Loan, asset: Address, amount: int) -> int:
    """What a payment takes off a debt: of more than is owed only that, of just that not the interest until mining."""
    owed = account.of(asset).borrowed
    return min(amount, owed) if amount < owed or amount >= full_repayment(owed) else 2 * owed - full_repayment(owed)


def assert_approvals_are_exact(plan: Plan) -> None:
    """Every payment is covered by an allowance given before it, and nothing of any allowance is left over."""
    given: dict[tuple[Address], int] = {}
    for move in (s.move for s in plan.steps):
        match move:
            case Approve(asset, spender, amount):
                if amount:
                    assert not given.get((asset, spender)), "an allowance that is not zero is not changed"
                given[asset, spender] = amount
            case Supply(asset, amount) | Repay(asset, amount):
                given[asset, MARKET] = given.get((asset, MARKET), 0) - amount
                assert given[asset, MARKET] >= 0
            case Swap(route, sold, _):
                given[route.tokens[0], "exchange"] = given.get((route.tokens[0], "exchange"), 0) - sold
                assert given[route.tokens[0], "exchange"] >= 0
    assert not any(given.values())


# --- what is chosen --------------------------------------------------------------------------------------------------


def test_the_cheapest_sufficient_way_is_chosen_and_the_others_are_named() -> None:
    """Sorted by cost; each other way is told with its cost and why it was not taken."""
    ways = found(loop(), held=PLENTY)
    assert not isinstance(ways, Hold)
    costs = [p.cost.total for p in ways if not p.is_partial]
    assert len(costs) == 4
    assert costs == sorted(costs)
    first = ways[0]
    others = {r.label: r for r in first.rejected if r.reason is Reason.DEARER}
    assert set(others) == {p.label for p in ways[1:] if not p.label.endswith("one round")}
    assert all(r.cost and r.cost.total >= first.cost.total for r in others.values())


@pytest.mark.parametrize(
    ("capital_cost", "cost_bps", "fee", "label"),
    [
        (10, 30, 10**6, "repay USDC"),  # idle dollars cost nothing and less of them is needed than of ether
        (500, 5, 10**6, "sell WETH to repay USDC"),  # own funds are dear, the pool is cheap
        (500, 5, 10**13, "repay USDC"),  # gas is dear, and a sale takes most of it
    ],
)
def test_what_is_cheapest_depends_on_gas_capital_and_the_pool(
    capital_cost: int, cost_bps: int, fee: int, label: str
) -> None:
    """The three parts of the cost all count."""
    on = terms(safety=safety(capital_cost=Bps(capital_cost)), fee_per_gas=Wei(fee))
    assert best(loop(), held=PLENTY, on=on, cost_bps=cost_bps).label == label


def test_a_plan_aims_past_its_target_so_that_interest_cannot_undo_it() -> None:
    """By 5 basis points, and hardly more."""
    plan = best(loop(), only(REPAY), PLENTY)
    assert wad("1.60") * 10_005 // 10_000 <= plan.projected.health_factor < wad("1.60") * 10_006 // 10_000
    assert plan.postcondition.is_met(plan.projected)
    assert plan.postcondition.target == plan.intent.target


def test_an_ltv_target_is_reached_from_above() -> None:
    """At most the LTV, by a hair less."""
    trigger = above(LTV, wad("0.60"))
    plan = best(loop(), only(DELEVERAGE, target=to_ltv(wad("0.50")), trigger=trigger))
    assert lending.current_ltv(plan.projected) <= wad("0.50")
    assert lending.current_ltv(plan.projected) > wad("0.4995")


def test_a_way_that_suffices_goes_before_a_cheaper_one_that_does_not() -> None:
    """A little of the debt in the wallet costs less than the sale, and does not reach the target."""
    ways = found(loop(), held=wallet(USDC=100))
    assert not isinstance(ways, Hold)
    assert ways[0].label == "sell WETH to repay USDC"
    assert not ways[0].is_partial
    partial = next(p for p in ways if p.label == "repay USDC")
    assert partial.is_partial
    assert partial.cost.total < ways[0].cost.total


# --- partial help ----------------------------------------------------------------------------------------------------


def test_partial_help_is_the_most_the_wallet_can_do_and_says_so() -> None:
    """All of it, marked partial, promising the health factor it comes to."""
    plan = best(loop(), only(REPAY), wallet(USDC=500))
    assert plan.is_partial
    assert moves(plan, Repay) == [Repay(at("USDC"), units("USDC", 500))]
    assert plan.postcondition.target is None
    assert plan.before.health_factor < plan.postcondition.least_health <= plan.projected.health_factor


def test_of_partial_ways_the_most_helpful_goes_first() -> None:
    """Two thousand dollars repaid help more than two thousand dollars of ether supplied."""
    ways = found(loop(), only(TOP_UP, REPAY), wallet(WETH=1, USDC=2_000), left=usd(2_000))
    assert not isinstance(ways, Hold)
    assert all(p.is_partial for p in ways)
    health = [p.projected.health_factor for p in ways]
    assert health == sorted(health, reverse=True)
    assert ways[0].label == "repay USDC"


def test_wallet_and_sale_are_combined_where_neither_suffices() -> None:
    """The wallet first, since it trades nothing; then as much of a sale as is still needed, and no call for nothing."""
    depth = {at("USDC"): units("USDC", 7_000)}
    plan = best(loop(), held=wallet(USDC=3_000, WETH="0.1"), depth=depth)
    assert plan.label == "repay USDC, then sell WETH to repay USDC"
    assert not plan.is_partial
    assert plan.projected.health_factor >= wad("1.60")
    assert_approvals_are_exact(plan)
    assert replayed(plan, plan.intent.assessment.account) is not None


def test_a_combination_that_still_falls_short_is_partial_and_goes_first() -> None:
    """The most that can be done, and honest about it."""
    depth = {at("USDC"): units("USDC", 500)}
    ways = found(loop(), held=wallet(USDC=300), depth=depth)
    assert not isinstance(ways, Hold)
    assert ways[0].is_partial
    assert ways[0].label == "repay USDC, then sell WETH to repay USDC"
    assert ways[0].projected.health_factor > ways[1].projected.health_factor


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [TOP_UP, REPAY, DELEVERAGE])
def test_the_days_limit_is_kept_and_used_up(action: Action) -> None:
    """A thousand dollars left: no more than that moves, and hardly less."""
    plan = best(loop(), only(action), PLENTY, left=usd(1_000))
    assert plan.is_partial
    assert usd(990) < plan.spend <= usd(1_000) + len(plan.steps)


@pytest.mark.parametrize("action", [TOP_UP, REPAY, DELEVERAGE])
def test_no_transaction_moves_more_than_its_limit(action: Action) -> None:
    """What one may not move, several do: a sale in rounds, a payment in parts."""
    plan = best(loop(), only(action, limits=limits(per_tx="2000")), PLENTY)
    assert max(s.spend for s in plan.steps) <= usd(2_000) + 1
    assert not plan.is_partial
    assert sum(s.spend > 0 for s in plan.steps) > 1


def test_nothing_left_to_spend_is_a_reason() -> None:
    """Each way says so, and so does the whole."""
    assert refused(loop(), held=PLENTY, left=usd(0)).reason is Reason.SPEND_LIMIT


@pytest.mark.parametrize("action", [TOP_UP, REPAY, DELEVERAGE])
def test_the_last_cents_of_a_limit_are_not_worth_their_gas(action: Action) -> None:
    """A way that does not suffice and moves less than it costs is told, and not taken."""
    hold = refused(loop(), only(action), PLENTY, left=usd("0.05"))
    assert hold.reason is Reason.INSUFFICIENT
    assert "less than its gas" in hold.detail


def test_a_small_limit_per_transaction_still_helps() -> None:
    """Fifty dollars of seven thousand are less than a hundredth, and yet all that one transaction may."""
    plan = best(loop(), only(DELEVERAGE, limits=limits(per_tx="50")))
    assert plan.is_partial
    assert len(moves(plan, Swap)) == 10
    assert usd(499) < plan.spend <= usd(500) + len(plan.steps)


# --- a sale in rounds ------------------------------------------------------------------------------------------------


def test_a_sale_near_the_floor_takes_rounds_and_none_goes_below_it() -> None:
    """Health 1.03 leaves little to withdraw at a time; each round frees more."""
    plan = best(loop(dollars="16000"), only(DELEVERAGE), on=terms(safety=safety(max_rounds=30)))
    assert len(moves(plan, Withdraw)) > 3
    assert all(s.health_after >= wad("1.02") for s in plan.steps)
    assert replayed(plan, plan.intent.assessment.account)
    assert_approvals_are_exact(plan)
    sold = [m.amount for m in moves(plan, Withdraw) if isinstance(m, Withdraw)]
    assert sold == [m.sold for m in moves(plan, Swap) if isinstance(m, Swap)], "what leaves is what is sold"
    bought = [m.bought for m in moves(plan, Swap) if isinstance(m, Swap)]
    assert bought == [m.amount for m in moves(plan, Repay) if isinstance(m, Repay)], "what is bought is repaid"


def test_the_number_of_rounds_is_bounded() -> None:
    """What they do not reach is partial."""
    plan = best(loop(dollars="16000"), only(DELEVERAGE), on=terms(safety=safety(max_rounds=2)))
    assert len(moves(plan, Withdraw)) == 2
    assert plan.is_partial


def test_nothing_is_withdrawn_from_a_position_at_its_floor() -> None:
    """Health 1.0187 under a floor of 1.02: only the wallet can help."""
    of = loop(dollars="16295")
    assert refused(of, only(DELEVERAGE)).reason is Reason.FLOOR_TOO_NEAR
    assert best(of, held=wallet(USDC=9_000)).label == "repay USDC"


def test_a_reserve_with_little_liquidity_gives_what_it_has() -> None:
    """One ether can be withdrawn: one is sold."""
    of = loop(liquidity=units("WETH", 1))
    plan = best(of, only(DELEVERAGE))
    assert sum(m.amount or 0 for m in moves(plan, Withdraw) if isinstance(m, Withdraw)) == units("WETH", 1)
    assert plan.is_partial
    assert refused(loop(liquidity=units("WETH", "0.0001")), only(DELEVERAGE)).reason is Reason.LIQUIDITY_SHORT


def test_a_thin_pool_sells_what_it_can_within_the_slippage() -> None:
    """Of the sizes asked for, the largest that is fair."""
    wanted = intent(loop(), only(DELEVERAGE))
    whole = quotes_needed(wanted, state(wanted), terms())[0].bought
    plan = best(loop(), only(DELEVERAGE), depth={at("USDC"): whole // 4})
    assert sum(m.bought for m in moves(plan, Swap) if isinstance(m, Swap)) == whole // 4
    assert plan.is_partial


@pytest.mark.parametrize(("cost_bps", "depth"), [(180, None), (10, {})])
def test_a_pool_too_thin_or_too_dear_sells_nothing(cost_bps: int, depth: dict[Address, int] | None) -> None:
    """Beyond what slippage allows at health 1.186, from the oracle's price, or with no answer at all."""
    assert refused(loop(), only(DELEVERAGE), cost_bps=cost_bps, depth=depth).reason is Reason.POOL_TOO_THIN


def test_of_several_pairs_each_is_weighed() -> None:
    """Two collaterals and two debts: four sales."""
    of = position(holding("WETH", 5), holding("WBTC", "0.2"), holding("USDC", 0, 8_000), holding("DAI", 0, 7_000))
    ways = found(of, only(DELEVERAGE, to="1.40"))
    assert not isinstance(ways, Hold)
    single = {p.label for p in ways if ", then" not in p.label and not p.label.endswith("one round")}
    assert single == {f"sell {c} to repay {d}" for c in ("WETH", "WBTC") for d in ("USDC", "DAI")}


# --- approvals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [TOP_UP, REPAY, DELEVERAGE])
def test_a_plan_approves_what_it_spends_and_leaves_nothing_approved(action: Action) -> None:
    """Exact; what a swap may not have taken is taken back."""
    plan = best(loop(), only(action), PLENTY)
    assert_approvals_are_exact(replace(plan, steps=tuple(s for s in plan.steps)))
    last = {(m.asset, m.spender): m.amount for m in moves(plan, Approve) if isinstance(m, Approve)}
    if action is DELEVERAGE:
        assert last[at("WETH"), "exchange"] == 0


def test_a_leftover_allowance_is_cleared_first() -> None:
    """Some tokens refuse to change an allowance that is not zero."""
    plan = best(loop(), only(REPAY), PLENTY, allowances={(at("USDC"), MARKET): Amount(7)})
    first, second, *_ = moves(plan, Approve)
    assert first == Approve(at("USDC"), MARKET, Amount(0))
    assert isinstance(second, Approve)
    assert second.amount


@pytest.mark.parametrize(
    "allowances",
    [{}, {(at("USDC"), "exchange"): Amount(7)}, {(at("WETH"), MARKET): Amount(7)}],
)
def test_nothing_is_cleared_that_is_not_given(allowances: Allowances) -> None:
    """No gas for allowances the plan does not touch."""
    plan = best(loop(), only(REPAY), PLENTY, allowances=allowances)
    assert [type(s.move) for s in plan.steps] == [Approve, Repay]


# --- guardian --------------------------------------------------------------------------------------------------------


def test_a_guardian_supplies_and_repays_and_nothing_else() -> None:
    """No withdrawal, no borrowing, no swap, no use of the owner's supply; each is refused by name."""
    of = position(holding("WETH", 10), holding("USDC", 3_000, 15_000))
    on = terms(signer_is_owner=False)
    ways = found(of, held=PLENTY, on=on)
    assert not isinstance(ways, Hold)
    allowed = (Approve, Supply, Repay)
    assert all(isinstance(s.move, allowed) for p in ways for s in p.steps)
    assert all(m.spender == MARKET for p in ways for m in moves(p, Approve) if isinstance(m, Approve))
    assert [r.label for r in ways[0].rejected if r.reason is Reason.NOT_ALLOWED_FOR_GUARDIAN] == [
        "repay USDC with its own supply",
        "deleverage",
    ]


@pytest.mark.parametrize("action", [DELEVERAGE, BOOST])
def test_a_guardian_that_may_only_trade_can_do_nothing(action: Action) -> None:
    """And no pool is asked in vain."""
    on = terms(signer_is_owner=False)
    wanted = intent(loop(), only(action, to="1.10") if action is BOOST else only(action))
    assert quotes_needed(wanted, state(wanted), on) == ()
    assert refused(loop(), only(action), on=on).reason is Reason.NOT_ALLOWED_FOR_GUARDIAN


# --- top up and repay ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["is_paused", "is_frozen"])
def test_a_paused_or_frozen_reserve_takes_no_supply(flag: str) -> None:
    """The reason names the reserve."""
    hold = refused(loop(**{flag: True}), only(TOP_UP), wallet(WETH=5))
    assert hold.reason is Reason.RESERVE_UNAVAILABLE
    assert "WETH" in hold.detail


def test_a_paused_debt_is_not_repaid_and_a_frozen_one_is() -> None:
    """As Aave has it: frozen stops new supply and borrowing only."""

    def of(**flags: bool) -> LendingPosition:
        return position(holding("WETH", 10), holding("USDC", 0, 14_000, **flags))

    assert refused(of(is_paused=True), only(REPAY), PLENTY).reason is Reason.RESERVE_UNAVAILABLE
    assert refused(of(is_paused=True), only(DELEVERAGE)).reason is Reason.RESERVE_UNAVAILABLE
    assert refused(of(is_active=False), only(REPAY), PLENTY).reason is Reason.RESERVE_UNAVAILABLE
    assert best(of(is_frozen=True), only(REPAY), PLENTY).label == "repay USDC"
    assert best(of(is_frozen=True), only(DELEVERAGE)).label == "sell WETH to repay USDC"


def test_a_paused_collateral_is_not_sold() -> None:
    """It cannot be withdrawn."""
    assert refused(loop(is_paused=True), only(DELEVERAGE)).reason is Reason.RESERVE_UNAVAILABLE


def test_a_supply_cap_bounds_a_top_up() -> None:
    """What room is left is used, less a hair for interest; none is a reason."""
    room = loop(supply_cap=10**6 + 1, total_supplied=units("WETH", 10**6))
    plan = best(room, only(TOP_UP), wallet(WETH=50))
    assert moves(plan, Supply) == [Supply(at("WETH"), Amount(WAD * 999 // 1000))]
    assert plan.is_partial
    full = loop(supply_cap=10**6, total_supplied=units("WETH", 10**6))
    assert refused(full, only(TOP_UP), wallet(WETH=50)).reason is Reason.CAP_REACHED


def test_an_empty_wallet_is_a_reason() -> None:
    """Named with the signer."""
    hold = refused(loop(), only(REPAY))
    assert hold.reason is Reason.WALLET_EMPTY
    assert OWNER in hold.detail


def test_what_is_not_collateral_is_not_topped_up() -> None:
    """A supply that is switched off, an asset without LTV, an isolated one."""
    for other in (
        holding("DAI", 5, is_collateral=False),
        holding("EURC"),
        holding("DAI", is_isolated=True),
    ):
        of = position(holding("WETH", 10), holding("USDC", 0, 14_000), other)
        hold = refused(of, only(TOP_UP), Wallet(OWNER, Wei(0), {other.reserve.asset: Amount(10**24)}))
        assert hold.reason is Reason.NOTHING_HELPS


def test_a_first_supply_of_an_asset_becomes_collateral() -> None:
    """As Aave enables it by itself."""
    plan = best(loop(), only(TOP_UP), wallet(DAI=50_000))
    assert plan.label == "top up DAI"
    assert plan.projected.health_factor >= wad("1.60")


def test_debt_is_repaid_with_the_same_assets_supply_without_a_sale() -> None:
    """No pool, no approval, one call."""
    of = position(holding("WETH", 10), holding("USDC", 12_000, 20_000))
    plan = best(of, only(REPAY, to="1.50"))
    assert [type(s.move) for s in plan.steps] == [RepayWithCollateral]
    assert plan.projected.health_factor >= wad("1.50")
    assert replayed(plan, plan.intent.assessment.account)


# --- closing ---------------------------------------------------------------------------------------------------------

CLOSE = {"target": CLOSED, "trigger": below(PRICE, 10**12, "WETH")}


def test_closing_from_the_wallet_repays_everything_interest_included() -> None:
    """A hair more is ready than is owed now; the market takes what is owed, and the rest is taken back."""
    plan = best(loop(), only(REPAY, **CLOSE), PLENTY)
    (repay,) = moves(plan, Repay)
    assert isinstance(repay, Repay)
    assert repay.is_all
    assert units("USDC", 14_000) < repay.amount <= units("USDC", "14001.5")
    assert plan.projected.debt_value == 0
    assert plan.projected.health_factor == INFINITE
    assert moves(plan, Approve)[-1] == Approve(at("USDC"), MARKET, Amount(0))


def test_closing_by_sale_repays_everything_in_the_last_round() -> None:
    """Every round before it keeps the floor; only the last one says all."""
    plan = best(loop(), only(DELEVERAGE, **CLOSE))
    repaid = [m for m in moves(plan, Repay) if isinstance(m, Repay)]
    assert [m.is_all for m in repaid] == [False] * (len(repaid) - 1) + [True]
    assert sum(m.amount for m in repaid) > units("USDC", 14_000)
    assert plan.projected.debt_value == 0
    assert not plan.is_partial


def test_closing_several_debts_is_a_combination() -> None:
    """Each debt from what there is for it."""
    of = position(holding("WETH", 10), holding("USDC", 0, 6_000), holding("DAI", 0, 6_000))
    plan = best(of, only(REPAY, DELEVERAGE, **CLOSE), wallet(USDC=7_000))
    assert plan.projected.debt_value == 0
    assert not plan.is_partial
    assert plan.label == "repay USDC, then sell WETH to repay DAI"


def test_collateral_does_not_close_a_debt() -> None:
    """A top-up is refused for a close, not silently left out."""
    hold = refused(loop(), only(TOP_UP, **CLOSE), PLENTY)
    assert hold.reason is Reason.NOTHING_HELPS


@pytest.mark.parametrize("extra", ["0", "0.5"])
def test_a_wallet_that_cannot_pay_the_interest_until_mining_does_not_promise_to_close(extra: str) -> None:
    """The debt to the cent, with nothing for what accrues until then: helpful, and partial."""
    held = Wallet(OWNER, Wei(10**18), {at("USDC"): Amount(units("USDC", 14_000) + units("USDC", extra))})
    plan = best(loop(), only(REPAY, **CLOSE), held)
    assert plan.is_partial
    assert plan.projected.debt_value > 0


# --- doubts ----------------------------------------------------------------------------------------------------------


def test_a_forbidden_sale_is_told_with_its_doubt() -> None:
    """The plan that remains says why the other was not weighed."""
    doubt = Doubt(Reason.PRICE_STALE, "WETH is old")
    wanted = replace(intent(loop()), actions=(TOP_UP, REPAY), forbidden=((DELEVERAGE, doubt),))
    ways = plans(wanted, state(wanted, PLENTY), terms(), {})
    assert not isinstance(ways, Hold)
    told = [r for r in ways[0].rejected if r.reason is Reason.DOUBTFUL_PRICE]
    assert [(r.label, r.detail) for r in told] == [("deleverage", "WETH is old")]
    hold = plans(wanted, state(wanted), terms(), {})
    assert isinstance(hold, Hold)
    assert "WETH is old" in hold.detail


# --- boost -----------------------------------------------------------------------------------------------------------


def boost(bound: str = "2.40", to: str = "1.90", **changes: object) -> Rule:
    trigger = above(HEALTH_FACTOR, wad(bound))
    return rule(actions=(BOOST,), to=to, trigger=trigger, **changes)  # type: ignore[arg-type]


RICH = loop(dollars="6000")


def test_a_boost_goes_down_to_its_target_and_not_below() -> None:
    """Within the LTV and above the floor all the way; what is borrowed is swapped, and what is bought supplied."""
    plan = best(RICH, boost())
    assert wad("1.90") <= plan.projected.health_factor < wad("1.91")
    assert not plan.is_partial
    account = replayed(plan, plan.intent.assessment.account)
    assert lending.figures(account).available_borrows > 0
    assert plan.postcondition.target == plan.intent.target
    assert_approvals_are_exact(plan)
    bought = sum(m.bought for m in moves(plan, Swap) if isinstance(m, Swap))
    assert bought == sum(m.amount for m in moves(plan, Supply) if isinstance(m, Supply))


def test_a_boost_never_borrows_beyond_the_ltv() -> None:
    """Each borrowing is within what is available at that moment."""
    plan = best(loop(dollars="2000"), boost(bound="1.5", to="1.12"), on=terms(safety=safety(max_rounds=30)))
    account = plan.intent.assessment.account
    borrows = 0
    for step in plan.steps:
        if isinstance(step.move, Borrow):
            borrows += 1
            worth = step.move.amount * 10**2
            assert worth <= lending.figures(account).available_borrows
            account = lending.after(account, step.move.asset, debt=step.move.amount)
        elif isinstance(step.move, Supply):
            account = lending.after(account, step.move.asset, supply=step.move.amount)
        assert step.health_after >= wad("1.02")
    assert borrows > 1


@pytest.mark.parametrize(
    ("ether", "dollars", "reason"),
    [
        ({"is_frozen": True}, {}, Reason.RESERVE_UNAVAILABLE),
        ({"is_paused": True}, {}, Reason.RESERVE_UNAVAILABLE),
        ({"supply_cap": 10**6}, {}, Reason.CAP_REACHED),
        ({}, {"is_frozen": True}, Reason.RESERVE_UNAVAILABLE),
        ({}, {"is_borrowable": False}, Reason.RESERVE_UNAVAILABLE),
        ({}, {"borrow_cap": 10**5}, Reason.FLOOR_TOO_NEAR),
        ({}, {"liquidity": Amount(0)}, Reason.FLOOR_TOO_NEAR),
    ],
)
def test_a_boost_respects_what_the_market_forbids(
    ether: dict[str, object], dollars: dict[str, object], reason: Reason
) -> None:
    """Frozen, paused, capped, not for borrowing, or nothing there to borrow."""
    of = position(holding("WETH", 10, **ether), holding("USDC", 0, 6_000, **dollars))
    assert refused(of, boost()).reason is reason


def test_a_boost_never_leaves_a_debt_that_the_market_refuses() -> None:
    """What is owed may stand below the least, by a repayment; but nothing is borrowed that would leave it there."""

    def least(dollars: int) -> LendingPosition:
        found = tuple(replace(h, least_debt=Amount(dollars * 10**6 * bool(h.borrowed))) for h in RICH.holdings)
        return replace(RICH, holdings=found)

    found = refused(least(1_000_000), boost())
    assert (found.reason, found.detail.count("under 1000000.00 USDC")) == (Reason.NOTHING_HELPS, 1)
    assert best(least(6_001), boost()).projected.health_factor < wad("1.91")


def test_a_boost_keeps_the_days_limit() -> None:
    """A thousand dollars left, a thousand dollars swapped."""
    plan = best(RICH, boost(), left=usd(1_000))
    assert plan.spend <= usd(1_000) + len(plan.steps)
    assert plan.projected.health_factor > wad("1.90")


# --- for any account and limits --------------------------------------------------------------------------------------

thorough = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(worlds())
def test_no_plan_breaks_a_promise(world: tuple[LendingIntent, Means, PlanTerms, Allowances]) -> None:
    """For any account, wallet, limits and pools, and every plan, not only the best one.

    Never above the day's or a transaction's limit, never more than the wallet holds; no step that takes anything out
    leaves health below the floor; approvals are exact; the projection is what the moves do, and meets the promise.
    """
    wanted, now, on, allowances = world
    ways = plans(wanted, now, on, allowances)
    if isinstance(ways, Hold):
        assert ways.detail
        return
    for plan in ways:
        check_limits(plan, wanted, now)
        check_floor(plan, on)
        assert_approvals_are_exact(plan)
        check_clearing(plan, allowances)
        after = lending.figures(replayed(plan, wanted.assessment.account))
        assert after == plan.projected
        assert plan.postcondition.is_met(plan.projected)
        assert after.health_factor > plan.before.health_factor or after.debt_value < plan.before.debt_value
        assert plan.is_partial or meets(wanted.target, wanted.assessment.position)(after)
    if wanted.assessment.figures.health_factor <= on.safety.emergency_health:
        return  # near liquidation the quick ways come before the cheap ones, and in part before in whole
    sufficient = [p.cost.total for p in ways if not p.is_partial]
    assert [p.is_partial for p in ways if ", then" not in p.label] == sorted(
        p.is_partial for p in ways if ", then" not in p.label
    )
    singles = [c for p, c in zip(ways, sufficient, strict=False) if ", then" not in p.label]
    assert singles == sorted(singles)


def check_limits(plan: Plan, wanted: LendingIntent, now: Means) -> None:
    dust = len(plan.steps)
    if wanted.left_today is not None:
        assert plan.spend <= wanted.left_today + dust
    cap = wanted.rule.limits.max_spend_per_tx
    assert cap is None or max(s.spend for s in plan.steps) <= cap + dust
    paid: dict[Address, int] = {}
    for move in (s.move for s in plan.steps):
        match move:
            case Supply(asset, amount) | Repay(asset, amount):
                paid[asset] = paid.get(asset, 0) + amount
            case Withdraw(asset, amount):
                paid[asset] = paid.get(asset, 0) - (amount or 0)
            case Swap(route, sold, bought):
                paid[route.tokens[0]] = paid.get(route.tokens[0], 0) + sold
                paid[route.tokens[-1]] = paid.get(route.tokens[-1], 0) - bought
    assert all(amount <= now.wallet.tokens.get(asset, 0) for asset, amount in paid.items())


def check_floor(plan: Plan, on: PlanTerms) -> None:
    takes_out = (Withdraw, Borrow, RepayWithCollateral, Swap)
    assert all(s.health_after >= on.safety.health_floor for s in plan.steps if isinstance(s.move, takes_out))
    if not on.signer_is_owner:
        assert not any(isinstance(s.move, takes_out) for s in plan.steps)


def check_clearing(plan: Plan, allowances: Allowances) -> None:
    for (asset, spender), amount in allowances.items():
        first = next(
            (m for m in moves(plan, Approve) if isinstance(m, Approve) and (m.asset, m.spender) == (asset, spender)),
            None,
        )
        assert not amount or first is None or first.amount == 0


def test_unlimited_stays_unlimited() -> None:
    """No limit is not a very large one."""
    wanted = intent(loop())
    assert state(wanted).left_usd == UINT256_MAX
    spends: Iterable[int] = [p.spend for p in plans(wanted, state(wanted, PLENTY), terms(), {})]  # type: ignore[union-attr]
    assert all(spends)
