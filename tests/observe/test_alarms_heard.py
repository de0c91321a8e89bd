"""What the owner hears, and what not: each trouble once, worse is news, repetition is summed up, the end is told."""

from __future__ import annotations

from core_builders import OWNER, assessed, below, loop, memory, rule, safety, to_health, wad
from owner_stage import Stage

from keeper.core.decide import Hold, decide
from keeper.core.held_back import Memory
from keeper.core.lending.kind import LENDING
from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.lending.rules import LendingAssessment, Rule
from keeper.core.notices import Ended
from keeper.core.reasons import Reason
from keeper.engine.lending.notices import loan_notices as notices_of
from keeper.engine.lending.notices import standing_of


def alert(name: str, bound: str, cooldown_s: int = 0) -> Rule:
    trigger = below(HEALTH_FACTOR, wad(bound))
    return rule(name=name, trigger=trigger, target=None, actions=(), cooldown_s=cooldown_s)


FLIES = rule(
    name="protect",
    trigger=below(HEALTH_FACTOR, wad("1.80")),
    target=to_health(wad("2.00")),
)
THREE = (alert("high", "1.70"), alert("low", "1.40"), alert("last", "1.10"))


def seen(stage: Stage, debt: str, *rules: Rule, past: Memory | None = None, after_s: float = 12) -> LendingAssessment:
    """One block at which the position of 16,600 dollars of borrowing power owes ``debt``."""
    stage.clock.now += after_s
    found = assessed(loop(dollars=debt), *rules)
    holds = decide(LENDING, found, past or memory(), safety(), OWNER).holds
    stage.observer.judged("loop", notices_of(found, holds), lambda: standing_of(found))
    return found


def test_each_alert_rule_is_heard_under_its_own_name_on_the_way_to_liquidation(stage: Stage) -> None:
    """Health 1.65, 1.38, 1.095, 0.97: three rules, three first alarms, and the liquidation itself is news."""
    for debt in ("10060", "12028", "15160", "17113"):
        for _ in range(5):
            seen(stage, debt, *THREE)
    titles = stage.titles
    for name, bound in (("high", "1.70"), ("low", "1.40"), ("last", "1.10")):
        assert any(f"(rule {name})" in t and f"is below {bound}" in t for t in titles), (name, titles)
    assert "Worse:" in titles[-1]
    assert "health factor 0.97" in titles[-1]
    assert len(titles) <= 6, titles


def test_getting_worse_is_news_and_staying_so_is_not(stage: Stage) -> None:
    """A quarter nearer to liquidation than when it was last told."""
    watch = alert("watch", "1.70")
    for debt in ("10000", "10050", "10000", "10050"):  # 1.66, 1.65
        seen(stage, debt, watch)
    assert len(stage.phone.told) <= 1
    seen(stage, "12800", watch)  # 1.297
    titles = stage.titles
    assert [t.startswith("Worse:") for t in titles] == [False, True]


def test_the_owner_hears_what_was_measured_and_what_can_be_done(stage: Stage) -> None:
    """Position, rule, measure, bound, dollars, liquidation price and distance, remedy: no raw integer anywhere."""
    seen(stage, "10000", alert("watch", "1.70"))
    stage.observer.close()
    ((title, body),) = stage.phone.told
    assert title == "loop: health factor 1.6600 is below 1.70 (rule watch)"
    figures = ("Health factor 1.6600", "collateral $20,000.00", "debt $10,000.00")
    for words in (*figures, "WETH falls to $1,204.81", "39.75 % below"):
        assert words in body, body
    assert "Repay about $235.2" in body
    assert "supply about $481.9" in body


def test_a_rule_s_own_cooldown_is_how_often_it_is_repeated(stage: Stage) -> None:
    """Ten minutes where the rule says so; the owner's hour where it names none."""
    for _ in range(300):  # an hour of 12 s blocks
        seen(stage, "10000", alert("often", "1.70", cooldown_s=600), alert("seldom", "1.70"))
    titles = stage.titles
    assert sum("(rule often)" in t for t in titles) == 6
    assert sum("(rule seldom)" in t for t in titles) == 1
    assert any("seen 50 times" in body for _, body in stage.phone.told)


def test_a_rescue_held_back_by_its_cooldown_is_one_alarm(stage: Stage) -> None:
    """And the alert rule beside it is another."""
    trigger = below(HEALTH_FACTOR, wad("1.80"))
    acting = rule(name="protect", trigger=trigger, target=to_health(wad("2.00")), cooldown_s=3600)
    past = Memory(acted_at={("loop", "protect"): 1_750_000_000})
    for _ in range(20):
        seen(stage, "9700", acting, alert("watch", "1.75"), past=past)
    assert sorted(stage.titles) == [
        "loop: health factor 1.7113 is below 1.75 (rule watch)",
        "loop: rule protect fires again during its cooldown",
    ]


def test_what_is_over_is_said_once_it_stays_so(stage: Stage) -> None:
    """Not at the first good block: a price at the bound would ring all night."""
    watch = alert("watch", "1.70")
    seen(stage, "10000", watch)
    seen(stage, "9000", watch, after_s=2)
    assert len(stage.phone.told) <= 1
    seen(stage, "9000", watch, after_s=60)
    titles = stage.titles
    assert titles[1:] == ["All clear: loop: rule watch: no longer fires"]
    assert "Health factor 1.8444" in stage.phone.told[1][1]


def test_a_price_that_dances_on_the_bound_is_no_flood(stage: Stage) -> None:
    """An hour of twelve second blocks, below and above in turn."""
    watch = alert("watch", "1.70")
    for i in range(300):
        seen(stage, "10000" if i % 2 else "9700", watch)
    assert len(stage.titles) <= 12, stage.titles


def test_a_restart_makes_no_old_news_new(stage: Stage) -> None:
    """What was told is in the journal; what got worse meanwhile is told."""
    watch = alert("watch", "1.70")
    seen(stage, "10000", watch)
    written = stage.observer.take_memory()
    assert stage.observer.take_memory() is None
    again = type(stage.observer)("live", stage.phone, 3600, stage.clock)
    again.recall(written)
    stage.observer.close()
    stage.observer = again
    seen(stage, "10000", watch, after_s=300)
    assert len(stage.phone.told) == 1
    seen(stage, "15500", watch)
    assert [t.startswith("Worse") for t in stage.titles] == [False, True]


def test_what_cannot_be_read_of_the_memory_is_left_out(stage: Stage) -> None:
    """A journal of another version stops nobody."""
    for written in (None, 7, "x", [1, {}, {"key": "x"}], {"a": 1}):
        stage.observer.recall(written)
    seen(stage, "10000", alert("watch", "1.70"))
    assert len(stage.titles) == 1


def test_a_clock_put_back_silences_nothing(stage: Stage) -> None:
    """For as long as it was put back nobody would hear of anything."""
    watch = alert("watch", "1.70")
    seen(stage, "10000", watch)
    stage.clock.now -= 86_400
    seen(stage, "10000", watch)
    assert len(stage.titles) == 2


def test_help_after_danger_is_the_all_clear(stage: Stage) -> None:
    """One message for both; nothing more is said of the danger."""
    acting = rule(name="protect")
    found = assessed(loop(), acting)
    danger = Hold("loop", "protect", Reason.NOTHING_HELPS, "top up: the wallet is empty")
    stage.observer.judged("loop", notices_of(found, (danger,)), lambda: standing_of(found))
    end = Ended("loop", "protect", "deleverage", "restored", Reason.RESTORED, "health factor 1.60")
    said = ("loop: rule protect helped: health factor 1.18 → 1.60", "…")
    stage.observer.concluded(end, wad("1.6"), said, subject="loop")
    for _ in range(10):
        seen(stage, "9000", acting)
    assert stage.titles == [
        "loop: rule protect cannot help: no allowed action can help",
        "All clear: loop: rule protect helped: health factor 1.18 → 1.60",
    ]


def test_a_rule_that_acts_is_not_called_over(stage: Stage) -> None:
    """While its plan is on its way it still fires."""
    found = assessed(loop(), rule(name="protect"))
    danger = Hold("loop", "protect", Reason.NOTHING_HELPS, "")
    flying = Hold("loop", "protect", Reason.IN_FLIGHT, "")
    stage.observer.judged("loop", notices_of(found, (danger,)), lambda: standing_of(found))
    stage.observer.judged("loop", (), lambda: standing_of(found), acting="protect")
    for _ in range(10):
        stage.clock.now += 12
        stage.observer.judged("loop", notices_of(found, (flying,)), lambda: standing_of(found))
    assert len(stage.titles) == 1


def test_partial_help_and_a_plan_called_off_are_no_errors(stage: Stage) -> None:
    """What worked is not red."""
    for kind, reason in (("partial", Reason.PARTIAL), ("cancelled", Reason.NO_LONGER_NEEDED)):
        stage.observer.concluded(Ended("loop", "protect", "repay USDC", kind, reason, ""), wad("1.3"), subject="loop")
    ended = [line for line in stage.lines if line["event"] == "concluded"]
    assert {line["level"] for line in ended} == {"info"}


def test_the_middle_of_a_plan_of_ours_is_no_alert_unless_it_lasts(stage: Stage) -> None:
    """Collateral is out and its debt not yet repaid: for a block health is lower than it was and than it will be."""
    watch, acting = alert("watch", "1.70"), rule(name="protect")
    flying = Memory(busy={OWNER: "loop"})
    seen(stage, "9500", acting, watch, past=flying)
    for after_s in (2, 2):
        seen(stage, "10400", FLIES, watch, past=flying, after_s=after_s)
    seen(stage, "9000", acting, watch)
    assert stage.phone.told == []
    for _ in range(14):
        seen(stage, "10400", FLIES, watch, past=flying, after_s=2)
    assert [t for t in stage.titles if "(rule watch)" in t]


def test_the_warning_that_init_writes_is_heard_at_the_start_once_a_day_and_when_it_gets_worse(stage: Stage) -> None:
    """Three days of ten minute blocks near liquidation, then a fall: one, two more, and the fall at once."""
    warning = alert("loop-warning", "1.70", cooldown_s=86_400)
    for _ in range(3 * 144 - 1):
        seen(stage, "10060", warning, after_s=600)
    assert [title.partition(":")[0] for title, _ in stage.phone.told] == ["loop", "Still", "Still"]
    seen(stage, "15160", warning, after_s=600)
    assert stage.titles[-1].startswith("Worse: loop")
