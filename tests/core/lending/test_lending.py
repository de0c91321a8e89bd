"""Rules of the lending arithmetic. The contract itself judges it in tests/world; here its promises are tried."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from core_builders import at, holding, position, usd, wad
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from keeper.core.lending import figures as lending
from keeper.core.lending.figures import Goal, Loan
from keeper.core.lending.position import AccountFigures, Holding
from keeper.core.units import BPS, INFINITE, UINT256_MAX, WAD, Address, Amount, Bps, Wad
from keeper.venues.aave_v3.model import BPS_WAD, RAY, AaveModel, Arithmetic, Ray, holdings_of, identified

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])

NAMES = [Address(f"0x{i:040x}") for i in range(1, 5)]
A, B, C, D = NAMES
LIMIT = 10**40


@st.composite
def balances(draw: st.DrawFn, asset: Address) -> Holding:
    """One asset, worth 0 to about 10 million dollars on each side, of 6 to 18 decimals and any price."""
    decimals = draw(st.sampled_from([6, 8, 12, 18]))
    price = draw(st.integers(10**2, 10**13))
    unit = 10**decimals
    most = 10**15 * unit // price
    threshold = draw(st.integers(1, 9500))
    return balance(
        asset,
        price,
        decimals,
        draw(st.just(0) | st.integers(0, most)),
        draw(st.just(0) | st.integers(0, most // 2)),
        is_collateral=draw(st.booleans()),
        threshold=threshold,
        ltv=draw(st.integers(0, threshold)),
    )


def balance(
    asset: Address,
    price: int,
    decimals: int,
    supplied: int,
    borrowed: int,
    *,
    is_collateral: bool,
    threshold: int,
    ltv: int,
) -> Holding:
    """An asset like any other, but for what is named."""
    usual = position(holding("WETH")).holdings[0]
    return replace(
        usual,
        asset=asset,
        decimals=decimals,
        price=replace(usual.price, answer=price),
        supplied=Amount(supplied),
        borrowed=Amount(borrowed),
        is_collateral=is_collateral,
        liquidation_factor=Wad(threshold * BPS_WAD),
        borrow_factor=Wad(ltv * BPS_WAD),
    )


def carried(account: Loan, asset: Address) -> int:
    """What a supply carries of the debt, smallest units times basis points."""
    return account.of(asset).supplied * bps(account.of(asset).liquidation_factor)


def bps(factor: int) -> int:
    """A factor in whole basis points, as the contract has it."""
    return factor // BPS_WAD


@st.composite
def accounts(draw: st.DrawFn) -> Loan:
    """Two to four assets under either rounding."""
    count = draw(st.integers(2, 4))
    found = tuple(draw(balances(asset)) for asset in NAMES[:count])
    return Loan(found, AaveModel(draw(st.sampled_from(Arithmetic))))


@st.composite
def indebted(draw: st.DrawFn) -> Loan:
    """Collateral in the first asset, debt in the second, health between liquidation and comfort."""
    account = draw(accounts())
    first, second, *others = account.holdings
    collateral = draw(st.integers(10**10, 10**15))
    threshold = draw(st.integers(3000, 9500))
    share = draw(st.integers(30, 99))
    debt = collateral * threshold * share // BPS // 100
    first = replace(
        first,
        supplied=Amount(max(1, collateral * first.unit // first.price.answer)),
        borrowed=Amount(0),
        is_collateral=True,
        liquidation_factor=Wad(threshold * BPS_WAD),
        borrow_factor=Wad(threshold * 9 // 10 * BPS_WAD),
    )
    owed = Amount(max(1, debt * second.unit // second.price.answer))
    second = replace(second, supplied=Amount(0), borrowed=owed, is_collateral=False)
    others = [replace(o, borrowed=Amount(0)) for o in others]
    return Loan((first, second, *others), account.model)


def at_least(health: int) -> Goal:
    return lambda of: of.health_factor >= health


goals = st.integers(WAD, 4 * WAD).map(at_least)
no_debt: Goal = lambda of: of.debt_value == 0  # noqa: E731


# --- figures ---------------------------------------------------------------------------------------------------------


def test_health_factor_of_the_textbook_loop() -> None:
    """10 ETH at 2,000 and a threshold of 83 % against 14,000: 1.1857."""
    figures = lending.figures(lending.account_of(ten_ether()))
    assert figures.collateral_value == usd(20_000)
    assert figures.debt_value == usd(14_000)
    assert figures.health_factor == 16_600 * WAD // 14_000
    assert figures.available_borrows == usd(20_000) * 8050 // BPS - usd(14_000)
    assert (figures.average_threshold, figures.average_ltv) == (8300, 8050)


def rounding(account: Loan) -> Arithmetic:
    assert isinstance(account.model, AaveModel)
    return account.model.arithmetic


def ten_ether() -> lending.LendingPosition:
    return position(holding("WETH", 10), holding("USDC", 0, 14_000))


def directed(account: Loan) -> AccountFigures:
    """Aave 3.6's GenericLogic in fractions: collateral floors, debt ceils, one division for the health factor."""
    collateral = [b for b in account.holdings if b.is_collateral]
    values = [b.supplied * b.price.answer // b.unit for b in collateral]
    debt = sum(-(-b.borrowed * b.price.answer // b.unit) for b in account.holdings)
    total = sum(values)
    weighted = sum(v * bps(b.liquidation_factor) for v, b in zip(values, collateral, strict=True))
    ltv = sum(v * bps(b.borrow_factor) for v, b in zip(values, collateral, strict=True)) // total if total else 0
    health = int(Fraction(weighted * WAD, debt) + Fraction(1, 2)) // BPS if debt else INFINITE
    return AccountFigures(
        total,
        debt,
        max(0, total * ltv // BPS - debt),
        Bps(weighted // total if total else 0),
        Bps(ltv),
        Wad(health),
    )


def nearest(account: Loan) -> AccountFigures:
    """Aave 3.0's GenericLogic with its own library functions."""

    def percent_mul(value: int, percentage: int) -> int:
        return (value * percentage + 5000) // 10_000

    def wad_div(a: int, b: int) -> int:
        return (a * WAD + b // 2) // b

    collateral = debt = ltv = threshold = 0
    for b in account.holdings:
        if b.is_collateral:
            value = b.supplied * b.price.answer // b.unit
            collateral += value
            ltv += value * bps(b.borrow_factor)
            threshold += value * bps(b.liquidation_factor)
        debt += b.borrowed * b.price.answer // b.unit
    ltv = ltv // collateral if collateral else 0
    threshold = threshold // collateral if collateral else 0
    health = INFINITE if not debt else wad_div(percent_mul(collateral, threshold), debt)
    available = percent_mul(collateral, ltv)
    return AccountFigures(
        collateral, debt, available - debt if available > debt else 0, Bps(threshold), Bps(ltv), Wad(health)
    )


@quick
@given(accounts())
def test_figures_are_those_of_an_independent_reading_of_the_contract(account: Loan) -> None:
    """Both roundings against a second implementation of each."""
    independent = directed if rounding(account) is Arithmetic.DIRECTED else nearest
    assert lending.figures(account) == independent(account)


@pytest.mark.parametrize(("value", "debt"), [(249_274_778_776, 37_776_884_677), (235_683_651_157, 539_563_123_711)])
def test_the_health_factor_is_divided_half_up_before_it_is_cut_to_basis_points(value: int, debt: int) -> None:
    """wadDiv first, then / 100_00: one account in twenty thousand tells the difference, and these two do."""
    one = balance(A, 10**8, 8, value, 0, is_collateral=True, threshold=8300, ltv=0)
    other = replace(one, asset=B, supplied=Amount(0), borrowed=Amount(debt), is_collateral=False)
    account = Loan((one, other), AaveModel(Arithmetic.DIRECTED))
    assert lending.figures(account) == directed(account)
    assert lending.health_factor(account) == value * 8300 * WAD // debt // BPS + 1


@quick
@given(scaled=st.integers(0, 10**30), supply=st.integers(RAY, 3 * RAY), debt=st.integers(RAY, 3 * RAY))
def test_balances_are_rounded_as_each_market_rounds_them(scaled: int, supply: int, debt: int) -> None:
    """Directed: supply floors and debt ceils. Nearest: rayMul, half up, for both."""
    usual = holding("WETH", supply_index=Ray(supply), debt_index=Ray(debt))
    of = replace(usual, ledger=replace(usual.ledger, scaled_supply=scaled, scaled_debt=scaled))
    (floored,) = holdings_of((of,), Arithmetic.DIRECTED)
    assert floored.supplied == scaled * supply // RAY
    assert floored.borrowed == -(-scaled * debt // RAY)
    (rounded,) = holdings_of((of,), Arithmetic.NEAREST)
    assert rounded.supplied == (scaled * supply + RAY // 2) // RAY
    assert rounded.borrowed == (scaled * debt + RAY // 2) // RAY


@quick
@given(accounts())
def test_supplies_that_are_not_collateral_change_no_figure(account: Loan) -> None:
    """They are the owner's, and secure nothing."""
    idle = replace(
        account, holdings=tuple(b if b.is_collateral else replace(b, supplied=Amount(0)) for b in account.holdings)
    )
    assert lending.figures(idle) == lending.figures(account)


def test_the_rounding_is_told_by_the_figures() -> None:
    """A market of either version is recognised, and a third rounding is not guessed at."""
    awkward = holding("WETH", "1.234567890123456789")
    debt = holding("USDC", 0, "1234.567891", debt_index=Ray(RAY + 333_333_333_333), price="0.99987654")
    for arithmetic in Arithmetic:
        reported = position(awkward, debt, arithmetic=arithmetic).reported
        model, holdings = identified((awkward, debt), reported, 0)
        assert model.arithmetic is arithmetic
        assert model.figures(holdings) == reported
    of = position(awkward, debt)
    wrong = replace(of.reported, health_factor=Wad(of.reported.health_factor + 1))
    model, holdings = identified((awkward, debt), wrong, 0)
    assert model.figures(holdings) != wrong
    assert lending.proven(replace(of, holdings=holdings, model=model, reported=wrong)) is None


@pytest.mark.parametrize("field", ["collateral_value", "debt_value", "available_borrows", "average_ltv"])
def test_every_figure_has_to_agree(field: str) -> None:
    """One unit in any of them is a disagreement."""
    of = ten_ether()
    wrong = replace(of.reported, **{field: getattr(of.reported, field) + 1})
    assert lending.proven(of) is not None
    assert lending.proven(replace(of, reported=wrong)) is None


# --- edges -----------------------------------------------------------------------------------------------------------


def test_an_account_without_debt_is_infinitely_healthy() -> None:
    """As the protocol says it: 2^256 - 1; no LTV, the whole way to fall."""
    figures = lending.figures(lending.account_of(position(holding("WETH", 10))))
    assert figures.health_factor == INFINITE
    assert lending.current_ltv(figures) == 0
    assert lending.liquidation_distance(figures) == WAD


def test_debt_without_collateral_is_as_unsafe_as_can_be() -> None:
    """Health zero, LTV without bound, no distance left."""
    of = position(holding("WETH", 10, is_collateral=False), holding("USDC", 0, 5))
    figures = lending.figures(lending.account_of(of))
    assert figures.health_factor == 0
    assert lending.current_ltv(figures) == INFINITE
    assert lending.liquidation_distance(figures) == 0


def test_a_missing_asset_is_an_error_and_not_zero() -> None:
    """Neither a balance nor a projection is made up for it."""
    account = lending.account_of(ten_ether())
    with pytest.raises(KeyError):
        account.of(at("WBTC"))
    with pytest.raises(KeyError):
        lending.after(account, at("WBTC"), supply=1)


@pytest.mark.parametrize(("supply", "debt"), [(-10 * WAD - 1, 0), (0, -1)])
def test_a_balance_never_falls_below_zero(supply: int, debt: int) -> None:
    """Such a move cannot be made."""
    account = lending.account_of(ten_ether())
    with pytest.raises(ValueError, match="supplied"):
        lending.after(account, at("WETH"), supply=supply, debt=debt)


@quick
@given(indebted())
def test_current_ltv_rounds_against_the_owner(account: Loan) -> None:
    """Up, by less than one unit."""
    figures = lending.figures(account)
    assume(figures.collateral_value)
    exact = Fraction(figures.debt_value * WAD, figures.collateral_value)
    assert 0 <= lending.current_ltv(figures) - exact < 1


# --- distance and price of liquidation -------------------------------------------------------------------------------


@quick
@given(st.integers(1, 10**20))
def test_liquidation_distance_rounds_against_the_owner(health: int) -> None:
    """``1 - 1 / HF``, down by less than one unit, and zero once liquidatable."""
    distance = lending.liquidation_distance_at(Wad(health))
    exact = max(Fraction(0), WAD - Fraction(WAD * WAD, health))
    assert 0 <= exact - distance < 1
    assert 0 <= distance <= WAD
    assert (distance == 0) or health > WAD


@pytest.mark.parametrize(
    ("health", "distance"), [("1", "0"), ("2", "0.5"), ("1.25", "0.2"), ("0.5", "0"), ("4", "0.75")]
)
def test_liquidation_distance_of_known_health_factors(health: str, distance: str) -> None:
    """Health 1.25 is a fall of a fifth away."""
    assert lending.liquidation_distance_at(wad(health)) == wad(distance)


def test_liquidation_distance_at_the_ends() -> None:
    """No debt: the whole way. Health zero: none."""
    assert lending.liquidation_distance_at(INFINITE) == WAD
    assert lending.liquidation_distance_at(Wad(0)) == 0


@quick
@given(indebted())
def test_health_crosses_one_at_the_liquidation_price(account: Loan) -> None:
    """One unit of price below it health is below 1; above it, flooring of values aside, it is not."""
    assume(rounding(account) is Arithmetic.DIRECTED)
    crossing = lending.liquidation_price(account, A)
    assume(crossing is not None and crossing > 1)
    assert crossing
    assert health_at(account, A, crossing - 1) < WAD
    # each value is floored by less than one base unit, so one base unit of slack per asset is enough
    slack = -(-len(NAMES) * account.of(A).unit * BPS // carried(account, A))
    assert health_at(account, A, crossing + slack) >= WAD


@quick
@given(indebted())
def test_no_liquidation_price_means_no_price_liquidates(account: Loan) -> None:
    """None only when even a price of nearly nothing leaves health at 1 or above, or the asset secures nothing."""
    for asset in (b.asset for b in account.holdings):
        if lending.liquidation_price(account, asset) is None and account.of(asset).is_collateral:
            without = replace(
                account, holdings=tuple(lending.priced(b, 0) if b.asset == asset else b for b in account.holdings)
            )
            is_net_debt = carried(account, asset) <= account.of(asset).borrowed * BPS
            assert is_net_debt or lending.health_factor(without) >= WAD - 1


def health_at(account: Loan, asset: Address, price: int) -> int:
    changed = tuple(lending.priced(b, price) if b.asset == asset else b for b in account.holdings)
    return lending.health_factor(replace(account, holdings=changed))


def test_liquidation_price_of_the_textbook_loop() -> None:
    """14,000 / (10 x 0.83) = 1,686.75, rounded up to the feed's unit."""
    account = lending.account_of(ten_ether())
    assert lending.liquidation_price(account, at("WETH")) == -(-14_000 * 10**8 * BPS // (10 * 8300))


def test_a_debt_has_no_price_to_fall_to() -> None:
    """The fall of a debt's price helps; and a collateral that the rest makes unnecessary has none either."""
    of = position(holding("WETH", 10), holding("WBTC", 1), holding("USDC", 0, 14_000))
    account = lending.account_of(of)
    assert lending.liquidation_price(account, at("USDC")) is None
    assert lending.liquidation_price(account, at("WETH")) is None
    assert lending.liquidation_price(lending.account_of(position(holding("WETH", 1))), at("WETH")) is None


# --- supply and repay ------------------------------------------------------------------------------------------------


@quick
@given(indebted(), goals)
def test_supply_to_reach_is_sufficient_and_least(account: Loan, goal: Goal) -> None:
    """The goal holds with it and fails with one unit less."""
    amount = lending.supply_to_reach(account, A, goal, LIMIT)
    assert amount is not None
    assert goal(lending.figures(lending.after(account, A, supply=amount)))
    assert amount == 0 or not goal(lending.figures(lending.after(account, A, supply=amount - 1)))


@quick
@given(indebted(), goals, st.integers(1, 10**6))
def test_supply_to_reach_keeps_its_limit(account: Loan, goal: Goal, less: int) -> None:
    """None when the limit is one unit short, never less than what is needed."""
    amount = lending.supply_to_reach(account, A, goal, LIMIT)
    assert amount is not None
    assume(amount)
    assert lending.supply_to_reach(account, A, goal, amount) == amount
    assert lending.supply_to_reach(account, A, goal, max(0, amount - less)) is None


@quick
@given(indebted(), goals)
def test_repay_to_reach_is_sufficient_and_least(account: Loan, goal: Goal) -> None:
    """The goal holds with it and fails with one unit less; all of the only debt always suffices."""
    amount = lending.repay_to_reach(account, B, goal, UINT256_MAX)
    assert amount is not None
    assert amount <= account.of(B).borrowed
    assert goal(lending.figures(lending.after(account, B, debt=-amount)))
    assert amount == 0 or not goal(lending.figures(lending.after(account, B, debt=1 - amount)))


@quick
@given(indebted(), goals)
def test_repay_to_reach_keeps_its_limit(account: Loan, goal: Goal) -> None:
    """One unit short is None."""
    amount = lending.repay_to_reach(account, B, goal, UINT256_MAX)
    assert amount is not None
    assume(amount)
    assert lending.repay_to_reach(account, B, goal, amount) == amount
    assert lending.repay_to_reach(account, B, goal, amount - 1) is None


@quick
@given(indebted())
def test_only_the_whole_debt_closes_a_position(account: Loan) -> None:
    """Where every unit of debt is worth at least a base unit or is rounded up to one, all must go."""
    assume(rounding(account) is Arithmetic.DIRECTED)
    assert lending.repay_to_reach(account, B, no_debt, UINT256_MAX) == account.of(B).borrowed


@quick
@given(indebted(), goals, st.integers(0, 100))
def test_repay_with_collateral_is_sufficient_least_and_within_both_balances(
    account: Loan, goal: Goal, share: int
) -> None:
    """Supply and debt of one asset shrink together."""
    debt = account.of(B)
    supplied = Amount(debt.borrowed * share // 100)
    factor = Wad(min(debt.liquidation_factor, 9000 * BPS_WAD))
    both = replace(debt, supplied=supplied, is_collateral=share % 2 == 0, liquidation_factor=factor)
    account = replace(account, holdings=tuple(both if b.asset == B else b for b in account.holdings))
    amount = lending.repay_with_collateral_to_reach(account, B, goal, UINT256_MAX)
    most = min(both.borrowed, both.supplied)
    if amount is None:
        assert not goal(lending.figures(lending.after(account, B, supply=-most, debt=-most)))
        return
    assert amount <= most
    assert goal(lending.figures(lending.after(account, B, supply=-amount, debt=-amount)))
    assert amount == 0 or not goal(lending.figures(lending.after(account, B, supply=1 - amount, debt=1 - amount)))
    assert not amount or lending.repay_with_collateral_to_reach(account, B, goal, amount - 1) is None


@quick
@given(indebted(), st.integers(WAD, 3 * WAD), st.integers(0, WAD))
def test_a_further_goal_never_costs_less(account: Loan, health: int, further: int) -> None:
    """Supply and repayment are monotone in the goal."""
    for solve in (
        lambda g: lending.supply_to_reach(account, A, g, LIMIT),
        lambda g: lending.repay_to_reach(account, B, g, UINT256_MAX),
    ):
        near, far = solve(at_least(health)), solve(at_least(health + further))
        assert near is not None
        assert far is not None
        assert near <= far


def test_what_is_met_needs_nothing() -> None:
    """Zero, not None: there is nothing to do."""
    account = lending.account_of(ten_ether())
    met = at_least(WAD)
    assert lending.supply_to_reach(account, at("WETH"), met, 0) == 0
    assert lending.repay_to_reach(account, at("USDC"), met, 0) == 0


def test_what_is_not_collateral_does_not_help() -> None:
    """Supplying an asset that is switched off reaches nothing, whatever the amount."""
    of = position(holding("WETH", 10), holding("DAI", 1, is_collateral=False), holding("USDC", 0, 14_000))
    account = lending.account_of(of)
    assert lending.supply_to_reach(account, at("DAI"), at_least(2 * WAD), LIMIT) is None
    on = lending.with_collateral(account, at("DAI"))
    assert lending.supply_to_reach(on, at("DAI"), at_least(2 * WAD), LIMIT)


# --- selling and buying ----------------------------------------------------------------------------------------------

slippages = st.integers(0, 500).map(Bps)


@quick
@given(indebted(), st.integers(1, 10**30), slippages)
def test_sale_cost_rounds_against_the_owner(account: Loan, bought: int, slippage: Bps) -> None:
    """Up, by less than one smallest unit."""
    sell, buy = account.of(A), account.of(B)
    exact = Fraction(bought * buy.price.answer * sell.unit * (BPS + slippage), buy.unit * sell.price.answer * BPS)
    assert 0 <= lending.sale_cost(sell, buy, bought, slippage) - exact < 1


@quick
@given(indebted(), goals, slippages)
def test_deleverage_to_reach_is_sufficient_and_least(account: Loan, goal: Goal, slippage: Bps) -> None:
    """The goal holds after the sale, fails for one unit of debt less, and nothing is sold that is not there."""
    sale = lending.deleverage_to_reach(account, A, B, goal, slippage, UINT256_MAX)
    if sale is None:
        most = lending.deleverage_most(account, A, B, slippage, UINT256_MAX)
        assert not goal(lending.figures(lending.sold(account, A, B, most)))
        return
    assert sale.sold <= account.of(A).supplied
    assert sale.bought <= account.of(B).borrowed
    assert sale.sold == lending.sale_cost(account.of(A), account.of(B), sale.bought, slippage)
    assert goal(lending.figures(lending.sold(account, A, B, sale)))
    if sale.bought:
        less = lending.Sale(
            lending.sale_cost(account.of(A), account.of(B), sale.bought - 1, slippage), Amount(sale.bought - 1)
        )
        assert not goal(lending.figures(lending.sold(account, A, B, less)))
        assert lending.deleverage_to_reach(account, A, B, goal, slippage, sale.bought - 1) is None


@quick
@given(indebted(), slippages, st.integers(0, 10**30))
def test_deleverage_most_is_the_most(account: Loan, slippage: Bps, limit: int) -> None:
    """Bounded by the limit, the debt and the collateral; one unit more breaks one of the three."""
    sale = lending.deleverage_most(account, A, B, slippage, limit)
    sell, buy = account.of(A), account.of(B)
    assert sale.bought <= min(limit, buy.borrowed)
    assert sale.sold <= sell.supplied
    assert sale.bought == min(limit, buy.borrowed) or (
        lending.sale_cost(sell, buy, sale.bought + 1, slippage) > sell.supplied
    )


@quick
@given(indebted(), goals)
def test_a_worse_price_never_sells_less(account: Loan, goal: Goal) -> None:
    """More slippage, more collateral for the same goal."""
    cheap = lending.deleverage_to_reach(account, A, B, goal, Bps(10), UINT256_MAX)
    dear = lending.deleverage_to_reach(account, A, B, goal, Bps(200), UINT256_MAX)
    assert cheap or not dear
    if cheap and dear:
        assert cheap.sold <= dear.sold
        assert cheap.bought <= dear.bought


@quick
@given(indebted(), st.integers(11, 30), slippages)
def test_leverage_to_reach_keeps_the_goal_and_uses_all_of_it(account: Loan, tenths: int, slippage: Bps) -> None:
    """The goal still holds; with one unit more borrowed at the same price it would not, or the limit is reached."""
    goal, limit = at_least(tenths * WAD // 10), 10**15 * account.of(B).unit // account.of(B).price.answer
    deal = lending.leverage_to_reach(account, B, A, goal, slippage, limit)
    debt, collateral = account.of(B), account.of(A)

    def bought_for(borrowed: int) -> int:
        return int(
            Fraction(
                borrowed * debt.price.answer * collateral.unit * BPS,
                debt.unit * collateral.price.answer * (BPS + slippage),
            )
        )

    def goes(borrowed: int) -> bool:
        then = lending.after(lending.after(account, B, debt=borrowed), A, supply=bought_for(borrowed))
        return goal(lending.figures(then))

    if deal is None:
        assert not goal(lending.figures(account)) or not goes(1) or limit == 0
        return
    assert deal.sold <= limit
    assert deal.bought == bought_for(deal.sold), "gained at least: rounded down"
    assert goes(deal.sold)
    assert deal.sold == limit or not goes(deal.sold + 1)


def test_leverage_and_deleverage_are_opposites() -> None:
    """What was bought on credit can be sold again for what was borrowed, at the oracle's own price."""
    of = position(holding("WETH", 10), holding("USDC", 0, 5_000))
    account = lending.account_of(of)
    before = lending.health_factor(account)
    deal = lending.leverage_to_reach(account, at("USDC"), at("WETH"), at_least(2 * WAD), Bps(0), LIMIT)
    assert deal
    raised = lending.after(lending.after(account, at("USDC"), debt=deal.sold), at("WETH"), supply=deal.bought)
    back = lending.deleverage_to_reach(raised, at("WETH"), at("USDC"), at_least(before), Bps(0), LIMIT)
    assert back
    assert abs(back.bought - deal.sold) <= 1


# --- withdrawing -----------------------------------------------------------------------------------------------------


@quick
@given(indebted(), st.integers(WAD, 2 * WAD).map(Wad))
def test_withdrawable_is_the_most_that_leaves_the_floor(account: Loan, floor: Wad) -> None:
    """The floor holds after it; one unit more breaks it or is not there. Nothing when it is broken already."""
    amount = lending.withdrawable(account, A, floor)
    supplied = account.of(A).supplied
    assert amount <= supplied
    if lending.health_factor(account) < floor:
        assert amount == 0
        return
    assert lending.health_factor(lending.after(account, A, supply=-amount)) >= floor
    if rounding(account) is Arithmetic.DIRECTED and amount < supplied:
        assert lending.health_factor(lending.after(account, A, supply=-amount - 1)) < floor


def test_all_can_be_withdrawn_without_debt() -> None:
    """There is nothing to keep healthy."""
    account = lending.account_of(position(holding("WETH", 10)))
    assert lending.withdrawable(account, at("WETH"), wad("1.02")) == 10 * WAD


@quick
@given(indebted(), st.integers(0, 10**24))
def test_value_is_rounded_down(account: Loan, amount: int) -> None:
    """An amount is never said to be worth more than it is."""
    of = account.of(A)
    assert 0 <= Fraction(amount * of.price.answer, of.unit) - lending.value_down(of, amount) < 1


def test_an_asset_that_is_unpledged_secures_nothing_and_no_other_changes() -> None:
    """And counts again once it is pledged."""
    of = position(holding("WETH", 10), holding("DAI", 3_000), holding("WBTC", 1), holding("USDC", 0, 14_000))
    account = lending.account_of(of)
    kept = [b.asset for b in account.holdings if b.is_collateral]
    one = kept[0]
    off = lending.without_collateral(account, one)
    assert [b.asset for b in off.holdings if b.is_collateral] == [a for a in kept if a != one]
    assert lending.health_factor(off) < lending.health_factor(account)
    assert lending.with_collateral(off, one) == account
