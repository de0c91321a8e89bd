"""A plan carried out at a venue that fills later: what became of its orders decides, never silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from core_builders import NOW, OWNER, limits
from perp_builders import perp_intent, perp_rule, planned, short

from keeper.chain.accounts import Receipt
from keeper.chain.errors import NodeAwayError
from keeper.core.perp import candidates as perp_actions
from keeper.core.perp.plan import PerpPlan
from keeper.core.perp.position import PerpPosition
from keeper.core.reasons import Reason
from keeper.core.snapshot import Wallet
from keeper.core.units import Address, Usd, Wei
from keeper.execution import perp_errand, settlement
from keeper.execution.course import SendFailedError
from keeper.execution.executor import Executor
from keeper.execution.outcome import PerpOutcome
from keeper.execution.perp_errand import PerpParts
from keeper.execution.policy import Grant
from keeper.execution.settlement import LOOKS, Awaited, OrderWatch
from keeper.execution.warrant import Warrant
from keeper.journal import Entry, JournalError
from keeper.venues.effects import Call, Closes, Decoder, Takes
from keeper.venues.ports import AtOnce, ByKeepers, OrderOutcome, Settles

LOW = replace(short(margin="700"), owner=OWNER)
AWAY = NodeAwayError("fake", "eth_getLogs", "cannot be reached")
DONE = OrderOutcome("executed", "in 0x1")


@dataclass
class Venue:
    """A venue with keepers: orders are created by a transaction, and something is said of them some looks later."""

    plan: PerpPlan
    says: list[Any]
    """What its logs say at each look: an outcome, None, or an error to raise."""
    shows: list[PerpPosition | Exception]
    settles: Settles = field(default_factory=lambda: ByKeepers(300))
    creates: list[Any] = field(default_factory=lambda: [("0xaa",)])
    fails: Exception | None = None
    kept: list[tuple[tuple[str, ...], bool]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    collateral: Any = LOW.collateral
    carried_out: Any = None

    def decoders(self, position: PerpPosition) -> dict[Address, Decoder]:
        (leg,) = position.legs
        closes = Closes(leg.market, is_long=False, size=1, worst_price=leg.index_price)
        return {leg.market: lambda _: (closes,)}

    async def is_clear(self) -> bool:
        return True

    def least_gas(self, _: object) -> int:
        return 0

    async def send(self, burst: Sequence[Any], _: object) -> tuple[Receipt, ...]:
        if self.fails:
            raise self.fails
        self.log.append("sent")
        return tuple(_receipt(i) for i, _ in enumerate(burst))

    async def created(self, _: str, __: str) -> tuple[str, ...]:
        return _next(self.creates)

    async def keep(self, _: str, keys: tuple[str, ...], __: int, ___: int, rests: bool) -> None:
        self.log.append("kept")
        self.kept.append((keys, rests))

    async def outcomes(self, _: str, keys: tuple[str, ...], __: int) -> dict[str, OrderOutcome | None]:
        self.log.append("asked")
        return dict.fromkeys(keys, _next(self.says))

    async def read(self, _: str, __: int | None) -> PerpPosition:
        return _next(self.shows)

    async def execute(self) -> PerpOutcome:
        grant = Grant(31337, OWNER, OWNER, limits(), Usd(0), NOW)
        lane: Any = self
        account: Any = self
        orders = OrderWatch(self.created, self.keep, self.outcomes, 10, 1, self.carried_out)
        desk, loans = PerpParts(lambda _: account, self.read, orders), lane
        calls = [Call(LOW.legs[0].market, b"", Wei(0), "trade") for _ in self.plan.steps]
        decision: Any = None  # written before
        warrant = Warrant(Entry(decision, 1), grant, Wallet(OWNER, Wei(10**18)), None)
        errand = desk.errand(self.plan, calls, (100_000,) * len(calls), warrant)
        return await Executor(lane, None, loans, desk).execute(errand)


def _next(scripted: list[Any]) -> Any:
    """The next thing scripted; the last one is said again and again."""
    found = scripted.pop(0) if len(scripted) > 1 else scripted[0]
    if isinstance(found, Exception):
        raise found
    return found


def _receipt(i: int) -> Receipt:
    return Receipt(f"0x{i}", succeeded=True, block_number=100, block_hash="0xb", gas_used=21_000, gas_price=Wei(1))


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time passes when the executor waits, and only then."""
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(settlement.asyncio, "sleep", sleep)
    monkeypatch.setattr(perp_errand.asyncio, "sleep", sleep)
    return naps


def venue(*says: Any, **changes: Any) -> Venue:
    plan = planned(perp_intent(LOW, perp_rule(actions=[perp_actions.REDUCE])))[0]
    return replace(Venue(plan, list(says) or [DONE], [plan.projected]), **changes)


async def test_an_executed_order_that_kept_its_promise_restores() -> None:
    """And its key was remembered before anybody asked for its outcome: a kill in between loses nothing."""
    at = venue(None, None, DONE)
    outcome = await at.execute()
    assert (outcome.kind, outcome.reason, outcome.waiting) == ("restored", Reason.RESTORED, ())
    assert at.log == ["sent", "kept", "asked", "asked", "asked"]
    assert at.kept == [(("0xaa",), False)]


@pytest.mark.parametrize("kind", ["cancelled", "frozen"])
async def test_a_cancelled_or_frozen_order_is_a_failure_with_its_reason(kind: str) -> None:
    """In the venue's words."""
    outcome = await venue(None, OrderOutcome(kind, "price too far")).execute()
    assert (outcome.kind, outcome.reason, outcome.failed_orders) == ("failed", Reason.ORDER_FAILED, 1)
    assert f"{kind}: price too far" in outcome.detail


EMPTY = OrderOutcome("cancelled", "EmptyPosition")


async def executed_with(at: Venue, carried_out: Any) -> PerpOutcome:
    """As ``execute``, with the venue's word on what other orders of the account did."""
    at.carried_out = carried_out
    return await at.execute()


async def test_a_stop_of_ours_that_was_first_is_a_success() -> None:
    """The order found nothing left to do, because the one that rested had done it: the promise is kept."""

    async def carried_out(name: str, since: int) -> tuple[str, ...]:
        assert (name, since) == (LOW.name, LOW.block.number)
        return ("0xbbbbbbbbbbbb",)

    outcome = await executed_with(venue(EMPTY), carried_out)
    assert (outcome.kind, outcome.reason, outcome.failed_orders) == ("restored", Reason.RESTORED, 0)
    assert "0xbbbbbbbb was carried out first" in outcome.detail
    assert outcome.hashes


@pytest.mark.parametrize("others", [(), ("0xaa",), AWAY])
async def test_an_order_that_found_nothing_is_a_failure_unless_another_is_known_to_have_done_it(others: Any) -> None:
    """A liquidation leaves nothing either, and keeps no promise; nor does what cannot be told."""

    async def carried_out(_: str, __: int) -> tuple[str, ...]:
        return _next([others])

    outcome = await executed_with(venue(EMPTY), carried_out)
    assert (outcome.kind, outcome.reason, outcome.failed_orders) == ("failed", Reason.ORDER_FAILED, 1)


async def test_another_order_that_did_not_keep_the_promise_makes_no_success() -> None:
    """The position is as it was: something else was done."""

    async def carried_out(_: str, __: int) -> tuple[str, ...]:
        return ("0xbb",)

    outcome = await executed_with(venue(EMPTY, shows=[LOW]), carried_out)
    assert (outcome.kind, outcome.reason) == ("failed", Reason.ORDER_FAILED)


async def test_an_order_of_which_nothing_is_heard_is_late_and_still_waits(slept: list[float]) -> None:
    """Patience ends; the order does not: it is looked after from then on."""
    outcome = await venue(None).execute()
    assert (outcome.reason, outcome.waiting) == (Reason.ORDER_LATE, ("0xaa",))
    assert sum(slept) == 10


async def test_a_node_that_is_away_says_nothing_and_is_asked_again() -> None:
    """A hiccup does not make an order a stranger."""
    assert (await venue(AWAY, AWAY, DONE).execute()).kind == "restored"
    lost = await venue(AWAY).execute()
    assert (lost.reason, lost.waiting) == (Reason.ORDER_LATE, ("0xaa",))


async def test_of_two_orders_the_one_that_is_not_told_of_still_waits() -> None:
    """When the other has failed."""
    at = venue(creates=[("0xaa", "0xbb")])

    async def outcomes(*_: object) -> dict[str, OrderOutcome | None]:
        return {"0xaa": OrderOutcome("cancelled", "no"), "0xbb": None}

    at.outcomes = outcomes  # type: ignore[method-assign, assignment]
    outcome = await at.execute()
    assert (outcome.failed_orders, outcome.waiting) == (1, ("0xbb",))


async def test_keys_that_a_lagging_node_does_not_show_yet_are_asked_for_again() -> None:
    """The receipt was seen elsewhere."""
    assert (await venue(creates=[(), AWAY, ("0xaa",)]).execute()).kind == "restored"
    gone = await venue(creates=[AWAY]).execute()
    assert gone.reason is Reason.NODE_AWAY


async def test_a_promise_is_looked_at_again_where_the_node_may_lag() -> None:
    """The execution was told by one node, the position by another."""
    at = venue()
    assert (await replace(at, shows=[LOW, LOW, at.plan.projected]).execute()).kind == "restored"
    broken = await replace(at, says=[DONE], shows=[LOW]).execute()
    assert (broken.kind, broken.reason) == ("failed", Reason.POSTCONDITION_FAILED)
    assert LOOKS > 1


async def test_a_near_miss_helped_and_is_no_failure() -> None:
    """The size is what was promised, the ratio a little less: a partial success, whose rest is made up for."""
    at = venue()
    short_of = replace(at.plan.projected, margin=at.plan.projected.margin * 97 // 100)
    outcome = await replace(at, shows=[short_of]).execute()
    assert (outcome.kind, outcome.reason) == ("partial", Reason.NEAR_MISS)
    assert "came to margin ratio" in outcome.detail
    far = replace(at.plan.projected, margin=at.plan.projected.margin // 2)
    assert (await replace(at, shows=[far]).execute()).reason is Reason.POSTCONDITION_FAILED


async def test_where_trades_are_done_at_once_no_order_is_followed() -> None:
    """The block of the receipt is read, and no second look helps."""
    at = venue(settles=AtOnce())
    assert (await at.execute()).kind == "restored"
    assert at.log == ["sent"]
    assert (await replace(at, shows=[LOW]).execute()).reason is Reason.POSTCONDITION_FAILED


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SendFailedError(Reason.REVERTED, "STOP"), Reason.REVERTED),
        (AWAY, Reason.NODE_AWAY),
        (JournalError("write", "disk full", ""), Reason.JOURNAL_AWAY),
    ],
)
async def test_what_goes_wrong_in_sending_is_a_failure_and_never_raises(error: Exception, reason: Reason) -> None:
    """With the position as it is then, where it can be read."""
    outcome = await venue(fails=error).execute()
    assert (outcome.kind, outcome.reason) == ("failed", reason)
    dark = await venue(fails=error, shows=[AWAY]).execute()
    assert "could not be read afterwards" in dark.detail
    assert dark.after is None


async def test_what_the_gate_refuses_is_not_sent() -> None:
    """Nothing leaves."""
    at = venue()
    taken = (Takes(LOW.collateral, 1, OWNER),)
    at.decoders = lambda _: {LOW.legs[0].market: lambda _: taken}  # type: ignore[method-assign]
    assert (await at.execute()).reason is Reason.POLICY_FORBIDS
    assert at.log == []


LATE = NodeAwayError("a", "eth_getTransactionReceipt", "the receipt of what is mined is not there yet")


async def test_of_several_orders_none_is_forgotten_for_its_receipt_comes_late() -> None:
    """Each of them rests with the venue: the keys of all are known before any is followed."""
    kept: list[Any] = []
    creates: list[Any] = [("0xaa",), LATE, ("0xaa",), ("0xbb",)]
    settled = Awaited("p", _orders(creates, kept), lambda: False)
    await settled.settled((_receipt(0), _receipt(1)), 1, rests=False)
    assert kept == [(("0xaa", "0xbb"), False)]


async def test_a_resting_order_whose_receipt_comes_late_is_remembered() -> None:
    """Nobody follows it, and it is ours all the same."""
    kept: list[Any] = []
    settled = Awaited("p", _orders([LATE, LATE, ("0xaa",)], kept), lambda: False)
    assert await settled.settled((_receipt(0),), 1, rests=True) is None
    assert kept == [(("0xaa",), True)]


def _orders(creates: list[Any], kept: list[Any]) -> OrderWatch:
    async def created(_: str, __: str) -> tuple[str, ...]:
        return _next(creates)

    async def keep(_: str, keys: tuple[str, ...], __: int, ___: int, rests: bool) -> None:
        kept.append((keys, rests))

    async def outcomes(_: str, keys: tuple[str, ...], __: int) -> dict[str, OrderOutcome | None]:
        return dict.fromkeys(keys, None)

    return OrderWatch(created, keep, outcomes, 1, 1)
