"""How a keeper stands to who looks on: never LIVE while it is blind, and never for long after it fell silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_scene import AT, scene, seen, settings_at

from keeper.cli.watch import mark
from keeper.web.sight import Onlooker, Shelf
from keeper.web.stands import BLIND, DRY_RUN, LIVE, SILENT, UNSEEN, says, state_of

BLINDED = {"title": "The node does not answer", "detail": "connection refused"}


@pytest.mark.parametrize(
    ("age_s", "given", "state"),
    [
        (None, {}, UNSEEN),
        (0, {}, LIVE),
        (0, {"mode": "dry_run"}, DRY_RUN),
        (3, {"blind": BLINDED, "every_s": 10.0}, BLIND),
        (46, {"every_s": 10.0}, LIVE),
        (47, {"every_s": 10.0}, SILENT),
        (47, {"every_s": 10.0, "blind": BLINDED}, SILENT),
        (96, {"every_s": 60.0}, LIVE),
        (97, {"every_s": 60.0}, SILENT),
        (120, {}, LIVE),
        (121, {}, SILENT),
    ],
)
def test_how_a_keeper_stands(age_s: int | None, given: dict[str, Any], state: str) -> None:
    """On a chain of 12 s: within some blocks of what it says of itself; what an older version wrote, in two minutes."""
    assert state_of({"mode": "live"} | given, age_s, 12.0) == state


@pytest.mark.parametrize(
    ("judged_s", "pace_s", "late"), [(36, 12.0, False), (37, 12.0, True), (12, 0.25, False), (13, 0.25, True)]
)
def test_a_head_that_is_late_is_said_before_it_is_an_alarm(judged_s: int, pace_s: float, late: bool) -> None:
    """After three blocks: it may be nothing, and an owner who looks wants to know."""
    said = says(LIVE, {"mode": "live"}, judged_s, pace_s)
    assert said == ("no new block: nothing newer is watched" if late else "signs and sends")


async def test_the_page_the_terminal_and_the_api_say_that_the_keeper_is_blind(tmp_path: Path, asking: Any) -> None:
    """Within a few blocks of the node's death: how old the head is, what ails the node, and what that means."""
    night, latest = await scene(tmp_path), Shelf()
    view = await seen()
    view.pop("_figures")
    nodes = [view["nodes"][0] | {"state": "failed 3 times in a row"}]
    latest.show(view | {"at": AT, "judged_at": AT - 14, "every_s": 10.0, "blind": BLINDED, "nodes": nodes})
    sight = Onlooker(night.settings, latest, clock=lambda: float(AT))
    async with asking(night.access, sight) as ask:
        page = (await ask.get("/")).text
        ready = await ask.get("/readyz")
    said = "the keeper is blind: nothing is watched or rescued. The node does not answer: connection refused"
    assert '<div class="mark blind"' in page
    assert "<strong>BLIND</strong>" in page
    assert "<title>BLIND ethereum" in page
    assert 'no block judged for <time data-at="' in page
    assert ">14 s</time>" in page
    assert said in page
    assert "failed 3 times in a row" in page
    assert 'class="mark live"' not in page
    assert "card alarm old" in page
    assert (ready.status_code, ready.json()[0]["state"], ready.json()[0]["age_s"]) == (503, "blind", 14)
    told = mark(await sight.glance()).plain
    assert told.startswith(" BLIND  ethereum")
    assert "seen 14 s ago" in told
    assert said[1:] in told


async def test_failing_at_every_block_is_not_shown_as_seen_just_now(tmp_path: Path) -> None:
    """A keeper that is there, and judges nothing: what counts is the block that was judged, not the last word."""
    latest = Shelf()
    view = await seen()
    view.pop("_figures")
    latest.show(view | {"at": AT, "judged_at": AT - 300, "every_s": 10.0})
    glance = await Onlooker(settings_at(tmp_path), latest, clock=lambda: float(AT)).glance()
    assert (glance["age_s"], glance["says"]) == (300, "no new block: nothing newer is watched")
