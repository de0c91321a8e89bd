"""A perpetual plan that waits is looked at again; where another is right by then it takes its place, at its nonces."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from core_builders import safety
from perp_builders import (
    assessed_perp,
    book_assessed,
    hedge_intent,
    hedge_planned,
    perp_intent,
    perp_rule,
    planned,
    short,
    snapshot,
)

from keeper.chain.tolls import Toll
from keeper.core.book.rules import BookIntent
from keeper.core.book.trades import HedgeTrade, hedge_trades
from keeper.core.held_back import Memory
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpPosition
from keeper.core.prices import Doubt
from keeper.core.reasons import Reason
from keeper.core.snapshot import Wallet
from keeper.core.units import Usd, Wei
from keeper.engine import recheck as second_look
from keeper.engine import submit
from keeper.engine.perp import departure, preflight, recheck
from keeper.engine.perp.departure import PerpDeparture
from keeper.engine.perp.preflight import PerpPrepared
from keeper.engine.perp.recheck import perp_look
from keeper.engine.recheck import Recheck
from keeper.execution.outcome import PerpOutcome
from keeper.execution.recheck import Change, Drop, Keep, Unsure
from keeper.journal import Entry
from keeper.venues.effects import Call

RULE = perp_rule(actions=[perp_actions.REDUCE])
BEFORE, WORSE = short(margin="700"), short(margin="600")


def prepared(of: PerpPosition) -> PerpPrepared:
    plan = planned(perp_intent(of, RULE))[0]
    return PerpPrepared(plan, (), "here", (21_000,) * len(plan.steps), of, Wei(7), Wei(7))


class Desk:
    """An engine that sees one position, and writes down what it sends."""

    def __init__(self, seen: PerpPosition, outcomes: list[PerpOutcome]) -> None:
        self.seen, self.outcomes = seen, outcomes
        self.sent = list[PerpPlan]()
        self.spent = list[int]()
        self.recorded = list[str]()
        self.reader = SimpleNamespace(head=self.head, snapshot=self.snapshot, positions={"short": self})
        self.terms = SimpleNamespace(safety=safety(), mode="live", swap_deadline_s=60)
        self.perps = SimpleNamespace(rules=(RULE,), expected=set(), left=self.left, errand=lambda *of: of)
        self.rehearser = SimpleNamespace(again=lambda _: nullcontext())
        self.observer = SimpleNamespace(planned=self.nothing, concluded=self.nothing, held=self.nothing)
        self.journal = SimpleNamespace(decisions=self)
        self.spender = self.owner = BEFORE.owner
        self.senders = {self.spender: self}

    async def head(self) -> None:
        return None

    async def snapshot(self, _: object) -> Any:
        return replace(snapshot(self.seen), wallets={self.spender: Wallet(self.spender, Wei(10**18))})

    async def left(self, _: str) -> tuple[Any, ...]:
        return ()

    def nothing(self, *_: object, **__: object) -> None:
        pass

    async def recall(self, fired: object, block: object) -> Memory:
        return Memory(spent_today={RULE.name: Usd(5)})

    async def spent_today(self, *_: object) -> int:
        return 10**15

    async def written(self, entry: Entry) -> int:
        if entry.id is None:
            self.recorded.append(entry.decision.summary)
            entry.id = len(self.recorded)
        return entry.id

    async def record_outcome(self, *_: object) -> None:
        pass

    async def execute(self, errand: Any, look: Recheck[PerpPrepared]) -> PerpOutcome:
        plan, _, _, order = errand
        self.sent.append(plan)
        self.spent.append(order.grant.spent_today)
        found = self.outcomes.pop(0)
        if found.reason is Reason.SUPERSEDED:
            assert isinstance(await look(False), Change)
        return found


@pytest.fixture(autouse=True)
def _without_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging and planning as they are, without quotes and rehearsals."""

    async def judged(engine: Any, _: object, position: PerpPosition) -> Any:
        return assessed_perp(position, RULE)

    async def prepared_now(_: object, __: object, intent: Any) -> Any:
        return prepared(planned(intent)[0].before)

    monkeypatch.setattr(recheck, "judge_perp", judged)
    monkeypatch.setattr(recheck, "prepare_perp", prepared_now)
    monkeypatch.setattr(departure.report, "plan", lambda *_: {})
    monkeypatch.setattr(departure.report, "rehearsal", lambda *_: {})
    monkeypatch.setattr(submit, "seen", lambda *_: {})
    monkeypatch.setattr(submit.report, "inputs", lambda *_: {})
    monkeypatch.setattr(departure, "outcome_said", lambda *_: "")
    grant = lambda engine, block, plan, spent, price: SimpleNamespace(spent_today=spent)  # noqa: E731
    monkeypatch.setattr(departure, "grant_of", grant)


async def sent(engine: Any, at: Any, first: PerpPrepared) -> PerpOutcome:
    going = PerpDeparture(engine, at, first)
    return await submit._send(engine, going, submit._entry(engine, going))


def desk(seen: PerpPosition, *outcomes: PerpOutcome) -> Any:
    made: Any = Desk(seen, list(outcomes))
    return made


@pytest.mark.parametrize(
    ("seen", "found"), [(BEFORE, Keep), (short(margin="699"), Keep), (WORSE, Change), (short(margin="1500"), Drop)]
)
async def test_a_plan_that_waits_is_kept_changed_or_dropped(seen: PerpPosition, found: type) -> None:
    """By what would be done now: more of it where the position is worse, nothing where it is well."""
    assert isinstance(await perp_look(desk(seen), prepared(BEFORE))(False), found)


async def test_a_plan_of_which_a_part_is_mined_is_finished() -> None:
    """Whatever is right by then."""
    assert await perp_look(desk(WORSE), prepared(BEFORE))(True) == Keep(Wei(7))


async def test_the_plan_that_is_right_now_is_sent_in_the_place_of_the_first() -> None:
    """At once, written down as a plan of its own; what the first was counted with is not counted twice."""
    done = PerpOutcome("restored", Reason.RESTORED, "", None)
    changed = PerpOutcome("cancelled", Reason.SUPERSEDED, "", None)
    first, engine = prepared(BEFORE), desk(WORSE, changed, done)
    seen = await engine.snapshot(None)
    outcome = await sent(engine, seen, first)
    assert outcome == replace(done, gave_way=True)
    assert [plan.before.margin for plan in engine.sent] == [BEFORE.margin, WORSE.margin]
    assert engine.spent == [10**15, 10**15 - first.plan.spend]
    assert len(engine.recorded) == 2


async def test_a_plan_does_not_change_for_ever() -> None:
    """A market that runs on: after some changes the next block decides."""
    changed = PerpOutcome("cancelled", Reason.SUPERSEDED, "", None)
    engine = desk(WORSE, *[changed] * 50)
    engine.seen = WORSE
    worse = iter(range(599, 100, -40))

    async def snapshot_(_: object) -> Any:
        return replace(
            snapshot(short(margin=str(next(worse)))), wallets={engine.spender: Wallet(engine.spender, Wei(1))}
        )

    start = await engine.snapshot(None)
    engine.reader.snapshot = snapshot_
    await sent(engine, start, prepared(BEFORE))
    assert len(engine.sent) == submit.CHANGES


@pytest.mark.parametrize(("native", "fine"), [(2 * 10**15, True), (10**14, False)])
def test_a_rollup_s_toll_is_part_of_the_gas_money(native: int, *, fine: bool) -> None:
    """What the parent chain costs is paid beside the gas, and wanting when it is not there."""
    plan, engine = planned(perp_intent(BEFORE, RULE))[0], Desk(BEFORE, [])
    at: Any = replace(snapshot(BEFORE), wallets={BEFORE.owner: Wallet(BEFORE.owner, Wei(native))})
    made: Any = SimpleNamespace(reader=engine.reader, fees=SimpleNamespace(last_toll=Toll(wei=10**15)))
    call = Call(BEFORE.owner, bytes(300), Wei(0), "trade")
    refused = preflight._cannot_pay(made, at, [call], plan, [21_000])
    assert (refused is None) is fine
    if refused is not None:
        assert refused.reason is Reason.NO_GAS_MONEY
        assert "takes about" in refused.detail


# --- books -----------------------------------------------------------------------------------------------------------

HEDGED = short(size="4", margin="9000")


@pytest.mark.parametrize(
    ("size", "found"), [("4", Keep), ("4.05", Keep), ("6", Change), ("9.9", Drop), ("12", Drop), (None, Unsure)]
)
async def test_a_hedge_that_waits_is_kept_changed_or_dropped(
    monkeypatch: pytest.MonkeyPatch, size: str | None, found: type
) -> None:
    """By what the same hedge would trade now; within the band, or on its other side, nothing asks for it."""
    plan = hedge_planned(hedge_intent(HEDGED), "20000")
    now = HEDGED if size is None else short(size=size, margin="9000")
    engine = desk(now if size is not None else short(name="another"))

    async def judged(*_: object) -> Any:
        known = book_assessed(now)
        return known if size is not None else replace(known, position=replace(known.position, hedges=()))

    async def prepared_now(_: object, __: object, intent: BookIntent, hedges: Any) -> Any:
        (trade,) = hedge_trades(intent, hedges)
        assert isinstance(trade, HedgeTrade)
        return PerpPrepared(hedge_planned(trade, "20000"), (), "here", (), now, Wei(7), Wei(7))

    monkeypatch.setattr(recheck, "judge_book", judged)
    monkeypatch.setattr(recheck, "prepare_hedge", prepared_now)
    monkeypatch.setattr(second_look, "unconfirmed", lambda *_: None)
    look = perp_look(engine, PerpPrepared(plan, (), "here", (), HEDGED, Wei(7), Wei(7)))
    assert isinstance(await look(False), found)


@pytest.mark.parametrize(
    "reason",
    [Reason.POSITION_UNREADABLE, Reason.NODES_DISAGREE, Reason.PRICE_NOT_POSITIVE, Reason.RULE_UNDECIDABLE],
)
async def test_a_hedge_of_a_book_whose_exposure_is_in_doubt_bids_no_more(
    monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    """Whatever makes the delta unknown: the trade waits at what it offers, and the owner hears of it under the book."""
    plan, heard = hedge_planned(hedge_intent(HEDGED), "20000"), list[Unsure]()

    async def judged(*_: object) -> Any:
        known = book_assessed(HEDGED)
        doubtful = replace(known.exposure, doubts=(Doubt(reason, "no price of ETH"),))
        return replace(known, position=replace(known.position, exposure=doubtful))

    monkeypatch.setattr(recheck, "judge_book", judged)
    monkeypatch.setattr(second_look, "unconfirmed", lambda _, __, found: heard.append(found))
    look = perp_look(desk(HEDGED), PerpPrepared(plan, (), "here", (), HEDGED, Wei(7), Wei(7)))
    assert await look(False) == Unsure(reason, "no price of ETH")
    assert heard == [Unsure(reason, "no price of ETH")]


async def test_a_plan_whose_position_is_not_in_the_read_bids_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known to be well, and not known to be worse."""
    monkeypatch.setattr(second_look, "unconfirmed", lambda *_: None)
    found = await perp_look(desk(short(name="another")), prepared(BEFORE))(False)
    assert found == Unsure(Reason.POSITION_UNREADABLE, BEFORE.name)
