"""docs/alerts.md lists what an owner hears. Each row is raised here on the real code, and reads as the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from core_builders import OWNER, loop, rule
from owner_stage import Stage
from paper import Paper, holding_dollars
from test_alarm_words import lending_plan
from test_alarms_heard import alert, seen
from test_watchful import DAY_S, FAR, Play

from keeper.chain.record import Aside
from keeper.core.decide import Hold
from keeper.core.drills import Drill, Drilled, DrillEnding
from keeper.core.notices import Ended
from keeper.core.occurrences import Occurrence, What
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.rules import Unjudged
from keeper.engine import foreign_changes
from keeper.engine.lending import foreign_changes as lending_changes
from keeper.engine.lending.balances import Lent
from keeper.engine.lending.deeds import outcome_said
from keeper.engine.lending.notices import loan_notices
from keeper.execution.outcome import Outcome
from keeper.observe.signing_voice import SigningVoice
from keeper.service.connections import said_of

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| [^|]+ \| `[^`]+` \|$", PAGE, re.MULTILINE)
Says = Callable[[Stage], None]
ANY = r"[^\n]+?"


def _pattern(title: str) -> re.Pattern[str]:
    """A title of the page: words in capitals stand for anything."""
    return re.compile(re.sub(r"\b(?!WETH)[A-Z]{3,}\b", lambda _: ANY, re.escape(title)) + "(?: .*|,.*)?")


def ended(kind: str, reason: Reason) -> Says:
    def say(stage: Stage) -> None:
        plan = lending_plan()
        said = outcome_said(plan, Outcome(kind, reason, "why", plan.projected, ("0x" + "ab" * 32,)))  # type: ignore[arg-type]
        end = Ended("loop", "protect", plan.label, kind, reason, "why")
        stage.observer.concluded(end, plan.projected.health_factor, said, subject=f"loop:{OWNER}")

    return say


def held(reason: Reason, name: str | None = "protect") -> Says:
    def say(stage: Stage) -> None:
        found = seen(stage, "1000", rule())
        notices = loan_notices(found, (Hold("loop", name, reason, "no pool takes 4 WETH"),))
        stage.observer.judged("loop", notices, lambda: "")

    return say


def unreadable(stage: Stage) -> None:
    unseen = Unjudged("loop", Doubt(Reason.POSITION_UNREADABLE, "the market answered nothing"))
    notices = loan_notices(unseen, (Hold("loop", None, unseen.doubt.reason, unseen.doubt.detail),))
    stage.observer.judged("loop", notices, lambda: "")


SEIZED = Occurrence(What.LIQUIDATED, "2.1 WETH seized for 4,000 USDC of debt", 7, "0x" + "ab" * 32)


def elsewhere(reason: Reason, *, is_closed: bool = False) -> Says:
    def say(stage: Stage) -> None:
        now = loop("0", "0") if is_closed else loop("10", "10000")
        change = foreign_changes.ForeignChange(
            name="loop",
            block=now.block,
            reason=reason,
            since=6,
            titles=(lending_changes.title_of("loop", reason, is_closed=is_closed),),
            words=foreign_changes.said((SEIZED,) if reason is Reason.LIQUIDATED else (), lending_changes.UNKNOWN),
            standing=(lending_changes.dollars(Lent(6, loop("20", "18000").held), now),),
            seen={},
        )
        for title in change.titles:
            stage.observer.noticed("loop", reason, title, change.body)

    return say


def drilled(stage: Stage) -> None:
    one = Drilled("loop", "protect", DrillEnding.FAILS, "WETH at 1,355.00", "no gas money", "send some")
    stage.observer.drilled(Drill(1, 1, (one,)))


def set_aside(stage: Stage) -> None:
    title, body, over = said_of("other.example", Aside.FAILING, "answers nothing")
    stage.observer.raise_alarm("node:other.example:failing", title, body, name=over)


RAISED: dict[str, Says] = {
    "danger ahead of action: an alert rule fires": lambda stage: seen(stage, "10000", alert("watch", "1.70")) and None,
    "action taken": ended("restored", Reason.RESTORED),
    "action taken, and it was not enough": ended("partial", Reason.PARTIAL),
    "action failed": ended("failed", Reason.REVERTED),
    "a rule fires and cannot help": held(Reason.NOTHING_HELPS),
    "blind: no node answers": lambda stage: stage.observer.node_away("connection refused", 3),
    "blind: the chain stands still": lambda stage: stage.observer.no_new_block(180, 1, 90),
    "blind: a position cannot be read": unreadable,
    "a node is set aside": set_aside,
    "liquidated": elsewhere(Reason.LIQUIDATED),
    "closed behind our back, and no longer kept": elsewhere(Reason.CHANGED_OUTSIDE, is_closed=True),
    "changed behind our back": elsewhere(Reason.CHANGED_OUTSIDE),
    "a rescue would fail (fire drill)": drilled,
    "the drill itself failed": lambda stage: stage.observer.drill_failed("the node has no state of that block", 3),
    "a signer that is asked is slow, or a person is awaited": lambda stage: SigningVoice(stage.observer.voice).unsigned(
        OWNER, "repay 5,000 USDC", 10
    ),
    "the keeper stopped signing": lambda stage: stage.observer.sending_stopped(5),
}
BESIDE = ("blind: a price is stale or in doubt", "money for fees is low", "every day")
"""What is heard beside the rules: it takes an engine."""


def test_every_row_is_raised_here_and_no_other() -> None:
    """A row without a test, or a test without a row, is neither."""
    assert {what for what, _ in ROWS} == {*RAISED, *BESIDE}


@pytest.mark.parametrize(("what", "title"), [row for row in ROWS if row[0] in RAISED])
def test_each_alarm_reads_as_the_page_says(stage: Stage, what: str, title: str) -> None:
    """Its title, word by word; and beneath it more than a bare title: figures, or what can be done."""
    RAISED[what](stage)
    stage.observer.close()
    (heard,) = [one for one in stage.phone.told if _pattern(title).fullmatch(one[0])] or [stage.phone.told]
    assert isinstance(heard, tuple), heard
    assert len(heard[1]) > 10, heard


async def test_what_is_heard_beside_the_rules_reads_as_the_page_says() -> None:
    """A stale price, money for gas, the day's summary."""
    titles = dict(ROWS)
    play = Play(Paper({"loop": FAR}, holding_dollars(native=10**13)), summary_s=DAY_S)
    await play.judge()
    await play.judge(4000)
    await play.judge(60, count=5)
    await play.judge(DAY_S)
    for what in BESIDE:
        assert any(_pattern(titles[what]).fullmatch(one) for one in play.titles), (what, play.titles)
