"""A sale by two pools: where it is cheaper by more than its gas, each part within the bound, never one pool twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import at, intent, quoted, rule, state, units
from test_flash_plans import ONLY, at_health, lent, the_loan

from keeper.core.decide import Hold
from keeper.core.lending import figures as lending
from keeper.core.lending.actions.sales import bound_of
from keeper.core.lending.moves import Flash, Route
from keeper.core.lending.pairs import Pair
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.quotes import Quote, Quotes
from keeper.core.units import BPS, Amount

WETH, USDC, DAI = at("WETH"), at("USDC"), at("DAI")
ONE, OTHER = Route((WETH, USDC), (500,), "x"), Route((WETH, USDC), (3000,), "y")


def pool(route: Route, most: int, price: int, impact: int) -> list[Quote]:
    """What a pool asks at halves of the most: an even price, and an impact that grows with the square of the size."""
    sizes = [most // share for share in (1, 2, 4, 8, 16)]
    return [Quote(route, Amount(n * price + impact * n * n // most), Amount(n), 100_000) for n in sizes]


def test_two_deep_pools_are_cheaper_than_one() -> None:
    """Half and half of two equal ones: half of the impact is saved."""
    quotes = Quotes((*pool(ONE, 10**9, 1_000, 400), *pool(OTHER, 10**9, 1_000, 400)))
    best = quotes.best(WETH, USDC, 10**9)
    two = quotes.split(WETH, USDC, 10**9, 0)
    assert best is not None
    assert two is not None
    assert {two[0].route, two[1].route} == {ONE, OTHER}
    assert two[0].bought + two[1].bought == 10**9
    assert two[0].sold + two[1].sold == best.sold - 200 * 10**9


def test_what_is_saved_has_to_be_more_than_the_gas() -> None:
    """To the unit."""
    quotes = Quotes((*pool(ONE, 10**9, 1_000, 400), *pool(OTHER, 10**9, 1_000, 400)))
    assert quotes.split(WETH, USDC, 10**9, 200 * 10**9 - 1) is not None
    assert quotes.split(WETH, USDC, 10**9, 200 * 10**9) is None


def test_one_pool_is_not_used_twice() -> None:
    """Two ways that share a pool would neither cost what they were quoted alone."""
    through = Route((WETH, DAI, USDC), (500, 500), "x")
    quotes = Quotes((*pool(through, 10**9, 1_000, 400), *pool(replace(through, fees=(500, 100)), 10**9, 1_000, 400)))
    assert quotes.split(WETH, USDC, 10**9, 0) is None


def ways(health: str, depths: dict[Route, int], fee: int = 1) -> Plan:
    wanted = intent(at_health(health), rule(actions=ONLY))
    now = state(wanted)
    on = quoted(wanted, now, lent(), 10)
    asked = sorted({q.bought for q in on.quotes.between(WETH, USDC)}, reverse=True)
    account = wanted.assessment.account
    answers = []
    for route, depth in depths.items():
        for n in asked:
            fair = lending.sale_cost(account.of(WETH), account.of(USDC), n, fee)  # type: ignore[arg-type]
            answers.append(Quote(route, Amount(fair + fair * n // depth), Amount(n), 100_000))
    found = plans(wanted, now, on.with_quotes(Quotes(tuple(answers))), {})
    assert not isinstance(found, Hold), found
    return next(p for p in found if any(isinstance(s.move, Flash) for s in p.steps))


def test_a_loan_sells_by_two_pools_in_one_call() -> None:
    """What goes each way adds up, and each part bears the worst price that the whole may have."""
    deep = {ONE: units("USDC", 40_000_000), OTHER: units("USDC", 40_000_000)}
    loan = the_loan(ways("1.05", deep))
    assert loan.beside is not None
    first, second = loan.parts
    assert (first.sold + second.sold, first.bought + second.bought) == (loan.sold, loan.bought)
    assert {first.route, second.route} == {ONE, OTHER}
    assert first.sold * second.bought == pytest.approx(second.sold * first.bought, rel=1e-9)


def test_a_pool_that_costs_too_much_takes_no_part() -> None:
    """One way, as before."""
    loan = the_loan(ways("1.05", {ONE: units("USDC", 40_000_000), OTHER: units("USDC", 50_000)}))
    assert loan.beside is None


def test_what_no_pool_bears_alone_two_bear_together() -> None:
    """Each is dearer than it may be for all of it, and fair for its part: the target is reached by one call."""
    for depth in (n * 10**12 for n in range(1, 60)):
        one, two = ways("1.05", {ONE: depth}), ways("1.05", {ONE: depth, OTHER: depth})
        if one.is_partial and not two.is_partial:
            break
    else:
        raise AssertionError("no depth at which two bear what one does not")
    loan = the_loan(two)
    assert loan.beside is not None
    assert loan.bought > the_loan(one).bought
    account = two.intent.assessment.account
    for part in loan.parts:
        bound = lending.sale_cost(account.of(WETH), account.of(USDC), part.bought, two.intent.rule.limits.worst)
        assert part.sold <= bound + 1
        given, got = account.of(WETH), account.of(USDC)
        bps = bound_of(Pair(given, got), two.intent)
        exact = part.bought * got.price.answer * given.unit * (BPS + bps)
        assert (part.sold - 1) * given.price.answer * got.unit * BPS <= exact, (
            "rounded up once: the gate takes one unit"
        )
