"""When a fired rule may act, and with what; and every reason to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import (
    GUARDIAN,
    NOW,
    OWNER,
    above,
    assessed,
    at,
    below,
    holding,
    limits,
    loop,
    memory,
    position,
    rule,
    safety,
    to_health,
    to_ltv,
    usd,
    wad,
)

from keeper.core.actions import Action
from keeper.core.decide import Hold, decide
from keeper.core.held_back import EMERGENCY_TRIES, TRIES, Memory
from keeper.core.lending import actions
from keeper.core.lending import figures as lending
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import (
    CLOSED,
    HEALTH_FACTOR,
    LIQUIDATION_DISTANCE,
    LTV,
    PRICE,
    LendingTarget,
    LendingTrigger,
)
from keeper.core.lending.rules import LendingIntent, Rule
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.snapshot import LendingPosition
from keeper.core.units import WAD, Wad, Wei

STALE = Doubt(Reason.PRICE_STALE, "WETH is 7200 s old")
HEALTHY = loop(dollars="9000")
EMERGENCY = loop(dollars="15100")  # health 1.0993


def decided(
    of: LendingPosition, *rules: Rule, past: Memory | None = None, doubts: tuple[Doubt, ...] = ()
) -> Hold | LendingIntent:
    return decide(LENDING, assessed(of, *rules, doubts=doubts), past or memory(), safety(), OWNER).lead


def held(of: LendingPosition, *rules: Rule, past: Memory | None = None, doubts: tuple[Doubt, ...] = ()) -> Hold:
    found = decided(of, *rules, past=past, doubts=doubts)
    assert isinstance(found, Hold), found
    return found


def meant(
    of: LendingPosition, *rules: Rule, past: Memory | None = None, doubts: tuple[Doubt, ...] = ()
) -> LendingIntent:
    found = decided(of, *rules, past=past, doubts=doubts)
    assert isinstance(found, LendingIntent), found
    return found


def test_a_fired_rule_becomes_an_intent_with_all_its_actions() -> None:
    """Nothing forbidden, nothing left out, no limit where none is set."""
    found = meant(loop(), rule())
    assert found.rule == rule()
    assert found.actions == (actions.TOP_UP, actions.REPAY, actions.DELEVERAGE)
    assert found.forbidden == ()
    assert found.left_today is None
    assert found.target == to_health(wad("1.60"))


def test_a_healthy_position_is_held_quietly() -> None:
    """No rule asks for anything."""
    found = held(HEALTHY, rule())
    assert found == Hold("loop", None, Reason.HEALTHY)
    assert found.is_quiet
    assert not found.leaves_in_danger


@pytest.mark.parametrize("reason", [Reason.NO_POSITION, Reason.POSITION_UNREADABLE, Reason.FIGURES_DISAGREE])
def test_what_is_unjudged_is_held_for_its_reason_and_never_called_healthy(reason: Reason) -> None:
    """And it is not quiet: the owner hears of it."""
    found = decide(LENDING, Unjudged("loop", Doubt(reason, "why")), memory(), safety(), OWNER).lead
    assert found == Hold("loop", None, reason, "why")
    assert not found.is_quiet


# --- cooldown and emergency ------------------------------------------------------------------------------------------


def acted(seconds_ago: int, name: str = "protect", where: str = "loop") -> Memory:
    return memory(acted_at={(where, name): NOW - seconds_ago})


@pytest.mark.parametrize(("seconds_ago", "left"), [(0, 600), (1, 599), (599, 1)])
def test_a_cooldown_holds_until_it_is_over(seconds_ago: int, left: int) -> None:
    """Ten minutes of the chain's time; the detail says how much is left."""
    found = held(loop(), rule(), past=acted(seconds_ago))
    assert found.reason is Reason.COOLDOWN
    assert found.detail == f"{left} s left"
    assert not found.leaves_in_danger


@pytest.mark.parametrize("past", [acted(600), acted(10**6), acted(0, name="other"), acted(0, where="elsewhere")])
def test_a_cooldown_that_is_over_or_anothers_holds_nothing(past: Memory) -> None:
    """It belongs to one rule of one position."""
    assert meant(loop(), rule(), past=past)


def test_an_emergency_lifts_the_cooldown() -> None:
    """At 1.0993, below 1.10, the rescue does not wait."""
    assert meant(EMERGENCY, rule(), past=acted(1))


def test_the_emergency_bound_itself_counts() -> None:
    """At it or below it; one unit above it the cooldown holds."""
    of = loop(dollars="15000")
    health = assessed(of).figures.health_factor
    found = assessed(of, rule())
    assert isinstance(decide(LENDING, found, acted(1), safety(emergency_health=health), OWNER).lead, LendingIntent)
    above = decide(LENDING, found, acted(1), safety(emergency_health=Wad(health - 1)), OWNER).lead
    assert isinstance(above, Hold)
    assert above.reason is Reason.COOLDOWN


@pytest.mark.parametrize(("dollars_then", "waits"), [("2100", False), ("2010", False), ("2000", True), ("1900", True)])
def test_a_new_low_after_a_rescue_is_a_new_danger_and_does_not_wait(dollars_then: str, waits: bool) -> None:
    """Ether at 2,000: worse than what the rule acted on, it acts again; no worse, it waits."""
    past = replace(acted(1), acted_on={("loop", "protect"): {at("WETH"): usd(dollars_then)}})
    if waits:
        assert held(loop(), rule(), past=past).reason is Reason.COOLDOWN
    else:
        assert meant(loop(), rule(), past=past)


def test_a_position_that_its_owner_made_worse_waits_for_the_cooldown() -> None:
    """More debt at the same prices is no fall of the market."""
    past = replace(acted(1), acted_on={("loop", "protect"): {at("WETH"): usd(2000), at("USDC"): usd(1)}})
    assert held(loop(dollars="14500"), rule(), past=past).reason is Reason.COOLDOWN


def test_no_emergency_lifts_a_boosts_cooldown() -> None:
    """Adding leverage is never urgent."""
    boost = rule(
        actions=(actions.LEVERAGE_UP,),
        to="1.05",
        trigger=above(HEALTH_FACTOR, wad("1.06")),
    )
    assert held(EMERGENCY, boost, past=acted(1)).reason is Reason.COOLDOWN


# --- doubts ----------------------------------------------------------------------------------------------------------


def test_doubts_forbid_trading_and_leave_top_up_and_repay() -> None:
    """Those cannot lose to a bad price; what is forbidden is carried with its reason."""
    found = meant(loop(), rule(), doubts=(STALE,))
    assert found.actions == (actions.TOP_UP, actions.REPAY)
    assert found.forbidden == ((actions.DELEVERAGE, STALE),)


@pytest.mark.parametrize("action", [actions.DELEVERAGE, actions.LEVERAGE_UP])
def test_a_rule_that_only_trades_holds_while_a_price_is_in_doubt(action: Action) -> None:
    """With the doubt as the reason, and loud where it protects."""
    trigger = (below if action is actions.DELEVERAGE else above)(HEALTH_FACTOR, wad("1.18") + WAD // 100)
    to = "1.60"
    if action is actions.LEVERAGE_UP:
        trigger, to = above(HEALTH_FACTOR, wad("1.15")), "1.10"
    found = held(loop(), rule(actions=(action,), trigger=trigger, to=to), doubts=(STALE,))
    assert (found.reason, found.detail) == (STALE.reason, STALE.detail)
    assert found.leaves_in_danger == (action is actions.DELEVERAGE)


# --- limits, signers -------------------------------------------------------------------------------------------------


def test_a_used_up_limit_holds() -> None:
    """To the dollar's last fraction."""
    by = rule(limits=limits(per_day="20000"))
    found = held(loop(), by, past=memory(spent_today={"protect": usd(20_000)}))
    assert found.reason is Reason.SPEND_LIMIT
    assert found.leaves_in_danger
    assert held(loop(), by, past=memory(spent_today={"protect": usd(25_000)})).reason is Reason.SPEND_LIMIT


def test_what_is_left_of_the_limit_is_passed_on() -> None:
    """The day's limit less what this rule spent; another rule's spending is its own."""
    by = rule(limits=limits(per_day="20000"))
    assert meant(loop(), by, past=memory(spent_today={"protect": usd(19_999)})).left_today == usd(1)
    assert meant(loop(), by, past=memory(spent_today={"other": usd(19_999)})).left_today == usd(20_000)


def test_a_busy_signer_waits_for_its_plan() -> None:
    """Even in an emergency: two plans of one signer would fight for its nonces. Another's plan holds nothing."""
    assert held(EMERGENCY, rule(), past=memory(busy={OWNER: "loop"})).reason is Reason.IN_FLIGHT
    assert meant(EMERGENCY, rule(), past=memory(busy={GUARDIAN: "loop"}))


def test_waiting_for_another_position_s_plan_is_not_quiet() -> None:
    """In danger behind a busy signer the owner hears of it."""
    hold = held(EMERGENCY, rule(), past=memory(busy={OWNER: "other"}))
    assert hold.reason is Reason.SIGNER_BUSY
    assert hold.leaves_in_danger
    assert not hold.is_quiet


def test_a_rule_whose_plans_keep_failing_stops_trying() -> None:
    """Each failure costs gas and gains nothing; in an emergency a few more are worth it, and then no more."""

    def failed(times: int) -> Memory:
        return memory(failed={("loop", "protect"): times})

    assert meant(loop(), rule(), past=failed(TRIES - 1))
    found = held(loop(), rule(), past=failed(TRIES))
    assert found.reason is Reason.TOO_MANY_FAILURES
    assert found.leaves_in_danger
    assert meant(EMERGENCY, rule(), past=failed(TRIES))
    assert meant(EMERGENCY, rule(), past=failed(EMERGENCY_TRIES - 1))
    assert held(EMERGENCY, rule(), past=failed(EMERGENCY_TRIES)).reason is Reason.TOO_MANY_FAILURES
    assert meant(loop(), rule(), past=memory(failed={("loop", "other"): 99}))


def test_nothing_is_meant_once_signing_was_stopped() -> None:
    """Not even in an emergency: the owner was told, and it is no quiet hold."""
    found = held(EMERGENCY, rule(), past=memory(may_sign=False))
    assert found.reason is Reason.SIGNING_STOPPED
    assert found.leaves_in_danger


# --- targets ---------------------------------------------------------------------------------------------------------


def test_a_target_that_is_met_needs_nothing() -> None:
    """A price rule may fire on a position that is at its target already."""
    by = rule(trigger=below(PRICE, 10**12, "WETH"), to="1.15")
    found = held(loop(), by)
    assert found.reason is Reason.AT_TARGET
    assert not found.leaves_in_danger


@pytest.mark.parametrize(
    ("trigger", "target"),
    [
        # health 1.60 is an LTV of 51.9 % here, above a bound of 50 %
        (above(LTV, wad("0.50")), to_health(wad("1.60"))),
        # and a distance of 37.5 %, below a bound of 40 %
        (below(LIQUIDATION_DISTANCE, wad("0.40")), to_health(wad("1.60"))),
        # an LTV of 60 % is a health factor of 1.383
        (below(HEALTH_FACTOR, wad("1.40")), to_ltv(wad("0.60"))),
        # and a distance of 27.7 %
        (below(LIQUIDATION_DISTANCE, wad("0.28")), to_ltv(wad("0.60"))),
        # the same measure, the wrong way round
        (below(HEALTH_FACTOR, wad("1.70")), to_health(wad("1.60"))),
    ],
)
def test_a_target_at_which_the_trigger_still_fires_is_refused(trigger: LendingTrigger, target: LendingTarget) -> None:
    """In mixed measures too: it would act again and again."""
    found = held(loop(), rule(trigger=trigger, target=target))
    assert found.reason is Reason.TARGET_BEYOND_TRIGGER
    assert found.leaves_in_danger


def test_a_rule_that_fires_on_at_its_met_target_is_loud() -> None:
    """An LTV that is watched below what the health factor wanted leaves: met, and fired for ever; silence hides it."""
    found = held(loop(dollars="11000"), rule(trigger=above(LTV, wad("0.50")), to="1.40"))
    assert found.reason is Reason.TARGET_BEYOND_TRIGGER
    assert not found.is_quiet


@pytest.mark.parametrize(
    ("trigger", "target"),
    [
        (above(LTV, wad("0.52")), to_health(wad("1.60"))),
        (below(LIQUIDATION_DISTANCE, wad("0.37")), to_health(wad("1.60"))),
        (below(HEALTH_FACTOR, wad("1.38")), to_ltv(wad("0.60"))),
        (below(LIQUIDATION_DISTANCE, wad("0.27")), to_ltv(wad("0.60"))),
        (above(LTV, wad("0.60")), CLOSED),
        (below(PRICE, 10**12, "WETH"), to_health(wad("1.60"))),
    ],
)
def test_a_target_a_little_further_is_fine(trigger: LendingTrigger, target: LendingTarget) -> None:
    """The same pairs with the bound on the other side; a price or a close can never collide."""
    assert meant(loop(), rule(trigger=trigger, target=target))


# --- boost and alert -------------------------------------------------------------------------------------------------

BOOST = rule(
    name="boost",
    actions=(actions.LEVERAGE_UP,),
    trigger=above(HEALTH_FACTOR, wad("2.40")),
    to="1.90",
)
RICH = loop(dollars="6000")


def test_a_boost_acts_though_its_target_is_met() -> None:
    """It comes from above: being at or over the target is where it starts."""
    assert meant(RICH, BOOST).actions == (actions.LEVERAGE_UP,)


def test_a_boost_that_would_fire_again_is_refused() -> None:
    """Down to 2.5 with a trigger at 2.4 would never rest."""
    found = held(RICH, replace(BOOST, target=to_health(wad("2.50"))))
    assert found.reason is Reason.TARGET_BEYOND_TRIGGER
    assert not found.leaves_in_danger, "a boost that does not come is no danger"


def test_a_rescue_that_rests_holds_no_boost_back() -> None:
    """It has not fired, and would not at the boost's target: that its own target is higher is no matter."""
    found = decide(LENDING, assessed(RICH, BOOST, rule(to="3.00")), memory(), safety(), OWNER)
    assert [i.rule.name for i in found.intents] == ["boost"]


def test_a_boost_that_a_rescue_would_undo_is_refused() -> None:
    """The rescue rests now, and would fire at the boost's target."""
    found = decide(LENDING, assessed(RICH, BOOST, rule(below="2.00", to="3.00")), memory(), safety(), OWNER)
    assert not found.intents
    assert [(h.rule, h.reason) for h in found.holds] == [("boost", Reason.TARGET_BEYOND_TRIGGER)]
    assert found.holds[0].detail.startswith("rule protect would fire at")


def test_a_price_that_fired_a_rule_is_told_in_dollars() -> None:
    """Prices have eight decimals and ratios eighteen: told as a ratio a price is nothing."""
    watch = replace(
        rule(actions=(), to=None),
        trigger=below(PRICE, 10**15, "WETH"),
    )
    assert held(loop(), watch).detail.startswith("price $")
    assert held(loop(), watch).detail != "price $0.00"


@pytest.mark.parametrize("by", [rule(actions=()), rule(actions=(), to=None), rule(to=None)])
def test_a_rule_that_may_only_alert_says_what_it_measured(by: Rule) -> None:
    """No target, or no action but the alert."""
    found = held(loop(), by)
    assert found.reason is Reason.ALERT_ONLY
    assert found.detail == "health_factor 1.1857"
    assert not found.leaves_in_danger


# --- several rules ---------------------------------------------------------------------------------------------------


def test_the_safest_rule_goes_first() -> None:
    """A boost that fires beside a rescue waits, whatever the order in the file."""
    eager = replace(BOOST, trigger=above(HEALTH_FACTOR, 0), target=to_health(Wad(0)))
    assert meant(loop(), eager, rule()).rule.name == "protect"


def test_a_rule_that_may_not_act_leaves_the_turn_to_the_next() -> None:
    """A cooling rule does not silence the one behind it."""
    by = rule(name="second", to="1.70")
    assert meant(loop(), rule(), by, past=acted(1)).rule.name == "second"


def test_the_first_reason_to_hold_is_the_one_told() -> None:
    """Of several rules that fired and may not act."""
    found = held(loop(), rule(), rule(name="watch", actions=()), past=acted(1))
    assert (found.rule, found.reason) == ("protect", Reason.COOLDOWN)


def test_a_rule_that_cannot_be_judged_is_told_and_not_quiet() -> None:
    """Its trigger may be true for all anybody knows."""
    two = position(holding("WETH", 10), holding("WBTC", "0.1"), holding("USDC", 0, 5_000))
    found = held(two, rule(trigger=below(PRICE, 1)))
    assert (found.rule, found.reason) == ("protect", Reason.RULE_UNDECIDABLE)
    assert not found.is_quiet


def test_a_rule_that_cannot_be_judged_does_not_stop_the_others() -> None:
    """The next one still acts."""
    two = position(holding("WETH", 10), holding("WBTC", "0.001"), holding("USDC", 0, 14_000))
    blind = rule(name="blind", trigger=below(PRICE, 1))
    assert meant(two, blind, rule()).rule.name == "protect"


def test_distance_and_health_agree_on_what_the_bound_means() -> None:
    """Guard of the numbers above: 1.60 is 37.5 % away."""
    assert lending.liquidation_distance_at(wad("1.60")) == wad("0.375")


def test_what_gas_has_cost_in_this_danger_goes_with_the_decision() -> None:
    """It is the position's, whichever rule paid it; a boost has no danger."""
    past = memory(gas_paid={"loop": Wei(7)})
    assert meant(EMERGENCY, rule(), past=past).gas_paid == 7
    assert meant(EMERGENCY, rule()).gas_paid == 0
