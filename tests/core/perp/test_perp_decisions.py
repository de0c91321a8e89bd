"""When a fired rule about a perpetual position may act, and why it may not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import NOW, limits, safety, usd, wad
from perp_builders import DOUBT, SIGNER, assessed_perp, decided, long, perp_rule, resting, short

from keeper.core.actions import Action
from keeper.core.decide import Hold, decide, is_new_danger
from keeper.core.held_back import EMERGENCY_TRIES, TRIES, Memory
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp import metrics as perp_metrics
from keeper.core.perp.kind import PERP, is_emergency, pending_order
from keeper.core.perp.metrics import closed
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.perp.rules import PerpIntent, PerpRule
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.core.units import Usd

LOW = short(margin="700")  # 11.67 %: below the rule's 12 %, 5.1 % from liquidation
NEAR = short(margin="600")  # 10 %, liquidated after 3.5 %
RULE = perp_rule()
KEY = ("short", "margin")


def reason(of: PerpPosition, *rules: PerpRule, memory: Memory | None = None, **more: object) -> Reason | None:
    found = decided(of, *(rules or (RULE,)), memory=memory, **more)
    return found.reason if isinstance(found, Hold) else None


def test_a_healthy_position_is_left_alone() -> None:
    """Quietly."""
    found = decided(short(), RULE)
    assert isinstance(found, Hold)
    assert (found.reason, found.is_quiet) == (Reason.HEALTHY, True)


def test_a_fired_rule_acts() -> None:
    """With its target, its actions and what is left of its day."""
    rule = perp_rule(limits=limits(per_day="1000"))
    found = decided(LOW, rule, memory=Memory(spent_today={"margin": Usd(usd(400))}))
    assert isinstance(found, PerpIntent)
    assert (found.actions, found.left_today) == (rule.actions, usd(600))


def test_an_unjudged_position_is_held_and_told() -> None:
    """Unknown is not healthy."""
    found = decide(PERP, Unjudged("short", DOUBT), Memory(), safety(), SIGNER).lead
    assert isinstance(found, Hold)
    assert (found.reason, found.is_quiet) == (DOUBT.reason, False)


@pytest.mark.parametrize(
    ("memory", "why"),
    [
        (Memory(acted_at={KEY: NOW - 599}), Reason.COOLDOWN),
        (Memory(acted_at={KEY: NOW - 600}), None),
        (Memory(failed={KEY: TRIES}), Reason.TOO_MANY_FAILURES),
        (Memory(failed={KEY: TRIES - 1}), None),
        (Memory(busy={SIGNER: "short"}), Reason.IN_FLIGHT),
        (Memory(busy={SIGNER: "other"}), Reason.SIGNER_BUSY),
        (Memory(may_sign=False), Reason.SIGNING_STOPPED),
        (Memory(acted_at={("short", "another"): NOW}), None),
    ],
)
def test_what_was_done_before_holds_a_rule_back(memory: Memory, why: Reason | None) -> None:
    """Cooldown to the second, failures, a signer that is busy or stopped."""
    assert reason(LOW, memory=memory) is why


def test_near_liquidation_no_cooldown_holds_and_more_tries_are_allowed() -> None:
    """But not without end."""
    assert is_emergency(NEAR, safety().emergency_health)
    assert not is_emergency(LOW, safety().emergency_health)
    assert reason(NEAR, memory=Memory(acted_at={KEY: NOW}, failed={KEY: EMERGENCY_TRIES - 1})) is None
    assert reason(NEAR, memory=Memory(failed={KEY: EMERGENCY_TRIES})) is Reason.TOO_MANY_FAILURES


@pytest.mark.parametrize(("then", "waits"), [("1990", False), ("1997", False), ("2000", True), ("2020", True)])
def test_a_price_worse_than_the_one_it_acted_on_does_not_wait_for_the_cooldown(then: str, waits: bool) -> None:
    """A short at 2,000: acted on at less, it acts again at once; at no less, it waits."""
    past = Memory(acted_at={KEY: NOW - 1}, acted_on={KEY: {LOW.legs[0].market: wad(then)}})
    assert reason(LOW, memory=past) is (Reason.COOLDOWN if waits else None)


def test_a_new_low_of_a_long_lies_below() -> None:
    """The same move helps one side and harms the other."""
    of, market = long(margin="700"), long().legs[0].market
    for then, why in (("2020", None), ("1980", Reason.COOLDOWN)):
        assert reason(of, memory=Memory(acted_at={KEY: NOW - 1}, acted_on={KEY: {market: wad(then)}})) is why


def test_what_the_owner_or_funding_made_worse_waits_for_the_cooldown() -> None:
    """No price moved: less margin is no new low, and a rule about funding looks at no price."""
    same = Memory(acted_at={KEY: NOW - 1}, acted_on={KEY: {LOW.legs[0].market: wad("2000")}})
    assert reason(LOW, memory=same) is Reason.COOLDOWN
    funding = perp_rule(perp_metrics.FUNDING, "0.10", closed(), [perp_actions.CLOSE])
    lower = replace(same, acted_on={KEY: {LOW.legs[0].market: wad("1900")}})
    assert is_new_danger(PERP, RULE, LOW, lower)
    assert not is_new_danger(PERP, funding, LOW, lower)


def test_a_position_without_size_is_no_emergency() -> None:
    """Its equity may be nothing; there is nothing to liquidate."""
    assert not is_emergency(short(size="0", margin="0"), safety().emergency_health)


def test_a_limit_that_is_used_up_holds() -> None:
    """Less than a dollar left rescues nobody."""
    rule = perp_rule(limits=limits(per_day="1000"))
    assert reason(LOW, rule, memory=Memory(spent_today={"margin": Usd(usd(1000) - 1)})) is Reason.SPEND_LIMIT


def test_an_order_that_waits_holds_every_rule_and_a_resting_or_frozen_one_does_not() -> None:
    """What the venue will do with it is not known yet."""
    waits = replace(LOW, orders=(resting("0xaa", OrderKind.MARKET_DECREASE),))
    assert pending_order(waits) == "0xaa"
    assert reason(waits) is Reason.ORDER_PENDING
    for order in (resting(), resting(kind=OrderKind.MARKET_DECREASE, is_frozen=True)):
        assert reason(replace(LOW, orders=(order,))) is None


def test_a_doubtful_price_leaves_only_what_does_not_trade() -> None:
    """Margin cannot lose to a bad price."""
    found = decided(LOW, RULE, doubts=(DOUBT,))
    assert isinstance(found, PerpIntent)
    assert found.actions == (perp_actions.ADD_MARGIN,)
    assert found.forbidden == ((perp_actions.REDUCE, DOUBT),)
    assert reason(LOW, perp_rule(actions=[perp_actions.REDUCE]), doubts=(DOUBT,)) is DOUBT.reason


@pytest.mark.parametrize("actions", [(), []])
def test_a_rule_that_only_alerts_says_what_it_saw(actions: list[Action]) -> None:
    """And never acts."""
    found = decided(LOW, perp_rule(actions=actions))
    assert isinstance(found, Hold)
    assert (found.reason, found.detail) == (Reason.ALERT_ONLY, "margin_ratio 0.1166")


def test_a_stop_whose_target_is_met_is_quiet() -> None:
    """It looks at a price; the margin it restores is there."""
    stop = perp_rule(perp_metrics.STOP_LOSS, "1900", "0.10", [perp_actions.REDUCE])
    assert reason(long(price="1900", margin="2000"), stop) is Reason.AT_TARGET


def test_a_target_beyond_its_own_trigger_is_told_aloud() -> None:
    """A distance that still fires at the margin wanted is a mistake in the rule, not health."""
    rule = perp_rule(perp_metrics.LIQUIDATION_DISTANCE, "0.12", "0.10", [perp_actions.REDUCE])
    found = decided(short(), rule)
    assert isinstance(found, Hold)
    assert (found.reason, found.is_quiet) == (Reason.TARGET_BEYOND_TRIGGER, False)


def test_the_first_rule_that_may_act_does() -> None:
    """A rule in its cooldown does not keep the next one from closing."""
    last = perp_rule(bound="0.13", to=closed(), actions=[perp_actions.CLOSE], name="last")
    found = decided(LOW, RULE, last, memory=Memory(acted_at={KEY: NOW}))
    assert isinstance(found, PerpIntent)
    assert found.rule is last


def test_a_rule_that_cannot_be_judged_is_told_where_none_acts() -> None:
    """A market misspelt is no protection."""
    lost = perp_rule(perp_metrics.STOP_LOSS, "1900", market="SOL", name="lost")
    assert reason(short(), lost) is Reason.RULE_UNDECIDABLE
    assert isinstance(decided(LOW, lost, RULE), PerpIntent)


def test_a_target_met_by_the_plan_fires_no_more() -> None:
    """A margin ratio at its target is above its trigger."""
    assert assessed_perp(short(margin="1200"), RULE).fired == ()
