"""What an owner hears of a fire drill: a rescue that would fail, and that it works again."""

from __future__ import annotations

from keeper.core.drills import Drill, Drilled, DrillEnding
from keeper.core.notices import sentence
from keeper.observe.gauges import Gauges
from keeper.observe.voice import Voice

REPEAT_S = 86_400
"""A rescue that would fail is said again once a day."""
SUBJECT = "drill"


def say_drill(voice: Voice, gauges: Gauges, drill: Drill) -> None:
    """Log a drill, alarm for each rescue that would fail or fall short, and say of one that works again."""
    gauges.drilled(drill)
    voice.log.info("fire_drill", block=drill.block, found=drill.summary)
    for one in drill.rules:
        if one.is_well:
            _well(voice, one)
        else:
            _fails(voice, one)
    known = {_key(one) for one in drill.rules}
    for key in [key for key in voice.known.keys_of(SUBJECT) if key not in known]:
        voice.settled([key], SUBJECT)  # its rule or position is gone
    voice.settled(["drill_failed"])


def say_drill_failed(voice: Voice, why: str, in_a_row: int) -> None:
    """Alarm that the drill itself could not be held."""
    tried = f"It was tried {in_a_row} times and is tried again each hour"
    remedy = "What you can do: check the node, and run `keeper doctor`, which rehearses each rescue"
    body = sentence(why, "Nobody knows whether the rescues would work", tried, remedy)
    voice.raise_alarm("drill_failed", "The fire drill could not be held", body, repeat_s=REPEAT_S)


def _fails(voice: Voice, one: Drilled) -> None:
    how = "would fail" if one.ending is DrillEnding.FAILS else "would fall short"
    title = f"{one.position}: the rescue of rule {one.rule} {how}"
    body = sentence(one.said, f"What you can do: {one.remedy}" if one.remedy else "")
    voice.raise_alarm(_key(one), title, body, subject=SUBJECT, name=title, repeat_s=REPEAT_S)


def _well(voice: Voice, one: Drilled) -> None:
    if voice.settled([_key(one)], SUBJECT) and one.ending is DrillEnding.WORKS:
        voice.alert(f"All clear: {one.position}: the rescue of rule {one.rule} works again", sentence(one.said))


def _key(one: Drilled) -> str:
    return f"drill:{one.position}:{one.rule}"
