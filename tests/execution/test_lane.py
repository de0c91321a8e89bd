"""One nonce, one intent: what a lane does while a transaction is on its way. Journal and signatures are real."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from empty_journal import an_empty_journal
from eth_account import Account
from fake_chain import GWEI, Clock, FakeBlocks, FakeChain

from keeper.core.reasons import Reason
from keeper.core.units import Address, Wei
from keeper.execution import flight
from keeper.execution.course import Guidance, PlanChangedError, SendFailedError
from keeper.execution.dispatch import Outgoing
from keeper.execution.lane import Lane
from keeper.execution.pricing import Demands
from keeper.execution.recheck import Change, Drop, Keep
from keeper.execution.send_state import Timings
from keeper.execution.signer import KeystoreSigner
from keeper.execution.wishes import wish_key
from keeper.journal import Journal, NewDecision, open_journal
from keeper.venues.ports import Call

TARGET = Address("0x" + "11" * 20)
POLL_S = 4.0
TIMINGS = Timings(rebroadcast_s=12, bump_s=48, give_up_s=600, receipt_lag_s=5)


@dataclass
class Rig:
    lane: Lane
    chain: FakeChain
    journal: Journal
    clock: Clock
    me: str
    decision: int

    def out(self, data: str = "01", gas: int = 100_000) -> Outgoing:
        return Outgoing(Call(TARGET, bytes.fromhex(data), Wei(0), f"call {data}"), self.decision, 0, 5, gas)

    async def states(self) -> list[str]:
        return [t.state for t in await self.journal.transactions.of_decision(self.decision)]

    def new_lane(self, cap: Wei | None = None, poll_s: float = POLL_S) -> Lane:
        """The lane of a keeper that was restarted: nothing in memory, the same journal."""
        signer = KeystoreSigner(Account.from_key("0x" + "42" * 32))
        blocks: Any = FakeBlocks(self.chain)
        node: Any = self.chain
        return Lane(node, blocks, self.journal, signer, TIMINGS, poll_s, self.clock, cap=cap)


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    clock, chain = Clock(), FakeChain()
    monkeypatch.setattr(flight.asyncio, "sleep", clock.sleep)  # time passes when a flight waits, and only then
    async with await open_journal(str(an_empty_journal(tmp_path / "journal.sqlite"))) as journal:
        decision = await journal.decisions.record(
            NewDecision(
                chain_id=31337,
                block_number=1,
                block_hash="0x1",
                block_timestamp=1,
                position="p",
                rule="r",
                mode="live",
                kind="act",
                reason="rule_fired",
                summary="",
                inputs={},
            )
        )
        rig = Rig(None, chain, journal, clock, "", decision)  # type: ignore[arg-type]
        rig.lane = rig.new_lane()
        rig.me = rig.lane.signer.address
        yield rig


def guidance(ceiling: int | None = None, reconsider: Any = None, cancel: int | None = None) -> Guidance:
    return Guidance(None if ceiling is None else Wei(ceiling), None if cancel is None else Wei(cancel), reconsider)


async def test_a_burst_goes_out_at_consecutive_nonces_and_is_mined_once(rig: Rig) -> None:
    """Three calls, three nonces, each byte string sent once."""
    rig.clock.at = [(3, rig.chain.mine)]
    receipts = await rig.lane.send([rig.out("01"), rig.out("02"), rig.out("03")], guidance())
    assert [s.nonce for s in rig.chain.log] == [0, 1, 2]
    assert all(r.succeeded for r in receipts)
    assert await rig.states() == ["mined"] * 3


async def test_signed_bytes_are_in_the_journal_before_they_are_on_the_wire(rig: Rig) -> None:
    """A node that dies on the first byte leaves every signed transaction of the burst behind in the journal."""
    seen: list[int] = []
    real = rig.chain._eth_sendRawTransaction

    def spy(raw: str) -> str:
        path = rig.journal.store.engine.url.database
        with sqlite3.connect(path) as db:
            seen.append(db.execute("select count(*) from attempts").fetchone()[0])
        return real(raw)

    rig.chain._eth_sendRawTransaction = spy  # type: ignore[method-assign]
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.lane.send([rig.out("01"), rig.out("02")], guidance())
    assert seen[0] == 2


async def test_identical_bytes_are_said_again_between_bumps(rig: Rig) -> None:
    """A pool that forgets is reminded; nothing new is signed for it."""
    rig.clock.at = [(5, rig.chain.drop), (14, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())
    assert len({s.hash for s in rig.chain.log}) == 1
    assert len(rig.chain.log) >= 2


async def test_a_higher_offer_raises_tip_and_fee_by_an_eighth_at_the_same_nonce(rig: Rig) -> None:
    """Base fee times a hundred while pending: the replacement pays it, the gas limit does not change."""

    def boom() -> None:
        rig.chain.base_fee *= 100

    rig.clock.at = [(3, boom), (60, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance())
    first, last = rig.chain.log[0], rig.chain.log[-1]
    assert (first.nonce, first.gas) == (last.nonce, last.gas)
    assert last.max_fee >= 2 * rig.chain.base_fee
    assert last.max_fee * 8 >= first.max_fee * 9
    assert last.tip * 8 >= first.tip * 9
    assert len(rig.chain.mined_at(0)) == 1


async def test_no_offer_exceeds_the_ceiling(rig: Rig) -> None:
    """What is at stake bounds the fee; beyond it the old bytes are said again."""

    def boom() -> None:
        rig.chain.base_fee *= 100

    rig.clock.at = [(3, boom)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance(ceiling=30 * GWEI))
    assert failed.value.reason is Reason.NOT_MINED
    assert max(s.max_fee for s in rig.chain.log) <= 30 * GWEI
    assert await rig.states() == ["pending"]


async def test_the_position_is_looked_at_again_before_more_is_offered(rig: Rig) -> None:
    """The ceiling of the second look counts, not the first one's."""
    asked: list[bool] = []

    async def look(has_begun: bool) -> Keep:
        asked.append(has_begun)
        return Keep(Wei(90 * GWEI))

    def boom() -> None:
        rig.chain.base_fee = 40 * GWEI

    rig.clock.at = [(3, boom), (60, rig.chain.mine)]
    await rig.lane.send([rig.out()], guidance(ceiling=25 * GWEI, reconsider=look))
    assert asked == [False]
    assert rig.chain.log[-1].max_fee > 40 * GWEI


async def test_a_rescue_that_is_no_longer_needed_is_cancelled_at_its_own_nonces(rig: Rig) -> None:
    """Transfers of nothing take the nonces; the intents end as cancelled, not as mined."""

    async def look(_: bool) -> Drop:
        return Drop(Reason.HEALTHY)

    rig.clock.at = [(55, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out("01"), rig.out("02")], guidance(reconsider=look))
    assert failed.value.reason is Reason.NO_LONGER_NEEDED
    assert [s.data for n in (0, 1) for s in rig.chain.mined_at(n)] == ["0x", "0x"]
    assert sorted(await rig.states()) == ["cancelled", "cancelled", "mined", "mined"]


async def test_once_begun_a_burst_is_finished(rig: Rig) -> None:
    """Half a round is worse than none: the second look is told that something is mined."""
    told: list[bool] = []

    async def look(has_begun: bool) -> Keep:
        told.append(has_begun)
        return Keep(None)

    def first_only() -> None:
        second = rig.chain.pool.pop((rig.me, 1))
        rig.chain.mine()
        rig.chain.pool[rig.me, 1] = second

    rig.clock.at = [(5, first_only), (70, rig.chain.mine)]
    await rig.lane.send([rig.out("01"), rig.out("02")], guidance(reconsider=look))
    assert told == [True]


async def test_another_plan_takes_the_nonces_of_the_one_before(rig: Rig) -> None:
    """Three calls pending, two wanted instead: two are replaced, the third cancelled, none runs as well."""

    async def look(_: bool) -> Change:
        return Change()

    with pytest.raises(PlanChangedError) as changed:
        await rig.lane.send([rig.out("01"), rig.out("02"), rig.out("03")], guidance(reconsider=look))
    assert len(changed.value.pending) == 3
    rig.clock.at = [(rig.clock.now + 3, rig.chain.mine)]
    receipts = await rig.lane.send([rig.out("0a"), rig.out("0b")], guidance())
    assert len(receipts) == 2
    assert [s.data for n in range(3) for s in rig.chain.mined_at(n)] == ["0x0a", "0x0b", "0x"]
    assert rig.chain.nonces[rig.me] == 3


async def test_a_reverted_receipt_is_not_success(rig: Rig) -> None:
    """Mined with status 0 is a failure, and the journal says so."""
    rig.chain.reverting = {"0x02"}
    rig.clock.at = [(3, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out("01"), rig.out("02")], guidance())
    assert failed.value.reason is Reason.REVERTED
    assert await rig.states() == ["mined", "reverted"]


async def test_a_nonce_used_from_elsewhere_is_recognised_only_when_no_receipt_comes(rig: Rig) -> None:
    """Foreign use expires the intent; a receipt that merely lags does not."""
    rig.clock.at = [(3, lambda: rig.chain.mine_foreign(rig.me))]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance())
    assert failed.value.reason is Reason.NONCE_TAKEN
    assert await rig.states() == ["expired"]

    def show() -> None:
        rig.chain.hides_receipts = False

    rig.chain.hides_receipts = True
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine), (rig.clock.now + 4, show)]
    assert (await rig.lane.send([rig.out("07")], guidance()))[0].succeeded


async def test_a_restart_says_again_what_was_left_and_signs_nothing_new(rig: Rig) -> None:
    """Killed after the journal, before the wire: the same bytes go out, once."""
    await rig.lane._dispatch.sign(rig.out(), 0, await rig.lane._quote(None, (), Demands()))  # type: ignore[arg-type]
    assert rig.chain.log == []
    rig.clock.at = [(2, rig.chain.mine)]
    left = await rig.new_lane().reconcile()
    assert len(left) == 1
    assert len({s.hash for s in rig.chain.log}) == 1
    assert await rig.states() == ["mined"]


async def test_a_gap_below_the_first_pending_nonce_is_filled(rig: Rig) -> None:
    """A signed nonce 2 waits for ever unless 0 and 1 are used up."""
    await rig.lane._dispatch.sign(rig.out(), 2, await rig.lane._quote(None, (), Demands()))  # type: ignore[arg-type]
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.new_lane().reconcile()
    assert rig.chain.nonces[rig.me] == 3
    assert [s.data for n in (0, 1) for s in rig.chain.mined_at(n)] == ["0x", "0x"]


@pytest.mark.slow
async def test_what_is_left_pending_gives_way_to_the_plan_that_is_needed(rig: Rig) -> None:
    """After a restart the next plan replaces the stuck one at its nonce instead of queueing behind it."""
    rig.chain.forgets = True
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out("01")], guidance(ceiling=100 * GWEI))
    rig.chain.forgets = False
    rig.clock.at = [(rig.clock.now + 3, rig.chain.mine)]
    await rig.new_lane().send([rig.out("0f")], guidance())
    assert [s.data for s in rig.chain.mined_at(0)] == ["0x0f"]
    assert sorted(await rig.states()) == ["expired", "mined"]


async def test_a_reorged_receipt_goes_back_to_pending_and_is_sent_again(rig: Rig) -> None:
    """Mined is not final: the same bytes are sent again, and confirmed only when deep enough."""
    rig.clock.at = [(2, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out()], guidance())
    rig.chain.reorganise(receipt.hash)
    head = await FakeBlocks(rig.chain).head()
    assert await rig.lane.tend(head, 3) == (receipt.hash,)
    assert await rig.states() == ["pending"]
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    await rig.lane.reconcile()
    assert len(rig.chain.mined_at(0)) == 1
    rig.chain.mine(5)
    assert await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3) == ()
    assert await rig.states() == ["confirmed"]


async def test_a_reorg_deeper_than_confirmations_is_followed_too(rig: Rig) -> None:
    """Confirmed is a bet: on another history the bytes are pending again, and sent again."""
    rig.clock.at = [(2, rig.chain.mine)]
    (receipt,) = await rig.lane.send([rig.out()], guidance())
    rig.chain.mine(5)
    for _ in range(2):
        assert await rig.lane.tend(await FakeBlocks(rig.chain).head(), 3) == ()
    assert await rig.states() == ["confirmed"]
    rig.chain.reorganise(receipt.hash)
    head = await FakeBlocks(rig.chain).head()
    assert await rig.lane.tend(head, 3) == (), "nothing is asked when all is confirmed"
    assert await rig.lane.tend(head, 3, is_reorg=True) == (receipt.hash,)
    assert await rig.states() == ["pending"]
    rig.chain.mine()
    assert len(rig.chain.mined_at(0)) == 1


async def test_a_reverted_receipt_that_a_reorg_took_leaves_no_gap(rig: Rig) -> None:
    """Its nonce is free again: it is said again, and a plan that is needed takes its place."""
    rig.chain.reverting.add("0x01")
    rig.clock.at = [(2, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance())
    assert failed.value.reason is Reason.REVERTED
    rig.chain.reorganise(next(iter(rig.chain.mined)))
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out("02")], guidance())
    assert failed.value.reason is Reason.STALE_STATE, "what was decided, was decided on a state that is gone"
    rig.clock.at = [(rig.clock.now + 2, rig.chain.mine)]
    await rig.lane.send([rig.out("02")], guidance())
    assert [seen.data for seen in rig.chain.mined_at(0)] == ["0x02"]


async def test_a_plan_is_refused_when_the_nonce_moved_since_its_block(rig: Rig) -> None:
    """A keeper elsewhere with the same key was first: doing it again on top would do it twice."""
    decided_at = await FakeBlocks(rig.chain).head()
    counts = {decided_at.hash: 0}
    original = rig.chain._eth_getTransactionCount

    def count(account: str, tag: Any) -> str:
        return hex(counts[tag["blockHash"]]) if isinstance(tag, dict) else original(account, tag)

    rig.chain._eth_getTransactionCount = count  # type: ignore[method-assign]
    rig.chain.mine_foreign(rig.me)
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], replace(guidance(), decided_at=decided_at))
    assert failed.value.reason is Reason.STALE_STATE
    assert rig.chain.log == []
    counts[decided_at.hash] = 1
    rig.clock.at = [(2, rig.chain.mine)]
    await rig.lane.send([rig.out()], replace(guidance(), decided_at=decided_at))


async def test_two_plans_are_not_mixed(rig: Rig) -> None:
    """Where a call of the earlier plan lands among those of the later one, the rest of the later one is cancelled."""
    rig.chain.base_fee = 10**12
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out("01"), rig.out("02")], replace(guidance(ceiling=2 * 10**12), give_up_s=1))
    early = rig.chain.log[0]

    def land_the_early_one() -> None:
        rig.chain.pool = {(rig.me, 0): early}
        rig.chain.mine()

    rig.clock.at = [(rig.clock.now + 2, land_the_early_one), (rig.clock.now + 30, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out("11"), rig.out("12")], guidance())
    assert failed.value.reason is Reason.SUPERSEDED
    assert [seen.data for seen in rig.chain.mined_at(0)] == ["0x01"]
    assert [seen.data for seen in rig.chain.mined_at(1)] == ["0x"]


async def test_what_nobody_needs_is_called_off_unless_it_had_landed_when_judged(rig: Rig) -> None:
    """A rescue that a reorg took a moment after it made the position healthy is needed still."""
    with pytest.raises(SendFailedError):
        await rig.lane.send([rig.out()], replace(guidance(), give_up_s=1))
    judged_at = await FakeBlocks(rig.chain).head()
    rig.chain.nonces[rig.me] = 0
    original, landed = rig.chain._eth_getTransactionCount, 1

    def count(account: str, tag: Any) -> str:
        return hex(landed) if isinstance(tag, dict) else original(account, tag)

    rig.chain._eth_getTransactionCount = count  # type: ignore[method-assign]
    assert await rig.lane.call_off(None, judged_at) == 0
    landed = 0
    assert await rig.lane.call_off(None, judged_at) == 1
    rig.chain.mine()
    assert [seen.data for seen in rig.chain.mined_at(0)] == ["0x"]


async def test_a_node_that_is_away_has_not_said_that_nothing_is_mined(rig: Rig) -> None:
    """An outage in mid-flight changes nothing: no second intent, and the receipt is found afterwards."""

    def away() -> None:
        rig.chain.is_away = True

    def back() -> None:
        rig.chain.is_away = False

    rig.clock.at = [(2, away), (3, rig.chain.mine), (40, back)]
    receipts = await rig.lane.send([rig.out()], guidance())
    assert receipts[0].succeeded
    assert len({s.hash for s in rig.chain.log}) == 1


async def test_the_owner_can_cancel_by_hand(rig: Rig) -> None:
    """`keeper tx cancel` leaves a wish; the flight grants it."""
    key = wish_key(31337, rig.me)

    async def send() -> None:
        await rig.lane.send([rig.out()], guidance())

    await rig.journal.facts.set(key, {"1": "cancel"})
    rig.clock.at = [(5, rig.chain.mine)]
    with pytest.raises(SendFailedError) as failed:
        await send()
    assert failed.value.reason is Reason.CANCELLED
    assert [s.data for s in rig.chain.mined_at(0)] == ["0x"]
    assert await rig.journal.facts.get(key) is None


async def test_a_wallet_that_cannot_pay_signs_nothing(rig: Rig) -> None:
    """No gas money is said before anything is signed."""
    rig.chain.balance = 1000
    with pytest.raises(SendFailedError) as failed:
        await rig.lane.send([rig.out()], guidance())
    assert failed.value.reason is Reason.NO_GAS_MONEY
    assert await rig.states() == []
