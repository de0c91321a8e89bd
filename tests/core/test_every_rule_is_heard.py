"""Every fired rule is heard under its own name: alerts, holds and the one that acts do not mask one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import NOW, OWNER, above, assessed, below, loop, memory, rule, safety, to_health, wad
from perp_builders import SIGNER, assessed_perp, perp_rule, short

from keeper.core.decide import Decided, Hold, asked_for, decide, gravest
from keeper.core.held_back import Memory
from keeper.core.lending import actions
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import HEALTH_FACTOR, PRICE
from keeper.core.lending.rules import LendingIntent, Rule
from keeper.core.perp.kind import PERP
from keeper.core.reasons import Reason
from keeper.core.units import Wad

ACTING = Reason.RULE_FIRED


def alert(name: str, bound: str) -> Rule:
    trigger = below(HEALTH_FACTOR, wad(bound))
    return rule(name=name, trigger=trigger, target=None, actions=())


def acting(name: str, bound: str, **changes: Any) -> Rule:
    trigger = below(HEALTH_FACTOR, wad(bound))
    return rule(name=name, trigger=trigger, target=to_health(wad("2.00")), **changes)


def heard(found: Decided[LendingIntent]) -> list[tuple[str | None, Reason]]:
    return [(o.rule, o.reason) if isinstance(o, Hold) else (o.rule.name, ACTING) for o in found.outcomes]


ALERTS = (alert("high", "1.70"), alert("low", "1.40"), alert("last", "1.10"))


@pytest.mark.parametrize(
    ("dollars", "names"),
    [
        ("9000", []),
        ("10050", ["high"]),
        ("12000", ["high", "low"]),
        ("15100", ["high", "low", "last"]),
    ],
)
def test_a_milder_alert_never_hides_a_worse_one(dollars: str, names: list[str]) -> None:
    """Three bounds on one position: each that is passed is heard, whichever stands first in the settings."""
    for rules in (ALERTS, ALERTS[::-1]):
        found = decide(LENDING, assessed(loop(dollars=dollars), *rules), memory(), safety(), OWNER)
        told = {h.rule for h in found.holds if h.reason is Reason.ALERT_ONLY}
        assert told == set(names)


def test_an_alert_is_heard_beside_a_rule_that_acts() -> None:
    """Whatever the order, whatever the acting rule comes to."""
    over = acting("protect", "1.80")
    for rules in ((over, alert("watch", "1.75")), (alert("watch", "1.75"), over)):
        found = decide(LENDING, assessed(loop(dollars="11000"), *rules), memory(), safety(), OWNER)
        assert dict(heard(found)) == {"protect": ACTING, "watch": Reason.ALERT_ONLY}
        assert isinstance(found.lead, LendingIntent)


def test_an_alert_is_heard_while_a_rule_cools_down_and_so_is_the_rescue_held_back() -> None:
    """A rescue held back by its cooldown is no quiet matter: it fires and nobody helps."""
    past = Memory(acted_at={("loop", "protect"): NOW - 1})
    rules = (acting("protect", "1.80"), alert("watch", "1.75"))
    found = decide(LENDING, assessed(loop(dollars="11000"), *rules), past, safety(), OWNER)
    assert heard(found) == [("protect", Reason.COOLDOWN), ("watch", Reason.ALERT_ONLY)]
    assert not found.holds[0].is_quiet
    assert not found.holds[0].leaves_in_danger


@pytest.mark.parametrize("past", [Memory(busy={OWNER: "loop"}), Memory(busy={OWNER: "other"}), Memory(may_sign=False)])
def test_an_alert_needs_no_signer(past: Memory) -> None:
    """Whoever is busy, and whether anything may be signed at all."""
    found = decide(LENDING, assessed(loop(dollars="11000"), alert("watch", "1.75")), past, safety(), OWNER)
    assert heard(found) == [("watch", Reason.ALERT_ONLY)]


def test_every_rule_that_may_act_is_in_line() -> None:
    """One that finds no way must not hide the next."""
    rules = (acting("first", "1.80"), alert("watch", "1.75"), acting("second", "1.75", actions=(actions.REPAY,)))
    found = decide(LENDING, assessed(loop(dollars="11000"), *rules), memory(), safety(), OWNER)
    assert [intent.rule.name for intent in found.intents] == ["first", "second"]
    assert [hold.rule for hold in found.holds] == ["watch"]


def test_one_rule_held_back_does_not_hold_back_another() -> None:
    """A cooldown is the rule's own."""
    past = Memory(acted_at={("loop", "first"): NOW - 1})
    rules = (acting("first", "1.80"), acting("second", "1.75"))
    found = decide(LENDING, assessed(loop(dollars="11000"), *rules), past, safety(), OWNER)
    assert heard(found) == [("first", Reason.COOLDOWN), ("second", ACTING)]


def test_a_rule_that_cannot_be_judged_is_heard_beside_one_that_acts() -> None:
    """An asset nobody holds: the rule would else sleep for ever."""
    blind = rule(name="blind", trigger=below(PRICE, 1, "NONE"))
    found = decide(
        LENDING, assessed(loop(dollars="11000"), acting("protect", "1.80"), blind), memory(), safety(), OWNER
    )
    assert heard(found) == [("protect", ACTING), ("blind", Reason.RULE_UNDECIDABLE)]


def test_no_leverage_is_added_while_a_rescue_is_asked_for() -> None:
    """Not even where the rescue finds no way: the boost waits, quietly."""
    rescue = acting("protect", "1.80")
    boost = rule(
        name="boost",
        trigger=above(PRICE, 1, "WETH"),
        actions=(actions.LEVERAGE_UP,),
    )
    found = decide(LENDING, assessed(loop(dollars="11000"), boost, rescue), memory(), safety(), OWNER)
    assert heard(found) == [("protect", ACTING), ("boost", Reason.RESCUE_FIRST)]


def test_the_gravest_hold_leads() -> None:
    """A rescue that cannot be had, then what is told, then what is quiet."""
    quiet = Hold("loop", "a", Reason.AT_TARGET)
    told = Hold("loop", "b", Reason.ALERT_ONLY)
    grave = Hold("loop", "c", Reason.NOTHING_HELPS)
    assert gravest((quiet, told, grave)) is grave
    assert gravest((quiet, told)) is told
    assert gravest((quiet,)) is quiet


def test_alerts_ask_for_nothing() -> None:
    """A rescue that is no longer needed is called off though an alert still fires."""
    told = Hold("loop", "b", Reason.ALERT_ONLY)
    assert asked_for((told,)).reason is Reason.HEALTHY
    assert asked_for((told, Hold("loop", "a", Reason.AT_TARGET))).reason is Reason.AT_TARGET
    assert asked_for((told, Hold("loop", "a", Reason.NOTHING_HELPS))).reason is Reason.NOTHING_HELPS


def test_perpetual_alerts_do_not_mask_one_another() -> None:
    """The same for margins: an acting rule in its cooldown, a milder and a worse alert."""
    low = short(margin="700")
    acts = perp_rule()
    mild, worse = (replace(acts, name=name, target=None, actions=()) for name in ("mild", "worse"))
    past = Memory(acted_at={("short", acts.name): NOW - 1})
    found = decide(PERP, assessed_perp(low, mild, acts, worse), past, safety(emergency_health=Wad(0)), SIGNER)
    assert [hold.rule for hold in found.holds] == ["mild", acts.name, "worse"]
