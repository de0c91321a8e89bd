"""What lasts or gets worse goes further; what is minor and comes in floods is summed up; a summary is no alarm."""

from __future__ import annotations

from core_builders import assessed, loop, rule
from owner_stage import Clock, Recorder, Stage

from keeper.core.decide import Hold
from keeper.core.reasons import Reason
from keeper.engine.lending.notices import loan_notices
from keeper.observe.observer import Observer
from keeper.observe.voice import MOST_AN_HOUR


def test_what_lasts_or_gets_worse_goes_further_and_so_does_its_end() -> None:
    """The first alarm goes to the usual place; an hour later, or nearer to liquidation, the telephone rings."""
    clock, usual, further = Clock(), Recorder(), Recorder()
    observer = Observer("live", usual, 3600, clock, escalation=further)
    watch = rule(name="watch", actions=(), target=None, below="1.70")
    for dollars, seconds in (("10060", 12), ("10060", 1300), ("15160", 12)):
        clock.now += seconds
        found = assessed(loop(dollars=dollars), watch)
        hold = Hold("loop", "watch", Reason.ALERT_ONLY, "")
        observer.judged("loop", loan_notices(found, (hold,)), lambda: "")
    for _ in range(3):
        clock.now += 600
        observer.judged("loop", loan_notices(found, (Hold("loop", None, Reason.HEALTHY),)), lambda: "It is well.")
    observer.close()
    assert [title.split(":")[0] for title, _ in further.told] == ["Still", "Worse", "All clear"]
    assert len(usual.told) == 4


def test_what_is_over_before_it_lasted_rings_nobody() -> None:
    """A node that was away for a minute."""
    clock, usual, further = Clock(), Recorder(), Recorder()
    observer = Observer("live", usual, 3600, clock, escalation=further)
    observer.node_away("connection refused", 3)
    for _ in range(3):
        clock.now += 60
        observer.node_back(60)
    observer.close()
    assert further.told == []
    assert len(usual.told) == 2


def test_a_flood_of_minor_troubles_is_summed_up_and_silences_no_danger(stage: Stage) -> None:
    """A hundred nodes: some messages, one that there are more, and the position's own alarm all the same."""
    for i in range(100):
        stage.observer.raise_alarm(f"node:{i}:slow", f"Node {i} is not asked", "slow")
    stage.observer.raise_alarm("loop:protect:failed:reverted", "loop: the plan of rule protect failed", "it reverted")
    titles = stage.titles
    assert len(titles) == MOST_AN_HOUR + 2
    assert titles[-1] == "loop: the plan of rule protect failed"
    assert titles[-2] == "more alarms than are sent"
    assert len([line for line in stage.lines if line["event"] == "alarm"]) == 101


def test_a_summary_is_sent_and_is_no_alarm(stage: Stage) -> None:
    """It is not counted, and is not over one day."""
    stage.observer.summary("loop: well\nNothing had to be done.")
    assert stage.titles == ["daily summary"]
    assert stage.observer.alarms == []
