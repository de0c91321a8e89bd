"""Panic from the page: what `keeper panic` orders, behind the second token, confirmed, of a live keeper alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_scene import AT, CONTROL, Scene, access, scene

from keeper.journal import open_journal
from keeper.settings import load
from keeper.web.sight import Onlooker

WAY_OUT = """
[[panic]]
position = "eth-loop"
restore = "close"
actions = ["repay", "deleverage"]
"""
FORM = {"chain": "ethereum", "action": "panic", "name": "eth-loop", "confirm": "eth-loop", "token": CONTROL}


async def declared(folder: Path, *, mode: str = "live") -> Scene:
    """A night whose settings declare a way out for one of its loans."""
    night = await scene(folder, control=True, mode=mode)
    file = folder / "keeper.toml"
    file.write_text(file.read_text(encoding="utf-8") + WAY_OUT, encoding="utf-8")
    night.sight = Onlooker(load(file, {}), clock=lambda: float(AT))
    return night


async def facts(folder: Path, *keys: str) -> list[Any]:
    async with await open_journal(str(folder / "keeper.sqlite")) as journal:
        return [await journal.facts.get(key) for key in keys]


async def test_an_order_from_the_page_is_the_one_that_the_command_gives(tmp_path: Path, asking: Any) -> None:
    """The very rows of `keeper panic`: the order, and the pause of the position's other rules."""
    night = await declared(tmp_path)
    async with asking(night.access, night.sight) as ask:
        assert "close" in (await ask.get("/control")).text
        assert (await ask.post("/control", data=FORM)).status_code == 303
        shown = (await ask.get("/")).text
        assert "Ordered: <b>eth-loop</b>" in shown
        assert "Paused: <b>position eth-loop</b>" in shown
    order, paused = await facts(tmp_path, "panic:1:ethereum", "paused:1:ethereum")
    assert order == {"positions": ["eth-loop"], "since": AT}
    assert [one["name"] for one in paused] == ["eth-loop"]


async def test_it_is_called_off_from_the_page_as_well(tmp_path: Path, asking: Any) -> None:
    """What is not done yet is forgotten; the pause stays, and is said."""
    night = await declared(tmp_path)
    async with asking(night.access, night.sight) as ask:
        await ask.post("/control", data=FORM)
        off = {"chain": "ethereum", "action": "call_off", "token": CONTROL}
        assert (await ask.post("/control", data=off)).status_code == 303
        shown = (await ask.get("/")).text
        assert "Ordered:" not in shown
        assert "Paused: <b>position eth-loop</b>" in shown
    assert await facts(tmp_path, "panic:1:ethereum") == [None]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"confirm": ""}, 422, "type its name"),
        ({"confirm": "eth-loo"}, 422, "type its name"),
        ({"name": "calm-loan", "confirm": "calm-loan"}, 422, "no way out is declared"),
        ({"name": "nobody", "confirm": "nobody"}, 422, "no way out is declared"),
        ({"name": "", "confirm": ""}, 422, "no way out is declared"),
        ({"token": "x" * 40}, 403, "not the second token"),
        ({"token": ""}, 403, "not the second token"),
        ({"chain": "elsewhere"}, 422, "there is no chain"),
    ],
    ids=lambda of: str(of) if isinstance(of, dict) else "",
)
async def test_what_is_not_meant_orders_nothing(
    tmp_path: Path, asking: Any, change: dict[str, str], status: int, said: str
) -> None:
    """A slip, another position, a wrong token: said, and nothing is written."""
    night = await declared(tmp_path)
    async with asking(night.access, night.sight) as ask:
        answer = await ask.post("/control", data=FORM | change)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert await facts(tmp_path, "panic:1:ethereum") == [None]


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}], ids=str)
async def test_another_site_orders_nothing(tmp_path: Path, asking: Any, headers: dict[str, str]) -> None:
    """Though the browser holds the cookie, and even with the second token."""
    night = await declared(tmp_path)
    async with asking(night.access, night.sight) as ask:
        assert (await ask.post("/control", data=FORM, headers=headers)).status_code == 403
    assert await facts(tmp_path, "panic:1:ethereum") == [None]


async def test_without_the_second_token_set_up_there_is_no_panic(tmp_path: Path, asking: Any) -> None:
    """Off unless it is set."""
    night = await declared(tmp_path)
    async with asking(access(), night.sight) as ask:
        assert (await ask.post("/control", data=FORM)).status_code == 403
        assert "panic" not in (await ask.get("/control")).text.lower()


async def test_an_order_that_nobody_would_carry_out_is_not_given(tmp_path: Path, asking: Any) -> None:
    """A dry run sends nothing, and a keeper that is away may come back at a moment that was not meant."""
    night = await declared(tmp_path, mode="dry_run")
    async with asking(night.access, night.sight) as ask:
        answer = await ask.post("/control", data=FORM)
        assert (answer.status_code, "no live keeper" in answer.text) == (422, True)
    night.sight = Onlooker(night.settings, clock=lambda: float(AT + 9_999))
    assert await facts(tmp_path, "panic:1:ethereum") == [None]


async def test_a_program_orders_it_too(tmp_path: Path, asking: Any) -> None:
    """`/api/panic`, with both tokens; the answer is what is ordered now."""
    night = await declared(tmp_path)
    wanted = {"chain": "ethereum", "action": "panic", "name": "eth-loop", "confirm": "eth-loop"}
    async with asking(night.access, night.sight) as ask:
        assert (await ask.post("/api/panic", json=wanted)).status_code == 403
        wrong = await ask.post("/api/panic", json=wanted | {"confirm": "no"}, headers={"X-Control-Token": CONTROL})
        assert wrong.status_code == 409
        answer = await ask.post("/api/panic", json=wanted, headers={"X-Control-Token": CONTROL})
    assert (answer.status_code, answer.json()) == (200, {"positions": ["eth-loop"], "since": AT})
