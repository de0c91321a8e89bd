"""A book that stands naked, and orders left with a venue: seen to at each block, without a chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import BLOCK, NOW, OWNER, at, loop, units
from paper import Paper, engine_on
from perp_builders import BOOK, hedge_rule, perp_rule, resting, short, told

from keeper.core.book.actions import HEDGE, UNWIND
from keeper.core.book.unhedged import Naked, NakedBudget
from keeper.core.decide import Hold
from keeper.core.pauses import ABOUT, Pause, key_of, plain
from keeper.core.pauses import RULE as RULE_OF
from keeper.core.perp.position import OrderKind, PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import Unreadable, Wallet
from keeper.core.units import INFINITE, WAD, Wad, Wei
from keeper.engine.cycle import cycle
from keeper.engine.engine import Engine
from keeper.engine.history import Left
from keeper.engine.lending.departure import LendingDeparture
from keeper.engine.perp.assess import judge_book
from keeper.engine.perp.unwind import unwinding
from keeper.execution.outcome import Outcome
from keeper.execution.recheck import Drop, Keep, Unsure
from keeper.venues.codec.abi import address
from keeper.venues.ports import OrderOutcome

USDC = address("0x" + "cc" * 20)
SPENT = Naked(NOW - 1000, NOW - 12, 10**6 * WAD, 3)
RULE = hedge_rule(actions=(HEDGE, UNWIND))
UNWINDING = replace(BOOK, unwinds="loop", budget=NakedBudget(Wad(WAD), 600))


def hedge(size: str = "3", **changes: Any) -> PerpPosition:
    position = replace(short(size, "2000", "30000"), owner=OWNER, collateral=USDC, **changes)
    return told(replace(position, legs=tuple(replace(leg, market=address(leg.market)) for leg in position.legs)))


def book(naked: Naked, position: PerpPosition | None = None) -> tuple[Paper, Engine]:
    wallet = Wallet(OWNER, Wei(10**18), {USDC: units("USDC", "20000"), at("USDC"): units("USDC", "20000")})
    paper = Paper({"loop": loop("10", "5000"), "short": position or hedge()}, wallet)
    engine = engine_on(paper, books=(UNWINDING,), book_rules=(RULE,))
    engine.perps.naked["eth:delta"] = naked
    return paper, engine


# --- unwinding -------------------------------------------------------------------------------------------------------


async def test_a_hedge_that_cannot_be_had_unwinds_the_first_leg() -> None:
    """After three orders that failed, what the hedge would have covered is sold of the loan, and repaid with."""
    paper, engine = book(SPENT)
    paper.after = lambda p: replace(p, reported=replace(p.reported, debt_value=0, health_factor=Wad(INFINITE)))
    results = await cycle(engine, BLOCK)
    held = results[-1].decision
    assert isinstance(held, Hold)
    assert held.reason is Reason.TOO_MANY_FAILURES
    (row,) = [row for row in engine.journal.rows if row.kind == "act"]  # type: ignore[attr-defined]
    assert (row.position, row.rule) == ("loop", "delta: unwind")
    assert any("is not hedged: unwind" in title for title in engine.observer.alarms)


@pytest.mark.parametrize(
    "pause", [Pause(RULE_OF, "delta", 0), Pause(ABOUT, "eth", 0), Pause(ABOUT, "loop", 0)], ids=str
)
async def test_what_its_owner_paused_is_not_unwound(pause: Pause) -> None:
    """By the book, by its rule, or by the loan that would be sold: none of it is signed."""
    paper, engine = book(SPENT)
    paper.after = lambda p: replace(p, reported=replace(p.reported, debt_value=0, health_factor=Wad(INFINITE)))
    journal: Any = engine.journal
    journal.kept[key_of(BLOCK.chain_id, engine.reader.network.name)] = plain((pause,))
    await cycle(engine, BLOCK)
    assert not [row for row in journal.rows if row.kind == "act"]


async def test_while_the_hedge_may_still_be_had_nothing_is_unwound() -> None:
    """Its trade goes first."""
    _, engine = book(Naked(NOW - 24, NOW - 12, 0, 0))
    results = await cycle(engine, BLOCK)
    assert results[-1].prepared is not None
    assert {row.position for row in engine.journal.rows if row.kind == "act"} == {"eth"}  # type: ignore[attr-defined]


async def test_a_delta_that_leaves_somebody_out_unwinds_nothing() -> None:
    """Nothing is sold on a sum that may be wrong."""
    paper, engine = book(SPENT)
    paper.positions["loop"] = Unreadable("loop", OWNER, Doubt(Reason.POSITION_UNREADABLE, "no answer"))
    await cycle(engine, BLOCK)
    assert not [row for row in engine.journal.rows if row.kind == "act"]  # type: ignore[attr-defined]


async def test_a_book_back_in_its_band_is_hedged_again() -> None:
    """What it used of its budget is forgotten."""
    _, engine = book(SPENT, hedge("10"))
    results = await cycle(engine, BLOCK)
    assert results[-1].is_healthy
    assert engine.perps.naked["eth:delta"] == Naked()


# --- orders ----------------------------------------------------------------------------------------------------------

WAITING = next(kind for kind in OrderKind if not kind.rests)


class Said:
    """A venue's logs: what became of each order."""

    def __init__(self, **outcomes: OrderOutcome | None) -> None:
        self.found = outcomes

    async def outcomes(self, name: str, keys: tuple[str, ...], since: int) -> dict[str, OrderOutcome | None]:
        return {key: self.found.get(key) for key in keys}

    def __getattr__(self, name: str) -> Any:
        async def nothing(*_: object, **__: object) -> Any:
            return ()

        return nothing


def kept(position: PerpPosition, logs: Said) -> Engine:
    engine = engine_on(Paper({"short": position}, Wallet(OWNER, Wei(10**18), {})), perp_rules=(perp_rule(),))
    engine.logs = logs
    return engine


async def test_an_order_that_waits_too_long_is_reported() -> None:
    """Whoever placed it."""
    engine = kept(hedge(orders=(resting("0x0a", WAITING, updated_at=NOW - 120),)), Said())
    await cycle(engine, BLOCK)
    assert "An order is late: short" in engine.observer.alarms


async def test_an_order_of_ours_that_was_cancelled_is_written_down_and_reported() -> None:
    """By the venue's own word, under the decision that left it."""
    engine = kept(hedge(), Said(**{"0x0a": OrderOutcome("cancelled", "price out of bounds")}))
    await engine.perps.set_left("short", [Left("0x0a", 7, BLOCK.number - 5, NOW - 60)])
    await cycle(engine, BLOCK)
    kind, outcome = engine.journal.outcomes[7]  # type: ignore[attr-defined]
    assert (kind, outcome["reason"]) == ("failed", "order_failed")
    assert await engine.perps.left("short") == ()
    assert any("was cancelled" in title for title in engine.observer.alarms)


async def test_an_order_that_was_executed_late_is_a_success() -> None:
    """The decision that left it is closed with it."""
    engine = kept(hedge(), Said(**{"0x0a": OrderOutcome("executed", "filled at 2,001")}))
    await engine.perps.set_left("short", [Left("0x0a", 7, BLOCK.number - 5, NOW - 60)])
    await cycle(engine, BLOCK)
    assert engine.journal.outcomes[7][0] == "restored"  # type: ignore[attr-defined]


async def test_an_order_that_is_neither_listed_nor_spoken_of_is_gone() -> None:
    """Not executed: nobody said so."""
    engine = kept(hedge(), Said())
    await engine.perps.set_left("short", [Left("0x0a", 7, BLOCK.number - 5, NOW - 60)])
    await cycle(engine, BLOCK)
    assert engine.journal.outcomes[7][0] == "failed"  # type: ignore[attr-defined]
    assert any("was gone" in title for title in engine.observer.alarms)


async def test_an_order_that_is_still_listed_is_waited_for() -> None:
    """It is kept in mind."""
    order = resting("0x0a", WAITING, updated_at=NOW - 10)
    engine = kept(hedge(orders=(order,)), Said())
    await engine.perps.set_left("short", [Left("0x0a", 7, BLOCK.number - 5, NOW - 60)])
    await cycle(engine, BLOCK)
    assert [left.key for left in await engine.perps.left("short")] == ["0x0a"]


# --- an unwind looked at again ---------------------------------------------------------------------------------------


async def on_its_way(naked: Naked = SPENT) -> tuple[Paper, Engine, LendingDeparture]:
    """A book whose first leg is being sold, and the plan that is on its way."""
    paper, engine = book(naked)
    paper.after = lambda p: replace(p, reported=replace(p.reported, debt_value=0, health_factor=Wad(INFINITE)))
    snapshot = await engine.reader.snapshot(BLOCK)
    sent = await unwinding(engine, snapshot, await judge_book(engine, snapshot, UNWINDING, RULE))
    assert sent is not None
    return paper, engine, sent


async def test_an_unwind_is_looked_at_again_by_its_book_and_not_by_the_loan_s_own_rules() -> None:
    """The loan is healthy, and no rule of its own asks for a sale: the book still does, so the plan is kept."""
    _, _, sent = await on_its_way()
    assert isinstance(await sent.look(False), Keep)


async def test_an_unwind_is_called_off_once_the_book_is_hedged_again() -> None:
    """A hedge came after all: selling the first leg would open the book to the other side."""
    paper, _, sent = await on_its_way()
    paper.positions["short"] = hedge("10")
    found = await sent.look(False)
    assert isinstance(found, Drop)
    assert found.why is Reason.HEALTHY


async def test_an_unwind_bids_no_more_while_nobody_knows_the_delta() -> None:
    """A member that cannot be read: no reason to give up, and none to pay more."""
    paper, _, sent = await on_its_way()
    paper.positions["short"] = Unreadable("short", OWNER, Doubt(Reason.POSITION_UNREADABLE, "no answer"))
    assert isinstance(await sent.look(False), Unsure)


async def test_an_unwind_that_the_price_outran_is_planned_anew_as_an_unwind() -> None:
    """What takes its place is the book's as well, and not a rescue of a loan that needs none."""
    _, _, sent = await on_its_way()
    moved = Outcome("failed", Reason.PRICE_MOVED, "too little", None)
    follows = await sent.following(moved)
    assert follows is not None
    assert follows.plan.intent.rule.name == "delta: unwind"
