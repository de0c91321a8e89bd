"""What an owner orders by ``keeper panic``: a rule declared beforehand, in force until its target is met, no longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import BLOCK, loop, rule
from paper import Paper, engine_on, holding_dollars, next_block

from keeper.chain.errors import NodeAwayError
from keeper.core.decide import Hold
from keeper.core.lending.actions import DELEVERAGE, REPAY
from keeper.core.lending.kind import LENDING
from keeper.core.lending.rules import LendingIntent
from keeper.core.metrics import Target
from keeper.core.panics import MOST, Order, from_plain, in_force, ordered_rule, plain
from keeper.core.reasons import Reason
from keeper.core.rules import ORDERED
from keeper.core.units import WAD, Wad
from keeper.engine.cycle import cycle
from keeper.journal import JournalError
from keeper.service.panic import Panic, give_order, ordered, take_back

CALM = loop("10", "10000")
THREE = Target(LENDING.metrics["health_factor"], Wad(3 * WAD))
WAY_OUT = ordered_rule("loop", THREE, (REPAY, DELEVERAGE), rule().limits)


class Play:
    """An engine on paper, and what its owner orders of it."""

    def __init__(self, position: Any = CALM) -> None:
        self.paper = Paper({"loop": position}, holding_dollars())
        self.engine: Any = engine_on(self.paper, rule())
        network = self.engine.reader.network
        self.settings: Any = SimpleNamespace(network=network, panic_rules=(WAY_OUT,), perp_panic_rules=())
        self.panic, self.block = Panic(self.engine, self.settings), BLOCK

    async def block_judged(self) -> Any:
        await self.panic.heed()
        (result,) = await cycle(self.engine, self.block)
        await self.panic.saw([result])
        self.block = next_block(self.block)
        return result


async def test_what_is_declared_does_nothing_until_it_is_ordered() -> None:
    """A healthy position is left alone, whatever way out it has."""
    play = Play()
    assert isinstance((await play.block_judged()).decision, Hold)
    assert play.engine.state.rules == (rule(),)


async def test_an_order_acts_on_a_healthy_position_and_pauses_its_other_rules() -> None:
    """The plan is of the declared rule; the other rules would undo it, so they rest."""
    play = Play()
    await give_order(play.engine.journal, play.settings, ("loop",))
    result = await play.block_judged()
    assert isinstance(result.decision, LendingIntent)
    assert result.decision.rule.name == ORDERED
    assert set(await play.engine.paused(play.engine.state.rules)) == {("loop", "protect")}


async def test_an_order_is_done_once_its_target_is_met_and_its_owner_hears_so() -> None:
    """From then on nothing of it is in force; what it paused stays paused until the owner resumes it."""
    play = Play(loop("10", "5000"))  # beyond the target
    await give_order(play.engine.journal, play.settings, ("loop",))
    assert isinstance((await play.block_judged()).decision, Hold)
    assert (await ordered(play.engine.journal, play.settings)).positions == ()
    await play.panic.heed()
    assert play.engine.state.rules == (rule(),)
    assert set(await play.engine.paused(play.engine.state.rules)) == {("loop", "protect")}


async def test_an_order_without_its_rule_is_never_called_done_and_its_owner_hears_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The settings were reloaded without it, or a page goes by the old ones: the position is paused and not closed."""
    play, said = Play(), list[str]()
    monkeypatch.setattr(play.engine.observer, "raise_alarm", lambda _, title, body: said.append(f"{title}: {body}"))
    await give_order(play.engine.journal, play.settings, ("loop",))
    await play.panic.heed()
    assert said == []
    play.settings.panic_rules = ()
    assert isinstance((await play.block_judged()).decision, Hold)
    assert any("cannot be done: loop: no [[panic]]" in one for one in said)
    assert (await ordered(play.engine.journal, play.settings)).positions == ("loop",)


async def test_an_order_that_cannot_be_carried_out_stays_and_alarms() -> None:
    """No node answers: it is tried again at the next block, and its owner hears why."""
    play = Play()
    play.paper.reading_fails = NodeAwayError("node", "eth_call", "gone")
    await give_order(play.engine.journal, play.settings, ("loop",))
    assert (await play.block_judged()).decision.reason is Reason.NODE_AWAY
    assert play.engine.observer.alarms
    assert (await ordered(play.engine.journal, play.settings)).positions == ("loop",)


async def test_an_order_taken_back_is_no_longer_in_force() -> None:
    """Before the next block: what another process forgot is forgotten here."""
    play = Play()
    await give_order(play.engine.journal, play.settings, ("loop",))
    await play.panic.heed()
    assert [r.name for r in play.engine.state.rules] == [ORDERED, "protect"]
    assert (await take_back(play.engine.journal, play.settings)).positions == ("loop",)
    await play.panic.heed()
    assert play.engine.state.rules == (rule(),)


async def test_a_journal_that_is_away_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was ordered stays in force while nobody can say otherwise."""
    play = Play()
    await give_order(play.engine.journal, play.settings, ("loop",))
    await play.panic.heed()

    async def away(*_: object) -> Any:
        raise JournalError("read", "away", "wait")

    monkeypatch.setattr(type(play.engine.journal.facts), "get", away)
    await play.panic.heed()
    assert [r.name for r in play.engine.state.rules] == [ORDERED, "protect"]


async def test_no_block_asks_the_journal_where_nothing_was_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner without a way out pays nothing for it, and no slow journal holds a block up."""
    play = Play()
    play.settings.panic_rules = ()

    async def asked(*_: object) -> Any:
        raise AssertionError("the journal was asked")

    monkeypatch.setattr(type(play.engine.journal.facts), "get", asked)
    await play.panic.heed()
    assert play.engine.state.rules == (rule(),)


@pytest.mark.parametrize("written", [None, 1, [], {}, {"positions": 3, "since": 1}, {"positions": ["a"], "since": "x"}])
def test_an_order_that_cannot_be_read_is_none(written: Any) -> None:
    """To sell needs a word."""
    assert from_plain(written) == Order((), 0)


def test_an_order_lasts_through_the_journal_and_is_bounded() -> None:
    """Written and read it is the same; given twice it holds each position once."""
    order = Order(("a",), 1).also(("a", "b"), 2)
    assert (order, from_plain(plain(order))) == (Order(("a", "b"), 2), order)
    assert plain(order.without(("a", "b"))) is None
    assert len(Order((), 0).also([str(i) for i in range(2 * MOST)], 1).positions) == MOST


def test_only_what_was_ordered_is_in_force_and_only_once() -> None:
    """In front of all other rules, whatever was in force before."""
    assert in_force((rule(),), (WAY_OUT,), ()) == (rule(),)
    assert in_force((WAY_OUT, rule()), (WAY_OUT,), ("loop",)) == (WAY_OUT, rule())
