"""The log of a quiet hour is a few lines, that of a bad one no flood; a node that flaps is one trouble."""

from __future__ import annotations

import pytest
from core_builders import assessed, below, loop, rule, wad
from owner_stage import Stage

from keeper.core.decide import Hold
from keeper.core.lending.metrics import HEALTH_FACTOR
from keeper.core.reasons import Reason
from keeper.engine.lending.notices import loan_notices as notices_of
from keeper.engine.lending.notices import standing_of
from keeper.observe.console import rendered


@pytest.mark.parametrize("block_s", [0.25, 2, 12])
def test_a_quiet_hour_is_a_few_lines_whatever_the_block_time(stage: Stage, block_s: float) -> None:
    """And each says how many blocks it stands for."""
    found = assessed(loop(dollars="9000"), rule())
    healthy = notices_of(found, (Hold("loop", None, Reason.HEALTHY),))
    for number in range(int(3600 / block_s)):
        stage.clock.now += block_s
        stage.observer.judged("loop", healthy, lambda: standing_of(found))
        stage.observer.block(number, {"loop": found.figures.health_factor + number}, 0.02)
    assert 1 <= len(stage.shown) <= 5
    assert sum(line.get("blocks", 1) for line in stage.shown) > 2700 / block_s
    assert stage.titles == []


def test_a_position_at_rest_is_put_into_no_words(stage: Stage) -> None:
    """Fifty of them a block are most of what it costs; how one stands is worked out where a trouble may be over."""
    watch = rule(
        name="watch",
        trigger=below(HEALTH_FACTOR, wad("1.70")),
        target=None,
        actions=(),
    )
    found, asked = assessed(loop(), watch), list[str]()

    def standing() -> str:
        asked.append("how it stands")
        return standing_of(found)

    at_rest = notices_of(found, (Hold("loop", None, Reason.HEALTHY),))
    assert [(n.title, n.body) for n in at_rest] == [("", "")]
    stage.observer.judged("loop", at_rest, standing)
    assert asked == []
    stage.observer.judged("loop", notices_of(found, (Hold("loop", "watch", Reason.ALERT_ONLY),)), standing)
    for _ in range(60):
        stage.clock.now += 60
        stage.observer.judged("loop", at_rest, standing)
    assert asked
    assert stage.titles[-1] == "All clear: loop: rule watch: no longer fires"


@pytest.mark.slow
def test_an_hour_of_one_alert_and_one_hopeless_rescue_is_a_few_lines(stage: Stage) -> None:
    """At 250 ms: no warning each block, no detail of 400 characters again and again."""
    watch = rule(
        name="watch",
        trigger=below(HEALTH_FACTOR, wad("1.70")),
        target=None,
        actions=(),
        cooldown_s=0,
    )
    found = assessed(loop(), watch, rule(name="protect"))
    holds = (Hold("loop", "watch", Reason.ALERT_ONLY), Hold("loop", "protect", Reason.NOTHING_HELPS, "x " * 300))
    for number in range(4 * 3600):
        stage.clock.now += 0.25
        stage.observer.judged("loop", notices_of(found, holds), lambda: standing_of(found))
        stage.observer.block(number, {"loop": found.figures.health_factor}, 0.02)
        stage.observer.refused("loop", "deleverage", Reason.REHEARSAL_FAILED, f"{number}")
    assert len(stage.titles) == 2
    assert len(stage.shown) <= 16, [line["event"] for line in stage.shown]


def test_a_node_that_flaps_is_one_alarm_and_a_summary_an_hour(stage: Stage) -> None:
    """Every two seconds away and back, for three hours."""
    for number in range(3 * 3600 // 4):
        stage.clock.now += 2
        stage.observer.node_away("connection refused", 1)
        stage.clock.now += 2
        stage.observer.node_back(2)
        stage.observer.block(number, {"loop": wad("1.8")}, 0.02)
    assert stage.titles[0] == "The node does not answer"
    assert len(stage.titles) <= 4, stage.titles
    assert "came and went" in stage.phone.told[1][1]
    assert len(stage.shown) <= 60


@pytest.mark.parametrize("away_s", [1, 5, 15, 45, 300])
def test_however_a_node_flaps_the_owner_is_not_flooded(stage: Stage, away_s: int) -> None:
    """Away so long, back so long, for four hours."""
    for number in range(int(4 * 3600 / (2 * away_s))):
        stage.observer.node_away("connection refused", 1)
        stage.clock.now += away_s
        stage.observer.node_back(away_s)
        for _ in range(away_s):
            stage.clock.now += 1
            stage.observer.block(number, {"loop": wad("1.8")}, 0.02)
    assert len(stage.titles) <= 24, len(stage.titles)


def test_a_node_that_is_back_is_told_on_the_same_channel(stage: Stage) -> None:
    """Once it has stayed."""
    stage.observer.node_away("connection refused", 3)
    stage.clock.now += 120
    stage.observer.node_back(120)
    for number in range(3):
        stage.observer.block(number, {"loop": wad("1.8")}, 0.02)
        stage.clock.now += 12
    assert stage.titles == ["The node does not answer", "All clear: the node answers again"]
    assert "It lasted 2 min" in stage.phone.told[1][1]


def test_a_chain_that_moves_again_ends_its_alarm(stage: Stage) -> None:
    """No new block for a while, then blocks."""
    stage.observer.no_new_block(95, 7, 90)
    for number in range(8, 12):
        stage.clock.now += 12
        stage.observer.block(number, {}, 0.02)
    assert [t.partition(":")[0] for t in stage.titles] == ["No new block", "All clear"]


def test_a_line_for_people_reads_from_the_position_on() -> None:
    """Whose it is, what happened, and the figures in the order they were given; nothing empty."""
    event = {
        "mode": "live",
        "position": "eth-loop",
        "rule": "protect",
        "reason": "cooldown",
        "detail": "540 s left",
        "event": "held",
        "level": "warning",
        "timestamp": "2026-11-27T22:41:07.123Z",
    }
    assert rendered(None, "warning", event) == ("22:41:07 live  eth-loop: rule protect holds (cooldown): 540 s left")
    told = {"mode": "live", "title": "No new block", "body": "Is it stuck?", "event": "alarm", "level": "warning"}
    assert rendered(None, "warning", told | {"timestamp": "2026-11-27T01:00:00Z"}).endswith(
        "live  ALARM No new block. Is it stuck?"
    )


def test_one_hiccup_of_a_node_is_in_the_log_and_rings_nobody(stage: Stage) -> None:
    """A read that fails once and is well at the next try, now and then for a day: a line each, no alarm."""
    for number in range(24):
        stage.observer.node_away("asked for block 780, answered from one that is 12 s newer", 1)
        stage.clock.now += 0.3
        stage.observer.block(number, {"loop": wad("1.8")}, 0.02)
        stage.clock.now += 3600
    assert stage.titles == []
    assert len([line for line in stage.lines if line["event"] == "node_away"]) == 24


@pytest.mark.parametrize("passes_s", [3.0, 60.0])
def test_an_outage_that_lasts_is_heard_whatever_counts_its_tries(stage: Stage, passes_s: float) -> None:
    """Within seconds: a cycle that fails counts each try as the first."""
    stage.observer.node_away("connection refused", 1)
    assert stage.titles == []
    stage.clock.now += passes_s
    stage.observer.node_away("connection refused", 1)
    assert stage.titles == ["The node does not answer"]
