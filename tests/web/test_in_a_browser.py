"""The page in a real headless Chromium, as a phone and as a desk show it. Skipped, and said so, where there is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_scene import LOOK, access, scene, seen, settings_at
from page_served import serving

from keeper.web.sight import Onlooker, Shelf
from tools.browser import Tab, browser, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="there is no chromium here: apt-get install chromium"),
]
PHONE, DESK = (390, 844), (1280, 900)
LONG = "a-position-with-a-very-long-name-that-nobody-would-type-twice-" + "x" * 18
CUT = """[...document.querySelectorAll('main *, header *')].filter(e => {
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  if (!box.width || style.display === 'none' || e.closest('svg') && e.tagName !== 'svg') return false;
  if (box.right > document.documentElement.clientWidth + 1 && !e.closest('.scroll')) return true;
  return style.overflowX === 'hidden' && e.scrollWidth > e.clientWidth + 1;
}).map(e => e.tagName + '.' + e.className + ': ' + e.textContent.trim().slice(0, 60))"""
CONTRAST = """(() => {
  const mark = document.querySelector('.mark'), word = mark.querySelector('strong');
  const light = c => { const [r, g, b] = c.match(/[0-9.]+/g).map(v => v / 255).map(
    v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const [a, b] = [light(getComputedStyle(word).color), light(getComputedStyle(mark).backgroundColor)].sort();
  const box = mark.getBoundingClientRect();
  return [(b + 0.05) / (a + 0.05), box.top, box.width / document.documentElement.clientWidth,
          parseFloat(getComputedStyle(word).fontSize), getComputedStyle(mark).backgroundColor];
})()"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


def enter(tab: Tab, port: int, path: str = "/") -> None:
    tab.open(f"http://127.0.0.1:{port}/enter?token={LOOK}")
    tab.open(f"http://127.0.0.1:{port}{path}")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_cut_and_nothing_scrolls_sideways(tab: Tab, tmp_path: Path, size: tuple[int, int]) -> None:
    """Every page, with a name longer than any line."""
    night = asyncio.run(scene(tmp_path, (LONG, "calm-loan", "dark-loan"), control=True, now=int(time.time())))
    tab.size(*size)
    with serving([night.sight], night.access) as port:
        for path in (
            "/",
            f"/position?chain=ethereum&name={LONG}",
            "/position?chain=ethereum&name=dark-loan",
            "/control",
        ):
            enter(tab, port, path)
            wide = tab.run("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            assert wide[0] <= wide[1], path
            assert tab.run(CUT) == [], path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_live_and_dry_run_cannot_be_missed_or_mixed_up(
    tab: Tab, tmp_path: Path, size: tuple[int, int], dark: bool
) -> None:
    """At the top, from edge to edge, large, in strong contrast; each in a colour of its own."""
    colours = set[str]()
    for mode in ("live", "dry_run"):
        (tmp_path / mode).mkdir()
        night = asyncio.run(scene(tmp_path / mode, mode=mode, now=int(time.time())))
        tab.size(*size, dark=dark)
        with serving([night.sight], night.access) as port:
            enter(tab, port)
            contrast, top, share, points, colour = tab.run(CONTRAST)
            tab.run("window.scrollTo(0, 600)")
            assert tab.run("document.querySelector('.mark').getBoundingClientRect().top") == 0
        assert contrast >= 4.5
        assert (top, share) == (0, 1)
        assert points >= 20
        colours.add(colour)
    assert len(colours) == 2


def test_no_request_leaves_the_machine_and_the_browser_complains_of_nothing(tab: Tab, tmp_path: Path) -> None:
    """Style, script and picture come from here, and the policy forbids none of them."""
    night = asyncio.run(scene(tmp_path, now=int(time.time())))
    tab.size(*DESK)
    with serving([night.sight], night.access) as port:
        tab.requested.clear()
        tab.complaints.clear()
        for path in ("/control", "/position?chain=ethereum&name=eth-loop", "/"):
            enter(tab, port, path)
        asked = [url for url in tab.requested if not url.startswith("data:")]
        assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{port}"}
        assert {"page.css", "page.js", "events"} <= {url.split("/")[-1].split("?")[0] for url in asked}
        assert tab.complaints == []
        assert tab.run("getComputedStyle(document.querySelector('.card')).borderTopWidth") == "4px"


def test_what_is_new_appears_by_itself(tab: Tab, tmp_path: Path) -> None:
    """A block later the page says so; an opened detail stays open."""
    night, latest = asyncio.run(scene(tmp_path, now=int(time.time()))), Shelf()
    view = asyncio.run(seen(now=int(time.time())))
    view.pop("_figures")
    tab.size(*DESK)
    with serving([Onlooker(night.settings, latest)], night.access) as port:
        enter(tab, port, "/position?chain=ethereum&name=eth-loop")
        tab.run("document.getElementById('plan').open = false")
        tab.wait(1.5)
        latest.show(view | {"at": int(time.time()), "block": view["block"] | {"number": 29_999_999}})
        tab.wait(5)
        assert "29,999,999" in tab.run("document.querySelector('.mark').textContent")
        assert tab.run("document.getElementById('plan').open") is False


def test_a_chart_is_read_under_the_pointer(tab: Tab, tmp_path: Path) -> None:
    """The figure and its time, as exactly as it is drawn."""
    night = asyncio.run(scene(tmp_path, now=int(time.time())))
    tab.size(*DESK)
    with serving([night.sight], night.access) as port:
        enter(tab, port, "/position?chain=ethereum&name=calm-loan")
        box = tab.run(
            "(() => { const b = document.querySelector('svg.chart.wide').getBoundingClientRect();"
            " return [b.left, b.top, b.width, b.height]; })()"
        )
        move = {"type": "mouseMoved", "x": box[0] + box[2] - 14, "y": box[1] + box[3] / 2}
        tab.ask("Input.dispatchMouseEvent", **move)
        said = tab.run("document.querySelector('text.read').textContent")
        assert float(said.split()[0]) == pytest.approx(1.844, abs=0.02)
        tab.ask("Input.dispatchMouseEvent", type="mouseMoved", x=3, y=3)
        assert tab.run("document.querySelector('text.read')") is None


def test_a_page_whose_server_is_gone_does_not_look_live(tab: Tab, tmp_path: Path) -> None:
    """Left open overnight, it must not show an old LIVE as now's."""
    night = asyncio.run(scene(tmp_path, now=int(time.time())))
    tab.size(*DESK)
    with serving([night.sight], night.access) as port:
        enter(tab, port)
        before = tab.run("getComputedStyle(document.querySelector('.mark')).backgroundColor")
    tab.run("document.dispatchEvent(new CustomEvent('keeper-later', {detail: 60000}))")
    tab.wait(2)
    assert tab.run("getComputedStyle(document.querySelector('.lost')).display") == "block"
    assert tab.run("getComputedStyle(document.querySelector('.mark')).backgroundColor") != before


def test_a_line_that_was_refused_is_asked_for_again(tab: Tab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser gives up where an answer is no line: after a restart, behind a tunnel. The page does not."""
    night, latest = asyncio.run(scene(tmp_path, now=int(time.time()))), Shelf()
    view = asyncio.run(seen(now=int(time.time())))
    view.pop("_figures")
    tab.size(*PHONE)
    monkeypatch.setattr("keeper.web.pages.MOST_LISTENERS", 0)
    with serving([Onlooker(night.settings, latest)], night.access) as port:
        enter(tab, port)
        tab.wait(1)
        monkeypatch.undo()
        latest.show(view | {"at": int(time.time()), "block": view["block"] | {"number": 29_999_998}})
        tab.wait(4.5)
        assert "29,999,998" in tab.run("document.querySelector('.mark').textContent")
        latest.show(view | {"at": int(time.time()) + 1, "block": view["block"] | {"number": 29_999_999}})
        tab.wait(4)
        assert "29,999,999" in tab.run("document.querySelector('.mark').textContent")
        tab.complaints.clear()  # that it was refused is on the browser's console, as it should be


def test_the_lock_is_all_that_a_stranger_sees(tab: Tab, tmp_path: Path) -> None:
    """And it can be opened by hand, from a phone."""
    sight = Onlooker(settings_at(tmp_path))
    tab.size(*PHONE)
    with serving([sight], access()) as port:
        tab.ask("Network.clearBrowserCookies")
        tab.open(f"http://127.0.0.1:{port}/")
        assert tab.run("document.querySelector('h1').textContent") == "Locked"
        tab.run(f"document.querySelector('input').value = '{LOOK}'; document.querySelector('form').requestSubmit()")
        tab.wait(2)
        assert "There is no journal yet" in tab.run("document.body.textContent")
