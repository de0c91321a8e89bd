"""What an owner hears besides the rules, on paper: prices in doubt, gas money, a summary a day, a sign of life."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from core_builders import BLOCK, OWNER, loop, rule
from paper import Paper, engine_on, holding_dollars, next_block
from test_fire_drill import Hands, Told

from keeper.chain.errors import NodeAwayError
from keeper.core.drills import Drill, Drilled, DrillEnding
from keeper.core.units import Wei
from keeper.engine.cycle import cycle
from keeper.observe.heartbeat import Heartbeat
from keeper.observe.observer import Observer
from keeper.service.watchful import Watchful
from keeper.settings.model import Alerts

FAR = loop("10", "10000")
DAY_S = 86_400


class Play:
    """An engine, who watches for its owner, and blocks."""

    def __init__(self, paper: Paper, heartbeat: Heartbeat | None = None, **alerts: Any) -> None:
        self.paper, self.told, self.clock, self.block = paper, Told([]), Hands(), BLOCK
        self.bodies = list[str]()
        self.engine: Any = engine_on(paper, rule())
        self.engine.clock, self.drill = self.clock, None
        self.engine.observer = Observer("live", self, 3600, self.clock.wall)
        self.engine.senders = {OWNER: None}
        self.watchful = Watchful(self.engine, Alerts((), 3600, **alerts), lambda: self.drill, heartbeat)

    def notify(self, title: str, body: str) -> bool:
        self.bodies.append(body)
        return self.told.notify(title, body)

    async def judge(self, seconds: float = 12, count: int = 1) -> None:
        for _ in range(count):
            self.clock.now += seconds
            self.block = next_block(self.block, timestamp=int(self.clock.now))
            self.engine.senders = {}  # nothing is sent on paper
            results = await cycle(self.engine, self.block)
            self.engine.senders = {OWNER: None}
            await self.watchful.saw(results)

    @property
    def titles(self) -> list[str]:
        self.engine.observer.close()
        return self.told.titles


async def test_a_price_that_goes_stale_while_nothing_fires_is_heard_and_its_end_as_well() -> None:
    """The keeper is blind on that side: nothing would be sold. Not at the first moment, and not each block."""
    play = Play(Paper({"loop": FAR}, holding_dollars()))
    await play.judge()
    await play.judge(4000)
    assert play.titles == []
    await play.judge(60, count=5)
    assert any("the feed is older than its heartbeat" in title for title in play.titles)
    assert len(play.titles) == len(set(play.titles))
    fresh = [replace(h, price=replace(h.price, updated_at=int(play.clock.now) + 60)) for h in FAR.holdings]
    play.paper.positions["loop"] = replace(FAR, holdings=tuple(fresh))
    await play.judge(60, count=3)
    assert sum(title.startswith("All clear") for title in play.titles) == len(play.titles) / 2


async def test_gas_money_that_runs_low_is_heard_long_before_it_is_needed() -> None:
    """Three times what the dearest rescue takes, as the drill found; the figure, the limit, the remedy."""
    play = Play(Paper({"loop": FAR}, holding_dollars(native=10**17)))
    await play.judge()
    assert play.titles == []
    works = Drilled("loop", "protect", DrillEnding.WORKS, "", plan="sell", gas=5 * 10**16)
    play.drill = Drill(1, 1, (works,))
    await play.judge(count=3)
    assert play.titles == ["Gas money is low"]
    assert "0.1" in play.bodies[0]
    assert "0.15" in play.bodies[0]
    assert "Send it 0.05" in play.bodies[0]
    play.paper.wallet = holding_dollars(native=10**18)
    await play.judge(count=3)
    assert play.titles[1] == "All clear: gas money is low"


async def test_an_owner_may_say_what_is_low() -> None:
    """`low_gas`."""
    play = Play(Paper({"loop": FAR}, holding_dollars()), low_gas=Wei(2 * 10**18))
    await play.judge()
    assert play.titles == ["Gas money is low"]


async def test_a_summary_comes_once_a_day_also_where_nothing_was_done() -> None:
    """Every position with how it stands; a restart makes none anew."""
    paper = Paper({"loop": FAR}, holding_dollars())
    play = Play(paper, summary_s=DAY_S)
    await play.judge(600, count=3)
    assert play.titles == []
    await play.judge(DAY_S)
    assert play.titles == ["daily summary"]
    assert "loop: Health factor 1.66" in play.bodies[0]
    assert "Nothing had to be done." in play.bodies[0]
    alerts = Alerts((), 3600, summary_s=DAY_S)
    play.watchful = Watchful(play.engine, alerts, lambda: None, None)
    await play.judge(600, count=3)
    assert play.titles.count("daily summary") == 1


async def test_a_defect_in_what_is_said_ends_no_watch() -> None:
    """It is an alarm like any other."""
    play = Play(Paper({"loop": FAR}, holding_dollars()))
    play.watchful._gas_money = None  # type: ignore[method-assign, assignment]
    await play.judge()
    assert play.titles == ["What an owner should hear could not be looked at"]


# --- a sign of life --------------------------------------------------------------------------------------------------


@pytest.fixture
def switch() -> Iterator[Any]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.calls.append(self.path)
            time.sleep(server.pause)
            self.send_response(server.status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.calls, server.pause, server.status = [], 0.0, 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def beating(switch: Any, every_s: float = 0.0) -> tuple[Heartbeat, list[str]]:
    failed = list[str]()
    return Heartbeat(f"http://127.0.0.1:{switch.server_port}/ping/k3y", every_s, failed.append), failed


def settled(switch: Any, count: int) -> None:
    until = time.monotonic() + 5
    while len(switch.calls) < count and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.05)


async def test_a_judged_block_is_a_sign_of_life_and_a_blind_one_is_none(switch: Any) -> None:
    """Whoever waits for it alarms when the keeper is blind, hangs or is gone."""
    heartbeat, _ = beating(switch)
    paper = Paper({"loop": loop()}, holding_dollars())
    play = Play(paper, heartbeat)
    await play.judge()
    settled(switch, 1)
    assert switch.calls == ["/ping/k3y"]
    paper.reading_fails = NodeAwayError("node", "eth_call", "it is away")
    await play.judge()
    settled(switch, 2)
    assert len(switch.calls) == 1


def test_a_switch_that_hangs_holds_nothing_up(switch: Any) -> None:
    """One call at a time, and none is waited for."""
    switch.pause = 2.0
    heartbeat, _ = beating(switch)
    begun = time.monotonic()
    for _ in range(50):
        heartbeat.beat()
    assert time.monotonic() - begun < 0.5
    settled(switch, 1)
    assert len(switch.calls) == 1


def test_a_switch_that_refuses_or_sends_elsewhere_is_in_the_log_without_its_address(switch: Any) -> None:
    """The kind of error and no more: the address carries a key."""
    for status in (500, 302):
        switch.status = status
        heartbeat, failed = beating(switch)
        heartbeat.beat()
        until = time.monotonic() + 5
        while not failed and time.monotonic() < until:
            time.sleep(0.01)
        assert failed == ["HTTPError"]


def test_it_is_called_no_more_often_than_its_owner_wants(switch: Any) -> None:
    """A block a second is no reason for a call a second."""
    heartbeat, _ = beating(switch, every_s=3600)
    for _ in range(3):
        heartbeat.beat()
        settled(switch, 1)
    assert len(switch.calls) == 1
