"""Rules that rearrange a loan: shares measured, swaps sized to the band, none that costs too much or hurts health."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import BLOCK, at, holding, intent, limits, position, quoted, rule, state, terms, units, wad

from keeper.core.decide import Decided, Hold, decide
from keeper.core.held_back import Memory
from keeper.core.lending.actions import SWAP_COLLATERAL, SWAP_DEBT
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.lending.moves import Borrow, Move, Repay, Supply, Swap, Withdraw
from keeper.core.lending.plan import Plan, plans
from keeper.core.lending.proposals import PlanTerms
from keeper.core.lending.rules import LendingIntent
from keeper.core.lending.share_metrics import BAND, COLLATERAL_SHARE, DEBT_SHARE, EVERY, owed, part_of, secured, share
from keeper.core.metrics import Subject, Target, Trigger
from keeper.core.reasons import Reason
from keeper.core.rules import Rule, assess
from keeper.core.scales import Beyond
from keeper.core.snapshot import LendingPosition
from keeper.core.units import DAY_S, WAD, Bps

WETH = Subject("WETH")
FREELY = {at(s): 10**30 for s in ("WETH", "USDC", "DAI", "WBTC")}


def swap_rule(
    *, above: str = "0.60", to: str = "0.50", of: Subject = WETH, action: object = SWAP_COLLATERAL, **changes: object
) -> Rule:
    metric = COLLATERAL_SHARE if action is SWAP_COLLATERAL else DEBT_SHARE
    trigger = Trigger(metric, Beyond.ABOVE, wad(above), of)
    target = Target(metric, wad(to), of, BAND)
    usual = replace(rule(actions=(action,)), trigger=trigger, target=target, into=("USDC", "DAI"))  # type: ignore[arg-type]
    return replace(usual, **changes)  # type: ignore[arg-type]


def portfolio() -> LendingPosition:
    """80 ether at 2,000 and 40,000 DAI against 50,000 USDC: ether is four fifths."""
    return position(holding("WETH", 80), holding("DAI", 40_000), holding("USDC", 0, 50_000), holding("WBTC"))


def ways(of: LendingPosition, by: Rule, on: PlanTerms | None = None, cost_bps: int = 10) -> tuple[Plan, ...] | Hold:
    wanted = intent(of, by)
    now = state(wanted)
    return plans(wanted, now, quoted(wanted, now, on or terms(), cost_bps), {})


def the_plan(found: tuple[Plan, ...] | Hold) -> Plan:
    assert not isinstance(found, Hold), found
    return found[0]


def kinds(plan: Plan) -> list[type[Move]]:
    return [type(s.move) for s in plan.steps if type(s.move).__name__ != "Approve"]


def share_after(plan: Plan, symbol: str, of: LendingPosition) -> float:
    """Replayed at what the swap buys at least and gives at most."""
    supplied = {h.asset: h.supplied for h in of.holdings}
    for move in (s.move for s in plan.steps):
        if isinstance(move, Withdraw):
            supplied[move.asset] -= move.amount or 0  # type: ignore[assignment]
        if isinstance(move, Supply):
            supplied[move.asset] += move.amount  # type: ignore[assignment]
    values = {h.symbol: h.usd_down(supplied[h.asset]) for h in of.holdings}
    return values[symbol] / sum(values.values())


def test_a_share_is_measured_by_value() -> None:
    """Of what secures debts, and of what is owed."""
    p = portfolio()
    assert share(p.holdings, part_of(p.holdings, WETH), secured) == wad("0.8")
    assert share(p.holdings, part_of(p.holdings, Subject("USDC")), owed) == WAD
    assert share(p.holdings, part_of(p.holdings, Subject()), secured) == wad("0.8"), "what moves, without a name"


def test_too_much_of_a_collateral_is_swapped_until_its_share_is_right() -> None:
    """Withdraw, swap, supply; exact, within the band, and health stays."""
    plan = the_plan(ways(portfolio(), swap_rule()))
    assert kinds(plan)[:3] == [Withdraw, Swap, Supply]
    assert share_after(plan, "WETH", portfolio()) == pytest.approx(0.5, abs=0.02)
    assert not plan.is_partial


def test_too_little_is_bought_back() -> None:
    """A schedule works from both sides: dollars into ether."""
    of = position(holding("WETH", 20), holding("DAI", 160_000), holding("USDC", 0, 50_000))
    by = swap_rule(trigger=Trigger(EVERY, Beyond.UP_TO, 7 * DAY_S), every_s=7 * DAY_S)
    plan = the_plan(ways(of, by))
    swap = next(s.move for s in plan.steps if isinstance(s.move, Swap))
    assert (swap.route.tokens[0], swap.route.tokens[-1]) == (at("DAI"), at("WETH"))
    assert share_after(plan, "WETH", of) == pytest.approx(0.5, abs=0.02)


def test_a_debt_is_swapped_for_another() -> None:
    """Borrow, swap, repay: until the share of the debts is right."""
    of = position(holding("WETH", 100), holding("USDC", 0, 60_000), holding("DAI", 0, 20_000))
    by = swap_rule(above="0.60", to="0.50", of=Subject("USDC"), action=SWAP_DEBT, into=("DAI",))
    plan = the_plan(ways(of, by))
    assert kinds(plan)[:3] == [Borrow, Swap, Repay]
    paid = sum(s.move.amount for s in plan.steps if isinstance(s.move, Repay))
    assert paid == pytest.approx(units("USDC", 20_000), rel=0.03)


def test_a_whole_debt_is_swapped_away() -> None:
    """A share of zero: all of it, interest until mining ready."""
    of = position(holding("WETH", 100), holding("USDC", 0, 20_000), holding("DAI", 0, 20_000))
    by = swap_rule(above="0.40", to="0", of=Subject("USDC"), action=SWAP_DEBT, into=("DAI",))
    plan = the_plan(ways(of, by))
    assert any(isinstance(s.move, Repay) and s.move.is_all for s in plan.steps)
    assert plan.postcondition.is_met(plan.projected, _after(plan, of))


def _after(plan: Plan, of: LendingPosition) -> tuple:  # type: ignore[type-arg]
    borrowed = {h.asset: h.borrowed for h in of.holdings}
    for move in (s.move for s in plan.steps):
        if isinstance(move, Borrow):
            borrowed[move.asset] += move.amount  # type: ignore[assignment]
        if isinstance(move, Repay):
            borrowed[move.asset] = max(0, borrowed[move.asset] - move.amount)  # type: ignore[assignment]
    return tuple(replace(h, borrowed=borrowed[h.asset]) for h in of.holdings)


def test_only_what_the_rule_names_is_swapped_into_and_the_calmest_of_it_first() -> None:
    """Dollar coins before what moves, where no history says otherwise."""
    plan = the_plan(ways(portfolio(), swap_rule(into=("WBTC",))))
    assert next(s.move for s in plan.steps if isinstance(s.move, Swap)).route.tokens[-1] == at("WBTC")
    plan = the_plan(ways(portfolio(), swap_rule(into=())))
    assert next(s.move for s in plan.steps if isinstance(s.move, Swap)).route.tokens[-1] in (at("DAI"), at("USDC"))


def test_what_costs_too_large_a_share_of_what_it_moves_is_left() -> None:
    """By name, with the figure."""
    by = swap_rule(limits=replace(limits(slippage=100), max_cost=Bps(30)))
    found = ways(portfolio(), by, cost_bps=60)
    assert isinstance(found, Hold)
    assert found.reason is Reason.COSTS_TOO_MUCH


def test_a_swap_gives_no_more_than_a_hair_beyond_what_pools_ask() -> None:
    """What it does not give lies in the wallet: it is at most a thousandth."""
    plan = the_plan(ways(portfolio(), swap_rule(limits=limits(slippage=100))))
    swap = next(s.move for s in plan.steps if isinstance(s.move, Swap))
    given = portfolio().holding(at("WETH")).usd_down(swap.sold)
    got = portfolio().holding(swap.route.tokens[-1]).usd_down(swap.bought)
    assert given * 10_000 <= got * (10_000 + 10 + 10 + 2)


def judged(of: LendingPosition, *rules: Rule, memory: Memory | None = None) -> Decided[LendingIntent]:
    found = assess(LENDING, of, rules, ())
    return decide(LENDING, found, memory or Memory(), terms().safety)  # type: ignore[type-var, arg-type]


def test_within_its_band_nothing_is_asked_for() -> None:
    """Quietly: neither an act nor an alarm."""
    of = position(holding("WETH", 50), holding("DAI", 98_000), holding("USDC", 0, 50_000))
    by = swap_rule(trigger=Trigger(EVERY, Beyond.UP_TO, 7 * DAY_S), every_s=7 * DAY_S)
    (hold,) = judged(of, by).holds
    assert hold.reason is Reason.AT_TARGET
    assert hold.is_quiet


def test_a_schedule_acts_once_in_its_time() -> None:
    """However short its cooldown is; and then at once, as soon as it is out of its band."""
    by = swap_rule(trigger=Trigger(EVERY, Beyond.UP_TO, 7 * DAY_S), every_s=7 * DAY_S, cooldown_s=60)
    key = (by.position, by.name)
    early = Memory(acted_at={key: BLOCK.timestamp - 6 * DAY_S})
    (hold,) = judged(portfolio(), by, memory=early).holds
    assert (hold.reason, hold.is_quiet) == (Reason.COOLDOWN, True)
    late = Memory(acted_at={key: BLOCK.timestamp - 8 * DAY_S})
    assert judged(portfolio(), by, memory=late).intents


def test_a_rescue_goes_first_and_none_fires_afterwards() -> None:
    """A swap is no rescue: it waits for one, and may not end where one would begin."""
    protect = rule(below="9", to="10")
    protect = replace(protect, name="protect too")
    asked = judged(portfolio(), swap_rule(), protect)
    assert [i.rule.name for i in asked.intents] == ["protect too"]
    assert Reason.RESCUE_FIRST in {h.reason for h in asked.holds}
    health = Trigger(HEALTH_FACTOR, Beyond.BELOW, portfolio().reported.health_factor - WAD // 1000)
    guarded = replace(rule(to="10"), name="guard", trigger=health)
    found = assess(LENDING, portfolio(), (swap_rule(into=("WBTC",)), guarded), ())
    (wanted,) = decide(LENDING, found, Memory(), terms().safety).intents  # type: ignore[type-var, arg-type]
    now = state(wanted)
    held = plans(wanted, now, quoted(wanted, now, terms()), {})
    assert isinstance(held, Hold)
    assert "rule guard would fire" in held.detail


def test_a_guardian_rearranges_nothing() -> None:
    """It can only give."""
    found = ways(portfolio(), swap_rule(), terms(signer_is_owner=False))
    assert isinstance(found, Hold)
    assert found.reason is Reason.NOT_ALLOWED_FOR_GUARDIAN


def test_near_liquidation_it_goes_in_rounds_above_the_floor() -> None:
    """Little may leave at once; what is not reached is done in part."""
    of = position(holding("WETH", 50), holding("DAI", 10_000), holding("USDC", 0, 70_000))
    plan = the_plan(ways(of, swap_rule(above="0.60", to="0.30")))
    assert kinds(plan).count(Withdraw) > 1
    assert all(s.health_after >= terms().safety.health_floor for s in plan.steps)
