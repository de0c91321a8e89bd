"""What the page shows, whatever state the keeper and its journal are in: unknown is said, nothing is markup by name."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_scene import AT, CONTROL, NAMES, access, scene, seen, settings_at

from keeper.journal import open_journal
from keeper.settings.model import Secret
from keeper.web.drawn import drawn_page
from keeper.web.pages import _told
from keeper.web.sight import Onlooker, Shelf

OLD = Path(__file__).parents[1] / "journal" / "old" / "of_2026_11_20.sql"
HOSTILE = '<script>alert("x")</script>', "</title><img src=x onerror=alert(1)>", "a & b/../?chain=%00 'quoted'"


async def test_everything_an_owner_asks_first_is_on_the_first_page(tmp_path: Path, asking: Any) -> None:
    """Live or not, figures, distance, what would be done, what was done, prices with their age, limits, nodes."""
    night = await scene(tmp_path)
    async with asking(night.access, night.sight) as ask:
        page = (await ask.get("/")).text
    for said in (
        ">LIVE<", "signs and sends", "21,345,678", "eth-loop", "1.185", "WETH falls by 15.7", "sell WETH to repay USDC",
        "costs $19.05", "calm-loan", "no rule asks for anything", "protect at health factor below 1.25", "dark-loan",
        "unknown", "The market answered nothing", "22.81", "margin ratio", "Fire drill", "node.example", "read from",
        "lags", "$16,800.00", "$20,000.00", "sell and repay in one bundle", "final", "Last alarms",
        "1 of 2 rescues would work", "your rescue would fail at WETH at 1,355.00, because no gas money",
    ):  # fmt: skip
        assert said in page, said
    assert page.count("<polyline") >= 6
    assert "SECRET" not in page
    assert night.access.look.reveal() not in page


async def test_a_dry_run_is_never_taken_for_a_live_keeper(tmp_path: Path, asking: Any) -> None:
    """Its mark, its colour and its words are others."""
    night = await scene(tmp_path, mode="dry_run")
    async with asking(night.access, night.sight) as ask:
        page = (await ask.get("/")).text
    assert 'class="mark dry_run"' in page
    assert "DRY RUN" in page
    assert "Would do: sell WETH" in page
    assert "signs and sends" not in page


async def test_one_position_is_shown_whole(tmp_path: Path, asking: Any) -> None:
    """Rules, plan with its calldata, what it holds, its decisions; for each span of time."""
    night = await scene(tmp_path)
    async with asking(night.access, night.sight) as ask:
        for span in ("24h", "7d", "30d", "90d"):
            answer = await ask.get("/position", params={"chain": "ethereum", "name": "eth-loop", "span": span})
            assert answer.status_code == 200
        page = answer.text
        for name in ("short", "eth", "dark-loan"):
            other = await ask.get("/position", params={"chain": "ethereum", "name": name})
            assert other.status_code == (200 if night.sight.knows(name) else 404)
    assert re.search(r"0x[0-9a-f]{8}", page)
    for said in ("The plan, step by step", "Rehearsed by", "WETH", "USDC", "protect", "fires", "in flight"):
        assert said in page, said


async def test_no_journal_yet_is_no_error(tmp_path: Path, asking: Any) -> None:
    """Who opens the page first is told what comes next; nothing is made by looking."""
    sight = Onlooker(settings_at(tmp_path), clock=lambda: float(AT))
    async with asking(access(), sight) as ask:
        page = (await ask.get("/")).text
        assert (await ask.get("/position", params={"chain": "ethereum", "name": NAMES[0]})).status_code == 200
        assert (await ask.get("/readyz")).status_code == 503
    assert "There is no journal yet" in page
    assert "NOTHING SEEN YET" in page
    assert page.count("not seen yet") == len(NAMES)
    assert not (tmp_path / "keeper.sqlite").exists()


async def test_an_empty_journal_says_that_nobody_watches(tmp_path: Path, asking: Any) -> None:
    """No position is fine because nobody said that it is not."""
    settings = settings_at(tmp_path)
    async with await open_journal(str(tmp_path / "keeper.sqlite")):
        pass
    async with asking(access(), Onlooker(settings, clock=lambda: float(AT))) as ask:
        page = (await ask.get("/")).text
    assert "No keeper has written what it sees" in page
    assert "The journal is empty" in page
    assert "Nothing was ever signed" in page


async def test_a_journal_of_an_earlier_version_is_left_as_it_is(tmp_path: Path, asking: Any) -> None:
    """Who only looks brings nothing up to date: a keeper of that version may be running on it."""
    file = tmp_path / "keeper.sqlite"
    with sqlite3.connect(file) as old:
        old.executescript(OLD.read_text(encoding="utf-8"))
    before = file.read_bytes()
    async with asking(access(), Onlooker(settings_at(tmp_path), clock=lambda: float(AT))) as ask:
        page = (await ask.get("/")).text
    assert "written by an earlier version" in page
    with sqlite3.connect(file) as old:
        assert old.execute("SELECT version_num FROM alembic_version").fetchone()[0] < "0005"
    assert len(before) <= len(file.read_bytes())


async def test_what_is_no_journal_is_said(tmp_path: Path, asking: Any) -> None:
    """A damaged file gives a page with the cause and the remedy, and no traceback."""
    (tmp_path / "keeper.sqlite").write_bytes(b"this is no database, and was never one" * 100)
    async with asking(access(), Onlooker(settings_at(tmp_path), clock=lambda: float(AT))) as ask:
        answer = await ask.get("/")
    assert answer.status_code == 200
    assert "not a journal" in answer.text


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_name_is_never_markup(tmp_path: Path, asking: Any, hostile: str) -> None:
    """Names come from the settings, symbols from any token's own contract."""
    night = await scene(tmp_path, (hostile, "calm-loan", "dark-loan"))
    async with asking(night.access, night.sight) as ask:
        first, whole = await ask.get("/"), await ask.get("/position", params={"chain": "ethereum", "name": hostile})
    assert (first.status_code, whole.status_code) == (200, 200)
    for page in (first.text, whole.text):
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&amp;" in page or "&lt;" in page


async def test_a_position_without_a_price_is_shown_as_unknown(tmp_path: Path, asking: Any) -> None:
    """Its card says so and why; none of its figures is there to be believed."""
    night = await scene(tmp_path)
    async with asking(night.access, night.sight) as ask:
        page = (await ask.get("/position", params={"chain": "ethereum", "name": "dark-loan"})).text
    assert 'class="card whole unknown' in page
    assert "could not be read" in page


async def test_old_words_are_not_shown_as_those_of_now(tmp_path: Path, asking: Any) -> None:
    """A keeper that fell silent two minutes ago is not live, whatever it wrote last."""
    night = await scene(tmp_path)
    late = Onlooker(night.settings, clock=lambda: AT + 500.0)
    async with asking(night.access, late) as ask:
        page = (await ask.get("/")).text
        ready = await ask.get("/readyz")
    assert "NOT WATCHED" in page
    assert 'class="mark live"' not in page
    assert "card alarm old" in page
    assert page.count("Nobody watches now. What the keeper said last") == page.count('<div class="now">')
    assert (ready.status_code, ready.json()[0]["state"]) == (503, "silent")


async def test_beside_the_daemon_the_page_is_at_the_newest_block(tmp_path: Path, asking: Any) -> None:
    """What the daemon hands over counts before what the journal has."""
    night, latest = await scene(tmp_path), Shelf()
    view = await seen()
    view.pop("_figures")
    latest.show(view | {"at": AT, "block": view["block"] | {"number": 21_345_999}})
    async with asking(night.access, Onlooker(night.settings, latest, clock=lambda: float(AT))) as ask:
        assert "21,345,999" in (await ask.get("/")).text


async def test_several_chains_stand_side_by_side(tmp_path: Path, asking: Any) -> None:
    """Each with its own mark: one that is silent hides behind no other."""
    night = await scene(tmp_path)
    (tmp_path / "other").mkdir()
    other = settings_at(tmp_path / "other")
    async with asking(night.access, night.sight, Onlooker(other, clock=lambda: float(AT))) as ask:
        page = (await ask.get("/")).text
    assert page.count('class="mark live"') == 1
    assert page.count('class="mark unseen"') == 1


async def test_a_page_is_the_same_for_a_crowd(tmp_path: Path, asking: Any) -> None:
    """Many browsers read the journal no more often than one."""
    night = await scene(tmp_path)
    async with asking(night.access, night.sight) as ask:
        await ask.get("/")
        first = await night.sight.glance()
        await ask.get("/")
        assert await night.sight.glance() is first


async def test_pausing_needs_the_second_token_and_shows_what_it_did(tmp_path: Path, asking: Any) -> None:
    """Off unless it is set; then by the page's own form, and never by another page's."""
    night = await scene(tmp_path, control=True)
    form = {"chain": "ethereum", "action": "pause", "kind": "position", "name": "eth-loop", "for": "2h"}
    async with asking(access(), night.sight) as ask:
        assert "Nothing can be changed from here" in (await ask.get("/control")).text
        assert (await ask.post("/control", data=form | {"token": CONTROL})).status_code == 403
    async with asking(night.access, night.sight) as ask:
        assert (await ask.post("/control", data=form | {"token": "x" * 40})).status_code == 403
        stranger = {"Origin": "http://evil.example"}
        assert (await ask.post("/control", data=form | {"token": CONTROL}, headers=stranger)).status_code == 403
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert (await ask.post("/control", data=form | {"token": CONTROL}, headers=cross)).status_code == 403
        assert "Paused" not in (await ask.get("/")).text
        wrong = await ask.post("/control", data=form | {"token": CONTROL, "name": "nobody"})
        assert (wrong.status_code, "there is no position" in wrong.text) == (422, True)
        assert (await ask.post("/control", data=form | {"token": CONTROL, "for": "soon"})).status_code == 422
        assert (await ask.post("/control", data=form | {"token": CONTROL})).status_code == 303
        assert "Paused: <b>position eth-loop</b>" in (await ask.get("/")).text
        assert (await ask.post("/control", data=form | {"token": CONTROL, "action": "resume"})).status_code == 303
        assert "Paused" not in (await ask.get("/")).text


async def test_what_is_paused_from_the_page_is_what_the_keeper_heeds(tmp_path: Path, asking: Any) -> None:
    """The very row that `keeper pause` writes."""
    night = await scene(tmp_path, control=True)
    wanted = {"chain": "ethereum", "action": "pause", "kind": "all"}
    async with asking(night.access, night.sight) as ask:
        answer = await ask.post("/api/control", json=wanted, headers={"X-Control-Token": CONTROL})
    assert answer.status_code == 200
    async with await open_journal(str(tmp_path / "keeper.sqlite")) as journal:
        assert await journal.facts.get("paused:1:ethereum") == [{"kind": "all", "name": "", "since": AT, "until": None}]


async def test_a_view_of_another_shape_is_no_view(tmp_path: Path, asking: Any) -> None:
    """What another version left there is not drawn half."""
    settings = settings_at(tmp_path)
    async with await open_journal(str(tmp_path / "keeper.sqlite")) as journal:
        await journal.views.write("1:ethereum:live", {"something": "else"}, AT, {})
    async with asking(access(), Onlooker(settings, clock=lambda: float(AT))) as ask:
        assert "NOTHING SEEN YET" in (await ask.get("/")).text


async def test_the_events_say_when_to_look_again(tmp_path: Path) -> None:
    """A line at once, and one when something new is there."""
    night, latest = await scene(tmp_path), Shelf()
    listeners = set[object]()
    told = _told([Onlooker(night.settings, latest, clock=lambda: float(AT))], listeners, lambda: False)
    assert (await anext(told)).startswith("retry")
    assert (await anext(told)).startswith("event: seen")
    assert len(listeners) == 1
    await told.aclose()
    assert not listeners


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_what_a_token_calls_itself_is_never_markup(tmp_path: Path, asking: Any, hostile: str) -> None:
    """Anybody may make a token of any name, and send some."""
    night, shelf = await scene(tmp_path), Shelf()
    view = await seen()
    view.pop("_figures")
    told = json.dumps(view).replace('"WETH"', json.dumps(hostile)).replace("sell WETH", json.dumps(hostile)[1:-1])
    shelf.show(json.loads(told) | {"at": AT})
    async with asking(night.access, Onlooker(night.settings, shelf, clock=lambda: float(AT))) as ask:
        pages = [await ask.get("/"), await ask.get("/position", params={"chain": "ethereum", "name": "eth-loop"})]
    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text


async def test_a_database_that_is_away_is_said_without_its_password(tmp_path: Path, asking: Any) -> None:
    """The page stays, with the cause; the journal's address has secrets in it."""
    settings = settings_at(tmp_path)
    away = replace(settings, journal_url=Secret("postgresql://keeper:PLANTED-PASSWORD@127.0.0.1:9/journal"))
    async with asking(access(), Onlooker(away, clock=lambda: float(AT))) as ask:
        page, glance = await ask.get("/"), await ask.get("/api/glance", params={"chain": "ethereum"})
        history = await ask.get("/api/history", params={"chain": "ethereum", "name": NAMES[0]})
    assert page.status_code == 200
    assert "The journal could not" in page.text
    assert history.status_code == 503
    assert "PLANTED" not in page.text + glance.text + history.text


async def test_the_line_ends_at_what_the_card_says(tmp_path: Path) -> None:
    """A rescue since the last sample is in the chart: the figure of now is its last point."""
    night = await scene(tmp_path)
    view = (await night.sight.glance())["view"]
    seen = next(s for s in view["subjects"] if s["name"] == "eth-loop")["seen"]
    before = (await drawn_page(night.sight))["cards"][0]["charts"][0]
    seen["figures"]["health_factor"] = "1.5000"
    moved = (await drawn_page(night.sight))["cards"][0]["charts"][0]
    assert moved.last != before.last
    await night.sight.close()
