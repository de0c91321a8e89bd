"""What a card says first: what is done or would be, then what it waits for, then why not; each in an owner's words."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from core_builders import OWNER, below, loop, rule, wad
from page_scene import scene
from paper import Paper, engine_on
from perp_builders import perp_rule
from test_cycle_perps import dollars, sold

from keeper.core.lending import actions
from keeper.core.lending.metrics import LIQUIDATION_DISTANCE
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import Unreadable
from keeper.engine.cycle import cycle
from keeper.service.view import view_of
from keeper.web.cards import ALARM, CALM, UNKNOWN, WATCH, Card, cards_of
from keeper.web.drawn import MOST_CARDS, drawn_page
from keeper.web.sight import Shelf

WARNING = rule(
    name="warning", trigger=below(LIQUIDATION_DISTANCE, wad("0.24")), target=None, actions=(), position="loan"
)
RESCUE = rule(name="rescue", position="loan", actions=(actions.DELEVERAGE,))


async def seen_of(positions: dict[str, Any], *rules: Any, **given: Any) -> dict[str, Any]:
    """The view that the real engine has of positions on paper."""
    paper = Paper(positions, dollars())
    engine = engine_on(paper, *rules, **given)
    results = await cycle(engine, paper.block)
    known, blocks = engine.reader.known, SimpleNamespace(node=None)
    engine.reader = SimpleNamespace(network=engine.reader.network, known=known, blocks=blocks)  # type: ignore[assignment]
    assert engine.state.seen is not None
    return view_of(engine, engine.state.seen, results) | {"mode": "live", "at": 0}  # type: ignore[arg-type]


async def card_of(position: Any, *rules: Any, mode: str = "live", **given: Any) -> Card:
    view = await seen_of({position.name: position}, *rules, **given)
    ((_, found),) = cards_of(view | {"mode": mode})
    return found


async def test_a_warning_is_no_hold_and_says_what_comes_next() -> None:
    """The rule that only warns fires, the rescue rests: what was measured, the bound, and where the rescue begins."""
    found = await card_of(replace(loop(dollars="13000"), name="loan"), WARNING, RESCUE)
    assert found.tone == WATCH
    assert found.now[0].startswith("Warns (warning): distance to liquidation 2")
    assert found.now[0].endswith("% is below 24.00 %.")
    assert found.now[1].startswith("rescue at health factor below 1.25: deleverage → health factor 1.6")
    assert not any("add an action" in line.lower() for line in (*found.now, *found.why))


async def test_where_no_rule_acts_a_warning_is_an_alarm_and_says_so() -> None:
    """Nobody will help: that is the owner's to know, at the first look."""
    found = await card_of(replace(loop(dollars="13000"), name="loan"), WARNING)
    assert found.tone == ALARM
    assert "No rule of it acts: the keeper only warns." in found.why


async def test_a_rescue_comes_before_the_warning_that_came_before_it() -> None:
    """Both fire: the plan is the answer, and the warning stands below it."""
    found = await card_of(replace(loop(), name="loan"), WARNING, RESCUE)
    assert found.tone == ALARM
    assert found.now[0].startswith("Does: ")
    assert [line for line in found.why if line.startswith("Warns (warning): distance to liquidation ")]


async def test_figures_read_as_an_owner_reads_them() -> None:
    """Shares in percent, names without underscores; a short is liquidated by a rise, and it says of what."""
    short = replace(sold(price="1900"), name="short")
    found = await card_of(short, perp_rules=(perp_rule(),))
    assert found.distance.startswith("ETH rises by ")
    (of,) = found.rules
    assert of["now"].endswith("%")
    assert "_" not in of["when"]
    assert "%" in of["when"]


async def test_nothing_open_is_calm_and_cannot_be_liquidated() -> None:
    """A position that its owner has not opened yet, or has closed: no figure is invented."""
    found = await card_of(replace(loop(dollars="0"), name="loan"), WARNING, RESCUE)
    assert (found.figure, found.label, found.distance) == ("∞", "no debt", "never")
    assert found.tone == CALM


async def test_an_account_with_nothing_in_it_is_empty_and_not_unreadable() -> None:
    """Read, and nothing there: not opened yet, closed, or another owner meant. Never called "could not be read"."""
    nothing = Doubt(Reason.NO_POSITION, "the account has no supply and no debt")
    found = await card_of(Unreadable("loan", OWNER, nothing), RESCUE)
    assert (found.figure, found.label) == ("empty", "nothing is open here")
    assert (found.tone, found.distance) == (WATCH, "nothing to liquidate")
    assert "Check `owner` and the network file" in found.why
    dark = await card_of(Unreadable("loan", OWNER, Doubt(Reason.POSITION_UNREADABLE, "no answer")), RESCUE)
    assert (dark.figure, dark.label, dark.tone) == ("unknown", "could not be read", UNKNOWN)


async def test_of_fifty_positions_those_at_rest_are_lines_and_those_in_danger_cards(tmp_path: Any, asking: Any) -> None:
    """What wants a look is not searched for; nothing that could not be read is called at rest."""
    night = await scene(tmp_path)
    calm = {f"calm-{i}": replace(loop(dollars="4000"), name=f"calm-{i}") for i in range(50)}
    danger = {f"danger-{i}": replace(loop(), name=f"danger-{i}") for i in range(1)}
    view = await seen_of(calm | danger, *(replace(RESCUE, position=name) for name in (*calm, *danger)))
    night.sight.latest = Shelf(
        view | {"network": "ethereum", "chain_id": 1, "at": int(night.sight.clock()), "nodes": []}
    )
    drawn = await drawn_page(night.sight)
    assert [one["card"].tone for one in drawn["cards"]] == [ALARM]
    assert len(drawn["resting"]) == 50 > MOST_CARDS
    assert {one.tone for one in drawn["resting"]} == {CALM} != {UNKNOWN}
    async with asking(night.access, night.sight) as ask:
        page = (await ask.get("/")).text
    assert page.count('<article class="card alarm') == 1
    assert page.count("calm-49") >= 1
    assert "At rest" in page
